//! A result without a name.
extern crate modrack_sdk as modrack;

use modrack::Row;

pub struct M;

#[modrack::module(contract = "source@1")]
impl M {
    pub fn read() -> impl Iterator<Item = Row> {
        std::iter::empty()
    }
}

fn main() {}
