//! A formatter: gives its data as it is.

/// Formats nothing.
#[modrack::module(contract = "formatter@1", formats = ["same"])]
mod formatter {
    use modrack::Value;

    /// Gives what it is given.
    pub fn format(data: Value) -> Value {
        data
    }
}
