//! What this module is for, in one line.

use modrack::{Params, Result, Row};

/// A transform: takes a row and gives it back, changed.
pub struct {Name} {
    column: String,
}

/// What a rack may give as `params`.
#[derive(Params)]
pub struct Settings {
    /// The column that is changed.
    #[param(default = "text")]
    pub column: String,
}

/// A transform: takes a row and gives it back, changed.
#[modrack::module(contract = "transform@1")]
impl {Name} {
    /// Called once, before everything else.
    pub fn create(settings: Settings) -> Self {
        Self { column: settings.column }
    }

    /// Takes one row and gives it back; `None` drops it, a `Vec` gives several.
    pub fn transform(&self, mut row: Row) -> Result<Option<Row>> {
        let text: String = row.read(&self.column)?;
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        row.set(self.column.as_str(), text);
        Ok(Some(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transform(text: &str) -> Result<Option<Row>> {
        let module = {Name}::create(Settings { column: "text".to_owned() });
        module.transform(Row::from_iter([("text", text)]))
    }

    #[test]
    fn text_loses_the_space_around_it() {
        assert_eq!(transform("  Hello ").unwrap(), Some(Row::from_iter([("text", "Hello")])));
    }

    #[test]
    fn a_row_without_text_is_dropped() {
        assert_eq!(transform("   ").unwrap(), None);
    }
}
