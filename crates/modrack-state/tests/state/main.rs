//! A state as a rack uses it: one folder, written by one, read by others.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, and its helpers too")]

mod bench;
mod damage;
mod history;
mod keeping;
mod killed;
mod rack;
