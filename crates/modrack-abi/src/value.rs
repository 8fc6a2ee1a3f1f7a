//! Values: a tag and a payload that is read where it lies, and results with the word that frees them.

use core::ffi::c_void;

use crate::Table;

/// Nothing.
pub const TAG_NULL: u32 = 0;
/// True or false: `payload.integer` is 1 or 0.
pub const TAG_BOOL: u32 = 1;
/// A whole number of 64 bits: `payload.integer`.
pub const TAG_INT: u32 = 2;
/// A number of 64 bits: `payload.number`.
pub const TAG_FLOAT: u32 = 3;
/// UTF-8 text: `len` bytes at `payload.bytes`, with no zero behind them.
pub const TAG_TEXT: u32 = 4;
/// Bytes: `len` bytes at `payload.bytes`.
pub const TAG_BYTES: u32 = 5;
/// Values in order: `len` values at `payload.items`.
pub const TAG_LIST: u32 = 6;
/// Values by name, in order: `len` entries at `payload.entries`.
pub const TAG_MAP: u32 = 7;
/// Rows of named, typed columns: one table at `payload.table`, `len` is 1.
pub const TAG_TABLE: u32 = 8;

/// How many levels lists and maps may be nested.
pub const MAX_DEPTH: u32 = 64;

/// UTF-8 text that lies somewhere, with no zero behind it. `data` may be null where `len` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Str {
    /// Where the text begins.
    pub data: *const u8,
    /// How many bytes it has.
    pub len: usize,
}

/// A value, read where it lies. What it points at belongs to whoever gave it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Value {
    /// What the value is: one of the tags.
    pub tag: u32,
    /// Zero.
    pub reserved: u32,
    /// How many bytes, values or entries the payload points at.
    pub len: usize,
    /// The value itself, or where it lies.
    pub payload: Payload,
}

/// The value itself, or where it lies; the tag says which field is meant.
#[repr(C)]
#[derive(Clone, Copy)]
pub union Payload {
    /// Of `TAG_BOOL` and `TAG_INT`.
    pub integer: i64,
    /// Of `TAG_FLOAT`.
    pub number: f64,
    /// Of `TAG_TEXT` and `TAG_BYTES`.
    pub bytes: *const u8,
    /// Of `TAG_LIST`.
    pub items: *const Value,
    /// Of `TAG_MAP`.
    pub entries: *const Entry,
    /// Of `TAG_TABLE`.
    pub table: *const Table,
}

/// One entry of a map.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub key: Str,
    /// Its value.
    pub value: Value,
}

/// Frees what an output points at, and sets its `release` to null.
pub type ReleaseFn = unsafe extern "C" fn(output: *mut Output);

/// A value that is handed over: a result, or an error. It belongs to whoever made it until it is released.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Output {
    /// The value.
    pub value: Value,
    /// Frees it. Null when there is nothing to free: then the value is copied before the call returns.
    pub release: Option<ReleaseFn>,
    /// For whoever made it: an owner that no other output has until this one is released, or null. Who gives one counted
    /// object several times gives each time a new holder of it.
    pub owner: *mut c_void,
}

impl Str {
    /// Text of the program.
    pub const fn new(text: &'static str) -> Self {
        Self::lent(text)
    }

    /// Text that is there for as long as whoever is given it may read it.
    pub const fn lent(text: &str) -> Self {
        Self { data: text.as_ptr(), len: text.len() }
    }

    /// No text.
    pub const NONE: Self = Self { data: core::ptr::null(), len: 0 };
}

impl Value {
    /// Nothing.
    pub const NULL: Self = Self::new(TAG_NULL, 0, Payload { integer: 0 });

    /// True or false.
    pub const fn bool(value: bool) -> Self {
        Self::new(TAG_BOOL, 0, Payload { integer: value as i64 })
    }

    /// A whole number.
    pub const fn int(value: i64) -> Self {
        Self::new(TAG_INT, 0, Payload { integer: value })
    }

    /// A number.
    pub const fn float(value: f64) -> Self {
        Self::new(TAG_FLOAT, 0, Payload { number: value })
    }

    /// Text that stays where it is.
    pub const fn text(value: &str) -> Self {
        Self::new(TAG_TEXT, value.len(), Payload { bytes: value.as_ptr() })
    }

    /// Bytes that stay where they are.
    pub const fn bytes(value: &[u8]) -> Self {
        Self::new(TAG_BYTES, value.len(), Payload { bytes: value.as_ptr() })
    }

    /// Values that stay where they are.
    pub const fn list(items: &[Self]) -> Self {
        Self::new(TAG_LIST, items.len(), Payload { items: items.as_ptr() })
    }

    /// Entries that stay where they are.
    pub const fn map(entries: &[Entry]) -> Self {
        Self::new(TAG_MAP, entries.len(), Payload { entries: entries.as_ptr() })
    }

    /// A table that stays where it is.
    pub const fn table(table: &Table) -> Self {
        Self::new(TAG_TABLE, 1, Payload { table })
    }

    const fn new(tag: u32, len: usize, payload: Payload) -> Self {
        Self { tag, reserved: 0, len, payload }
    }
}

impl Output {
    /// Nothing, with nothing to free: what an output is before a call.
    pub const NULL: Self = Self::plain(Value::NULL);

    /// A value with nothing to free.
    pub const fn plain(value: Value) -> Self {
        Self { value, release: None, owner: core::ptr::null_mut() }
    }
}
