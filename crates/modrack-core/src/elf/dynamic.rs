//! The dynamic section of a shared library: what it is called, what it needs and where that is looked for, and
//! the symbols that it exports.

use super::bytes::Bytes;
use super::{Elf, NotElf};

const ENTRY: usize = 16;
const SYMBOL: u64 = 24;

/// What the system's loader goes by.
#[derive(Clone, Debug, Default)]
pub struct Dynamic<'d> {
    /// The name by which others need it.
    pub soname: Option<&'d str>,
    /// The names of the libraries that it needs.
    pub needed: Vec<&'d str>,
    /// Where these are looked for first.
    pub search: Vec<&'d str>,
    /// What it exports.
    pub symbols: Vec<Symbol<'d>>,
}

/// An exported symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'d> {
    /// Its name.
    pub name: &'d str,
    /// Its address in the library.
    pub address: u64,
    /// How many bytes it has; 0 where that is not said.
    pub size: u64,
    /// Whether it is a function.
    pub is_function: bool,
}

/// Tables that the loader reads: the entry of their address, that of their size, and what they are.
const TABLES: &[(u64, u64, &str)] = &[
    (7, 8, "its relocations"),
    (23, 2, "its relocations of functions"),
    (17, 18, "its relocations"),
    (36, 35, "its relative relocations"),
    (25, 27, "its table of functions that start it"),
    (26, 28, "its table of functions that end it"),
];

/// What must be mapped, whatever its size: functions and tables without one.
const PLACES: &[(u64, &str)] = &[
    (12, "the function that starts it"),
    (13, "the function that ends it"),
    (0x6fff_fef5, "its table of symbols"),
    (4, "its table of symbols"),
    (0x6fff_fff0, "its table of versions"),
    (0x6fff_fffe, "the versions that it needs"),
    (0x6fff_fffc, "the versions that it has"),
];

/// What must be as the loader knows it, because it ends the process where it is not: the entry, its value.
const FIXED: &[(u64, u64, &str)] = &[
    (9, 24, "its relocations have a size that is not ELF's"),
    (37, 8, "its relative relocations have a size that is not ELF's"),
    (20, 7, "its relocations of functions are of a kind that this machine has not"),
];

impl<'d> Dynamic<'d> {
    pub(super) fn read(elf: &Elf<'d>, entries: Bytes<'d>) -> Result<Self, NotElf> {
        let all: Vec<(u64, u64)> = (0..entries.0.len() / ENTRY)
            .map_while(|index| Some((entries.u64(index * ENTRY)?, entries.u64(index * ENTRY + 8)?)))
            .take_while(|(tag, _)| *tag != 0)
            .collect();
        // The loader reads on until the entry that ends it.
        if all.len() == entries.0.len() / ENTRY {
            return Err(NotElf::Cut("its dynamic section"));
        }
        let one = |wanted: u64| all.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
        for (address, size, what) in TABLES {
            if let (Some(address), Some(size)) = (one(*address), one(*size))
                && size > 0
                && !elf.has_memory(address, size)
            {
                return Err(NotElf::Cut(what));
            }
        }
        for (tag, known, what) in FIXED {
            if all.iter().any(|(other, value)| other == tag && value != known) {
                return Err(NotElf::Nonsense(what));
            }
        }
        for (tag, what) in PLACES {
            if one(*tag).is_some_and(|address| address != 0 && !elf.has_memory(address, 4)) {
                return Err(NotElf::Cut(what));
            }
        }
        let text_at = one(5).ok_or(NotElf::Nonsense("it has no table of names"))?;
        let texts = elf.mapped(text_at).and_then(|bytes| bytes.get(0, one(10)?));
        let texts = texts.ok_or(NotElf::Cut("its table of names"))?;
        let text = |at: u64| usize::try_from(at).ok().and_then(|at| texts.text(at));
        let named = |wanted: u64| {
            let found = all.iter().filter(move |(tag, _)| *tag == wanted);
            found.map(|(_, at)| text(*at).ok_or(NotElf::Cut("its table of names")))
        };
        let search: Vec<&str> = named(29).collect::<Result<_, _>>()?;
        let search = if search.is_empty() { named(15).collect::<Result<_, _>>()? } else { search };
        let count = match (one(0x6fff_fef5), one(4)) {
            (Some(at), _) => gnu_hash_count(elf, at),
            (None, Some(at)) => elf.mapped(at).and_then(|table| table.u32(4)).map(u64::from),
            (None, None) => Some(0),
        };
        let count = count.ok_or(NotElf::Cut("its table of symbols"))?;
        let mut symbols = Vec::new();
        if count > 0 {
            let table =
                one(6).and_then(|at| elf.mapped(at)).and_then(|t| t.get(0, count.checked_mul(SYMBOL)?));
            let table = table.ok_or(NotElf::Cut("its table of symbols"))?;
            symbols.extend((0..count).filter_map(|index| symbol(table.get(index * SYMBOL, SYMBOL)?, text)));
        }
        Ok(Self {
            soname: named(14).next().transpose()?,
            needed: named(1).collect::<Result<_, _>>()?,
            search: search.into_iter().flat_map(|path| path.split(':')).filter(|p| !p.is_empty()).collect(),
            symbols,
        })
    }

    /// The name of the Python module that the library is an extension for, if it is one and no module of ours.
    pub fn python_module(&self) -> Option<&'d str> {
        if self.symbols.iter().any(|symbol| symbol.name.starts_with("modrack_module_v")) {
            return None;
        }
        let functions = self.symbols.iter().filter(|symbol| symbol.is_function);
        functions.filter_map(|symbol| symbol.name.strip_prefix("PyInit_")).next()
    }

    /// The exported symbol called `name`.
    pub fn symbol(&self, name: &str) -> Option<Symbol<'d>> {
        self.symbols.iter().find(|symbol| symbol.name == name).copied()
    }
}

/// An entry of the table of symbols, where it is one that the library defines and shows.
fn symbol<'d>(entry: Bytes<'d>, text: impl Fn(u64) -> Option<&'d str>) -> Option<Symbol<'d>> {
    let info = *entry.0.get(4)?;
    let (binding, kind) = (info >> 4, info & 15);
    // Global or weak, and defined in some section.
    if !(binding == 1 || binding == 2) || entry.u16(6)? == 0 {
        return None;
    }
    Some(Symbol {
        name: text(u64::from(entry.u32(0)?))?,
        address: entry.u64(8)?,
        size: entry.u64(16)?,
        is_function: kind == 2,
    })
}

/// How many symbols a library has, by its GNU hash table: one more than the last that any chain leads to.
fn gnu_hash_count(elf: &Elf<'_>, at: u64) -> Option<u64> {
    let table = elf.mapped(at)?;
    let (buckets, first) = (u64::from(table.u32(0)?), u64::from(table.u32(4)?));
    let words = u64::from(table.u32(8)?);
    let buckets_at = 16 + words.checked_mul(8)?;
    let chains_at = buckets_at.checked_add(buckets.checked_mul(4)?)?;
    let word = |at: u64| table.u32(usize::try_from(at).ok()?);
    let mut last = 0;
    for bucket in 0..buckets {
        last = last.max(u64::from(word(buckets_at + bucket * 4)?));
    }
    if last < first {
        return Some(first);
    }
    loop {
        let hash = word(chains_at.checked_add((last - first).checked_mul(4)?)?)?;
        last += 1;
        if hash & 1 == 1 {
            return Some(last);
        }
    }
}
