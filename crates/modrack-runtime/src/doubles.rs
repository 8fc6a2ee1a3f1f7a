//! Scripted backends: modules described in Rust or in plain text, for tests.
