//! Arrow tables and Python: import and export over the PyCapsule interface, record batches as rows of Python
//! objects, and rows back as record batches.
//!
//! Nothing is copied between Arrow and Arrow. No array of another library is believed before it was held
//! against its buffers. No package is imported here unless a column or a stage needs it.

mod capsule;
mod cells;
mod columns;
mod error;
mod fit;
mod moments;
mod rows;
mod shape;
mod table;
mod write;

pub(crate) use capsule::{Imported, import, is_table};
pub(crate) use fit::{fit, settled_by};
pub(crate) use rows::RowReader;
pub(crate) use table::{Table, column_values};
pub(crate) use write::{Misfit, RowWriter, shown, write_column};
