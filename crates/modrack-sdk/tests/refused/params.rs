//! Parameters with bounds of another type, and with a key that is not known.
extern crate modrack_sdk as modrack;

#[derive(modrack::Params)]
pub struct Bounds {
    #[param(default = "0.2", min = "0", max = 1)]
    pub rate: f64,
}

#[derive(modrack::Params)]
pub struct Key {
    #[param(defualt = 1)]
    pub count: i64,
}

fn main() {}
