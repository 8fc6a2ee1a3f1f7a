//! What is read of Python source, what is said of broken source, and how parameters are bound.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod belongs;
mod broken;
mod entry;
mod kept;
mod manifest;
mod params;
mod show;
mod signatures;
