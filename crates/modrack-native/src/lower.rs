//! Values on their way into a module: they are pointed at, not copied. Lists and maps need room for the
//! pointers, and tables for Arrow's two structures; that room is kept for as long as the call lasts.

#![expect(unsafe_code, reason = "what a module points at is kept behind a plain pointer")]

use std::ptr::NonNull;

use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ffi::FFI_ArrowSchema;
use modrack_abi::{ArrowArray, ArrowSchema, Entry, MAX_DEPTH, Str, Table, Value as Raw};
use modrack_core::{Code, Error, Map, Result, Value};

/// Room for what values consist of.
#[derive(Default)]
pub(crate) struct Room {
    items: Vec<Kept<[Raw]>>,
    entries: Vec<Kept<[Entry]>>,
    tables: Vec<Kept<Handed>>,
    /// Data of foreign objects.
    converted: Vec<Kept<Value>>,
}

/// Something that modules point at. It is not a `Box`, because moving one says that nobody else points there.
struct Kept<T: ?Sized>(NonNull<T>);

impl<T: ?Sized> Kept<T> {
    fn new(thing: Box<T>) -> Self {
        Self(NonNull::from(Box::leak(thing)))
    }

    fn get(&self) -> &T {
        // SAFETY: the pointer is that of a `Box` that was leaked, and is freed when this value is dropped.
        unsafe { self.0.as_ref() }
    }
}

impl<T: ?Sized> Drop for Kept<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from a `Box`, and nobody else frees it.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// A table that is handed over: what the module does not take is released here.
struct Handed {
    schema: FFI_ArrowSchema,
    array: FFI_ArrowArray,
    table: Table,
}

impl Room {
    /// A value as a module sees it: good for as long as the value and this room are.
    ///
    /// # Errors
    /// [`Code::ValueDoesNotFit`] for what has no form in the interface.
    pub(crate) fn lower(&mut self, value: &Value) -> Result<Raw> {
        self.lower_at(value, 0)
    }

    /// A value that is kept in the room too.
    ///
    /// # Errors
    /// As [`Room::lower`].
    pub(crate) fn hold(&mut self, value: Value) -> Result<Raw> {
        let value = Kept::new(Box::new(value));
        let raw = self.lower(value.get())?;
        self.converted.push(value);
        Ok(raw)
    }

    /// A map as a module sees it.
    ///
    /// # Errors
    /// As [`Room::lower`].
    pub(crate) fn lower_map(&mut self, map: &Map) -> Result<Raw> {
        self.map_at(map, 0)
    }

    /// The rows of the table that was lowered as the `index`th.
    pub(crate) fn array(&self, index: usize) -> Option<*const ArrowArray> {
        // SAFETY: what is kept is there for as long as the room; only the place of a field is taken.
        self.tables.get(index).map(|handed| unsafe { (&raw const (*handed.0.as_ptr()).array).cast() })
    }

    /// What the `index`th foreign object was made into.
    pub(crate) fn converted(&self, index: usize) -> Option<&Value> {
        self.converted.get(index).map(Kept::get)
    }

    fn lower_at(&mut self, value: &Value, depth: u32) -> Result<Raw> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        Ok(match value {
            Value::Null => Raw::NULL,
            Value::Bool(value) => Raw::bool(*value),
            Value::Int(value) => Raw::int(*value),
            Value::Float(value) => Raw::float(*value),
            Value::Text(value) => Raw::text(value),
            Value::Bytes(value) => Raw::bytes(value),
            Value::List(values) => {
                let items: Result<Box<[Raw]>> =
                    values.iter().map(|value| self.lower_at(value, depth + 1)).collect();
                let items = Kept::new(items?);
                let raw = Raw::list(items.get());
                self.items.push(items);
                raw
            }
            Value::Map(map) => self.map_at(map, depth)?,
            Value::Table(batch) => {
                let (schema, array) = modrack_abi::table::from_batch(batch).map_err(|why| {
                    Error::new(Code::BadTable, format!("The table cannot be handed over: {why}"))
                })?;
                let table = Table { schema: std::ptr::null_mut(), array: std::ptr::null_mut() };
                let handed = Kept::new(Box::new(Handed { schema, array, table }));
                let at = handed.0.as_ptr();
                // SAFETY: `at` is the place of what was made just now, and no reference to it is held; the module may
                // move the two structures out of there, which is why they are pointed at as what can be changed.
                let raw = unsafe {
                    (*at).table = Table {
                        schema: (&raw mut (*at).schema).cast::<ArrowSchema>(),
                        array: (&raw mut (*at).array).cast::<ArrowArray>(),
                    };
                    Raw::table(&(*at).table)
                };
                self.tables.push(handed);
                raw
            }
            Value::Foreign(object) => {
                let value = Kept::new(Box::new(object.to_value()?));
                if let Value::Foreign(object) = value.get() {
                    let what = format!("A `{}` has no form that a library can read", object.type_name());
                    return Err(Error::new(Code::ValueDoesNotFit, what).hint("Give it as plain data"));
                }
                let raw = self.lower_at(value.get(), depth)?;
                self.converted.push(value);
                raw
            }
        })
    }

    fn map_at(&mut self, map: &Map, depth: u32) -> Result<Raw> {
        let entries: Result<Box<[Entry]>> = map
            .iter()
            .map(|(key, value)| Ok(Entry { key: Str::lent(key), value: self.lower_at(value, depth + 1)? }))
            .collect();
        let entries = Kept::new(entries?);
        let raw = Raw::map(entries.get());
        self.entries.push(entries);
        Ok(raw)
    }
}

fn too_deep() -> Error {
    Error::new(Code::ValueDoesNotFit, format!("The value is nested deeper than {MAX_DEPTH} levels"))
        .hint("Hand over fewer levels at once")
}
