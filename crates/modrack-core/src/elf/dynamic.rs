//! The dynamic section of a shared library: what it is called, what it needs and where that is looked for, and
//! the symbols that it exports.
//!
//! The system's loader believes all of it: an entry that is missing, a number that leads outside or a chain without
//! an end is the end of the process. So it is gone through here in the loader's own way before.

use super::bytes::Bytes;
use super::relocations::{Pointers, Relocations};
use super::versions::Versions;
use super::{EXECUTABLE, Elf, NotElf, hash};

const ENTRY: usize = 16;
const SYMBOL: u64 = 24;

/// More libraries than anybody needs; the loader has room on its stack for each.
const MOST_NEEDED: usize = 4096;

/// What the system's loader goes by.
#[derive(Clone, Debug, Default)]
pub struct Dynamic<'d> {
    /// The name by which others need it.
    pub soname: Option<&'d str>,
    /// The names of the libraries that it needs.
    pub needed: Vec<&'d str>,
    /// Where these are looked for first.
    pub search: Vec<&'d str>,
    /// Whether that holds for what it needs itself and for nothing else (`DT_RUNPATH`). What only an older library says
    /// (`DT_RPATH`) holds also for what those need that it needs, unless they say otherwise in this way.
    pub is_for_itself: bool,
    /// What it exports.
    pub symbols: Vec<Symbol<'d>>,
    relocations: Relocations<'d>,
    entries: Symbols<'d>,
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
    /// Whether it is data: what can be looked up and read, and nothing that runs for that.
    pub is_data: bool,
}

/// The entries that must be there if one is: the loader reads them without looking.
const TOGETHER: &[(u64, &[u64], &str)] = &[
    (7, &[8, 9], "it does not say how many relocations it has"),
    (36, &[35, 37], "it does not say how many relative relocations it has"),
    (20, &[23, 2], "it does not say how many relocations of functions it has"),
    (25, &[27], "it does not say how many functions start it"),
    (26, &[28], "it does not say how many functions end it"),
];

/// Tables that the loader reads: the entry of their address, that of their size, and what they are.
const TABLES: &[(u64, u64, &str)] = &[
    (17, 18, "its relocations"),
    (25, 27, "its table of functions that start it"),
    (26, 28, "its table of functions that end it"),
];

/// What must be code.
const CODE: &[(u64, &str)] = &[(12, "the function that starts it"), (13, "the function that ends it")];

/// What must be mapped: tables whose size is not said.
const PLACES: &[(u64, &str)] = &[
    (0x6fff_fef5, "its table of symbols"),
    (4, "its table of symbols"),
    (6, "its table of symbols"),
    (0x6fff_fff0, "its table of versions"),
    (0x6fff_fffe, "the versions that it needs"),
    (0x6fff_fffc, "the versions that it has"),
];

/// What must be as the loader knows it, because it ends the process where it is not: the entry, its value.
const FIXED: &[(u64, u64, &str)] = &[
    (9, 24, "its relocations have a size that is not ELF's"),
    (11, 24, "its symbols have a size that is not ELF's"),
    (37, 8, "its relative relocations have a size that is not ELF's"),
    (20, 7, "its relocations of functions are of a kind that this machine has not"),
];

/// Entries that are names: of libraries, of folders, of what stands in for it.
const NAMES: &[u64] = &[1, 14, 15, 29, 0x7fff_fffd, 0x7fff_ffff];

/// The table of symbols and what belongs to each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Symbols<'d> {
    table: Bytes<'d>,
    texts: Bytes<'d>,
    versions: Versions<'d>,
}

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
        // Of several the loader takes the last.
        let one = |wanted: u64| all.iter().rfind(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
        check_entries(elf, &all, one)?;
        let texts = texts(elf, one)?;
        let text = |at: u64| usize::try_from(at).ok().and_then(|at| texts.text(at));
        let outside = NotElf::Cut("its table of names");
        if all.iter().any(|(tag, at)| NAMES.contains(tag) && texts.string(*at).is_none()) {
            return Err(outside);
        }
        let named = |wanted: u64| one(wanted).map(|at| text(at).ok_or(outside.clone())).transpose();
        let needed = all.iter().filter(|(tag, _)| *tag == 1);
        let needed: Vec<&str> =
            needed.map(|(_, at)| text(*at).ok_or(outside.clone())).collect::<Result<_, _>>()?;
        if needed.len() > MOST_NEEDED {
            return Err(NotElf::Nonsense("it needs more libraries than there are"));
        }
        let run_path = named(29)?;
        let is_for_itself = run_path.is_some();
        let search = match run_path {
            Some(search) => Some(search),
            None => named(15)?,
        };
        let versions = Versions::read(elf, one, texts, &needed)?;
        let table = one(6).and_then(|at| elf.mapped(at)).ok_or(NotElf::Cut("its table of symbols"))?;
        let entries = Symbols { table, texts, versions };
        let count = match (one(0x6fff_fef5), one(4)) {
            (Some(at), _) => hash::gnu(elf, at)?,
            (None, Some(at)) => hash::plain(elf, at)?,
            (None, None) => 0,
        };
        let mut symbols = Vec::new();
        for index in 0..count {
            symbols.extend(entries.get(index)?);
        }
        let relocations = Relocations::read(elf, one)?;
        relocations.check(elf, &entries)?;
        Ok(Self {
            soname: named(14)?,
            needed,
            search: search.unwrap_or_default().split(':').filter(|path| !path.is_empty()).collect(),
            is_for_itself,
            symbols,
            relocations,
            entries,
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

    /// What the library's pointers will point at.
    pub fn pointers<'e>(&self, elf: &'e Elf<'d>) -> Pointers<'e, 'd> {
        self.relocations.pointers(elf, &self.entries)
    }
}

impl<'d> Symbols<'d> {
    /// A symbol, where it is one that the library defines and shows.
    ///
    /// # Errors
    /// One that leads outside.
    pub(super) fn get(&self, index: u64) -> Result<Option<Symbol<'d>>, NotElf> {
        let entry = self.entry(index)?;
        let name = self.texts.string(entry.u32(0).unwrap_or_default().into());
        let name = name.ok_or(NotElf::Nonsense("a symbol's name lies outside of its table of names"))?;
        self.versions.check(index)?;
        let info = entry.0.get(4).copied().unwrap_or_default();
        let (binding, kind) = (info >> 4, info & 15);
        // Global or weak, and defined in some section.
        let is_shown = (binding == 1 || binding == 2) && entry.u16(6) != Some(0);
        let name = std::str::from_utf8(name).ok().filter(|_| is_shown);
        Ok(name.map(|name| Symbol {
            name,
            address: entry.u64(8).unwrap_or_default(),
            size: entry.u64(16).unwrap_or_default(),
            is_function: kind == 2 || kind == 10,
            is_data: kind < 2,
        }))
    }

    /// Where a symbol is, if the library defines it.
    pub(super) fn address(&self, index: u64) -> Option<u64> {
        let entry = self.entry(index).ok()?;
        entry.u64(8).filter(|_| entry.u16(6) != Some(0))
    }

    fn entry(&self, index: u64) -> Result<Bytes<'d>, NotElf> {
        let at = index.checked_mul(SYMBOL);
        at.and_then(|at| self.table.get(at, SYMBOL)).ok_or(NotElf::Cut("its table of symbols"))
    }
}

/// Checks that what the loader goes by is there, is mapped, and is as it knows it.
fn check_entries(elf: &Elf<'_>, all: &[(u64, u64)], one: impl Fn(u64) -> Option<u64>) -> Result<(), NotElf> {
    for (tag, others, what) in TOGETHER {
        if one(*tag).is_some() && others.iter().any(|other| one(*other).is_none()) {
            return Err(NotElf::Nonsense(what));
        }
    }
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
    for (tag, what) in CODE {
        if one(*tag).is_some_and(|address| !elf.has_memory_for(address, 1, EXECUTABLE)) {
            return Err(NotElf::Cut(what));
        }
    }
    for (tag, what) in PLACES {
        if one(*tag).is_some_and(|address| address != 0 && !elf.has_memory(address, 4)) {
            return Err(NotElf::Cut(what));
        }
    }
    Ok(())
}

/// The table of names, which ends with the end of a name.
fn texts<'d>(elf: &Elf<'d>, one: impl Fn(u64) -> Option<u64>) -> Result<Bytes<'d>, NotElf> {
    let at = one(5).ok_or(NotElf::Nonsense("it has no table of names"))?;
    let texts = elf.mapped(at).and_then(|bytes| bytes.get(0, one(10)?));
    match texts {
        Some(texts) if texts.0.last() == Some(&0) => Ok(texts),
        _ => Err(NotElf::Cut("its table of names")),
    }
}
