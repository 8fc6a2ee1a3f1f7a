//! The attribute, twice.
extern crate modrack_sdk as modrack;

pub struct M;

#[modrack::module]
#[modrack::module]
impl M {
    pub fn run() {}
}

fn main() {}
