//! Values that came into a component: parts that name each other by their position.

use crate::component::values::{Part, Table as WitTable, Value as WitValue};
use crate::view::{Fields as AnyFields, Items as AnyItems, Shape, TableRef};

/// A value that came in.
#[derive(Clone, Copy)]
pub(crate) enum Value<'v> {
    /// One part, and all of them.
    Part(&'v [Part], u32),
    /// Nothing, where nothing was given.
    Nothing,
}

/// A list that came in.
#[derive(Clone, Copy)]
pub(crate) enum Items<'v> {
    /// The positions of its items.
    Parts(&'v [Part], &'v [u32]),
}

/// A map that came in.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'v> {
    parts: &'v [Part],
    entries: &'v [(String, u32)],
}

/// A table that came in.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "arrow"), expect(dead_code, reason = "tables are read with the feature `arrow`"))]
pub(crate) struct Table<'v>(pub(super) &'v WitTable);

impl<'v> Value<'v> {
    pub(super) fn of(value: &'v WitValue) -> Self {
        Self::Part(&value.parts, 0)
    }

    pub(crate) fn shape(self) -> Shape<'v> {
        let Self::Part(parts, at) = self else { return Shape::Null };
        match parts.get(at as usize) {
            Some(Part::Null) | None => Shape::Null,
            Some(Part::Bool(truth)) => Shape::Bool(*truth),
            Some(Part::Int(number)) => Shape::Int(*number),
            Some(Part::Float(number)) => Shape::Float(*number),
            Some(Part::Text(text)) => Shape::Text(text),
            Some(Part::Bytes(bytes)) => Shape::Bytes(bytes),
            Some(Part::List(items)) => Shape::List(AnyItems::lent(Items::Parts(parts, items))),
            Some(Part::Map(entries)) => Shape::Map(AnyFields::lent(Fields { parts, entries })),
            Some(Part::Table(table)) => Shape::Table(TableRef::lent(Table(table))),
        }
    }
}

impl<'v> Items<'v> {
    pub(crate) fn len(self) -> usize {
        let Self::Parts(_, items) = self;
        items.len()
    }

    pub(crate) fn get(self, index: usize) -> Option<Value<'v>> {
        let Self::Parts(parts, items) = self;
        items.get(index).map(|at| Value::Part(parts, *at))
    }
}

impl<'v> Fields<'v> {
    pub(crate) fn len(self) -> usize {
        self.entries.len()
    }

    pub(crate) fn at(self, index: usize) -> Option<(&'v str, Value<'v>)> {
        let (name, at) = self.entries.get(index)?;
        Some((name, Value::Part(self.parts, *at)))
    }
}
