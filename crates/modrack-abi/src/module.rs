//! The table of a module: how it is made and ended, its functions and its attributes.

use core::ffi::c_void;

use crate::{Context, Head, Output, Str, Value};

/// It went well; the output is the result.
pub const STATUS_OK: i32 = 0;
/// It failed; the output is the error.
pub const STATUS_FAILED: i32 = 1;
/// The module's code panicked, and its side of the interface caught it; the output is the error.
pub const STATUS_PANICKED: i32 = 2;
/// The arguments do not fit; the output is the error.
pub const STATUS_BAD_ARGUMENTS: i32 = 3;
/// The call was given up, as the context said.
pub const STATUS_CANCELLED: i32 = 4;
/// The call's time was up.
pub const STATUS_TIMED_OUT: i32 = 5;

/// A flag of a module: its functions may be called from several threads at once.
pub const THREAD_SAFE: u64 = 1;

/// Makes an instance. `params` is a map; on failure the error goes to `error`.
pub type CreateFn = unsafe extern "C" fn(
    context: *const Context,
    params: *const Value,
    instance: *mut *mut c_void,
    error: *mut Output,
) -> i32;

/// Ends an instance. No function of it is called afterwards, and every output of it was released.
pub type DestroyFn = unsafe extern "C" fn(instance: *mut c_void);

/// A function. The output is null at first; on failure it is the error.
pub type FunctionFn = unsafe extern "C" fn(
    instance: *mut c_void,
    context: *const Context,
    args: *const Value,
    count: usize,
    output: *mut Output,
) -> i32;

/// Reads an attribute, as a function without arguments.
pub type AttributeFn =
    unsafe extern "C" fn(instance: *mut c_void, context: *const Context, output: *mut Output) -> i32;

/// A function of a module.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its name, as callers write it: `export_state`.
    pub name: Str,
    /// Calls it.
    pub call: Option<FunctionFn>,
}

/// An attribute of a module.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: Str,
    /// Reads it.
    pub get: Option<AttributeFn>,
}

/// What a library shows as `modrack_module_v1`. It never changes once the library is loaded.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// Which entries there are, and for which version they were written.
    pub head: Head,
    /// `THREAD_SAFE`, or 0.
    pub flags: u64,
    /// The functions, `function_count` of them, each `function_size` bytes after the one before.
    pub functions: *const Function,
    /// How many functions there are.
    pub function_count: u32,
    /// How many bytes the entry of a function has.
    pub function_size: u32,
    /// The attributes, `attribute_count` of them, each `attribute_size` bytes after the one before.
    pub attributes: *const Attribute,
    /// How many attributes there are.
    pub attribute_count: u32,
    /// How many bytes the entry of an attribute has.
    pub attribute_size: u32,
    /// Makes an instance; null when there is nothing to make: then the instance is null.
    pub create: Option<CreateFn>,
    /// Ends an instance; null when there is nothing to end.
    pub destroy: Option<DestroyFn>,
}

#[expect(unsafe_code, reason = "tables are shown as statics, and raw pointers are not shared by themselves")]
// SAFETY: a table of functions is never written to, and points at what is never written to.
unsafe impl Sync for Function {}

#[expect(unsafe_code, reason = "tables are shown as statics, and raw pointers are not shared by themselves")]
// SAFETY: a table of attributes is never written to, and points at what is never written to.
unsafe impl Sync for Attribute {}

#[expect(unsafe_code, reason = "tables are shown as statics, and raw pointers are not shared by themselves")]
// SAFETY: a module's table is never written to, and points at what is never written to.
unsafe impl Sync for Module {}

impl Module {
    /// A module with these functions and attributes, and no instance.
    pub const fn new(functions: &'static [Function], attributes: &'static [Attribute]) -> Self {
        Self {
            head: Head::of::<Self>(),
            flags: 0,
            functions: functions.as_ptr(),
            function_count: functions.len() as u32,
            function_size: size_of::<Function>() as u32,
            attributes: attributes.as_ptr(),
            attribute_count: attributes.len() as u32,
            attribute_size: size_of::<Attribute>() as u32,
            create: None,
            destroy: None,
        }
    }
}
