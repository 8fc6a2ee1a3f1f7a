//! Cuts a column's values off at both ends: the class `Clip` of `stages.py`, in Rust.

use modrack::{Params, Result, Row};

/// Cuts a column's values off at both ends.
pub struct Clip(Settings);

/// Which column, and its bounds.
#[derive(Params)]
pub struct Settings {
    /// The column.
    column: String,
    /// The least that a value may be.
    low: f64,
    /// The most that a value may be.
    high: f64,
}

/// Cuts a column's values off at both ends.
#[modrack::module(contract = "transform@1")]
impl Clip {
    pub fn create(settings: Settings) -> Self {
        Self(settings)
    }

    /// The row with the value within the bounds.
    pub fn transform(&self, mut row: Row) -> Result<Row> {
        let Settings { column, low, high } = &self.0;
        let value: f64 = row.read(column)?;
        row.set(column.as_str(), value.max(*low).min(*high));
        Ok(row)
    }
}
