//! Byte offsets of a text to lines and columns.
//!
//! For the parsers that give offsets; lines end with a line feed, columns are counted in characters.

use super::node::At;

/// The lines of a text.
pub(crate) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// Where the byte at `offset` stands.
    pub(crate) fn at(&self, offset: usize) -> At {
        let (line, column) = self.line_column(offset);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        At::Text(number(line), number(column))
    }

    /// Line and column, both counted from 1.
    pub(crate) fn line_column(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        (line, self.text[start..offset].chars().count() + 1)
    }
}
