//! A state that threads cannot share, in a module that would be shared.
extern crate modrack_sdk as modrack;

use std::cell::Cell;

#[derive(Default)]
pub struct M(Cell<i64>);

#[modrack::module]
impl M {
    pub fn count(&self) -> i64 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

fn main() {}
