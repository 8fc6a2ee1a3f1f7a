//! Tables over the C Data Interface: taken from the host by moving them out, lent to it in boxes.

#![expect(unsafe_code, reason = "tables cross by the structures of the C data interface")]

use std::ptr;

use arrow_array::ffi::{FFI_ArrowArray, from_ffi_and_data_type};
use arrow_array::{Array, RecordBatch, RecordBatchOptions, StructArray};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{DataType, Schema};
use modrack_abi as abi;

use super::lent;
use crate::{Error, Misfit, Result};

impl lent::Table<'_> {
    /// Moves the table out: nothing of it is copied, and it may be kept.
    pub(crate) fn read(self) -> Result<RecordBatch, Misfit> {
        let (schema, array) =
            (self.0.schema.cast::<FFI_ArrowSchema>(), self.0.array.cast::<FFI_ArrowArray>());
        // SAFETY: the structures of the interface are those of Arrow, and there until the call returns. The schema
        // is read; the array is moved out, which the interface allows, and what is left behind is empty.
        let (data_type, array) = unsafe {
            let data_type =
                DataType::try_from(&*schema).map_err(|why| Misfit::said(format!("cannot be read: {why}")))?;
            (data_type, ptr::replace(array, FFI_ArrowArray::empty()))
        };
        if array.is_released() {
            return Err(Misfit::said("was taken already; take it once, and clone it"));
        }
        let DataType::Struct(fields) = &data_type else {
            return Err(Misfit::new("rows of columns", format_args!("a column of `{data_type}`")));
        };
        let schema = Schema::new(fields.clone());
        // SAFETY: the host's array is of the type that came with it.
        let data = unsafe { from_ffi_and_data_type(array, data_type.clone()) };
        let data = data.map_err(|why| Misfit::said(format!("cannot be read: {why}")))?;
        let rows = StructArray::from(data);
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let (_, columns, _) = rows.into_parts();
        RecordBatch::try_new_with_options(schema.into(), columns, &options)
            .map_err(|why| Misfit::said(format!("cannot be read: {why}")))
    }
}

/// A table that the host may move out of these boxes; what it leaves is released with them.
pub(super) struct Lent {
    table: Box<abi::Table>,
    _schema: Box<FFI_ArrowSchema>,
    _array: Box<FFI_ArrowArray>,
}

impl Lent {
    pub(super) fn new(table: &crate::Table) -> Result<Self> {
        let rows = StructArray::from(RecordBatch::clone(table));
        let schema = FFI_ArrowSchema::try_from(rows.data_type()).map_err(Error::from)?;
        let (mut schema, mut array) = (Box::new(schema), Box::new(FFI_ArrowArray::new(&rows.to_data())));
        let table = abi::Table { schema: (&raw mut *schema).cast(), array: (&raw mut *array).cast() };
        Ok(Self { table: Box::new(table), _schema: schema, _array: array })
    }

    pub(super) fn value(&self) -> abi::Value {
        abi::Value::table(&self.table)
    }
}
