//! ELF files, as far as a host must know them before it has the system load one: whether they are whole, for
//! which machine they are, what they export and need, and their notes.
//!
//! The bytes are given in. Every offset, size and count is held against them before it is used, because the
//! system's loader is not so careful: a file that was cut ends the process.

mod bytes;
mod dynamic;
mod hash;
mod note;
mod relocations;
mod versions;

use bytes::Bytes;
pub use dynamic::{Dynamic, Symbol};
pub use relocations::{Pointer, Pointers};

/// A shared library, held against its own length.
#[derive(Clone, Copy, Debug)]
pub struct Elf<'d> {
    file: Bytes<'d>,
    segments: Bytes<'d>,
    sections: Bytes<'d>,
    /// The section of the sections' names.
    names: Bytes<'d>,
}

/// Why a file is not a shared library that this machine loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotElf {
    /// It is something else altogether.
    Other,
    /// It is for another machine, in words: `aarch64`.
    Machine(String),
    /// It is an ELF file, but not a shared library.
    Kind(&'static str),
    /// It ends before what it says of itself.
    Cut(&'static str),
    /// It contradicts itself.
    Nonsense(&'static str),
}

/// The bytes with which every ELF file begins.
pub const MAGIC: &[u8] = b"\x7fELF";

/// ELF's number for the machine that this is.
#[cfg(target_arch = "x86_64")]
pub const MACHINE: u16 = 62;
/// ELF's number for the machine that this is.
#[cfg(target_arch = "aarch64")]
pub const MACHINE: u16 = 183;
/// ELF's number for the machine that this is; none that is known.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub const MACHINE: u16 = 0;

const HEADER: usize = 64;
const SEGMENT: usize = 56;
const SECTION: usize = 64;
const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
const NOTE: u32 = 4;
const HEADERS: u32 = 6;
const THREAD: u32 = 7;
const UNWINDING: u32 = 0x6474_e550;
const READ_ONLY: u32 = 0x6474_e552;
const PROPERTIES: u32 = 0x6474_e553;
const EXECUTABLE: u32 = 1;
const WRITABLE: u32 = 2;
const READABLE: u32 = 4;
const NO_BITS: u32 = 8;
const SECTION_NOTE: u32 = 7;

/// The largest page that linkers for this machine go by.
const PAGE: u64 = if cfg!(target_arch = "x86_64") { 1 << 12 } else { 1 << 16 };

/// More segments than any library has; the loader has room on its stack for each.
const MOST_SEGMENTS: usize = 1024;

/// More than any library asks each thread to have.
const MOST_OF_THREAD: u64 = 1 << 30;

/// A part of the file that is mapped into memory.
#[derive(Clone, Copy, Debug)]
struct Segment<'d> {
    kind: u32,
    flags: u32,
    address: u64,
    memory: u64,
    content: Bytes<'d>,
}

impl Segment<'_> {
    /// Whether it is mapped so that it may be used as `flags` say.
    fn is_loaded_for(&self, flags: u32) -> bool {
        self.kind == LOAD && self.flags & flags == flags
    }
}

impl<'d> Elf<'d> {
    /// Reads a whole file.
    ///
    /// # Errors
    /// What keeps this machine from loading it.
    pub fn read(content: &'d [u8]) -> Result<Self, NotElf> {
        let file = Bytes(content);
        if !content.starts_with(MAGIC) {
            return Err(NotElf::Other);
        }
        let header = file.get(0, HEADER as u64).ok_or(NotElf::Cut("its header"))?;
        let [_, _, _, _, class, order, ..] = content else { return Err(NotElf::Cut("its header")) };
        let kind = header.u16(16).unwrap_or_default();
        let machine = header.u16(18).unwrap_or_default();
        if *order != 1 {
            return Err(NotElf::Machine("one that puts the high byte first".to_owned()));
        }
        if *class != 2 || machine != MACHINE {
            return Err(NotElf::Machine(machine_name(machine, *class)));
        }
        match kind {
            3 => {}
            1 => return Err(NotElf::Kind("an object file that was not linked")),
            2 => return Err(NotElf::Kind("a program")),
            4 => return Err(NotElf::Kind("a memory dump")),
            _ => return Err(NotElf::Nonsense("its type is none that there is")),
        }
        let table = |at: usize, size_at: usize, size: usize, cut| -> Result<Bytes<'d>, NotElf> {
            let count = u64::from(header.u16(size_at + 2).unwrap_or_default());
            if count > 0 && usize::from(header.u16(size_at).unwrap_or_default()) != size {
                return Err(NotElf::Nonsense("its tables have entries of a size that is not ELF's"));
            }
            file.get(header.u64(at).unwrap_or_default(), count * size as u64).ok_or(NotElf::Cut(cut))
        };
        let segments = table(32, 54, SEGMENT, "its table of segments")?;
        let sections = table(40, 58, SECTION, "its table of sections")?;
        let mut elf = Self { file, segments, sections, names: Bytes(&[]) };
        elf.check_segments()?;
        let names = usize::from(header.u16(62).unwrap_or_default());
        for index in 0..sections.0.len() / SECTION {
            let content = elf.section(index).ok_or(NotElf::Cut("one of its sections"))?.2;
            if index == names {
                elf.names = content;
            }
        }
        Ok(elf)
    }

    /// The text of the note with this owner and type: that of the section called `section` first, else of any.
    ///
    /// # Errors
    /// A note of this owner, or in this section, that goes on behind its end.
    pub fn note(&self, section: &str, owner: &str, kind: u32) -> Result<Option<&'d [u8]>, NotElf> {
        let named = (0..self.sections.0.len() / SECTION).filter_map(|index| self.section(index));
        let (mine, other): (Vec<_>, Vec<_>) =
            named.partition(|(name, ..)| self.names.text(*name as usize) == Some(section));
        let mine = mine.into_iter().map(|(.., content)| (content, true));
        let other = other.into_iter().filter(|(_, kind, _)| *kind == SECTION_NOTE);
        let other = other.map(|(.., content)| content);
        let segments = self.segments().filter(|segment| segment.kind == NOTE).map(|segment| segment.content);
        for (content, is_mine) in mine.chain(other.chain(segments).map(|content| (content, false))) {
            match note::find(content, owner, kind, is_mine) {
                Ok(None) => {}
                found => return found,
            }
        }
        Ok(None)
    }

    /// What the system's loader goes by.
    ///
    /// # Errors
    /// What is not in the file.
    pub fn dynamic(&self) -> Result<Dynamic<'d>, NotElf> {
        // Of several the loader takes the last.
        let entries = self.segments().filter(|segment| segment.kind == DYNAMIC).last();
        let entries = entries.ok_or(NotElf::Nonsense("it has no dynamic section"))?;
        // The loader reads it in memory, where it must be the same.
        let there = self.mapped(entries.address);
        if !there.is_some_and(|there| there.0.starts_with(entries.content.0)) {
            return Err(NotElf::Nonsense("its dynamic section is not mapped where it says"));
        }
        // Loaders write addresses into one that says that it can be written to.
        let size = entries.content.0.len() as u64;
        if entries.flags & WRITABLE != 0 && !self.has_memory_for(entries.address, size, WRITABLE) {
            return Err(NotElf::Nonsense("its dynamic section cannot be written to as it says"));
        }
        Dynamic::read(self, entries.content)
    }

    /// The bytes of the file that can be read at `address`, to the end of their segment.
    pub fn at(&self, address: u64) -> Option<&'d [u8]> {
        self.mapped(address).map(|bytes| bytes.0)
    }

    fn mapped(&self, address: u64) -> Option<Bytes<'d>> {
        self.segments().filter(|segment| segment.is_loaded_for(READABLE)).find_map(|segment| {
            let inside = address.checked_sub(segment.address)?;
            let left = (segment.content.0.len() as u64).checked_sub(inside)?;
            if left == 0 { None } else { segment.content.get(inside, left) }
        })
    }

    /// The eight bytes at `address`.
    fn word(&self, address: u64) -> Option<u64> {
        self.mapped(address)?.u64(0)
    }

    /// Whether all of `size` bytes from `address` may be read, those that are not in the file included.
    fn has_memory(&self, address: u64, size: u64) -> bool {
        self.has_memory_for(address, size, READABLE)
    }

    /// Whether all of `size` bytes from `address` are mapped so that they may be used as `flags` say.
    fn has_memory_for(&self, address: u64, size: u64, flags: u32) -> bool {
        let mut loaded = self.segments().filter(|segment| segment.is_loaded_for(flags));
        loaded.any(|segment| {
            address
                .checked_sub(segment.address)
                .and_then(|inside| inside.checked_add(size))
                .is_some_and(|end| end <= segment.memory)
        })
    }

    fn check_segments(&self) -> Result<(), NotElf> {
        let count = self.segments.0.len() / SEGMENT;
        if count > MOST_SEGMENTS {
            return Err(NotElf::Nonsense("it has more segments than there are"));
        }
        if self.segments().count() != count {
            return Err(NotElf::Cut("one of its segments"));
        }
        let mut end = 0;
        for (index, segment) in self.segments().enumerate().filter(|(_, segment)| segment.kind == LOAD) {
            let at = self.segments.get((index * SEGMENT) as u64, SEGMENT as u64);
            let (offset, align) = at.map_or((0, 0), |e| (e.u64(8).unwrap_or(0), e.u64(48).unwrap_or(0)));
            let overlaps = segment.address < end;
            let Some(next) = segment.address.checked_add(segment.memory).filter(|next| *next < 1 << 47)
            else {
                return Err(NotElf::Nonsense("a segment is larger than memory"));
            };
            if overlaps || segment.memory < segment.content.0.len() as u64 {
                return Err(NotElf::Nonsense("its segments do not fit into memory as it says"));
            }
            if align > 1 && (!align.is_power_of_two() || offset % align != segment.address % align) {
                return Err(NotElf::Nonsense("a segment is not aligned as it says"));
            }
            end = next;
        }
        if end == 0 {
            return Err(NotElf::Nonsense("nothing of it is loaded"));
        }
        self.segments().try_for_each(|segment| self.check_part(&segment))
    }

    /// Checks a segment that says what a part of the loaded ones is for.
    fn check_part(&self, segment: &Segment<'d>) -> Result<(), NotElf> {
        let in_file = segment.content.0.len() as u64;
        let (size, flags, what) = match segment.kind {
            HEADERS => {
                (self.segments.0.len() as u64, READABLE, "its table of segments is not mapped as it says")
            }
            UNWINDING => (in_file, READABLE, "its table for unwinding is not mapped as it says"),
            PROPERTIES => (in_file, READABLE, "its properties are not mapped as it says"),
            THREAD => (in_file, READABLE, "what each of its threads has is not mapped as it says"),
            // Linkers let it end with its page.
            READ_ONLY => (
                segment.memory.saturating_sub(PAGE - 1).max(1),
                WRITABLE,
                "what is to be read only is not its own",
            ),
            _ => return Ok(()),
        };
        if segment.kind == THREAD && (segment.memory > MOST_OF_THREAD || in_file > segment.memory) {
            return Err(NotElf::Nonsense("what each of its threads has is larger than memory"));
        }
        if size > 0 && !self.has_memory_for(segment.address, size, flags) {
            return Err(NotElf::Nonsense(what));
        }
        Ok(())
    }

    fn segments(&self) -> impl Iterator<Item = Segment<'d>> {
        let (table, file) = (self.segments, self.file);
        (0..table.0.len() / SEGMENT).map_while(move |index| {
            let entry = table.get((index * SEGMENT) as u64, SEGMENT as u64)?;
            let content = file.get(entry.u64(8)?, entry.u64(32)?)?;
            Some(Segment {
                kind: entry.u32(0)?,
                flags: entry.u32(4)?,
                address: entry.u64(16)?,
                memory: entry.u64(40)?,
                content,
            })
        })
    }

    /// The name's offset, the type and the content of a section.
    fn section(&self, index: usize) -> Option<(u32, u32, Bytes<'d>)> {
        let entry = self.sections.get((index * SECTION) as u64, SECTION as u64)?;
        let kind = entry.u32(4)?;
        let empty = kind == NO_BITS || kind == 0;
        let content = if empty { Bytes(&[]) } else { self.file.get(entry.u64(24)?, entry.u64(32)?)? };
        Some((entry.u32(0)?, kind, content))
    }
}

fn machine_name(machine: u16, class: u8) -> String {
    let bits = if class == 1 { "32 bits of " } else { "" };
    let name = match machine {
        3 => "x86",
        8 => "MIPS",
        20 | 21 => "PowerPC",
        22 => "s390",
        40 => "ARM",
        62 => "x86-64",
        183 => "ARM64",
        243 => "RISC-V",
        258 => "LoongArch",
        _ => return format!("the machine {machine} of ELF's list"),
    };
    format!("{bits}{name}")
}
