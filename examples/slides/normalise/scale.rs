//! Brings a column's values from one range into 0 to 1: the class `Scale` of `stages.py`, in Rust.

use modrack::{Params, Result, Row};

/// Brings a column's values from one range into 0 to 1.
pub struct Scale(Settings);

/// Which column, and the range that it has.
#[derive(Params)]
pub struct Settings {
    /// The column.
    column: String,
    /// What becomes 0.
    low: f64,
    /// What becomes 1.
    high: f64,
    /// How many digits are kept behind the point.
    #[param(default = 3, max = 9)]
    digits: i32,
}

/// Brings a column's values from one range into 0 to 1.
#[modrack::module(contract = "transform@1")]
impl Scale {
    pub fn create(settings: Settings) -> Self {
        Self(settings)
    }

    /// The row with the value between 0 and 1.
    pub fn transform(&self, mut row: Row) -> Result<Row> {
        let Settings { column, low, high, digits } = &self.0;
        let share = (row.read::<f64>(column)? - low) / (high - low);
        let whole = 10_f64.powi(*digits);
        row.set(column.as_str(), (share * whole).round() / whole);
        Ok(row)
    }
}
