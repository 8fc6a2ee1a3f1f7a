//! An analyzer: finds the words that nobody wants in a file.

use modrack::contract::{Finding, SourceFile};

/// Finds what the test looks for.
#[modrack::module(contract = "analyzer@1")]
mod analyzer {
    use super::{Finding, SourceFile};

    /// Gives the text back as a finding in line 7.
    pub fn analyze(file: SourceFile) -> Vec<Finding> {
        vec![Finding::new(file.text).at(7)]
    }
}
