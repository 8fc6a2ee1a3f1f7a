//! The C interface between modrack and native modules: the tables, values and rules that both sides share.
//!
//! Types alone, without features: nothing allocates, calls or loads. `include/modrack.h` is made from these files by
//! `cargo xtask codegen`, so what stands here is written in the few forms that it reads. The rules and an example are in
//! `docs/native-modules.md` of modrack's source, whose code is tested with that of this crate.
#![cfg_attr(doctest, doc = include_str!("../../../docs/native-modules.md"))]
#![no_std]

#[cfg(feature = "arrow")]
extern crate std;

mod arrow;
mod host;
mod module;
mod note;
#[cfg(feature = "arrow")]
pub mod table;
mod value;

pub use arrow::{ArrowArray, ArrowSchema, Table};
pub use host::{CallFn, ConfigFn, Context, Host, LogFn, TimeLeftFn};
pub use host::{LEVEL_DEBUG, LEVEL_ERROR, LEVEL_INFO, LEVEL_TRACE, LEVEL_WARN, NO_DEADLINE};
pub use module::{
    Attribute, AttributeFn, CreateFn, DestroyFn, Function, FunctionFn, Module, STATUS_BAD_ARGUMENTS,
    STATUS_CANCELLED, STATUS_FAILED, STATUS_OK, STATUS_PANICKED, STATUS_TIMED_OUT, THREAD_SAFE,
};
pub use note::{NOTE_OWNER, NOTE_SECTION, NOTE_TYPE, Note};
pub use value::{
    Entry, MAX_DEPTH, Output, Payload, ReleaseFn, Str, TAG_BOOL, TAG_BYTES, TAG_FLOAT, TAG_INT, TAG_LIST,
    TAG_MAP, TAG_NULL, TAG_TABLE, TAG_TEXT, Value,
};

/// The major version of the interface. A host loads modules of its own major version only.
pub const ABI_MAJOR: u16 = 1;

/// The minor version of the interface. It grows with every entry that is added to the end of a table.
pub const ABI_MINOR: u16 = 0;

/// The symbol by which a library shows its table: an object of type [`Module`], not a function.
pub const SYMBOL: &str = "modrack_module_v1";

/// The beginning of every table, the same in all versions.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many bytes the table has, this head included. What lies behind is not there.
    pub size: u32,
    /// The major version that the table was written for.
    pub major: u16,
    /// The minor version that the table was written for.
    pub minor: u16,
}

impl Head {
    /// The head of a table of type `T` in the version of this crate.
    pub const fn of<T>() -> Self {
        let size = size_of::<T>();
        assert!(size <= u16::MAX as usize, "a table is small");
        Self { size: size as u32, major: ABI_MAJOR, minor: ABI_MINOR }
    }

    /// Whether the table reaches as far as an entry that ends at byte `end`.
    pub const fn covers(&self, end: usize) -> bool {
        self.size as usize >= end
    }
}

// What every later version must leave as it is.
const _: () = {
    assert!(size_of::<Head>() == 8);
    assert!(size_of::<usize>() == 8, "the interface is for 64 bits");
    assert!(size_of::<Str>() == 16);
    assert!(size_of::<Value>() == 24);
    assert!(size_of::<Entry>() == 40);
    assert!(size_of::<Output>() == 40);
    assert!(size_of::<Function>() == 24);
    assert!(size_of::<Attribute>() == 24);
    assert!(size_of::<Module>() == 64);
    assert!(size_of::<Context>() == 24);
    assert!(size_of::<Host>() == 40);
    assert!(size_of::<ArrowSchema>() == 72);
    assert!(size_of::<ArrowArray>() == 80);
};
