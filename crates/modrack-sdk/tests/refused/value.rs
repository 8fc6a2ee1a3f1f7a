//! Types that no value can be.
extern crate modrack_sdk as modrack;

#[derive(modrack::Value)]
pub struct Nothing;

#[derive(modrack::Value)]
pub struct Pair(i64, i64);

#[derive(modrack::Value)]
pub enum Shape {
    Flat(u8, u8),
}

#[derive(modrack::Value)]
pub struct Any<T> {
    pub it: T,
}

#[derive(modrack::Value)]
pub union Both {
    pub a: i64,
    pub b: f64,
}

#[derive(modrack::Value)]
pub struct Named {
    #[value(name = "other")]
    pub it: i64,
}

fn main() {}
