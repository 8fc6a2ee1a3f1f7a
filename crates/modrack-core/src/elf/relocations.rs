//! Relocations: what the system's loader writes into a library when it loads it, and with that where its pointers
//! will point.

use super::bytes::Bytes;
use super::dynamic::Symbols;
use super::{DYNAMIC, Elf, NotElf, WRITABLE};

const ENTRY: u64 = 24;

/// Kinds of relocations, as this machine numbers them.
#[cfg(target_arch = "x86_64")]
mod kind {
    pub(super) const NONE: u64 = 0;
    pub(super) const ADDRESS: u64 = 1;
    pub(super) const COPY: u64 = 5;
    pub(super) const RELATIVE: u64 = 8;
    pub(super) const TLS_DESCRIPTOR: u64 = 36;
    /// Those that write four bytes.
    pub(super) const SHORT: &[u64] = &[2, 10, 11];
}

/// Kinds of relocations, as this machine numbers them.
#[cfg(target_arch = "aarch64")]
mod kind {
    pub(super) const NONE: u64 = 0;
    pub(super) const ADDRESS: u64 = 257;
    pub(super) const COPY: u64 = 1024;
    pub(super) const RELATIVE: u64 = 1027;
    pub(super) const TLS_DESCRIPTOR: u64 = 1031;
    pub(super) const SHORT: &[u64] = &[258, 261];
}

/// Kinds of relocations; for this machine none that are known.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod kind {
    pub(super) const NONE: u64 = 0;
    pub(super) const ADDRESS: u64 = u64::MAX;
    pub(super) const COPY: u64 = u64::MAX;
    pub(super) const RELATIVE: u64 = u64::MAX;
    pub(super) const TLS_DESCRIPTOR: u64 = u64::MAX;
    pub(super) const SHORT: &[u64] = &[];
}

/// The tables of relocations.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Relocations<'d> {
    tables: [Bytes<'d>; 2],
    /// How many of the first table the loader takes to point into the library, whatever they say.
    first_relative: u64,
    /// Places that point into the library, in few words.
    relative: Bytes<'d>,
    /// Whether code may be written to.
    in_code: bool,
}

/// What the pointers in a library's data will point at once it is loaded.
#[derive(Clone, Debug)]
pub struct Pointers<'e, 'd> {
    elf: &'e Elf<'d>,
    /// Where a pointer is, and what it will point at where that is in the library.
    known: Vec<(u64, Option<u64>)>,
}

/// What a pointer will point at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointer {
    /// Nothing.
    Null,
    /// An address in the library.
    To(u64),
    /// What only the system's loader knows, or what is not in the file.
    Unknown,
}

/// One relocation.
struct Relocation {
    at: u64,
    kind: u64,
    symbol: u64,
    addend: u64,
}

impl<'d> Relocations<'d> {
    pub(super) fn read(elf: &Elf<'d>, one: impl Fn(u64) -> Option<u64>) -> Result<Self, NotElf> {
        let table = |at: u64, size: u64, what| match (one(at), one(size)) {
            (Some(at), Some(size)) if size > 0 => {
                elf.mapped(at).and_then(|bytes| bytes.get(0, size)).ok_or(NotElf::Cut(what))
            }
            _ => Ok(Bytes::default()),
        };
        let tables = [table(7, 8, "its relocations")?, table(23, 2, "its relocations of functions")?];
        let relative = table(36, 35, "its relative relocations")?;
        let in_code = one(22).is_some() || one(30).is_some_and(|flags| flags & 4 != 0);
        let first_relative = one(0x6fff_fff9).filter(|_| !tables[0].0.is_empty()).unwrap_or_default();
        Ok(Self { tables, first_relative, relative, in_code })
    }

    /// Checks that the loader writes to nothing but what it may, and reads no symbol that is not there.
    pub(super) fn check(&self, elf: &Elf<'d>, symbols: &Symbols<'d>) -> Result<(), NotElf> {
        let outside = NotElf::Nonsense("a relocation lies outside of its data");
        let flags = if self.in_code { 0 } else { WRITABLE };
        // What the loader goes by itself is no place for addresses: it reads that after it has written them.
        let goes_by = elf.segments().filter(|segment| segment.kind == DYNAMIC).last();
        let is_its_own = |at: u64, size: u64| {
            goes_by.as_ref().is_some_and(|own| {
                at < own.address.saturating_add(own.content.0.len() as u64)
                    && own.address < at.saturating_add(size)
            })
        };
        let is_writable = |at: u64, size: u64| elf.has_memory_for(at, size, flags) && !is_its_own(at, size);
        let first = usize::try_from(self.first_relative).unwrap_or(usize::MAX);
        if self.each().take_while(|relocation| relocation.kind == kind::RELATIVE).take(first).count() < first
        {
            return Err(NotElf::Nonsense("it says that more of its relocations are relative than are"));
        }
        for relocation in self.each() {
            // The loader looks for the version of each, also where it needs none.
            if relocation.symbol != 0 {
                symbols.get(relocation.symbol)?;
            }
            let size = match relocation.kind {
                kind::NONE => continue,
                // What programs do: a library would have another's data written over its own.
                kind::COPY => {
                    return Err(NotElf::Nonsense("a relocation is of a kind that only programs have"));
                }
                kind::TLS_DESCRIPTOR => 16,
                short if kind::SHORT.contains(&short) => 4,
                _ => 8,
            };
            if !is_writable(relocation.at, size) {
                return Err(outside);
            }
        }
        match self.each_relative().all(|at| is_writable(at, 8)) {
            true => Ok(()),
            false => Err(outside),
        }
    }

    pub(super) fn pointers<'e>(&self, elf: &'e Elf<'d>, symbols: &Symbols<'d>) -> Pointers<'e, 'd> {
        let mut known: Vec<(u64, Option<u64>)> = self
            .each()
            .filter(|relocation| relocation.kind != kind::NONE)
            .map(|relocation| {
                let to = match relocation.kind {
                    kind::RELATIVE => Some(relocation.addend),
                    kind::ADDRESS => {
                        symbols.address(relocation.symbol).map(|at| at.wrapping_add(relocation.addend))
                    }
                    _ => None,
                };
                (relocation.at, to)
            })
            .collect();
        known.extend(self.each_relative().map(|at| (at, elf.word(at))));
        known.sort_by_key(|(at, _)| *at);
        Pointers { elf, known }
    }

    fn each(&self) -> impl Iterator<Item = Relocation> {
        self.tables.into_iter().flat_map(|table| {
            (0..table.0.len() as u64 / ENTRY).map_while(move |index| {
                let entry = table.get(index * ENTRY, ENTRY)?;
                let info = entry.u64(8)?;
                let (kind, symbol) = (info & 0xffff_ffff, info >> 32);
                Some(Relocation { at: entry.u64(0)?, kind, symbol, addend: entry.u64(16)? })
            })
        })
    }

    /// An even word is a place; an odd one has a bit for each of the 63 words behind.
    fn each_relative(&self) -> impl Iterator<Item = u64> {
        let table = self.relative;
        let words = (0..table.0.len() / 8).map_while(move |index| table.u64(index * 8));
        let mut behind = 0_u64;
        words.flat_map(move |word| {
            let (start, bits) = if word & 1 == 0 { (word, 1) } else { (behind, word >> 1) };
            behind = start.wrapping_add(if word & 1 == 0 { 8 } else { 63 * 8 });
            (0..63).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| start.wrapping_add(bit * 8))
        })
    }
}

impl Pointers<'_, '_> {
    /// What the pointer at `address` will point at.
    pub fn at(&self, address: u64) -> Pointer {
        let found = self.known.binary_search_by_key(&address, |(at, _)| *at);
        let found = found.ok().and_then(|index| self.known.get(index));
        match (found, self.elf.word(address)) {
            (Some((_, Some(to))), _) => Pointer::To(*to),
            (None, Some(0)) => Pointer::Null,
            _ => Pointer::Unknown,
        }
    }
}
