//! A module that is shared and changes its state.
extern crate modrack_sdk as modrack;

#[derive(Default)]
pub struct M(i64);

#[modrack::module(instances = "shared")]
impl M {
    pub fn count(&mut self) -> i64 {
        self.0 += 1;
        self.0
    }
}

fn main() {}
