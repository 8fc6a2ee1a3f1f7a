//! A metric: how long a call took.

use modrack::contract::Measured;

/// Measures time.
#[modrack::module(contract = "metric@1")]
mod metric {
    use super::Measured;

    /// The seconds of calls that did not fail.
    pub fn metric(call: Measured) -> Option<f64> {
        call.error.is_none().then_some(call.seconds)
    }
}
