//! A job of one argument, or none.

/// Gives the name that it is given.
#[modrack::module(contract = "runnable@1")]
mod runnable {
    /// Runs.
    pub fn run(name: Option<&str>) -> &str {
        name.unwrap_or("nobody")
    }
}
