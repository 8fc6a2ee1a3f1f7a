//! Results on their way to the host: who owns them, and what frees them.

#![expect(unsafe_code, reason = "the host frees results through pointers of the C interface")]

use std::mem::ManuallyDrop;
use std::ptr;

use modrack_abi as abi;

use crate::error::{Error, Record};
use crate::{Result, Row, Value};

/// The output of a call, to be filled.
pub struct Reply<'o>(&'o mut abi::Output);

/// A result that has parts, and the interface's view of it.
struct Kept {
    value: Value,
    lists: Vec<Vec<abi::Value>>,
    maps: Vec<Vec<abi::Entry>>,
    #[cfg(feature = "arrow")]
    tables: Vec<super::table::Lent>,
}

impl<'o> Reply<'o> {
    pub(super) fn new(output: &'o mut abi::Output) -> Self {
        Self(output)
    }

    /// True or false.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.0.value = abi::Value::bool(value);
    }

    /// A whole number.
    #[inline]
    pub fn int(&mut self, value: i64) {
        self.0.value = abi::Value::int(value);
    }

    /// A number.
    #[inline]
    pub fn float(&mut self, value: f64) {
        self.0.value = abi::Value::float(value);
    }

    /// Text, which is handed over as it lies.
    #[inline]
    pub fn text(&mut self, text: String) {
        self.memory(text.into_bytes(), abi::TAG_TEXT);
    }

    /// Bytes, which are handed over as they lie.
    #[inline]
    pub fn bytes(&mut self, bytes: Vec<u8>) {
        self.memory(bytes, abi::TAG_BYTES);
    }

    /// Text of an argument, of the state or of the program: the host copies it before anything else happens.
    #[inline]
    pub(crate) fn lent_text(&mut self, text: &str) {
        self.0.value = abi::Value::text(text);
    }

    /// Bytes of an argument, of the state or of the program.
    #[inline]
    pub(crate) fn lent_bytes(&mut self, bytes: &[u8]) {
        self.0.value = abi::Value::bytes(bytes);
    }

    /// Any value.
    ///
    /// # Errors
    /// A value that is nested too deeply, or a table that cannot be handed over.
    pub fn value(&mut self, value: Value) -> Result<()> {
        match value {
            Value::Null => self.0.value = abi::Value::NULL,
            Value::Bool(truth) => self.bool(truth),
            Value::Int(number) => self.int(number),
            Value::Float(number) => self.float(number),
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => self.bytes(bytes),
            value => *self.0 = Kept::output(value)?,
        }
        Ok(())
    }

    /// A failure, in the interface's words.
    #[cold]
    pub(super) fn error(&mut self, error: &Error) {
        let record = error.record();
        let plain = record.class.is_none()
            && record.hint.is_none()
            && record.code.is_none()
            && record.traceback.is_none()
            && record.causes.is_empty();
        let told = if plain { Value::Text(record.message.clone()) } else { Value::Map(told(record)) };
        // An error is text and lists of text, which can always be given.
        if self.value(told).is_err() {
            *self.0 = abi::Output::NULL;
        }
    }

    #[inline]
    fn memory(&mut self, bytes: Vec<u8>, tag: u32) {
        let mut bytes = ManuallyDrop::new(bytes);
        let mut value = abi::Value::bytes(&bytes);
        value.tag = tag;
        // A vector that is empty has nothing to free, however much room it was made with.
        if bytes.capacity() == 0 {
            *self.0 = abi::Output::plain(value);
            return;
        }
        value.payload.bytes = bytes.as_mut_ptr();
        // The room of the vector is all that is needed to free it, so no box is made for it.
        let owner = ptr::without_provenance_mut(bytes.capacity());
        *self.0 = abi::Output { value, release: Some(release_memory), owner };
    }
}

/// # Safety
/// The output is one that [`Reply::memory`] made, and was not released.
unsafe extern "C" fn release_memory(output: *mut abi::Output) {
    // SAFETY: the host gives back the output as it was made: pointer and length of a vector, its room as owner.
    unsafe {
        let output = &mut *output;
        let data = output.value.payload.bytes.cast_mut();
        drop(Vec::from_raw_parts(data, output.value.len, output.owner.addr()));
        output.release = None;
    }
}

/// # Safety
/// The output is one that [`Kept::output`] made, and was not released.
unsafe extern "C" fn release_kept(output: *mut abi::Output) {
    // SAFETY: the host gives back the output as it was made: its owner is the box.
    unsafe {
        let output = &mut *output;
        drop(Box::from_raw(output.owner.cast::<Kept>()));
        output.release = None;
    }
}

impl Kept {
    fn output(value: Value) -> Result<abi::Output> {
        let mut kept = Box::new(Self::of(value));
        let value = kept.lay_out()?;
        Ok(abi::Output { value, release: Some(release_kept), owner: Box::into_raw(kept).cast() })
    }

    fn of(value: Value) -> Self {
        Self {
            value,
            lists: Vec::new(),
            maps: Vec::new(),
            #[cfg(feature = "arrow")]
            tables: Vec::new(),
        }
    }

    /// The interface's view of the value, which stays where it is: in what this owns.
    fn lay_out(&mut self) -> Result<abi::Value> {
        let value = std::mem::take(&mut self.value);
        let laid = self.lay(&value, 0);
        self.value = value;
        laid
    }

    fn lay(&mut self, value: &Value, depth: u32) -> Result<abi::Value> {
        if depth >= abi::MAX_DEPTH {
            let message = format!("The result is nested more than {} levels deep", abi::MAX_DEPTH);
            return Err(Error::new(message).hint("Give it flatter, or as text"));
        }
        Ok(match value {
            Value::Null => abi::Value::NULL,
            Value::Bool(truth) => abi::Value::bool(*truth),
            Value::Int(number) => abi::Value::int(*number),
            Value::Float(number) => abi::Value::float(*number),
            Value::Text(text) => abi::Value::text(text),
            Value::Bytes(bytes) => abi::Value::bytes(bytes),
            Value::List(items) => {
                let mut laid = Vec::with_capacity(items.len());
                for item in items {
                    laid.push(self.lay(item, depth + 1)?);
                }
                let value = abi::Value::list(&laid);
                self.lists.push(laid);
                value
            }
            Value::Map(row) => {
                let mut laid = Vec::with_capacity(row.len());
                for (name, value) in row.entries() {
                    laid.push(abi::Entry { key: abi::Str::lent(name), value: self.lay(value, depth + 1)? });
                }
                let value = abi::Value::map(&laid);
                self.maps.push(laid);
                value
            }
            #[cfg(feature = "arrow")]
            Value::Table(table) => {
                let lent = super::table::Lent::new(table)?;
                let value = lent.value();
                self.tables.push(lent);
                value
            }
        })
    }
}

/// Arguments for the host, as the interface lays them out. They are there for as long as this is.
pub(super) struct Laid {
    // What the values point into.
    _kept: Kept,
    pub(super) values: Vec<abi::Value>,
}

impl Laid {
    pub(super) fn new(values: Vec<Value>) -> Result<Self> {
        let mut kept = Kept::of(Value::List(values));
        kept.lay_out()?;
        // The outermost list was laid out last.
        let values = kept.lists.pop().unwrap_or_default();
        Ok(Self { _kept: kept, values })
    }
}

fn told(record: &Record) -> Row {
    let mut row = Row::new();
    row.set("message", record.message.as_str());
    for (key, said) in [
        ("class", &record.class),
        ("hint", &record.hint),
        ("code", &record.code),
        ("traceback", &record.traceback),
    ] {
        if let Some(said) = said {
            row.set(key, said.as_str());
        }
    }
    if let Some(number) = record.failure {
        row.set("failure", number);
    }
    if !record.causes.is_empty() {
        let cause = |cause: &crate::Cause| {
            let mut row = Row::from_iter([("message", cause.message.as_str())]);
            if let Some(class) = &cause.class {
                row.set("class", class.as_str());
            }
            Value::Map(row)
        };
        row.set("causes", record.causes.iter().map(cause).collect::<Vec<_>>());
    }
    row
}
