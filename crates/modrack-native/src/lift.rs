//! Values on their way out of a module: held against the rules, then read where they lie. Text and bytes of
//! some size stay in the module's memory until nobody needs them; bytes that are a part of an argument are shared with it;
//! what is small is copied.

#![expect(unsafe_code, reason = "results are read through the pointers that they consist of")]

use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ffi::FFI_ArrowSchema;
use bytes::Bytes;
use modrack_abi::table::{self, is_mapped};
use modrack_abi::{
    ArrowArray, ArrowSchema, Entry, MAX_DEPTH, Output, Str, TAG_BOOL, TAG_BYTES, TAG_FLOAT, TAG_INT,
    TAG_LIST, TAG_MAP, TAG_NULL, TAG_TABLE, TAG_TEXT, Table, Value as Raw,
};
use modrack_core::{Code, Error, Map, Result, Text, Value};

use crate::context;
use crate::failure;
use crate::instance::Inner;
use crate::lower::Room;
use crate::places::{LENT_FROM, Places, any_buffer};

/// From how many bytes on the system is asked whether memory is there at all.
const ASKED_FROM: usize = 4096;

/// Nothing of a program lies below: the system keeps the lowest pages free, so that null and what is counted from it
/// points nowhere.
const LOWEST: usize = 1 << 16;

/// Whether so many bytes can lie at `start`, as far as that can be found out: for a few by the address alone, for
/// more of them by asking the system.
pub(crate) fn can_be(start: *const u8, bytes: usize) -> bool {
    let is_place = start.addr() >= LOWEST
        && start.addr().checked_add(bytes).is_some_and(|end| end <= isize::MAX as usize);
    is_place && (bytes < ASKED_FROM || is_mapped(start, bytes))
}

/// Takes the output of a call that went well: it is released as soon as nobody needs what it points at.
///
/// # Errors
/// What breaks the rules of the interface, and values that do not fit.
pub(crate) fn output(output: &mut Output, from: &Source<'_>) -> Result<Value> {
    match output.value.tag {
        _ if output.release.is_some() => {}
        // SAFETY: the tag says which field was written; any bytes are a number.
        TAG_INT => return Ok(Value::Int(unsafe { output.value.payload.integer })),
        // SAFETY: as above.
        TAG_FLOAT => return Ok(Value::Float(unsafe { output.value.payload.number })),
        TAG_NULL => return Ok(Value::Null),
        _ => {}
    }
    let owner = match output.release {
        Some(_) => Some(Owner::take(output, from)?),
        None => None,
    };
    let mut lift = Lift { owner: owner.as_ref(), from, within: OnceCell::new() };
    let value = lift.value(&output.value, 0);
    // A result that was not lent is released here, and it is seen at once whether that went well.
    match owner.map(Arc::try_unwrap) {
        Some(Ok(owner)) => owner.release().and(value),
        _ => value,
    }
}

/// Takes the arguments of a module's call of another slot: they are copied, tables are taken over.
///
/// # Errors
/// As [`output`].
pub(crate) fn arguments(args: *const Raw, count: usize, inner: &Arc<Inner>) -> Result<Vec<Value>> {
    let from = Source::of(inner, "call");
    let mut lift = Lift { owner: None, from: &from, within: OnceCell::new() };
    let args = lift.slice::<Raw>(args, count, "arguments")?;
    args.iter().map(|arg| lift.value(arg, 0)).collect()
}

/// Whose output it is.
pub(crate) struct Source<'a> {
    /// The instance: it outlives its results.
    pub(crate) inner: &'a Arc<Inner>,
    /// The function, as messages name it.
    pub(crate) function: &'a str,
    /// The call's arguments.
    pub(crate) args: &'a [Value],
    /// What they were lowered into, if that took any.
    pub(crate) room: Option<&'a Room>,
}

impl<'a> Source<'a> {
    /// What was called without arguments of ours.
    pub(crate) fn of(inner: &'a Arc<Inner>, function: &'a str) -> Self {
        Self { inner, function, args: &[], room: None }
    }
}

/// An output of a module that is to be released once.
struct Owner {
    output: Output,
    inner: Arc<Inner>,
    function: String,
    released: bool,
}

// SAFETY: the rules say that an output may be released, and what it points at be read, from whatever thread; nobody
// writes to it.
unsafe impl Send for Owner {}
// SAFETY: as above.
unsafe impl Sync for Owner {}

/// The outputs that are held and were not released, by what tells them apart.
static HELD: LazyLock<Mutex<HashSet<Key>>> = LazyLock::new(Mutex::default);

/// Who releases an output, what its module calls it, and where its value lies: a module may call all of its
/// outputs the same, or by their sizes.
type Key = (usize, usize, i64);

impl Owner {
    fn take(output: &Output, from: &Source<'_>) -> Result<Arc<Self>> {
        if let Some(key) = key(output)
            && !HELD.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
        {
            let what = "gave a result that it gave before, and that was not released yet";
            return Err(failure::broken_rule(from.function, what));
        }
        let inner = Arc::clone(from.inner);
        Ok(Arc::new(Self { output: *output, inner, function: from.function.to_owned(), released: false }))
    }

    fn release(mut self) -> Result<()> {
        self.release_now()
    }

    fn release_now(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.released, true) {
            return Ok(());
        }
        // Let go of the name first: the module may give it to another output as soon as this one is free.
        if let Some(key) = key(&self.output) {
            HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
        let Some(release) = self.output.release else { return Ok(()) };
        // SAFETY: the output is as the module gave it, and is released for the first and only time.
        let ((), fault) = context::apart(|| unsafe { release(&raw mut self.output) });
        match (self.output.release, fault) {
            (_, Some(fault)) => Err(failure::broken_rule(&self.function, fault)),
            (None, None) => Ok(()),
            (Some(_), None) => {
                Err(failure::broken_rule(&self.function, "released a result and did not mark it as released"))
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Err(fault) = self.release_now() {
            self.inner.remember(fault);
        }
    }
}

/// What tells one output that is held from another; none where the module keeps nothing for itself.
fn key(output: &Output) -> Option<Key> {
    let release = output.release? as usize;
    // SAFETY: any bytes are a number.
    let place = unsafe { output.value.payload.integer };
    (!output.owner.is_null()).then(|| (release, output.owner.addr(), place))
}

/// Reads one output.
struct Lift<'a> {
    owner: Option<&'a Arc<Owner>>,
    from: &'a Source<'a>,
    /// Where what is within the arguments lies, once that was asked.
    within: OnceCell<Places>,
}

impl Lift<'_> {
    fn value(&mut self, raw: &Raw, depth: u32) -> Result<Value> {
        if depth > MAX_DEPTH {
            return Err(self.unfit(&format!("a value that is nested deeper than {MAX_DEPTH} levels")));
        }
        // SAFETY: the tag says which field was written; any bytes are a number.
        let number = || unsafe { raw.payload.integer };
        Ok(match raw.tag {
            TAG_NULL => Value::Null,
            TAG_BOOL => match number() {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                other => return Err(self.unfit(&format!("a bool that is {other}"))),
            },
            TAG_INT => Value::Int(number()),
            // SAFETY: as above.
            TAG_FLOAT => Value::Float(unsafe { raw.payload.number }),
            TAG_TEXT => self.text(raw)?,
            TAG_BYTES => self.bytes(raw)?,
            TAG_LIST => {
                // SAFETY: the tag says which field was written.
                let items = self.slice::<Raw>(unsafe { raw.payload.items }, raw.len, "a list")?;
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    values.push(self.value(item, depth + 1)?);
                }
                Value::List(values)
            }
            TAG_MAP => {
                // SAFETY: the tag says which field was written.
                let entries = self.slice::<Entry>(unsafe { raw.payload.entries }, raw.len, "a map")?;
                let mut map = Map::with_capacity(entries.len());
                for entry in entries {
                    let key = self.key(entry.key)?;
                    map.insert(key, self.value(&entry.value, depth + 1)?);
                }
                Value::Map(Box::new(map))
            }
            TAG_TABLE => self.table(raw)?,
            other => return Err(self.unfit(&format!("a value of the kind {other}, which there is not"))),
        })
    }

    fn text(&self, raw: &Raw) -> Result<Value> {
        // SAFETY: the tag says which field was written.
        let bytes = self.slice::<u8>(unsafe { raw.payload.bytes }, raw.len, "text")?;
        let text = std::str::from_utf8(bytes).map_err(|why| {
            self.unfit(&format!("text that is not UTF-8: byte {} of {}", why.valid_up_to(), bytes.len()))
        })?;
        Ok(Value::Text(match self.lends(bytes)? {
            Some(owner) => Text::lent(Arc::new(Lent { range: text.as_bytes().as_ptr_range(), owner })),
            None => Text::from(text),
        }))
    }

    fn bytes(&self, raw: &Raw) -> Result<Value> {
        // SAFETY: the tag says which field was written.
        let bytes = self.slice::<u8>(unsafe { raw.payload.bytes }, raw.len, "bytes")?;
        Ok(Value::Bytes(match self.lends(bytes)? {
            Some(owner) => Bytes::from_owner(Lent { range: bytes.as_ptr_range(), owner }),
            None => self.shared(bytes).unwrap_or_else(|| Bytes::copy_from_slice(bytes)),
        }))
    }

    fn key(&self, key: Str) -> Result<Text> {
        let bytes = self.slice::<u8>(key.data, key.len, "a key")?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.unfit("a key that is not UTF-8"))?;
        Ok(Text::from(text))
    }

    fn table(&self, raw: &Raw) -> Result<Value> {
        // SAFETY: the tag says which field was written.
        let [table] = self.slice::<Table>(unsafe { raw.payload.table }, raw.len, "a table")? else {
            return Err(self.unfit(&format!("a table whose length is {}", raw.len)));
        };
        let there = |start: *const u8, size| !start.is_null() && is_mapped(start, size);
        let schema = table.schema.cast::<FFI_ArrowSchema>();
        let array = table.array.cast::<FFI_ArrowArray>();
        if !there(schema.cast(), size_of::<ArrowSchema>())
            || !there(array.cast(), size_of::<ArrowArray>())
            || !schema.is_aligned()
            || !array.is_aligned()
        {
            return Err(self.bad_table("it has no schema, or no array"));
        }
        // SAFETY: both structures are mapped, and by the rules are Arrow's; moving them out marks what stays as
        // released, which is what Arrow asks of a consumer.
        let (schema, array) = unsafe { (FFI_ArrowSchema::from_raw(schema), FFI_ArrowArray::from_raw(array)) };
        if array.is_released() {
            return Err(self.bad_table("it was released, or taken by somebody else"));
        }
        let data_type = table::data_type(&schema).map_err(|why| self.bad_table(&why.to_string()))?;
        let batch = table::to_batch(array, &data_type).map_err(|why| self.bad_table(&why.to_string()))?;
        // Its owner keeps it: it may have taken over a table that it was given, but no other memory of its caller.
        let is_lent = |bytes: &[u8]| !bytes.is_empty() && self.is_argument(bytes);
        if self.has_arguments() && batch.columns().iter().any(|c| any_buffer(&c.to_data(), &mut { is_lent }))
        {
            return Err(
                self.kept("gave a table that lies in one of its arguments: it must copy what it keeps")
            );
        }
        Ok(Value::Table(Arc::new(batch)))
    }

    /// So many values at `start`, as far as that can be found out.
    fn slice<'s, T>(&self, start: *const T, len: usize, what: &str) -> Result<&'s [T]> {
        if len == 0 {
            return Ok(&[]);
        }
        let bytes = len.checked_mul(size_of::<T>());
        if !bytes.is_some_and(|bytes| can_be(start.cast(), bytes)) || !start.is_aligned() {
            return Err(self.unfit(&format!("{what} of length {len} that is not there")));
        }
        // SAFETY: the pointer is aligned and not null, and by the rules as many values lie there as it says, which
        // nobody writes to until the output is released; what is large was found to be mapped.
        Ok(unsafe { std::slice::from_raw_parts(start, len) })
    }

    /// Who keeps these bytes, if they stay where they are.
    fn lends(&self, bytes: &[u8]) -> Result<Option<Arc<Owner>>> {
        let Some(owner) = self.owner.filter(|_| bytes.len() >= LENT_FROM) else { return Ok(None) };
        if self.is_argument(bytes) {
            return Err(self.kept(
                "gave a result to keep that lies in one of its arguments: it must copy what it keeps",
            ));
        }
        Ok(Some(Arc::clone(owner)))
    }

    /// Whether some of these bytes are the caller's.
    fn is_argument(&self, bytes: &[u8]) -> bool {
        let is_plain = self.from.args.iter().any(|arg| match arg {
            Value::Text(text) => overlap(text.as_bytes(), bytes),
            Value::Bytes(given) => overlap(given, bytes),
            _ => false,
        });
        is_plain || self.within().hold(bytes)
    }

    /// Whether anything can lie in an argument.
    fn has_arguments(&self) -> bool {
        let is_plain = |arg: &Value| matches!(arg, Value::Text(_) | Value::Bytes(_));
        self.from.args.iter().any(is_plain) || !self.within().is_empty()
    }

    fn within(&self) -> &Places {
        self.within.get_or_init(|| match self.from.room {
            Some(room) => Places::within(self.from.args, room),
            None => Places::default(),
        })
    }

    fn kept(&self, what: &str) -> Error {
        failure::broken_rule(self.from.function, what)
    }

    /// The part of an argument that these bytes are, if they are one: what the host has already is not copied.
    fn shared(&self, bytes: &[u8]) -> Option<Bytes> {
        if bytes.len() < LENT_FROM {
            return None;
        }
        self.from.args.iter().find_map(|arg| match arg {
            Value::Bytes(given) if holds(given, bytes) => Some(given.slice_ref(bytes)),
            _ => None,
        })
    }

    fn unfit(&self, what: &str) -> Error {
        Error::new(Code::ValueDoesNotFit, format!("`{}` gave {what}", self.from.function))
            .hint("The module gives what no value can be; its author has to mend it")
    }

    fn bad_table(&self, lie: &str) -> Error {
        Error::new(
            Code::BadTable,
            format!("`{}` gave a table that contradicts itself: {lie}", self.from.function),
        )
        .hint("The module exports the table wrongly; its author has to mend it")
    }
}

fn holds(whole: &[u8], part: &[u8]) -> bool {
    let (whole, part) = (whole.as_ptr_range(), part.as_ptr_range());
    whole.start <= part.start && part.end <= whole.end
}

fn overlap(one: &[u8], other: &[u8]) -> bool {
    let (one, other) = (one.as_ptr_range(), other.as_ptr_range());
    one.start < other.end && other.start < one.end
}

/// Bytes in a module's memory.
struct Lent {
    range: Range<*const u8>,
    owner: Arc<Owner>,
}

// SAFETY: the bytes are not written to, and may be read from whatever thread until their owner is released.
unsafe impl Send for Lent {}
// SAFETY: as above.
unsafe impl Sync for Lent {}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        let len = self.range.end.addr() - self.range.start.addr();
        debug_assert!(!self.owner.released, "what is lent is not released");
        // SAFETY: so many bytes were read there before, and stay until the owner is released, which this value
        // keeps from happening.
        unsafe { std::slice::from_raw_parts(self.range.start, len) }
    }
}

impl AsRef<str> for Lent {
    fn as_ref(&self) -> &str {
        // SAFETY: only text that was found to be UTF-8 is lent as text, and nobody writes to it.
        unsafe { std::str::from_utf8_unchecked(AsRef::<[u8]>::as_ref(self)) }
    }
}
