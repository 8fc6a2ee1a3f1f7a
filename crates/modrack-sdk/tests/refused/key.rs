//! A key that the attribute does not know.
extern crate modrack_sdk as modrack;

pub struct M;

#[modrack::module(contrakt = "transform@1")]
impl M {
    pub fn run() {}
}

fn main() {}
