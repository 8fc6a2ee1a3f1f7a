//! The attribute on a struct.
extern crate modrack_sdk as modrack;

#[modrack::module]
pub struct M;

fn main() {}
