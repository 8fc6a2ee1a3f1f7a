//! Whether memory that another library points at is there at all, and may be read.
//!
//! The C data interface passes pointers without lengths; the lengths follow from what the array claims. This is
//! the one place that asks the system about them, and the only code here that depends on the platform.

#![expect(unsafe_code, reason = "asking the system about an address is a call into libc")]

use std::cell::RefCell;
use std::ffi::CStr;
use std::fs::File;
use std::ops::Range;
use std::string::String;
use std::vec::Vec;

/// The smallest page any supported platform has; larger pages are multiples of it.
const PAGE: usize = 4096;

/// No more than that can be anything; the system would round a size just below 2^64 up to none at all.
const MOST: usize = isize::MAX as usize;

/// Whether all of `bytes` bytes from `start` are mapped into this process.
///
/// Memory that is mapped may still belong to something else: this finds claims that are absurd, not every lie.
#[cfg(target_os = "linux")]
pub fn is_mapped(start: *const u8, bytes: usize) -> bool {
    if bytes == 0 {
        return true;
    }
    let first = start.addr() & !(PAGE - 1);
    let Some(end) = start.addr().checked_add(bytes) else { return false };
    if bytes > MOST {
        return false;
    }
    // SAFETY: `msync` with `MS_ASYNC` neither reads nor writes the memory; it answers ENOMEM when part of
    // the range is not mapped, whatever the range is.
    let answer = unsafe { libc::msync(std::ptr::without_provenance_mut(first), end - first, libc::MS_ASYNC) };
    // Other answers than ENOMEM say nothing about the mapping: with larger pages, EINVAL for `first`.
    answer == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ENOMEM)
}

/// Whether all of `bytes` bytes from `start` can lie in an address space.
#[cfg(not(target_os = "linux"))]
pub fn is_mapped(start: *const u8, bytes: usize) -> bool {
    start.addr() >= PAGE && start.addr().checked_add(bytes).is_some_and(|end| end < 1 << 47)
}

/// What of this process's memory may be read, as far as somebody asked: for the check of one table, because the
/// process goes on mapping and unmapping.
///
/// The system is asked by mappings and not by pages, so that a gigabyte costs no more than a byte. Where it does not
/// answer (another system than Linux, no `/proc`), what is mapped counts as readable. What a mapping of a
/// file has behind the file's end is not found out.
pub(super) struct Memory(RefCell<Known>);

struct Known {
    /// Mappings that may be read, in order.
    readable: Vec<Range<usize>>,
    maps: Maps,
}

/// How the system tells of mappings.
enum Maps {
    /// Nobody asked yet.
    Unasked,
    /// One by one (Linux 6.11 and newer).
    Each(File),
    /// All at once: they are known.
    All,
    /// Not at all.
    Silent,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self(RefCell::new(Known { readable: Vec::new(), maps: Maps::Unasked }))
    }

    /// Whether all of `bytes` bytes from `start` may be read.
    pub(super) fn is_readable(&self, start: *const u8, bytes: usize) -> bool {
        let Some(end) = start.addr().checked_add(bytes).filter(|_| bytes <= MOST) else { return false };
        let mut at = start.addr();
        while at < end {
            match self.mapping(at) {
                Some(mapping) => at = mapping.end,
                None => return self.is_silent() && is_mapped(start, bytes),
            }
        }
        true
    }

    /// The text at `start`, up to the zero that ends it; none where it leads out of what may be read.
    pub(super) fn text<'a>(&self, start: *const std::ffi::c_char) -> Option<&'a CStr> {
        let mut at = start.addr();
        if self.mapping(at).is_some() {
            loop {
                let mapping = self.mapping(at)?;
                let rest = start.cast::<u8>().wrapping_add(at - start.addr());
                // SAFETY: the mapping goes on for so many bytes, and may be read.
                let rest = unsafe { std::slice::from_raw_parts(rest, mapping.end - at) };
                if rest.contains(&0) {
                    break;
                }
                at = mapping.end;
            }
        } else if !self.is_silent() || !is_mapped(start.cast(), 1) {
            return None;
        }
        // SAFETY: the text ends inside of what may be read; where the system does not tell, the interface promises
        // that a pointer which is not null is a C string.
        Some(unsafe { CStr::from_ptr(start) })
    }

    fn is_silent(&self) -> bool {
        matches!(self.0.borrow().maps, Maps::Silent)
    }

    /// The mapping that `at` lies in, if it may be read.
    fn mapping(&self, at: usize) -> Option<Range<usize>> {
        let mut known = self.0.borrow_mut();
        if matches!(known.maps, Maps::Unasked) {
            *known = Known::ask(at);
        }
        let behind = known.readable.partition_point(|mapping| mapping.end <= at);
        if let Some(mapping) = known.readable.get(behind).filter(|mapping| mapping.start <= at) {
            return Some(mapping.clone());
        }
        let Maps::Each(maps) = &known.maps else { return None };
        let found = query(maps, at).ok().flatten()?;
        known.readable.insert(behind, found.clone());
        Some(found)
    }
}

impl Known {
    /// What the system says when it is asked for the first time.
    fn ask(at: usize) -> Self {
        let Ok(mut maps) = File::open("/proc/self/maps") else {
            return Self { readable: Vec::new(), maps: Maps::Silent };
        };
        match query(&maps, at) {
            Ok(found) => Self { readable: found.into_iter().collect(), maps: Maps::Each(maps) },
            Err(()) => {
                let mut text = String::new();
                match std::io::Read::read_to_string(&mut maps, &mut text) {
                    Ok(_) => Self { readable: text.lines().filter_map(line).collect(), maps: Maps::All },
                    Err(_) => Self { readable: Vec::new(), maps: Maps::Silent },
                }
            }
        }
    }
}

/// The mapping that a line of `/proc/self/maps` tells of, if it may be read.
fn line(line: &str) -> Option<Range<usize>> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    rest.starts_with('r').then_some(number(start)?..number(end)?)
}

/// Asks for the mapping that `at` lies in: none where it may not be read, an error where nobody answers.
#[cfg(target_os = "linux")]
fn query(maps: &File, at: usize) -> Result<Option<Range<usize>>, ()> {
    use std::os::fd::AsRawFd;

    /// `struct procmap_query` of `linux/fs.h`.
    #[repr(C)]
    #[derive(Default)]
    struct Query {
        size: u64,
        flags: u64,
        address: u64,
        start: u64,
        end: u64,
        access: u64,
        file: [u64; 3],
        device: [u32; 2],
        sizes: [u32; 2],
        places: [u64; 2],
    }
    const { assert!(size_of::<Query>() == 104) };
    /// `PROCMAP_QUERY`: `_IOWR('f', 17, struct procmap_query)`.
    const PROCMAP_QUERY: u32 = 0xc068_6611;
    /// `PROCMAP_QUERY_VMA_READABLE`.
    const READABLE: u64 = 1;

    let mut query = Query { size: 104, address: at as u64, ..Query::default() };
    // SAFETY: the descriptor is open, and the structure is the one that this request reads and writes; the request
    // asks for no name, so that nothing else is written to.
    let answer = unsafe { libc::ioctl(maps.as_raw_fd(), PROCMAP_QUERY as _, &raw mut query) };
    if answer != 0 {
        // There is no mapping; or the system does not know the request.
        let why = std::io::Error::last_os_error().raw_os_error();
        return if why == Some(libc::ENOENT) { Ok(None) } else { Err(()) };
    }
    let found = usize::try_from(query.start).ok().zip(usize::try_from(query.end).ok());
    Ok(found.filter(|_| query.access & READABLE != 0).map(|(start, end)| start..end))
}

#[cfg(not(target_os = "linux"))]
fn query(_: &File, _: usize) -> Result<Option<Range<usize>>, ()> {
    Err(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: usize) -> *const u8 {
        std::ptr::without_provenance(address)
    }

    #[test]
    fn what_is_larger_than_memory_is_not_there() {
        let here = [0_u8; 10_000];
        for (address, bytes) in [(16, usize::MAX - 2000), (1, usize::MAX - 1), (4096, usize::MAX - 8191)] {
            assert!(!is_mapped(at(address), bytes), "{bytes} bytes from {address}");
            assert!(!Memory::new().is_readable(at(address), bytes), "{bytes} bytes from {address}");
        }
        assert!(is_mapped(here.as_ptr(), here.len()));
        assert!(Memory::new().is_readable(here.as_ptr(), here.len()));
    }

    /// Three pages, of which the one in the middle may not be read.
    struct Pages(*mut u8);

    impl Pages {
        fn new() -> Self {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            // SAFETY: new pages of our own, at a place that the system picks; then the second of them.
            let start = unsafe {
                let access = libc::PROT_READ | libc::PROT_WRITE;
                let start = libc::mmap(std::ptr::null_mut(), 3 * PAGE, access, flags, -1, 0);
                assert_ne!(start, libc::MAP_FAILED);
                assert_eq!(libc::mprotect(start.byte_add(PAGE), PAGE, libc::PROT_NONE), 0);
                start.cast::<u8>()
            };
            Self(start)
        }
    }

    impl Drop for Pages {
        fn drop(&mut self) {
            // SAFETY: the pages are ours, and nobody points at them any more.
            unsafe { libc::munmap(self.0.cast(), 3 * PAGE) };
        }
    }

    /// Memory as it is known when the system is asked one by one, all at once, and as it is here.
    fn ways() -> Vec<Memory> {
        let text = std::fs::read_to_string("/proc/self/maps").unwrap();
        let all = Known { readable: text.lines().filter_map(line).collect(), maps: Maps::All };
        std::vec![Memory::new(), Memory(RefCell::new(all))]
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_mapped_and_may_not_be_read_is_found_out() {
        let pages = Pages::new();
        assert!(is_mapped(pages.0, 3 * PAGE));
        for memory in ways() {
            for (offset, bytes, readable) in [
                (0, PAGE, true),
                (0, PAGE + 1, false),
                (0, 3 * PAGE, false),
                (PAGE, 1, false),
                (2 * PAGE - 1, 2, false),
                (2 * PAGE, PAGE, true),
            ] {
                let start = pages.0.wrapping_add(offset);
                assert_eq!(memory.is_readable(start, bytes), readable, "{bytes} bytes from {offset}");
            }
            assert!(!memory.is_readable(at(16), 1));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn text_ends_before_what_may_not_be_read() {
        let pages = Pages::new();
        let last = pages.0.wrapping_add(PAGE - 3);
        // SAFETY: the first page is ours and may be written to.
        unsafe { std::ptr::copy_nonoverlapping(c"ab".as_ptr().cast::<u8>(), last, 3) };
        for memory in ways() {
            assert_eq!(memory.text(last.cast()), Some(c"ab"));
        }
        // SAFETY: as above.
        unsafe { last.add(2).write(b'c') };
        for memory in ways() {
            assert_eq!(memory.text(last.cast()), None);
            assert_eq!(memory.text(pages.0.wrapping_add(PAGE).cast()), None);
        }
    }
}
