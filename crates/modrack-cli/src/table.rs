//! Columns of text, aligned for people.

use crate::style::Paint;

/// Rows under a heading, each column as wide as its widest cell.
pub(crate) struct Table {
    heading: Vec<&'static str>,
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this heading; columns whose heading starts with `>` are set to the right.
    pub(crate) fn new(heading: &[&'static str]) -> Self {
        Self {
            heading: heading.iter().map(|h| h.trim_start_matches('>')).collect(),
            right: heading.iter().map(|h| h.starts_with('>')).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells that are missing are empty.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table as lines, each ended by a line feed. Columns without any text are left out.
    pub(crate) fn render(&self, paint: Paint) -> String {
        let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
        let shown: Vec<usize> = (0..self.heading.len())
            .filter(|&column| self.rows.iter().any(|row| !cell(row, column).is_empty()))
            .collect();
        let widths: Vec<usize> = shown
            .iter()
            .map(|&column| {
                let widest = self.rows.iter().map(|row| width(&cell(row, column))).max();
                widest.unwrap_or(0).max(width(self.heading[column]))
            })
            .collect();
        let line = |cells: Vec<String>| {
            let mut text = String::new();
            for (i, (cell, &wide)) in cells.iter().zip(&widths).enumerate() {
                let gap = " ".repeat(wide.saturating_sub(width(cell)));
                if i > 0 {
                    text.push_str("  ");
                }
                if self.right[shown[i]] {
                    text.push_str(&gap);
                    text.push_str(cell);
                } else {
                    text.push_str(cell);
                    text.push_str(&gap);
                }
            }
            text.truncate(text.trim_end().len());
            text
        };
        let heading = line(shown.iter().map(|&c| self.heading[c].to_owned()).collect());
        let mut text = format!("{}\n", paint.strong(&heading));
        for row in &self.rows {
            text.push_str(&line(shown.iter().map(|&c| cell(row, c)).collect()));
            text.push('\n');
        }
        text
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        let mut table = Table::new(&["SLOT", "CONTRACT", ">CALLS"]);
        table.row(vec!["clean".into(), String::new(), "12".into()]);
        table.row(vec!["größe".into(), String::new(), "1,000".into()]);
        assert_eq!(table.render(Paint { on: false }), "SLOT   CALLS\nclean     12\ngröße  1,000\n");
    }
}
