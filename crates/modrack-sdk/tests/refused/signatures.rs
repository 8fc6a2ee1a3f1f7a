//! Functions that no module can have, all told at once.
extern crate modrack_sdk as modrack;

pub struct M;

#[modrack::module]
impl M {
    pub fn any<T>(value: T) {
        let _ = value;
    }

    pub async fn later(&self) {}

    pub fn consumed(self) {}

    pub fn changed(text: &mut String) {
        text.clear();
    }

    pub fn taken_apart((a, b): (i64, i64)) -> i64 {
        a + b
    }

    pub fn _hidden() {}
}

fn main() {}
