//! An argument of a type that no value becomes.
extern crate modrack_sdk as modrack;

struct Odd;

pub struct M;

#[modrack::module]
impl M {
    pub fn take(odd: Odd) -> i64 {
        let _ = odd;
        1
    }
}

fn main() {}
