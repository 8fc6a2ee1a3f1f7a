//! Whether memory that another library points at is there at all.
//!
//! The C data interface passes pointers without lengths; the lengths follow from what the array claims. This is
//! the one place that asks the system about them, and the only code here that depends on the platform.

#![expect(unsafe_code, reason = "asking the system about an address is a call into libc")]

/// The smallest page any supported platform has; larger pages are multiples of it.
const PAGE: usize = 4096;

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
    // No more than that can be anything; the system would round a size just below 2^64 up to none at all.
    if bytes > isize::MAX as usize {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_larger_than_memory_is_not_there() {
        let at = |address: usize| std::ptr::without_provenance::<u8>(address);
        for (address, bytes) in [(16, usize::MAX - 2000), (1, usize::MAX - 1), (4096, usize::MAX - 8191)] {
            assert!(!is_mapped(at(address), bytes), "{bytes} bytes from {address}");
        }
        let here = [0_u8; 10_000];
        assert!(is_mapped(here.as_ptr(), here.len()));
    }
}
