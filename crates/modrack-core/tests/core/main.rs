//! The core as its users meet it: texts in, plans, diagnostics and contracts out.

mod contract;
mod diagnostics;
mod docs;
mod embedded;
mod encodings;
mod fill;
mod mutations;
mod plan;
mod schema;
mod syntax;
mod text;
