//! An error that is none.
extern crate modrack_sdk as modrack;

pub struct Wrong;

pub struct M;

#[modrack::module]
impl M {
    pub fn half(number: i64) -> Result<i64, Wrong> {
        if number % 2 == 0 { Ok(number / 2) } else { Err(Wrong) }
    }
}

fn main() {}
