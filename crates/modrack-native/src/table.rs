//! A module's table, read once when the library was loaded: names and functions that are known to be there.

#![expect(unsafe_code, reason = "the table is read through the pointers that it consists of")]

use std::mem::offset_of;

use indexmap::IndexMap;
use modrack_abi::table::is_mapped;
use modrack_abi::{
    ABI_MAJOR, Attribute, AttributeFn, CreateFn, DestroyFn, Function, FunctionFn, Head, Module, Str,
};

/// The most functions or attributes that a module may have.
pub(crate) const MOST: u32 = 1 << 16;

/// The longest name.
const LONGEST_NAME: usize = 256;

/// A module's table.
pub(crate) struct Table {
    pub(crate) functions: IndexMap<String, FunctionFn>,
    pub(crate) attributes: IndexMap<String, AttributeFn>,
    pub(crate) create: Option<CreateFn>,
    pub(crate) destroy: Option<DestroyFn>,
}

impl Table {
    /// Reads the table that a loaded library shows.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn read(table: *const Module) -> Result<Self, String> {
        if table.is_null() || !table.is_aligned() || !is_mapped(table.cast(), size_of::<Module>()) {
            return Err("it is not where its symbol says".to_owned());
        }
        // SAFETY: the pointer is aligned, its memory is mapped and belongs to a library that is never unloaded; any
        // bytes are a `Module`, for its functions are optional.
        let module = unsafe { &*table };
        check_head(module.head)?;
        let (count, size) = (module.function_count, module.function_size);
        let functions = Entries { start: module.functions.cast(), count, size }.read("function", |at| {
            // SAFETY: `Entries` gives the place of an entry that is mapped; any bytes are a `Function`.
            let entry = unsafe { at.cast::<Function>().read_unaligned() };
            (entry.name, entry.call)
        })?;
        let (count, size) = (module.attribute_count, module.attribute_size);
        let attributes =
            Entries { start: module.attributes.cast(), count, size }.read("attribute", |at| {
                // SAFETY: `Entries` gives the place of an entry that is mapped; any bytes are an `Attribute`.
                let entry = unsafe { at.cast::<Attribute>().read_unaligned() };
                (entry.name, entry.get)
            })?;
        if let Some(name) = attributes.keys().find(|name| functions.contains_key(*name)) {
            return Err(format!("`{name}` is a function and an attribute"));
        }
        if module.create.is_none() && module.destroy.is_some() {
            return Err("it ends instances, and makes none".to_owned());
        }
        Ok(Self { functions, attributes, create: module.create, destroy: module.destroy })
    }
}

fn check_head(head: Head) -> Result<(), String> {
    if head.major != ABI_MAJOR || !head.covers(offset_of!(Module, destroy) + size_of::<usize>()) {
        return Err("it is not what the file said".to_owned());
    }
    Ok(())
}

/// Entries that lie one after the other.
struct Entries {
    start: *const u8,
    count: u32,
    size: u32,
}

impl Entries {
    fn read<F: Copy>(
        &self,
        what: &str,
        entry: impl Fn(*const u8) -> (Str, Option<F>),
    ) -> Result<IndexMap<String, F>, String> {
        let mut named = IndexMap::new();
        let (count, size) = (self.count as usize, self.size as usize);
        if count == 0 {
            return Ok(named);
        }
        let is_sound = self.count <= MOST && size >= size_of::<Function>() && size <= 4096;
        if !is_sound || self.start.is_null() || !is_mapped(self.start, count * size) {
            return Err(format!("its {what}s are not where it says"));
        }
        for index in 0..count {
            let (name, call) = entry(self.start.wrapping_add(index * size));
            let name = name_of(name).ok_or_else(|| format!("its {what} {index} has no sound name"))?;
            let call = call.ok_or_else(|| format!("its {what} `{name}` is null"))?;
            if named.insert(name.clone(), call).is_some() {
                return Err(format!("its {what} `{name}` is there twice"));
            }
        }
        Ok(named)
    }
}

fn name_of(name: Str) -> Option<String> {
    if name.data.is_null() || name.len == 0 || name.len > LONGEST_NAME || !is_mapped(name.data, name.len) {
        return None;
    }
    // SAFETY: so many bytes are mapped there, and belong to a library that is never unloaded nor written to.
    sound_name(unsafe { std::slice::from_raw_parts(name.data, name.len) }).map(str::to_owned)
}

/// The name that these bytes are, if they are one.
pub(crate) fn sound_name(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| (1..=LONGEST_NAME).contains(&text.len()))?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    (text.chars().all(is_word) && !text.starts_with(|c: char| c.is_ascii_digit())).then_some(text)
}
