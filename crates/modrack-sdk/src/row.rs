//! A row: values by name, in order. Rows are narrow, so a name is looked for from the front.

use crate::{FromValue, Result, Value};

/// A row of a pipeline, or any mapping from names to values; it keeps its order.
///
/// ```
/// use modrack_sdk::Row;
///
/// let mut row = Row::from_iter([("price", 2.5), ("quantity", 4.0)]);
/// let total: f64 = row.read::<f64>("price").unwrap() * row.read::<f64>("quantity").unwrap();
/// row.set("total", total);
/// assert_eq!(row.names().collect::<Vec<_>>(), ["price", "quantity", "total"]);
/// assert_eq!(row.read::<i64>("tax").unwrap_err().message(), "There is no `tax`");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    entries: Vec<(String, Value)>,
}

impl Row {
    /// A row without values.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// A row without values, and room for so many.
    pub fn with_capacity(count: usize) -> Self {
        Self { entries: Vec::with_capacity(count) }
    }

    /// How many values it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The value of this name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.entries.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The value of this name as a type of Rust; a name that is not there is nothing to an `Option`.
    ///
    /// # Errors
    /// A name that is not there, or a value of another type.
    pub fn read<'v, T: FromValue<'v>>(&'v self, name: &str) -> Result<T> {
        crate::view::Fields::owned(&self.entries).read(name).map_err(Into::into)
    }

    /// Gives the name a value: the one that it had is replaced, a new one comes last.
    pub fn set(&mut self, name: impl AsRef<str> + Into<String>, value: impl Into<Value>) {
        match self.get_mut(name.as_ref()) {
            Some(there) => *there = value.into(),
            None => self.entries.push((name.into(), value.into())),
        }
    }

    /// Takes the value of this name out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.entries.iter().position(|(key, _)| key == name)?;
        Some(self.entries.remove(at).1)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The names and values, which are known to be apart.
    pub(crate) fn of(entries: Vec<(String, Value)>) -> Self {
        Self { entries }
    }

    pub(crate) fn entries(&self) -> &[(String, Value)] {
        &self.entries
    }
}

impl IntoIterator for Row {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<K: AsRef<str> + Into<String>, V: Into<Value>> FromIterator<(K, V)> for Row {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut row = Self::new();
        row.extend(entries);
        row
    }
}

impl<K: AsRef<str> + Into<String>, V: Into<Value>> Extend<(K, V)> for Row {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (name, value) in entries {
            self.set(name, value);
        }
    }
}
