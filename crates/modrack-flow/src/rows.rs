//! Rows as values made into batches, and batches made into rows of values.
//!
//! Dates, times, decimals and whatever else has no form as a [`Value`] is ISO text among values, and becomes
//! what it was when it comes back unchanged in form. A value that does not fit its column is told with its
//! row; nothing is cut, rounded or guessed.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, ListArray, MapArray, NullArray, RecordBatch, RecordBatchOptions,
    StructArray, new_null_array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_cast::{CastOptions, cast, cast_with_options};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use indexmap::IndexMap;
use modrack_core::{Code, Error, Map, Result, Text, Value};

use crate::{error, zones};

/// What the values of a column are, as far as they were seen.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Null,
    Bool,
    /// Whether all of them have an exact form as a float.
    Int {
        short: bool,
    },
    Float,
    Text,
    Bytes,
    List(Box<Kind>),
    Record(IndexMap<Text, Kind>),
}

/// The columns of rows, found by looking at them one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape(IndexMap<Text, Kind>);

/// Why a row does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The column.
    pub(crate) column: String,
    /// What is wrong with it, as a sentence about it.
    pub(crate) message: String,
}

/// A batch that was made of rows; the rows that do not fit are null in part and are to be taken out.
pub(crate) struct Built {
    /// As many rows as were given.
    pub(crate) batch: RecordBatch,
    /// The rows that do not fit, by their place, each once and in order.
    pub(crate) misfits: Vec<(usize, Misfit)>,
}

impl Shape {
    /// Looks at a row.
    ///
    /// # Errors
    /// The column whose value cannot stand with those seen before.
    pub(crate) fn add(&mut self, row: &Map) -> Result<(), Misfit> {
        for (name, value) in row {
            let seen = Kind::of(value);
            match self.0.get_mut(name) {
                None => {
                    let seen = seen.ok_or_else(|| Misfit::no_data(name, value))?;
                    self.0.insert(name.clone(), seen);
                }
                Some(kind) => {
                    let joined = seen.ok_or_else(|| Misfit::no_data(name, value))?.join(kind);
                    *kind = joined.ok_or_else(|| Misfit::mixed(name, &kind.words(), value))?;
                }
            }
        }
        Ok(())
    }

    /// The columns as a schema. A column that `came` with a type which has no form among values keeps it
    /// when the rows' values still have its form.
    pub(crate) fn schema(&self, rows: &[&Map], came: Option<&Schema>) -> SchemaRef {
        let fields: Vec<Field> = self
            .0
            .iter()
            .map(|(name, kind)| {
                let before = came.and_then(|schema| schema.field_with_name(name).ok());
                let ty = match before {
                    Some(field) if *kind == Kind::Null => field.data_type().clone(),
                    Some(field) if keeps(field.data_type()) => {
                        let values: Vec<_> = rows.iter().map(|row| row.get(&**name)).collect();
                        if is_kept(&values, field.data_type()) {
                            field.data_type().clone()
                        } else {
                            kind.data_type()
                        }
                    }
                    _ => kind.data_type(),
                };
                Field::new(name.as_str(), ty, true)
            })
            .collect();
        Arc::new(Schema::new(fields))
    }
}

/// Makes a batch of rows. A key that no column has, and a value that does not fit, is a misfit; a missing
/// key is null.
///
/// # Errors
/// A batch that Arrow cannot hold.
pub(crate) fn build(rows: &[&Map], schema: &SchemaRef) -> Result<Built> {
    let mut misfits: IndexMap<usize, Misfit> = IndexMap::new();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let name = field.name();
        let values: Vec<_> = rows.iter().map(|row| row.get(name.as_str())).collect();
        let column = array(&values, field.data_type(), &mut |index| {
            let value = values[index].unwrap_or(&Value::Null);
            misfits
                .entry(index)
                .or_insert_with(|| Misfit::mixed(name, &crate::source::type_words(field.data_type()), value));
        })?;
        if !field.is_nullable() {
            for index in (0..rows.len()).filter(|&index| column.is_null(index)) {
                misfits.entry(index).or_insert_with(|| Misfit {
                    column: name.clone(),
                    message: format!("Column `{name}` must have a value, and has none"),
                });
            }
        }
        columns.push(column);
    }
    for (index, row) in rows.iter().enumerate() {
        if let Some(name) = row.keys().find(|name| schema.field_with_name(name).is_err()) {
            misfits.entry(index).or_insert_with(|| Misfit {
                column: name.to_string(),
                message: format!("The row has a column `{name}` that the settled columns lack"),
            });
        }
    }
    let mut misfits: Vec<_> = misfits.into_iter().collect();
    misfits.sort_by_key(|(index, _)| *index);
    // Null stands in the rows that are taken out, also where a column promises to have none.
    let made = if misfits.is_empty() { schema.clone() } else { all_nullable(schema) };
    let count = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch = RecordBatch::try_new_with_options(made, columns, &count)
        .map_err(|why| error::arrow("making a batch of rows", &why))?;
    Ok(Built { batch, misfits })
}

/// The rows of a batch, each with all its columns.
///
/// # Errors
/// `M0506` when a value has no form: a whole number beyond 64 bits.
pub(crate) fn rows_of(batch: &RecordBatch) -> Result<Vec<Map>> {
    let names: Vec<Text> =
        batch.schema_ref().fields().iter().map(|f| Text::from(f.name().as_str())).collect();
    let mut columns = Vec::with_capacity(names.len());
    for (name, column) in names.iter().zip(batch.columns()) {
        let values = values(column).map_err(|why| in_column(&why, name))?;
        columns.push(values.into_iter());
    }
    Ok((0..batch.num_rows())
        .map(|_| {
            let mut row = Map::with_capacity(names.len());
            for (name, column) in names.iter().zip(&mut columns) {
                row.insert(name.clone(), column.next().unwrap_or(Value::Null));
            }
            row
        })
        .collect())
}

/// The values of a column.
///
/// # Errors
/// `M0506`, as [`rows_of`].
pub(crate) fn values(column: &ArrayRef) -> Result<Vec<Value>> {
    let failed = |why| error::arrow("reading a column", &why);
    let valid = |index: usize| column.is_valid(index);
    macro_rules! each {
        ($array:expr, $value:expr) => {
            $array.iter().map(|value| value.map_or(Value::Null, $value)).collect()
        };
    }
    Ok(match column.data_type() {
        DataType::Null => vec![Value::Null; column.len()],
        DataType::Boolean => each!(column.as_boolean(), Value::Bool),
        ty if ty.is_integer() => {
            let wide = exact_cast(column, &DataType::Int64).map_err(failed)?;
            if wide.null_count() != column.null_count() {
                return Err(Error::new(
                    Code::ValueDoesNotFit,
                    "A whole number does not fit into 64 bits with a sign",
                )
                .hint("Make the column a float or text before this stage"));
            }
            each!(wide.as_primitive::<Int64Type>(), Value::Int)
        }
        ty if ty.is_floating() => {
            let wide = cast(column, &DataType::Float64).map_err(failed)?;
            each!(wide.as_primitive::<Float64Type>(), Value::Float)
        }
        DataType::Utf8 => each!(column.as_string::<i32>(), Value::from),
        DataType::LargeUtf8 => each!(column.as_string::<i64>(), Value::from),
        DataType::Utf8View => each!(column.as_string_view(), Value::from),
        DataType::Binary => each!(column.as_binary::<i32>(), |b| Value::Bytes(b.to_vec().into())),
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            values(&cast(column, &DataType::Binary).map_err(failed)?)?
        }
        DataType::Dictionary(_, ty) => values(&cast(column, ty).map_err(failed)?)?,
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            lists
                .iter()
                .map(|list| list.map_or(Ok(Value::Null), |list| Ok(Value::List(values(&list)?))))
                .collect::<Result<_>>()?
        }
        DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => {
            values(&cast(column, &DataType::List(item.clone())).map_err(failed)?)?
        }
        DataType::Struct(_) => {
            let fields = column.as_struct();
            let batch =
                RecordBatch::from(StructArray::new(fields.fields().clone(), fields.columns().to_vec(), None));
            let rows = rows_of(&batch)?;
            rows.into_iter()
                .enumerate()
                .map(|(i, row)| if valid(i) { Value::from(row) } else { Value::Null })
                .collect()
        }
        DataType::Map(_, _) => {
            let maps = column.as_map();
            let (keys, items) = (values(maps.keys())?, values(maps.values())?);
            (0..maps.len())
                .map(|index| {
                    if !valid(index) {
                        return Value::Null;
                    }
                    let span = maps.value_offsets()[index] as usize..maps.value_offsets()[index + 1] as usize;
                    let entries = span.map(|at| {
                        let key = match &keys[at] {
                            Value::Text(text) => text.clone(),
                            other => Text::from(shown(other)),
                        };
                        (key, items[at].clone())
                    });
                    Value::from(entries.collect::<Map>())
                })
                .collect()
        }
        _ => {
            let format = FormatOptions::new().with_display_error(false);
            let column = &zones::showable(column)?;
            let format = ArrayFormatter::try_new(column, &format).map_err(failed)?;
            (0..column.len())
                .map(|index| {
                    if !valid(index) {
                        return Ok(Value::Null);
                    }
                    Ok(Value::from(format.value(index).try_to_string().map_err(failed)?))
                })
                .collect::<Result<_>>()?
        }
    })
}

/// Makes a column; values that do not fit are told by their place, and are null.
///
/// # Errors
/// A column that Arrow cannot hold.
pub(crate) fn array(
    values: &[Option<&Value>],
    ty: &DataType,
    bad: &mut dyn FnMut(usize),
) -> Result<ArrayRef> {
    macro_rules! build {
        ($builder:expr, $take:expr) => {{
            let mut builder = $builder;
            for (index, value) in present(values) {
                let taken = value.map(|value| $take(value));
                if matches!(taken, Some(None)) {
                    bad(index);
                }
                builder.append_option(taken.flatten());
            }
            Arc::new(builder.finish()) as ArrayRef
        }};
    }
    let many = values.len();
    Ok(match ty {
        DataType::Null => {
            present(values).filter(|(_, value)| value.is_some()).for_each(|(index, _)| bad(index));
            Arc::new(NullArray::new(many))
        }
        DataType::Boolean => build!(BooleanBuilder::with_capacity(many), |value: &Value| match value {
            Value::Bool(value) => Some(*value),
            _ => None,
        }),
        DataType::Int64 => build!(Int64Builder::with_capacity(many), |value: &Value| match value {
            Value::Int(value) => Some(*value),
            _ => None,
        }),
        DataType::Float64 => build!(Float64Builder::with_capacity(many), |value: &Value| match value {
            Value::Float(value) => Some(*value),
            Value::Int(value) if is_short(*value) => Some(*value as f64),
            _ => None,
        }),
        DataType::Utf8 => build!(StringBuilder::with_capacity(many, many * 8), Value::as_text),
        DataType::Binary => build!(BinaryBuilder::new(), |value: &'_ Value| match value {
            Value::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        }),
        DataType::List(item) => list(values, item, bad)?,
        DataType::Struct(fields) => record(values, fields, bad)?,
        DataType::Map(entries, sorted) => map(values, entries, *sorted, bad)?,
        DataType::Dictionary(_, item) => recast(array(values, item, bad)?, ty, bad)?,
        DataType::LargeList(item) => recast(list(values, item, bad)?, ty, bad)?,
        DataType::FixedSizeList(item, length) => fixed(values, item, *length, bad)?,
        ty if ty.is_integer() => recast(array(values, &DataType::Int64, bad)?, ty, bad)?,
        ty if ty.is_floating() => recast(array(values, &DataType::Float64, bad)?, ty, bad)?,
        DataType::LargeUtf8 | DataType::Utf8View => recast(array(values, &DataType::Utf8, bad)?, ty, bad)?,
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            recast(array(values, &DataType::Binary, bad)?, ty, bad)?
        }
        _ => {
            let decimal = ty.is_decimal();
            let text = build!(StringBuilder::with_capacity(many, many * 16), |value: &Value| match value {
                Value::Text(text) => Some(text.to_string()),
                Value::Int(value) if decimal => Some(value.to_string()),
                _ => None,
            });
            recast(text, ty, bad)?
        }
    })
}

impl Kind {
    /// The kind of a value; none for an object that is no data.
    fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Int(value) => Self::Int { short: is_short(*value) },
            Value::Float(_) => Self::Float,
            Value::Text(_) => Self::Text,
            Value::Bytes(_) => Self::Bytes,
            Value::List(items) => {
                let mut kind = Self::Null;
                for item in items {
                    kind = Self::of(item)?.join(&kind)?;
                }
                Self::List(Box::new(kind))
            }
            Value::Map(map) => {
                let fields = map.iter().map(|(name, value)| Some((name.clone(), Self::of(value)?)));
                Self::Record(fields.collect::<Option<_>>()?)
            }
            Value::Table(_) | Value::Foreign(_) => return None,
        })
    }

    /// The kind that takes both, if there is one.
    fn join(self, before: &Self) -> Option<Self> {
        Some(match (self, before) {
            (new, Self::Null) => new,
            (Self::Null, before) => before.clone(),
            (Self::Int { short: a }, Self::Int { short: b }) => Self::Int { short: a && *b },
            (Self::Float, Self::Int { short: true }) | (Self::Int { short: true }, Self::Float) => {
                Self::Float
            }
            (Self::List(new), Self::List(before)) => Self::List(Box::new(new.join(before)?)),
            (Self::Record(new), Self::Record(before)) => {
                let mut fields = before.clone();
                for (name, kind) in new {
                    let joined = match fields.get(&*name) {
                        Some(before) => kind.join(before)?,
                        None => kind,
                    };
                    fields.insert(name, joined);
                }
                Self::Record(fields)
            }
            (new, before) if new == *before => new,
            _ => return None,
        })
    }

    /// The Arrow type. What was never seen with a value is text, because most such columns are.
    fn data_type(&self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int { .. } => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Null | Self::Text => DataType::Utf8,
            Self::Bytes => DataType::Binary,
            Self::List(item) => DataType::List(Arc::new(Field::new_list_field(item.data_type(), true))),
            // Arrow can hold a record without fields, Parquet cannot: it is written as a list of nothing.
            Self::Record(fields) => DataType::Struct(
                fields.iter().map(|(name, kind)| Field::new(name.as_str(), kind.data_type(), true)).collect(),
            ),
        }
    }

    fn words(&self) -> String {
        crate::source::type_words(&self.data_type())
    }
}

impl Misfit {
    fn mixed(column: &str, wanted: &str, value: &Value) -> Self {
        Self {
            column: column.to_owned(),
            message: format!("Column `{column}` is {wanted}, and here it is {}", shown(value)),
        }
    }

    fn no_data(column: &str, value: &Value) -> Self {
        let why = match value {
            Value::List(_) => "a list of values that are of different types, or no data".to_owned(),
            Value::Map(_) => {
                "a mapping with a value that is no data, or has values of different types".to_owned()
            }
            other => format!("{}, which is no data", shown(other)),
        };
        Self { column: column.to_owned(), message: format!("Column `{column}` is {why}") }
    }
}

/// A value as messages show it: short.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Int(value) => format!("`{value}`"),
        Value::Float(value) => format!("`{value:?}`"),
        Value::Text(text) if text.chars().count() <= 40 => format!("text `{}`", text.escape_debug()),
        Value::Foreign(object) => format!("an object of class `{}`", object.type_name()),
        other => format!("a value of type {}", other.type_name()),
    }
}

/// The same fields, all of which may be null.
pub(crate) fn all_nullable(schema: &SchemaRef) -> SchemaRef {
    let fields: Fields =
        schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// A cast that gives null, and never something near, where a value does not fit.
pub(crate) fn exact_cast(column: &ArrayRef, ty: &DataType) -> Result<ArrayRef, arrow_schema::ArrowError> {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    cast_with_options(column, ty, &options)
}

fn is_short(value: i64) -> bool {
    value.unsigned_abs() <= 1 << 53
}

/// Types that have no form of their own among values, and so would be lost on the way through a stage.
fn keeps(ty: &DataType) -> bool {
    ty.is_temporal()
        || ty.is_decimal()
        || matches!(ty, DataType::LargeUtf8 | DataType::Dictionary(..) | DataType::Map(..))
}

fn is_kept(values: &[Option<&Value>], ty: &DataType) -> bool {
    let mut fits = true;
    let Ok(built) = array(values, ty, &mut |_| fits = false) else { return false };
    fits && self::values(&built)
        .is_ok_and(|back| back.iter().zip(values).all(|(back, value)| back == value.unwrap_or(&Value::Null)))
}

fn present<'a>(values: &'a [Option<&'a Value>]) -> impl Iterator<Item = (usize, Option<&'a Value>)> {
    values.iter().map(|value| value.filter(|value| !matches!(value, Value::Null))).enumerate()
}

fn recast(built: ArrayRef, ty: &DataType, bad: &mut dyn FnMut(usize)) -> Result<ArrayRef> {
    let by_offset = zones::by_offset(ty);
    let made = exact_cast(&built, by_offset.as_ref().unwrap_or(ty)).and_then(|made| exact_cast(&made, ty));
    let made = made.unwrap_or_else(|_| new_null_array(ty, built.len()));
    for index in 0..built.len() {
        if built.is_valid(index) && made.is_null(index) {
            bad(index);
        }
    }
    Ok(made)
}

/// The items of lists laid end to end, with where each list ends and which list an item is of.
struct Laid<'a> {
    items: Vec<Option<&'a Value>>,
    owners: Vec<usize>,
    lengths: Vec<usize>,
    valid: Vec<bool>,
}

fn lay<'a>(values: &'a [Option<&'a Value>], bad: &mut dyn FnMut(usize)) -> Laid<'a> {
    let mut laid = Laid { items: Vec::new(), owners: Vec::new(), lengths: Vec::new(), valid: Vec::new() };
    for (index, value) in present(values) {
        let items = match value {
            Some(Value::List(items)) => items.as_slice(),
            Some(_) => {
                bad(index);
                &[]
            }
            None => &[],
        };
        laid.valid.push(matches!(value, Some(Value::List(_))));
        laid.lengths.push(items.len());
        laid.items.extend(items.iter().map(Some));
        laid.owners.resize(laid.items.len(), index);
    }
    laid
}

fn list(values: &[Option<&Value>], item: &FieldRef, bad: &mut dyn FnMut(usize)) -> Result<ArrayRef> {
    let laid = lay(values, bad);
    let items = array(&laid.items, item.data_type(), &mut |index| bad(laid.owners[index]))?;
    let offsets = OffsetBuffer::from_lengths(laid.lengths);
    let made = ListArray::try_new(item.clone(), offsets, items, Some(NullBuffer::from(laid.valid)));
    made.map(|list| Arc::new(list) as ArrayRef).map_err(|why| error::arrow("making a list column", &why))
}

fn fixed(
    values: &[Option<&Value>],
    item: &FieldRef,
    length: i32,
    bad: &mut dyn FnMut(usize),
) -> Result<ArrayRef> {
    let wanted = usize::try_from(length).unwrap_or(0);
    let mut items: Vec<Option<&Value>> = Vec::with_capacity(values.len() * wanted);
    let mut valid = Vec::with_capacity(values.len());
    for (index, value) in present(values) {
        match value {
            Some(Value::List(list)) if list.len() == wanted => items.extend(list.iter().map(Some)),
            Some(_) => bad(index),
            None => {}
        }
        valid.push(items.len() == (index + 1) * wanted);
        items.resize((index + 1) * wanted, None);
    }
    let items = array(&items, item.data_type(), &mut |index| bad(index / wanted.max(1)))?;
    let made = FixedSizeListArray::try_new(item.clone(), length, items, Some(NullBuffer::from(valid)));
    made.map(|list| Arc::new(list) as ArrayRef).map_err(|why| error::arrow("making a list column", &why))
}

fn record(values: &[Option<&Value>], fields: &Fields, bad: &mut dyn FnMut(usize)) -> Result<ArrayRef> {
    let mut maps = Vec::with_capacity(values.len());
    for (index, value) in present(values) {
        let map = value.and_then(Value::as_map);
        let strange = map.is_some_and(|map| map.keys().any(|key| fields.find(key).is_none()));
        if strange || (map.is_none() && value.is_some()) {
            bad(index);
        }
        maps.push(map);
    }
    let columns = fields
        .iter()
        .map(|field| {
            let values: Vec<_> =
                maps.iter().map(|map| map.and_then(|map| map.get(field.name().as_str()))).collect();
            array(&values, field.data_type(), bad)
        })
        .collect::<Result<Vec<_>>>()?;
    let nulls = NullBuffer::from(maps.iter().map(Option::is_some).collect::<Vec<_>>());
    let made = StructArray::try_new_with_length(fields.clone(), columns, Some(nulls), values.len());
    made.map(|array| Arc::new(array) as ArrayRef).map_err(|why| error::arrow("making a record column", &why))
}

fn map(
    values: &[Option<&Value>],
    entries: &FieldRef,
    sorted: bool,
    bad: &mut dyn FnMut(usize),
) -> Result<ArrayRef> {
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(error::internal("a map column without entries"));
    };
    let mut owners = Vec::new();
    let (mut keys, mut items, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (index, value) in present(values) {
        let map = value.and_then(Value::as_map);
        if map.is_none() && value.is_some() {
            bad(index);
        }
        for (key, item) in map.into_iter().flatten() {
            keys.push(Value::Text(key.clone()));
            items.push(Some(item));
            owners.push(index);
        }
        lengths.push(map.map_or(0, Map::len));
        valid.push(map.is_some());
    }
    let keys: Vec<_> = keys.iter().map(Some).collect();
    let columns = vec![
        array(&keys, fields[0].data_type(), &mut |index| bad(owners[index]))?,
        array(&items, fields[1].data_type(), &mut |index| bad(owners[index]))?,
    ];
    let made = StructArray::try_new(fields.clone(), columns, None).and_then(|inner| {
        let offsets = OffsetBuffer::from_lengths(lengths);
        MapArray::try_new(entries.clone(), offsets, inner, Some(NullBuffer::from(valid)), sorted)
    });
    made.map(|map| Arc::new(map) as ArrayRef).map_err(|why| error::arrow("making a map column", &why))
}

fn in_column(why: &Error, name: &str) -> Error {
    if why.code() != Code::ValueDoesNotFit {
        return why.clone();
    }
    let error = Error::new(why.code(), format!("Column `{name}`: {}", why.message()));
    match why.hint_text() {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
