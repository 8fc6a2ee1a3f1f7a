//! A result of a type that no value is made of.
extern crate modrack_sdk as modrack;

pub struct Odd;

pub struct M;

#[modrack::module]
impl M {
    pub fn give() -> Odd {
        Odd
    }
}

fn main() {}
