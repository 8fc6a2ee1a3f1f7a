//! A module's table as it stands in the file, held against the interface before anything of the library runs.
//!
//! What only the system's loader will know (a function of another library) is left to [`crate::table`], which reads
//! the table again once it is in memory.

use std::mem::offset_of;
use std::path::Path;

use indexmap::IndexSet;
use modrack_abi::{ABI_MAJOR, Attribute, Function, Head, Module, SYMBOL, Str, THREAD_SAFE};
use modrack_core::Result;
use modrack_core::elf::{Dynamic, Elf, Pointer, Pointers, Symbol};

use crate::error;
use crate::table::{self, sound_name};

/// What a file's table says.
pub(crate) struct Outline {
    /// Whether its functions may be called from several threads at once.
    pub(crate) is_thread_safe: bool,
    /// Its functions, where the file tells them.
    functions: Option<IndexSet<String>>,
}

/// Entries of a table, one after the other.
struct Entries<'a> {
    elf: &'a Elf<'a>,
    pointers: &'a Pointers<'a, 'a>,
    /// Where the pointer to the first of them is.
    start_at: u64,
    count: u32,
    size: u32,
    what: &'static str,
}

impl Outline {
    /// Reads the table of the file at `path`.
    ///
    /// # Errors
    /// [`modrack_core::Code::NotAModule`], [`modrack_core::Code::AbiVersion`] or
    /// [`modrack_core::Code::BadModuleTable`].
    pub(crate) fn read(path: &Path, root: &Path, elf: &Elf<'_>, dynamic: &Dynamic<'_>) -> Result<Self> {
        let bad = |what: &str| error::bad_table(path, root, what);
        let Some(symbol) = dynamic.symbol(SYMBOL) else {
            let other = dynamic.symbols.iter().find(|symbol| symbol.name.starts_with("modrack_module_v"));
            return Err(other.map_or_else(
                || error::no_symbol(path, root),
                |symbol| error::other_symbol(path, root, symbol.name),
            ));
        };
        if symbol.is_function {
            return Err(bad("`modrack_module_v1` is a function, and must be an object"));
        }
        if !symbol.is_data {
            return Err(bad("`modrack_module_v1` must be an object"));
        }
        let bytes = elf.at(symbol.address).unwrap_or_default();
        let u16_at = |at: usize| Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let (Some(size), Some(major), Some(minor)) = (u32_at(bytes, 0), u16_at(4), u16_at(6)) else {
            return Err(bad("it lies outside of the file's data"));
        };
        if major != ABI_MAJOR {
            return Err(error::other_version(path, root, major, minor));
        }
        let least = size_of::<Module>();
        if (size as usize) < least || u64::from(size) > symbol.size || symbol.size > bytes.len() as u64 {
            return Err(bad(&format!(
                "it says that it has {size} bytes; the symbol has {}, and version {ABI_MAJOR}.0 has {least}",
                symbol.size
            )));
        }
        const { assert!(offset_of!(Module, flags) == size_of::<Head>()) };
        let flags = bytes.get(size_of::<Head>()..).and_then(|rest| rest.first_chunk().copied());
        let is_thread_safe = u64::from_le_bytes(flags.unwrap_or_default()) & THREAD_SAFE != 0;
        let functions = Self::names(elf, dynamic, symbol, bytes).map_err(|what| bad(&what))?;
        Ok(Self { is_thread_safe, functions })
    }

    /// Whether it is certain that it has no function of this name.
    pub(crate) fn lacks(&self, function: &str) -> bool {
        self.functions.as_ref().is_some_and(|functions| !functions.contains(function))
    }

    /// The names of its functions, where the file tells them; what is wrong with its entries.
    fn names(
        elf: &Elf<'_>,
        dynamic: &Dynamic<'_>,
        symbol: Symbol<'_>,
        bytes: &[u8],
    ) -> Result<Option<IndexSet<String>>, String> {
        let pointers = dynamic.pointers(elf);
        let entries = |start: usize, count_at: usize, what| Entries {
            elf,
            pointers: &pointers,
            start_at: symbol.address + start as u64,
            count: u32_at(bytes, count_at).unwrap_or_default(),
            size: u32_at(bytes, count_at + 4).unwrap_or_default(),
            what,
        };
        let functions =
            entries(offset_of!(Module, functions), offset_of!(Module, function_count), "function");
        let attributes =
            entries(offset_of!(Module, attributes), offset_of!(Module, attribute_count), "attribute");
        functions.check()?;
        attributes.check()?;
        let names = functions.names()?;
        let others = attributes.names()?;
        if let (Some(names), Some(others)) = (&names, &others)
            && let Some(name) = others.iter().find(|name| names.contains(*name))
        {
            return Err(format!("`{name}` is a function and an attribute"));
        }
        Ok(names)
    }
}

impl Entries<'_> {
    /// Whether there can be so many of such a size.
    fn check(&self) -> Result<(), String> {
        const { assert!(size_of::<Function>() == size_of::<Attribute>()) };
        let Self { count, size, what, .. } = *self;
        let is_sound = size as usize >= size_of::<Function>() && size <= 4096 && size % 8 == 0;
        match count > table::MOST || count > 0 && !is_sound {
            true => Err(format!("it says that it has {count} {what}s of {size} bytes each")),
            false => Ok(()),
        }
    }

    /// Their names; none where the file does not tell.
    fn names(&self) -> Result<Option<IndexSet<String>>, String> {
        let mut names = IndexSet::new();
        if self.count == 0 {
            return Ok(Some(names));
        }
        let what = self.what;
        let start = match self.pointers.at(self.start_at) {
            Pointer::To(start) => start,
            Pointer::Null => return Err(format!("its {what}s are not where it says")),
            Pointer::Unknown => return Ok(None),
        };
        for index in 0..self.count {
            let entry = start.wrapping_add(u64::from(index) * u64::from(self.size));
            let name = match self.name(entry.wrapping_add(offset_of!(Function, name) as u64)) {
                Ok(Some(name)) => name,
                Ok(None) => return Ok(None),
                Err(()) => return Err(format!("its {what} {index} has no sound name")),
            };
            match self.pointers.at(entry.wrapping_add(offset_of!(Function, call) as u64)) {
                Pointer::Null => return Err(format!("its {what} `{name}` is null")),
                Pointer::To(_) | Pointer::Unknown => {}
            }
            if names.contains(&name) {
                return Err(format!("its {what} `{name}` is there twice"));
            }
            names.insert(name);
        }
        Ok(Some(names))
    }

    /// The name that an entry has at `at`; none where the file does not tell.
    fn name(&self, at: u64) -> Result<Option<String>, ()> {
        const { assert!(offset_of!(Str, data) == 0) };
        let data = match self.pointers.at(at) {
            Pointer::To(data) => data,
            Pointer::Null => return Err(()),
            Pointer::Unknown => return Ok(None),
        };
        let length = self.elf.at(at.wrapping_add(offset_of!(Str, len) as u64));
        let Some(length) = length.and_then(|bytes| bytes.first_chunk().copied()) else { return Ok(None) };
        let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
        let name = self.elf.at(data).and_then(|bytes| bytes.get(..length));
        name.and_then(sound_name).map(|name| Some(name.to_owned())).ok_or(())
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
