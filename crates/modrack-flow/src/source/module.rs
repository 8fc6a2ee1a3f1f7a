//! A module of contract `source` as a source: what its function gives, item by item.
//!
//! An item is a row (a mapping), a list of rows, or a table. The module runs on the reader's thread; its
//! generator is not asked for more than the run can hold.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use modrack_core::plan::{FormatOptions, SlotRef};
use modrack_core::{Call, Cancel, Chain, Code, Error, Items, Map, Place, Result, RowPlace, Value};
use modrack_runtime::{Pin, Rack};

use super::{BATCH_ROWS, BadRow, Chunk, Raw, Read, RowAt, Source, jsontext};
use crate::rows::{self, Misfit, Shape};
use crate::{conform, module};

/// A source that is a module.
pub(crate) struct ModuleSource {
    pin: Pin,
    items: Items,
    shown: Arc<str>,
    batch_rows: usize,
    schema: Option<SchemaRef>,
    /// A table that came while rows were waiting for their batch to be full.
    table: Option<RecordBatch>,
    row: u64,
    cancel: Cancel,
}

impl ModuleSource {
    /// Loads the module and calls its function.
    ///
    /// # Errors
    /// What loading and calling fail with; `M0505` when what the function gives are no rows.
    pub(crate) fn open(
        rack: &Rack,
        slot: &SlotRef,
        function: Option<&str>,
        options: &FormatOptions,
        cancel: Cancel,
    ) -> Result<Self> {
        let slot = module::slot(rack, slot, options, "source")?;
        let pin = slot.pin()?;
        let (name, _) = pin.function(function)?;
        let given = pin.call(Some(&name), Call { cancel: Some(&cancel), ..Call::default() })?;
        let shown: Arc<str> = format!("{}.{name}", slot.name()).into();
        let items = into_items(given).map_err(|got| {
            let why = format!("`{name}` gave {got} where rows should come");
            pin.blame(
                Error::new(Code::WrongResult, why).hint("Yield rows as mappings, or tables, one by one"),
            )
        })?;
        let batch_rows = options.batch_rows.unwrap_or(BATCH_ROWS);
        Ok(Self { pin, items, shown, batch_rows, schema: None, table: None, row: 0, cancel })
    }

    fn bad(&self, row: u64, raw: String, error: Error) -> BadRow {
        let error = error.place(Place::file(&*self.shown));
        BadRow {
            raw: Raw::Text(raw),
            row,
            line: None,
            source: self.shown.clone(),
            error: self.pin.blame(error),
        }
    }

    fn table(&mut self, table: RecordBatch) -> Result<Read> {
        let place = RowPlace { source: self.shown.clone(), first_row: self.row + 1, first_line: None };
        self.row += table.num_rows() as u64;
        let schema = self.schema.get_or_insert_with(|| table.schema());
        if table.schema_ref() == schema {
            return Ok(Read { chunks: vec![Chunk { batch: table, place }], bad: Vec::new() });
        }
        let made = conform::conform(&table, schema)?;
        let at: Vec<_> =
            (0..table.num_rows() as u64).map(|i| RowAt { row: place.first_row + i, line: None }).collect();
        let mut read = Read::default();
        let mut keep = vec![true; at.len()];
        for (index, error) in made.misfits {
            keep[index] = false;
            let error = self.pin.blame(error.place(Place::file(&*self.shown)));
            let (row, source) = (at[index].row, self.shown.clone());
            read.bad.push(BadRow { raw: Raw::Row(table.slice(index, 1)), row, line: None, source, error });
        }
        read.chunks = super::pieces(&made.batch, &at, &keep, &self.shown);
        Ok(read)
    }

    fn batch(&mut self, maps: &[Map], at: &[RowAt], bad: &mut Vec<BadRow>) -> Result<Vec<Chunk>> {
        let mut keep = vec![true; maps.len()];
        let mut misfit = |source: &Self, index: usize, why: Misfit| {
            if std::mem::replace(&mut keep[index], false) {
                let raw = jsontext::written(&Value::from(maps[index].clone()));
                bad.push(source.bad(at[index].row, raw, crate::error::misfit(why.message)));
            }
        };
        let schema = match &self.schema {
            Some(schema) => schema.clone(),
            None => {
                let mut shape = Shape::default();
                for (index, map) in maps.iter().enumerate() {
                    if let Err(why) = shape.add(map) {
                        misfit(self, index, why);
                    }
                }
                shape.schema(&[], None)
            }
        };
        let built = rows::build(&maps.iter().collect::<Vec<_>>(), &schema)?;
        for (index, why) in built.misfits {
            misfit(self, index, why);
        }
        self.schema.get_or_insert(schema);
        Ok(super::pieces(&built.batch, at, &keep, &self.shown))
    }
}

impl Source for ModuleSource {
    fn schema(&self) -> Option<SchemaRef> {
        self.schema.clone()
    }

    fn read(&mut self) -> Result<Option<Read>> {
        if let Some(table) = self.table.take() {
            return self.table(table).map(Some);
        }
        let mut maps: Vec<Map> = Vec::new();
        let mut at = Vec::new();
        let mut bad = Vec::new();
        let (pin, cancel) = (self.pin.clone(), self.cancel.clone());
        let given_up = Call { cancel: Some(&cancel), ..Call::default() };
        while maps.len() < self.batch_rows {
            if self.cancel.is_cancelled() {
                return Err(crate::error::interrupted());
            }
            let Some(item) = pin.within(|| Chain::bounded(&given_up, || self.items.next())) else { break };
            let mut waiting = vec![item.map_err(|why| pin.blame(why))?];
            while let Some(item) = waiting.pop() {
                match item {
                    Value::Null => {}
                    Value::Map(map) => {
                        self.row += 1;
                        at.push(RowAt { row: self.row, line: None });
                        maps.push(*map);
                    }
                    Value::List(items) => waiting.extend(items.into_iter().rev()),
                    Value::Table(table) if maps.is_empty() && bad.is_empty() && waiting.is_empty() => {
                        return self.table((*table).clone()).map(Some);
                    }
                    Value::Table(table) => {
                        // What came before it goes first.
                        self.table = Some((*table).clone());
                    }
                    Value::Foreign(object) => waiting.push(object.to_value().map_err(|why| pin.blame(why))?),
                    other => {
                        self.row += 1;
                        let why = format!("An item is {}, not a row", rows::shown(&other));
                        let why =
                            Error::new(Code::WrongResult, why).hint("Yield rows as mappings, or tables");
                        bad.push(self.bad(self.row, jsontext::written(&other), why));
                    }
                }
            }
            if self.table.is_some() {
                break;
            }
        }
        if maps.is_empty() && bad.is_empty() {
            let Some(table) = self.table.take() else { return Ok(None) };
            return self.table(table).map(Some);
        }
        let chunks = self.batch(&maps, &at, &mut bad)?;
        bad.sort_by_key(|bad| bad.row);
        Ok(Some(Read { chunks, bad }))
    }
}

/// The items of what a function gave; else what it is instead.
fn into_items(given: Value) -> Result<Items, String> {
    match given {
        Value::Null => Ok(Box::new(std::iter::empty())),
        Value::List(items) => Ok(Box::new(items.into_iter().map(Ok))),
        table @ Value::Table(_) => Ok(Box::new(std::iter::once(Ok(table)))),
        Value::Foreign(object) => match object.items() {
            Some(items) => Ok(items),
            None => match object.to_value() {
                Ok(Value::Foreign(_)) | Err(_) => Err(format!("an object of class `{}`", object.type_name())),
                Ok(value) => into_items(value),
            },
        },
        other => Err(rows::shown(&other)),
    }
}
