//! Values of the host, read where they lie. They are there for `'v`, which is a call or the life of an output.

#![expect(unsafe_code, reason = "values of the C interface are unions and pointers")]

use std::slice;

use modrack_abi as abi;

use crate::view::{Fields as AnyFields, Items as AnyItems, Shape, TableRef};

/// A value of the host.
#[derive(Clone, Copy)]
pub(crate) struct Value<'v>(&'v abi::Value);

/// A list of the host.
#[derive(Clone, Copy)]
pub(crate) struct Items<'v>(&'v [abi::Value]);

/// A map of the host.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'v>(&'v [abi::Entry]);

/// A table of the host.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "arrow"), expect(dead_code, reason = "tables are read with the feature `arrow`"))]
pub(crate) struct Table<'v>(pub(super) &'v abi::Table);

impl<'v> Value<'v> {
    /// # Safety
    /// The value, and all that it points at, is as the interface says: valid for `'v` and not written to.
    #[inline]
    pub(super) const unsafe fn new(value: &'v abi::Value) -> Self {
        Self(value)
    }

    /// Nothing.
    pub(super) const fn null() -> Self {
        Self(&abi::Value::NULL)
    }

    #[inline]
    pub(crate) fn shape(self) -> Shape<'v> {
        let Self(value) = self;
        // SAFETY: whoever made it promised that the value is as the interface says; the tag names the field of
        // the union, text is UTF-8, and `len` items lie where the field points.
        unsafe {
            match value.tag {
                abi::TAG_BOOL => Shape::Bool(value.payload.integer != 0),
                abi::TAG_INT => Shape::Int(value.payload.integer),
                abi::TAG_FLOAT => Shape::Float(value.payload.number),
                abi::TAG_TEXT => Shape::Text(str::from_utf8_unchecked(many(value.payload.bytes, value.len))),
                abi::TAG_BYTES => Shape::Bytes(many(value.payload.bytes, value.len)),
                abi::TAG_LIST => Shape::List(AnyItems::lent(Items(many(value.payload.items, value.len)))),
                abi::TAG_MAP => Shape::Map(AnyFields::lent(Fields(many(value.payload.entries, value.len)))),
                abi::TAG_TABLE => Shape::Table(TableRef::lent(Table(&*value.payload.table))),
                // A host gives no tag that this version does not know.
                _ => Shape::Null,
            }
        }
    }
}

impl<'v> Items<'v> {
    #[inline]
    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(crate) fn get(self, index: usize) -> Option<Value<'v>> {
        self.0.get(index).map(Value)
    }
}

impl<'v> Fields<'v> {
    #[inline]
    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(crate) fn at(self, index: usize) -> Option<(&'v str, Value<'v>)> {
        let entry = self.0.get(index)?;
        // SAFETY: the names of a map that is as the interface says are UTF-8, and there for `'v`.
        let name = unsafe { str::from_utf8_unchecked(many(entry.key.data, entry.key.len)) };
        Some((name, Value(&entry.value)))
    }
}

/// `len` things at `data`, which may be null where there is none.
///
/// # Safety
/// They are there for `'v` and are not written to.
#[inline]
pub(super) unsafe fn many<'v, T>(data: *const T, len: usize) -> &'v [T] {
    if len == 0 {
        return &[];
    }
    // SAFETY: as above.
    unsafe { slice::from_raw_parts(data, len) }
}
