//! A state that nothing makes.
extern crate modrack_sdk as modrack;

pub struct M(i64);

#[modrack::module]
impl M {
    pub fn number(&self) -> i64 {
        self.0
    }
}

fn main() {}
