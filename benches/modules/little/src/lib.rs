//! Functions that do next to nothing, so that what a call costs is seen.

/// Functions that do next to nothing.
#[modrack::module]
pub mod little {
    /// Adds two numbers.
    pub fn add(a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }

    /// Gives back the bytes that it is given.
    pub fn echo(bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    /// Gives back the bytes that it is given, where they lie.
    pub fn same(bytes: &[u8]) -> &[u8] {
        bytes
    }
}
