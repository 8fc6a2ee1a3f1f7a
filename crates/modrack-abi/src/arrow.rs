//! Tables as the Arrow C Data Interface lays them out, and a pair of them as one value.

use core::ffi::{c_char, c_void};

/// The type of a table or column. `release` is null once it was released or moved.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowSchema {
    /// The type, in the format strings of Arrow.
    pub format: *const c_char,
    /// The column's name, ending with a zero.
    pub name: *const c_char,
    /// Binary metadata, or null.
    pub metadata: *const c_char,
    /// Whether values may be missing, keys are sorted, a dictionary is ordered.
    pub flags: i64,
    /// How many parts the type has.
    pub n_children: i64,
    /// The parts.
    pub children: *mut *mut ArrowSchema,
    /// The type of the values, of a dictionary.
    pub dictionary: *mut ArrowSchema,
    /// Frees it.
    pub release: Option<unsafe extern "C" fn(schema: *mut ArrowSchema)>,
    /// For whoever made it.
    pub private_data: *mut c_void,
}

/// The values of a table or column. `release` is null once it was released or moved.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowArray {
    /// How many values there are.
    pub length: i64,
    /// How many of them are missing; -1 where that was not counted.
    pub null_count: i64,
    /// How many values of the buffers come before the first.
    pub offset: i64,
    /// How many buffers there are.
    pub n_buffers: i64,
    /// How many parts there are.
    pub n_children: i64,
    /// The buffers.
    pub buffers: *mut *const c_void,
    /// The parts.
    pub children: *mut *mut ArrowArray,
    /// The values, of a dictionary.
    pub dictionary: *mut ArrowArray,
    /// Frees it.
    pub release: Option<unsafe extern "C" fn(array: *mut ArrowArray)>,
    /// For whoever made it.
    pub private_data: *mut c_void,
}

/// A table: a struct type, and the array of its rows.
///
/// Whoever is given one reads it in place, or takes it over by moving a structure out and setting the `release` of
/// what is left behind to null, as Arrow says. What was moved may be kept for as long as one likes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its columns.
    pub schema: *mut ArrowSchema,
    /// Its rows.
    pub array: *mut ArrowArray,
}
