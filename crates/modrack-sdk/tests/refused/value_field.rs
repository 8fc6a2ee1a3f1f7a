//! A field of a type that no value is.
extern crate modrack_sdk as modrack;

pub struct Odd;

#[derive(modrack::Value)]
pub struct Place {
    pub city: String,
    pub odd: Odd,
}

fn main() {}
