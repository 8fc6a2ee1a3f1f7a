//! Two modules in one library.
extern crate modrack_sdk as modrack;

pub struct A;

#[modrack::module]
impl A {
    pub fn run() {}
}

pub struct B;

#[modrack::module]
impl B {
    pub fn run() {}
}

fn main() {}
