//! What passes from stage to stage: rows as objects, or batches, each with where they are from.
//!
//! A row never loses its number: what fails after ten stages is still told by the line it was read from.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use modrack_core::{Place, RowPlace};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Where some rows are from.
pub(super) struct Origin {
    place: RowPlace,
    /// Whether the rows were read, and not made by a stage.
    was_read: bool,
    /// Whether a row's number is its own, and not that of the first row it may have been made of.
    exact: bool,
    /// The columns of the batch they were read from.
    pub(super) schema: Option<SchemaRef>,
}

/// Rows on their way.
pub(super) enum Flow<'py> {
    /// As objects.
    Rows(Arc<Origin>, Vec<Row<'py>>),
    /// As a batch, with the number of each row.
    Batch(Arc<Origin>, RecordBatch, Numbers),
}

/// A row as an object.
pub(super) struct Row<'py> {
    pub(super) object: Bound<'py, PyDict>,
    /// Its number in its origin, counted from 0.
    pub(super) number: u64,
    /// How it came into the stage that gave it.
    pub(super) before: Before,
}

/// How a row was before a stage had it, where that is kept.
pub(super) enum Before {
    /// It is not kept.
    Lost,
    /// A row of a batch.
    At(Arc<RecordBatch>, usize),
    /// A copy of the object.
    Copy(Py<PyDict>),
}

/// The numbers of a batch's rows in their origin, counted from 0.
#[derive(Clone)]
pub(super) enum Numbers {
    /// One after the other, from this.
    From(u64),
    /// As listed.
    Each(Vec<u64>),
    /// It is only known that they were made of the rows from this on.
    Since(u64),
}

impl Origin {
    /// Rows that were read.
    pub(super) fn read(place: RowPlace, schema: SchemaRef) -> Arc<Self> {
        Arc::new(Self { place, was_read: true, exact: true, schema: Some(schema) })
    }

    /// Rows that the stage called `name` made of many.
    pub(super) fn made(name: &str, schema: Option<SchemaRef>) -> Arc<Self> {
        let place = RowPlace { source: name.into(), first_row: 1, first_line: None };
        Arc::new(Self { place, was_read: false, exact: true, schema })
    }

    /// These rows, read from a batch of other columns.
    pub(super) fn with_schema(self: &Arc<Self>, schema: SchemaRef) -> Arc<Self> {
        if self.schema.as_ref().is_some_and(|own| Arc::ptr_eq(own, &schema)) {
            return Arc::clone(self);
        }
        let (place, was_read, exact) = (self.place.clone(), self.was_read, self.exact);
        Arc::new(Self { place, was_read, exact, schema: Some(schema) })
    }

    /// Rows that were made of these, nobody knows which of which.
    pub(super) fn blurred(self: &Arc<Self>) -> Arc<Self> {
        if !self.exact {
            return Arc::clone(self);
        }
        let (place, was_read, schema) = (self.place.clone(), self.was_read, self.schema.clone());
        Arc::new(Self { place, was_read, exact: false, schema })
    }

    /// Whether a row's number is its own; else it is that of the first row it may have been made of.
    pub(super) fn is_exact(&self) -> bool {
        self.exact
    }

    /// What was read.
    pub(super) fn source(&self) -> &Arc<str> {
        &self.place.source
    }

    /// The number that people give a row, counted from 1.
    pub(super) fn row(&self, number: u64) -> u64 {
        self.place.first_row + number
    }

    /// Where a row was read, as far as that is known.
    pub(super) fn place(&self, number: u64) -> Option<Place> {
        let first = self.place.first_line.filter(|_| self.exact);
        let line = first.and_then(|first| usize::try_from(first + number).ok());
        self.was_read.then(|| Place { line, ..Place::file(&*self.place.source) })
    }
}

impl Before {
    /// The same row once more.
    pub(super) fn again(&self, py: Python<'_>) -> Self {
        match self {
            Self::Lost => Self::Lost,
            Self::At(batch, at) => Self::At(Arc::clone(batch), *at),
            Self::Copy(copy) => Self::Copy(copy.clone_ref(py)),
        }
    }
}

impl Numbers {
    /// The number of row `at`.
    pub(super) fn get(&self, at: usize) -> u64 {
        match self {
            Self::From(first) => first + at as u64,
            Self::Each(numbers) => numbers.get(at).copied().unwrap_or(0),
            Self::Since(first) => *first,
        }
    }

    /// The places where a row is not the one after that before it, of `len` rows.
    pub(super) fn breaks(&self, len: usize) -> Vec<usize> {
        match self {
            Self::Each(numbers) => {
                (1..len.min(numbers.len())).filter(|at| numbers[*at] != numbers[at - 1] + 1).collect()
            }
            Self::From(_) | Self::Since(_) => Vec::new(),
        }
    }

    /// The numbers of `len` rows from `at` on.
    pub(super) fn slice(&self, at: usize, len: usize) -> Self {
        match self {
            Self::From(first) => Self::From(first + at as u64),
            Self::Each(numbers) => Self::Each(numbers.iter().skip(at).take(len).copied().collect()),
            Self::Since(first) => Self::Since(*first),
        }
    }
}
