//! Turns text round: `plugins/reverse.py`, in Rust.

/// Turns text round.
#[modrack::module(version = "1.1.0")]
pub mod reverse {
    /// Turns text round.
    pub fn execute(text: &str) -> String {
        text.chars().rev().collect()
    }
}
