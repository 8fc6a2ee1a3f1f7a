//! A transform that gives each row back.

/// Changes nothing.
#[modrack::module(contract = "transform@1")]
mod transform {
    use modrack::{Row, ValueRef};

    /// Gives the row back, and nothing for one that is empty.
    pub fn transform(input: ValueRef<'_>) -> modrack::Result<Option<Row>> {
        let row: Row = input.to()?;
        Ok((!row.is_empty()).then_some(row))
    }
}
