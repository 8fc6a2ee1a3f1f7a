//! A rack that remembers: what was swapped into it outlives it, what breaks is replaced by what was good, and whatever served can be
//! gone back to. Over shared libraries and components, edited on disk.
#![cfg(all(feature = "state", feature = "native", feature = "wasm"))]

#[cfg(feature = "watch")]
mod again;
#[cfg(feature = "watch")]
mod changes;
mod killed;
mod lab;
mod remembers;
#[cfg(feature = "watch")]
mod rows;
mod starts;
