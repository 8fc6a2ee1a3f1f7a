//! What a case begins with, or goes on with. This text stands for all of them: `drive.py` writes each in its place.

/// A number.
#[unsafe(no_mangle)]
pub fn number() -> i64 {
    1
}
