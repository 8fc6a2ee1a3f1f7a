//! An error handler: passes over what failed once, and stops at what failed again.

use modrack::contract::{Decision, Failure};

/// Decides by how often a call was made.
#[derive(Default)]
pub struct Patience;

#[modrack::module(contract = "error-handler@1")]
impl Patience {
    /// Passes over the first failure.
    pub fn handle(&self, error: Failure) -> Decision {
        if error.attempt == 1 && error.args.len() == 1 { Decision::Skip } else { Decision::Stop }
    }
}
