//! A function of a contract that is given less than it takes, and one that no host can call.
extern crate modrack_sdk as modrack;

use modrack::Value;
use modrack::contract::Call;

pub struct M;

#[modrack::module(contract = "transform@1")]
impl M {
    pub fn transform(row: Value, other: Value) -> Value {
        let _ = other;
        row
    }
}

pub struct Round;

#[modrack::module(contract = "layer@1")]
impl Round {
    pub fn around(call: Call, next: Value) -> Value {
        let _ = call;
        next
    }
}

fn main() {}
