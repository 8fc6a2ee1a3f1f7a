//! ELF files, as far as a host must know them before it has the system load one: whether they are whole, for
//! which machine they are, what they export and need, and their notes.
//!
//! The bytes are given in. Every offset, size and count is held against them before it is used, because the
//! system's loader is not so careful: a file that was cut ends the process.

mod bytes;
mod dynamic;

use bytes::Bytes;
pub use dynamic::{Dynamic, Symbol};

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
const NO_BITS: u32 = 8;
const SECTION_NOTE: u32 = 7;

/// A part of the file that is mapped into memory.
#[derive(Clone, Copy, Debug)]
struct Segment<'d> {
    kind: u32,
    address: u64,
    memory: u64,
    content: Bytes<'d>,
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
    pub fn note(&self, section: &str, owner: &str, kind: u32) -> Option<&'d [u8]> {
        let named = (0..self.sections.0.len() / SECTION).filter_map(|index| self.section(index));
        let (mine, other): (Vec<_>, Vec<_>) =
            named.partition(|(name, ..)| self.names.text(*name as usize) == Some(section));
        let other = other.into_iter().filter(|(_, kind, _)| *kind == SECTION_NOTE);
        let sections = mine.into_iter().chain(other).map(|(.., content)| content);
        let segments = self.segments().filter(|segment| segment.kind == NOTE).map(|segment| segment.content);
        sections.chain(segments).find_map(|content| note_in(content, owner, kind))
    }

    /// What the system's loader goes by.
    ///
    /// # Errors
    /// What is not in the file.
    pub fn dynamic(&self) -> Result<Dynamic<'d>, NotElf> {
        let entries = self.segments().find(|segment| segment.kind == DYNAMIC);
        let entries = entries.ok_or(NotElf::Nonsense("it has no dynamic section"))?;
        // The loader reads it in memory, where it must be the same.
        let there = self.mapped(entries.address);
        if !there.is_some_and(|there| there.0.starts_with(entries.content.0)) {
            return Err(NotElf::Nonsense("its dynamic section is not mapped where it says"));
        }
        Dynamic::read(self, entries.content)
    }

    /// The bytes of the file that are mapped at `address`, to the end of their segment.
    pub fn at(&self, address: u64) -> Option<&'d [u8]> {
        self.mapped(address).map(|bytes| bytes.0)
    }

    fn mapped(&self, address: u64) -> Option<Bytes<'d>> {
        self.segments().filter(|segment| segment.kind == LOAD).find_map(|segment| {
            let inside = address.checked_sub(segment.address)?;
            let left = (segment.content.0.len() as u64).checked_sub(inside)?;
            if left == 0 { None } else { segment.content.get(inside, left) }
        })
    }

    /// Whether all of `size` bytes from `address` are mapped, those that are not in the file included.
    fn has_memory(&self, address: u64, size: u64) -> bool {
        self.segments().filter(|segment| segment.kind == LOAD).any(|segment| {
            address
                .checked_sub(segment.address)
                .and_then(|inside| inside.checked_add(size))
                .is_some_and(|end| end <= segment.memory)
        })
    }

    fn check_segments(&self) -> Result<(), NotElf> {
        let count = self.segments.0.len() / SEGMENT;
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
        Ok(())
    }

    fn segments(&self) -> impl Iterator<Item = Segment<'d>> {
        let (table, file) = (self.segments, self.file);
        (0..table.0.len() / SEGMENT).map_while(move |index| {
            let entry = table.get((index * SEGMENT) as u64, SEGMENT as u64)?;
            let content = file.get(entry.u64(8)?, entry.u64(32)?)?;
            Some(Segment { kind: entry.u32(0)?, address: entry.u64(16)?, memory: entry.u64(40)?, content })
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

/// The payload of the first note with this owner and type.
fn note_in<'d>(mut notes: Bytes<'d>, owner: &str, kind: u32) -> Option<&'d [u8]> {
    let padded = |size: u32| u64::from(size).div_ceil(4) * 4;
    loop {
        let (name_size, size) = (notes.u32(0)?, notes.u32(4)?);
        let name = notes.get(12, u64::from(name_size))?;
        let text_at = 12 + padded(name_size);
        let text = notes.get(text_at, u64::from(size))?;
        if notes.u32(8)? == kind && name.0.strip_suffix(b"\0").unwrap_or(name.0) == owner.as_bytes() {
            return Some(text.0);
        }
        let next = text_at + padded(size);
        notes = notes.get(next, (notes.0.len() as u64).checked_sub(next)?)?;
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
