//! Components through the backend's trait: what is read of them, what crosses, what goes wrong.

mod cache;
mod calls;
mod describe;
mod failures;
mod guests;
mod host;
mod life;
mod room;
mod tables;
#[cfg(feature = "wasi")]
mod wasi;
