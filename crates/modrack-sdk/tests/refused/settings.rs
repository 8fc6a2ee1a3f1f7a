//! Parameters without their derive.
extern crate modrack_sdk as modrack;

pub struct M;

pub struct Settings;

#[modrack::module]
impl M {
    pub fn create(settings: Settings) -> Self {
        let _ = settings;
        Self
    }

    pub fn run(&self) {}
}

fn main() {}
