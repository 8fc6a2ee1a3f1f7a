//! A module without a public function.
extern crate modrack_sdk as modrack;

pub struct M;

#[modrack::module]
impl M {
    fn run() {}
}

fn main() {}
