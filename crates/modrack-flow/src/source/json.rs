//! JSON lines as a source: one object a line, nested as it likes.
//!
//! The columns are found once, by looking at the first rows of the first files; `types:` has the last word.
//! Every line that cannot be read is given by itself.

use arrow_schema::{DataType, SchemaRef};
use indexmap::IndexMap;
use modrack_core::plan::FormatOptions;
use modrack_core::{Error, Map, Place, Result, Value};

use super::jsontext::Parser;
use super::lines::{Inputs, LineFiles, Lines};
use super::{BATCH_ROWS, BadRow, INFER_ROWS, Raw, Read, RowAt, Source};
use crate::error;
use crate::input::Meter;
use crate::rows::{self, Shape};

/// A source of JSON lines.
pub(crate) struct JsonSource {
    files: LineFiles,
    options: FormatOptions,
    schema: SchemaRef,
    /// All keys that were seen, whether they are read or not.
    known: Vec<String>,
    parser: Parser,
    row: u64,
}

impl JsonSource {
    /// Looks at the first rows, as many files as it takes to see enough of them.
    ///
    /// # Errors
    /// `M0606` for a file that holds one list instead of lines, and what reading fails with.
    pub(crate) fn open(inputs: Inputs, options: FormatOptions, meter: Meter) -> Result<Self> {
        let mut source = Self {
            files: LineFiles::new(inputs, &options, meter),
            options,
            schema: super::nullable([]),
            known: Vec::new(),
            parser: Parser::default(),
            row: 0,
        };
        let most = source.options.infer_rows.unwrap_or(INFER_ROWS).max(1);
        let mut shape = Shape::default();
        let mut rows = 0;
        let mut shown = None;
        if let Some((lines, _)) = source.files.take(most)? {
            check_form(lines)?;
            shown = Some(lines.shown().clone());
            rows += look(&mut source.parser, lines, &source.options, &mut shape);
            lines.rewind();
        }
        for file in source.files.coming() {
            if rows >= most {
                break;
            }
            let mut lines = Lines::new(super::next_stream(file, &source.options, &Meter::default())?)?;
            if lines.take(most - rows)? > 0 {
                check_form(&lines)?;
                rows += look(&mut source.parser, &lines, &source.options, &mut shape);
            }
        }
        let found = shape.schema(&[], None);
        let mut columns: IndexMap<String, DataType> =
            found.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect();
        // A column that is said to be there need not be among the first rows.
        for (name, ty) in &source.options.types {
            columns.insert(name.clone(), super::data_type(*ty));
        }
        source.known = columns.keys().cloned().collect();
        let names: Vec<&str> = columns.keys().map(String::as_str).collect();
        let wanted = super::projection(&names, &source.options, shown.as_deref().unwrap_or(super::STDIN))?;
        let wanted = wanted.into_iter().filter_map(|at| columns.get_index(at));
        source.schema = super::nullable(wanted.map(|(name, ty)| (name.clone(), ty.clone())));
        Ok(source)
    }
}

impl Source for JsonSource {
    fn schema(&self) -> Option<SchemaRef> {
        Some(self.schema.clone())
    }

    fn read(&mut self) -> Result<Option<Read>> {
        let most = self.options.batch_rows.unwrap_or(BATCH_ROWS);
        let Some((lines, new)) = self.files.take(most)? else { return Ok(None) };
        if new {
            self.row = 0;
            check_form(lines)?;
        }
        let shown = lines.shown().clone();
        let (mut maps, mut at, mut spots, mut bad) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let bad_row = |lines: &Lines, index: usize, row: u64, error: Error| BadRow {
            raw: match std::str::from_utf8(lines.get(index)) {
                Ok(text) => Raw::Text(text.to_owned()),
                Err(_) => Raw::Bytes(lines.get(index).to_vec()),
            },
            row,
            line: Some(lines.number(index)),
            source: shown.clone(),
            error,
        };
        for index in 0..lines.taken() {
            if lines.get(index).trim_ascii().is_empty() {
                continue;
            }
            self.row += 1;
            match parse(&mut self.parser, lines, index, &self.options) {
                Ok(mut map) => {
                    if self.options.columns.is_some() {
                        let (schema, known) = (&self.schema, &self.known);
                        map.retain(|key, _| {
                            schema.field_with_name(key).is_ok()
                                || !known.iter().any(|name| name.as_str() == key.as_str())
                        });
                    }
                    maps.push(map);
                    at.push(RowAt { row: self.row, line: Some(lines.number(index)) });
                    spots.push(index);
                }
                Err(why) => bad.push(bad_row(lines, index, self.row, why)),
            }
        }
        let rows: Vec<&Map> = maps.iter().collect();
        let built = rows::build(&rows, &self.schema)?;
        let mut keep = vec![true; rows.len()];
        for (index, misfit) in built.misfits {
            keep[index] = false;
            let place = Place {
                key: Some(misfit.column.clone()),
                ..Place::line(&*shown, lines.number(spots[index]) as usize)
            };
            let hint = format!(
                "The first rows settle the columns; look at more with `infer-rows:`, or say `types: {{ {}: ... }}`",
                misfit.column
            );
            let why = error::bad_cell(place, misfit.message, hint);
            bad.push(bad_row(lines, spots[index], at[index].row, why));
        }
        bad.sort_by_key(|bad| bad.row);
        Ok(Some(Read { chunks: super::pieces(&built.batch, &at, &keep, &shown), bad }))
    }
}

/// One list of objects, or one object over several lines, is JSON and not lines of it.
fn check_form(lines: &Lines) -> Result<()> {
    let Some(first) =
        (0..lines.taken()).map(|index| lines.get(index).trim_ascii()).find(|line| !line.is_empty())
    else {
        return Ok(());
    };
    let what = match first {
        [b'[', ..] => "it is one list",
        b"{" => "its first object goes over several lines",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is UTF-16 text",
        _ => return Ok(()),
    };
    Err(error::bad_file(lines.shown(), "JSON lines", what).hint(
        "A JSON source has one object on each line; `jq -c '.[]'` makes that of a list, `jq -c .` of objects",
    ))
}

fn look(parser: &mut Parser, lines: &Lines, options: &FormatOptions, shape: &mut Shape) -> usize {
    let mut rows = 0;
    for index in 0..lines.taken() {
        if lines.get(index).trim_ascii().is_empty() {
            continue;
        }
        rows += 1;
        // What is wrong with a row is told when it is read, not when it is looked at.
        if let Ok(mut map) = parse(parser, lines, index, options) {
            // What a column is said to be need not be found, and does not clash.
            for name in options.types.keys() {
                if let Some(value) = map.get_mut(name.as_str()) {
                    *value = Value::Null;
                }
            }
            let _ = shape.add(&map);
        }
    }
    rows
}

fn parse(parser: &mut Parser, lines: &Lines, index: usize, options: &FormatOptions) -> Result<Map> {
    let number = lines.number(index) as usize;
    let at = Place::line(&**lines.shown(), number);
    let Ok(text) = std::str::from_utf8(lines.get(index)) else {
        return Err(error::bad_cell(at, "The line is not UTF-8 text", "Save the file as UTF-8"));
    };
    match parser.parse(text) {
        Ok(Value::Map(mut map)) => {
            as_declared(&mut map, options);
            Ok(*map)
        }
        Ok(other) => Err(error::bad_cell(
            at,
            format!("The line is {}, not an object", rows::shown(&other)),
            "Each line is an object: `{\"name\": value, ...}`",
        )),
        Err(fault) => {
            let column = text.get(..fault.at).map(|before| before.chars().count() + 1);
            let at = Place { column, ..at };
            if fault.number {
                return Err(error::bad_cell(
                    at,
                    format!("The number {}", fault.message),
                    "Write it as text, in quotes",
                ));
            }
            Err(error::bad_file(lines.shown(), "JSON lines", format!("line {number}: {}", fault.message))
                .place(at)
                .hint("Each line is one whole JSON object"))
        }
    }
}

/// A column that is said to be text takes numbers and words as they would be written.
fn as_declared(map: &mut Map, options: &FormatOptions) {
    for (name, ty) in &options.types {
        let Some(value) = map.get_mut(name.as_str()) else { continue };
        let written = match (&*value, super::data_type(*ty)) {
            (Value::Int(int), DataType::Utf8) => int.to_string(),
            (Value::Float(float), DataType::Utf8) => format!("{float:?}"),
            (Value::Bool(bool), DataType::Utf8) => bool.to_string(),
            _ => continue,
        };
        *value = Value::from(written);
    }
}
