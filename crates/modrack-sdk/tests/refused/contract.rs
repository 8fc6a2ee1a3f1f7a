//! A contract whose function is not there.
extern crate modrack_sdk as modrack;

pub struct M;

#[modrack::module(contract = "analyzer@1")]
impl M {
    pub fn look(text: &str) -> usize {
        text.len()
    }
}

fn main() {}
