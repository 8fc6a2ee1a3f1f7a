//! Counts words: `counter.py`, in Rust.

use modrack::Params;

/// Counts up to a limit.
pub struct Counter {
    word: String,
    limit: u32,
}

/// What is counted, and how far.
#[derive(Params)]
pub struct Settings {
    /// The word.
    #[param(default = "item")]
    word: String,
    /// How often.
    #[param(default = 3)]
    limit: u32,
}

/// Counts up to a limit.
#[modrack::module(contract = "runnable@1")]
impl Counter {
    pub fn create(settings: Settings) -> Self {
        Self { word: settings.word, limit: settings.limit }
    }

    /// The word, as often as the parameters say.
    pub fn run(&self) -> Vec<String> {
        (1..=self.limit).map(|number| format!("{} {number}", self.word)).collect()
    }
}
