//! A sink that counts, and says at the end how many rows there were.

use modrack::Row;

/// Counts rows.
#[derive(Default)]
pub struct Count {
    rows: usize,
}

#[modrack::module(contract = "sink@1")]
impl Count {
    /// Takes rows, and gives what nobody asks for.
    pub fn write(&mut self, rows: Vec<Row>) -> usize {
        self.rows += rows.len();
        self.rows
    }

    /// How many there were.
    pub fn finish(&mut self) -> usize {
        self.rows
    }
}
