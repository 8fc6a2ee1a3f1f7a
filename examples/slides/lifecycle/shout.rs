//! Says it louder: `plugins/shout.py`, in Rust.

/// A plugin with one parameter.
pub struct Shout {
    marks: String,
}

/// A plugin with one parameter.
#[modrack::module(version = "0.3.1", author = "Grace Hopper")]
impl Shout {
    pub fn create(#[param(default = 1, max = 100)] marks: u32) -> Self {
        Self { marks: "!".repeat(marks as usize) }
    }

    /// The text, louder.
    pub fn execute(&self, text: &str) -> String {
        text.to_uppercase() + &self.marks
    }
}
