//! A default for an argument of a function.
extern crate modrack_sdk as modrack;

pub struct M;

#[modrack::module]
impl M {
    pub fn add(a: i64, #[param(default = 1)] b: i64) -> i64 {
        a + b
    }
}

fn main() {}
