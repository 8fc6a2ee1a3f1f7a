//! Holds arrays of other libraries against what they claim, before any of our code believes them.
//!
//! What passes has as many buffers and children as its type asks for, lengths that are numbers, offsets that
//! end inside of what they point into, and memory that may be read. What arrow-rs can check by itself once
//! lengths are right (order of offsets, UTF-8, keys of dictionaries, null counts) is left to it.

#![expect(unsafe_code, reason = "the C data interface is read through raw pointers")]

use std::format;
use std::string::String;
use std::vec::Vec;

use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{DataType, UnionMode};

use super::memory::Memory;
use crate::{ArrowArray as RawArray, ArrowSchema as RawSchema};

/// What is wrong with an array, in words that go on after the name of the column.
pub(super) type Lie = String;

/// Nested types deeper than this are refused.
const DEPTH: usize = 64;

const _: () = assert!(size_of::<RawArray>() == size_of::<FFI_ArrowArray>());
const _: () = assert!(size_of::<RawSchema>() == size_of::<FFI_ArrowSchema>());

/// Checks that a schema can be read at all.
pub(super) fn schema(schema: &FFI_ArrowSchema) -> Result<(), Lie> {
    // SAFETY: both types are the C data interface's `ArrowSchema`, field by field.
    let raw = unsafe { &*std::ptr::from_ref(schema).cast::<RawSchema>() };
    check_schema(raw, 0, &Memory::new())
}

/// Checks an array that is said to be of type `data_type`.
pub(super) fn array(array: &FFI_ArrowArray, data_type: &DataType) -> Result<(), Lie> {
    // SAFETY: both types are the C data interface's `ArrowArray`, field by field.
    let raw = unsafe { &*std::ptr::from_ref(array).cast::<RawArray>() };
    check_array(raw, data_type, 0, &Memory::new())
}

fn check_schema(raw: &RawSchema, depth: usize, memory: &Memory) -> Result<(), Lie> {
    if depth > DEPTH {
        return Err(format!("its schema is nested deeper than {DEPTH} levels"));
    }
    if raw.release.is_none() {
        return Err("its schema was released".into());
    }
    if raw.format.is_null() {
        return Err("its schema has no format".into());
    }
    for text in [raw.format, raw.name] {
        if text.is_null() {
            continue;
        }
        let text = memory.text(text).ok_or("its schema has a name that is not there")?;
        if text.to_str().is_err() {
            return Err("its schema has a name that is not UTF-8".into());
        }
    }
    check_metadata(raw.metadata.cast(), memory)?;
    for child in children(raw.n_children, raw.children, memory)? {
        check_schema(child, depth + 1, memory)?;
    }
    if raw.dictionary.is_null() {
        return Ok(());
    }
    check_schema(part(raw.dictionary, memory)?, depth + 1, memory)
}

/// Checks the binary metadata of a schema: how many pairs there are, then length and bytes of each name and value.
fn check_metadata(start: *const u8, memory: &Memory) -> Result<(), Lie> {
    if start.is_null() {
        return Ok(());
    }
    let mut at = start;
    let number = |at: &mut *const u8| {
        // SAFETY: four bytes were found to be readable there; they need not be aligned.
        let number = memory.is_readable(*at, 4).then(|| unsafe { at.cast::<i32>().read_unaligned() });
        *at = at.wrapping_add(4);
        usize::try_from(number.unwrap_or(-1)).map_err(|_| "its schema has metadata that is not there")
    };
    for _ in 0..number(&mut at)?.saturating_mul(2) {
        let length = number(&mut at)?;
        if !memory.is_readable(at, length) {
            return Err("its schema has metadata that is not there".into());
        }
        at = at.wrapping_add(length);
    }
    Ok(())
}

fn check_array(raw: &RawArray, data_type: &DataType, depth: usize, memory: &Memory) -> Result<(), Lie> {
    if depth > DEPTH {
        return Err(format!("it is nested deeper than {DEPTH} levels"));
    }
    if raw.release.is_none() {
        return Err("it was released".into());
    }
    let (Ok(length), Ok(offset)) = (usize::try_from(raw.length), usize::try_from(raw.offset)) else {
        return Err(format!("its length is {} and its offset {}", raw.length, raw.offset));
    };
    let end = match length.checked_add(offset) {
        Some(end) if end < isize::MAX as usize / 64 => end,
        _ => return Err(format!("it claims {length} values from {offset}, more than memory can hold")),
    };
    if raw.null_count < -1 || raw.null_count > raw.length {
        return Err(format!("it claims {} nulls among {length} values", raw.null_count));
    }
    let buffers = Buffers::of(raw, data_type, memory)?;
    buffers.check_nulls(raw, data_type, end)?;
    check_values(raw, &buffers, data_type, end, depth)
}

fn check_values(
    raw: &RawArray,
    buffers: &Buffers<'_>,
    data_type: &DataType,
    end: usize,
    depth: usize,
) -> Result<(), Lie> {
    if let Some(width) = data_type.primitive_width() {
        return buffers.check(1, end.saturating_mul(width));
    }
    let memory = buffers.memory;
    let only_child = || parts(raw, 1, memory);
    let check_child = |child, data_type, least, depth| check_child(child, data_type, least, depth, memory);
    match data_type {
        DataType::Null => Ok(()),
        DataType::Boolean => buffers.check(1, end.div_ceil(8)),
        DataType::FixedSizeBinary(width) => buffers.check(1, end.saturating_mul(width_of(*width)?)),
        DataType::Utf8 | DataType::Binary => {
            let bytes = buffers.last_offset::<i32>(1, end)?;
            buffers.check(2, bytes)
        }
        DataType::LargeUtf8 | DataType::LargeBinary => {
            let bytes = buffers.last_offset::<i64>(1, end)?;
            buffers.check(2, bytes)
        }
        DataType::Utf8View | DataType::BinaryView => buffers.check_views(end),
        DataType::List(field) | DataType::Map(field, _) => {
            let items = buffers.last_offset::<i32>(1, end)?;
            check_child(only_child()?[0], field.data_type(), items, depth)
        }
        DataType::LargeList(field) => {
            let items = buffers.last_offset::<i64>(1, end)?;
            check_child(only_child()?[0], field.data_type(), items, depth)
        }
        DataType::ListView(field) => {
            buffers.check(1, end.saturating_mul(4))?;
            buffers.check(2, end.saturating_mul(4))?;
            check_child(only_child()?[0], field.data_type(), 0, depth)
        }
        DataType::LargeListView(field) => {
            buffers.check(1, end.saturating_mul(8))?;
            buffers.check(2, end.saturating_mul(8))?;
            check_child(only_child()?[0], field.data_type(), 0, depth)
        }
        DataType::FixedSizeList(field, size) => {
            let items = end.saturating_mul(width_of(*size)?);
            check_child(only_child()?[0], field.data_type(), items, depth)
        }
        DataType::Struct(fields) => {
            let children = parts(raw, fields.len(), memory)?;
            children.iter().zip(fields).try_for_each(|(child, field)| {
                check_child(child, field.data_type(), end, depth)
                    .map_err(|lie| format!("in `{}`, {lie}", field.name()))
            })
        }
        DataType::Dictionary(keys, values) => {
            buffers.check(1, end.saturating_mul(keys.primitive_width().unwrap_or(8)))?;
            if raw.dictionary.is_null() {
                return Err("it is a dictionary without values".into());
            }
            check_child(part(raw.dictionary, memory)?, values, 0, depth)
        }
        other => Err(format!("its type {other} is not one that can be taken")),
    }
}

/// Checks a child that must have at least `least` values.
fn check_child(
    child: &RawArray,
    data_type: &DataType,
    least: usize,
    depth: usize,
    memory: &Memory,
) -> Result<(), Lie> {
    let has = usize::try_from(child.length).unwrap_or(0);
    if has < least {
        return Err(format!("it claims {least} values, but the array under it has {}", child.length));
    }
    check_array(child, data_type, depth + 1, memory)
}

/// The pointers of an array's buffers, as many as its type asks for.
struct Buffers<'a> {
    pointers: &'a [*const u8],
    memory: &'a Memory,
}

impl<'a> Buffers<'a> {
    fn of(raw: &'a RawArray, data_type: &DataType, memory: &'a Memory) -> Result<Self, Lie> {
        let (least, most) = match data_type {
            DataType::Null | DataType::RunEndEncoded(..) => (0, 0),
            DataType::Struct(_) | DataType::FixedSizeList(..) | DataType::Union(_, UnionMode::Sparse) => {
                (1, 1)
            }
            DataType::Utf8View | DataType::BinaryView => (3, i64::from(i32::MAX)),
            DataType::Utf8 | DataType::Binary | DataType::LargeUtf8 | DataType::LargeBinary => (3, 3),
            DataType::ListView(_) | DataType::LargeListView(_) => (3, 3),
            _ => (2, 2),
        };
        if raw.n_buffers < least || raw.n_buffers > most {
            return Err(format!("it has {} buffers where {data_type} has {least}", raw.n_buffers));
        }
        let count = usize::try_from(raw.n_buffers).unwrap_or(0);
        if count == 0 {
            return Ok(Self { pointers: &[], memory });
        }
        if raw.buffers.is_null()
            || !raw.buffers.is_aligned()
            || !memory.is_readable(raw.buffers.cast::<u8>().cast_const(), count * size_of::<*const u8>())
        {
            return Err("it has no buffers".into());
        }
        // SAFETY: the table is aligned, not null, readable over its whole length, and lives as long as the array.
        let pointers =
            unsafe { std::slice::from_raw_parts(raw.buffers.cast::<*const u8>().cast_const(), count) };
        Ok(Self { pointers, memory })
    }

    /// Checks that buffer `index` has `bytes` bytes.
    fn check(&self, index: usize, bytes: usize) -> Result<(), Lie> {
        let start = self.pointers[index];
        if bytes == 0 || (!start.is_null() && self.memory.is_readable(start, bytes)) {
            return Ok(());
        }
        Err(format!("it claims {bytes} bytes that are not there"))
    }

    fn check_nulls(&self, raw: &RawArray, data_type: &DataType, end: usize) -> Result<(), Lie> {
        let Some(validity) = self.pointers.first().filter(|_| !matches!(data_type, DataType::Union(..)))
        else {
            return Ok(());
        };
        match validity.is_null() {
            true if raw.null_count > 0 => Err(format!("it claims {} nulls and marks none", raw.null_count)),
            true => Ok(()),
            false => self.check(0, end.div_ceil(8)),
        }
    }

    /// Reads where the last of `end` values ends, from the offsets in buffer `index`.
    fn last_offset<T: Copy + TryInto<usize> + std::fmt::Display>(
        &self,
        index: usize,
        end: usize,
    ) -> Result<usize, Lie> {
        if end == 0 {
            return Ok(0);
        }
        self.check(index, (end + 1).saturating_mul(size_of::<T>()))?;
        // SAFETY: `end + 1` offsets were found to be readable; they need not be aligned.
        let last = unsafe { self.pointers[index].cast::<T>().add(end).read_unaligned() };
        last.try_into().map_err(|_| format!("its last offset is {last}"))
    }

    fn check_views(&self, end: usize) -> Result<(), Lie> {
        self.check(1, end.saturating_mul(16))?;
        let data = &self.pointers[2..self.pointers.len() - 1];
        self.check(self.pointers.len() - 1, data.len() * 8)?;
        for (at, start) in data.iter().enumerate() {
            // SAFETY: the last buffer has a length for each of `data`, as was found above.
            let length =
                unsafe { self.pointers[self.pointers.len() - 1].cast::<i64>().add(at).read_unaligned() };
            match usize::try_from(length) {
                Ok(0) => {}
                Ok(bytes) if !start.is_null() && self.memory.is_readable(*start, bytes) => {}
                _ => return Err(format!("it claims a buffer of {length} bytes that are not there")),
            }
        }
        Ok(())
    }
}

/// The parts of an array, exactly as many as its type has.
fn parts<'a>(raw: &'a RawArray, count: usize, memory: &Memory) -> Result<Vec<&'a RawArray>, Lie> {
    match usize::try_from(raw.n_children) == Ok(count) {
        true => children(raw.n_children, raw.children, memory),
        false => Err(format!("it has {} parts where its type has {count}", raw.n_children)),
    }
}

/// The children of an array or a schema: pointers that are there, none of them null.
fn children<'a, T>(count: i64, table: *mut *mut T, memory: &Memory) -> Result<Vec<&'a T>, Lie> {
    let Some(count) = usize::try_from(count).ok().filter(|c| *c < isize::MAX as usize / 64) else {
        return Err(format!("it claims {count} parts"));
    };
    if count == 0 {
        return Ok(Vec::new());
    }
    let bytes = count * size_of::<*const T>();
    if table.is_null() || !table.is_aligned() || !memory.is_readable(table.cast::<u8>().cast_const(), bytes) {
        return Err(format!("it claims {count} parts that are not there"));
    }
    // SAFETY: the table is aligned, not null and readable over its whole length.
    let pointers = unsafe { std::slice::from_raw_parts(table.cast_const(), count) };
    pointers.iter().map(|pointer| part(*pointer, memory)).collect()
}

/// A child or a dictionary that is there.
fn part<'a, T>(pointer: *mut T, memory: &Memory) -> Result<&'a T, Lie> {
    let is_there = !pointer.is_null() && pointer.is_aligned();
    if !is_there || !memory.is_readable(pointer.cast::<u8>().cast_const(), size_of::<T>()) {
        return Err("one of its parts is not there".into());
    }
    // SAFETY: the pointer is aligned and not null, its memory is readable, and the interface promises what it is.
    Ok(unsafe { &*pointer })
}

fn width_of(width: i32) -> Result<usize, Lie> {
    usize::try_from(width).map_err(|_| format!("its type has a width of {width}"))
}
