//! A source transform that leaves the source as it is.

use modrack::Row;

/// Rewrites nothing.
#[modrack::module(contract = "source-transform@1")]
mod rewriter {
    use super::Row;

    /// Gives the text of the file, which it takes as a mapping.
    pub fn rewrite(file: Row) -> modrack::Result<String> {
        file.read("text")
    }
}
