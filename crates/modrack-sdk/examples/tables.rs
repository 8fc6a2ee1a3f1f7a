//! Tables in and out of a module in Rust, as free functions. The tests build it with the feature `arrow`, in both forms.

extern crate modrack_sdk as modrack;

/// What can be asked of a table.
#[modrack::module(name = "tables", takes = "batch")]
pub mod tables {
    use modrack::arrow_array::cast::AsArray as _;
    use modrack::arrow_array::types::Float64Type;
    use modrack::{RecordBatch, Result, Table, Value, bail};

    /// How many rows there are.
    pub fn rows(table: &Table) -> usize {
        table.num_rows()
    }

    /// The sum of the column `price`.
    pub fn sum(rows: RecordBatch) -> Result<f64> {
        let Some(column) = rows.column_by_name("price") else { bail!("There is no column `price`") };
        Ok(column.as_primitive::<Float64Type>().values().iter().sum())
    }

    /// Gives every second half back: the same memory, seen from its middle.
    pub fn half(rows: RecordBatch) -> RecordBatch {
        let middle = rows.num_rows() / 2;
        rows.slice(middle, rows.num_rows() - middle)
    }

    /// Gives whatever it is given.
    pub fn same(value: Value) -> Value {
        value
    }
}
