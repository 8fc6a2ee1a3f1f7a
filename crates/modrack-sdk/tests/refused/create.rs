//! A constructor that gives nothing.
extern crate modrack_sdk as modrack;

pub struct M;

#[modrack::module]
impl M {
    pub fn create(tax: f64) {
        let _ = tax;
    }

    pub fn run(&self) {}
}

fn main() {}
