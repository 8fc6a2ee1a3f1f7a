//! Where the arguments of a call lie: what a module lends out as its result must not lie in them.
//!
//! Nothing is looked at before something is lent, and then each argument once, however much is lent.

#![expect(unsafe_code, reason = "whether a table was taken over stands in Arrow's structure")]

use std::collections::HashSet;
use std::ops::Range;

use arrow_array::{Array, RecordBatch};
use arrow_data::ArrayData;
use modrack_abi::ArrowArray;
use modrack_core::Value;

use crate::lower::Room;

/// Shorter bytes hold nothing that is lent.
pub(crate) const LENT_FROM: usize = 256;

/// Memory of arguments, in order, no two of them overlapping.
#[derive(Default)]
pub(crate) struct Places(Vec<Range<usize>>);

/// Looks for it.
struct Search<'a> {
    room: &'a Room,
    found: Vec<Range<usize>>,
    /// Buffers of tables that the module took over: these it may keep, whoever else has them.
    taken: HashSet<usize>,
    foreign: usize,
    tables: usize,
}

impl Places {
    /// Where what is within lists, maps, tables and foreign objects lies. `room` is what the arguments were
    /// lowered into.
    pub(crate) fn within(args: &[Value], room: &Room) -> Self {
        let mut search = Search { room, found: Vec::new(), taken: HashSet::new(), foreign: 0, tables: 0 };
        for arg in args {
            match arg {
                Value::Text(_) | Value::Bytes(_) => {}
                arg => search.value(arg),
            }
        }
        let Search { mut found, taken, .. } = search;
        found.retain(|range| !taken.contains(&range.start));
        found.sort_unstable_by_key(|range| range.start);
        found.dedup_by(|next, last| {
            let overlaps = next.start < last.end;
            if overlaps {
                last.end = last.end.max(next.end);
            }
            overlaps
        });
        Self(found)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some of these bytes lie in an argument.
    pub(crate) fn hold(&self, bytes: &[u8]) -> bool {
        let bytes = range(bytes);
        let behind = self.0.partition_point(|range| range.end <= bytes.start);
        self.0.get(behind).is_some_and(|range| range.start < bytes.end)
    }
}

/// Calls `look` with every buffer of a column, those of what it consists of included, until that gives true.
pub(crate) fn any_buffer(data: &ArrayData, look: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    data.buffers().iter().any(|buffer| look(buffer.as_slice()))
        || data.nulls().is_some_and(|nulls| look(nulls.buffer().as_slice()))
        || data.child_data().iter().any(|child| any_buffer(child, look))
}

impl Search<'_> {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
            Value::Text(text) => self.add(text.as_bytes()),
            Value::Bytes(bytes) => self.add(bytes),
            Value::List(values) => values.iter().for_each(|value| self.value(value)),
            Value::Map(map) => {
                for (key, value) in map.iter() {
                    self.add(key.as_bytes());
                    self.value(value);
                }
            }
            Value::Table(batch) => {
                let array = self.room.array(self.tables);
                self.tables += 1;
                if let Some(array) = array {
                    self.table(batch, array);
                }
            }
            Value::Foreign(_) => {
                let room = self.room;
                let converted = room.converted(self.foreign);
                self.foreign += 1;
                match converted {
                    Some(Value::Foreign(_)) | None => {}
                    Some(value) => self.value(value),
                }
            }
        }
    }

    fn table(&mut self, batch: &RecordBatch, array: *const ArrowArray) {
        // SAFETY: the structure stands in the room. A module may move it out, which leaves its `release` null.
        let array = unsafe { &*array };
        for (index, column) in batch.columns().iter().enumerate() {
            let is_taken = array.release.is_none() || {
                // SAFETY: nobody moved the structure, so that it has the children that it was made with, as many as
                // the table has columns.
                unsafe { (**array.children.add(index)).release.is_none() }
            };
            any_buffer(&column.to_data(), &mut |buffer| {
                if is_taken {
                    self.taken.insert(buffer.as_ptr().addr());
                } else {
                    self.add(buffer);
                }
                false
            });
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        if bytes.len() >= LENT_FROM {
            self.found.push(range(bytes));
        }
    }
}

fn range(bytes: &[u8]) -> Range<usize> {
    let ends = bytes.as_ptr_range();
    ends.start.addr()..ends.end.addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_is_one_and_what_touches_is_not() {
        let bytes = bytes::Bytes::from(vec![0; 4096]);
        let part = |range: Range<usize>| Value::Bytes(bytes.slice(range));
        let args = [Value::List(vec![part(1000..2000), part(3000..3500), part(500..1200), part(0..100)])];
        let mut room = Room::default();
        room.lower(&args[0]).unwrap();
        let places = Places::within(&args, &room);
        assert_eq!(places.0.len(), 2);
        for (range, held) in [
            (0..400, false),
            (100..501, true),
            (500..2000, true),
            (1999..2500, true),
            (2000..3000, false),
            (2000..3001, true),
            (3500..4096, false),
        ] {
            assert_eq!(places.hold(&bytes[range.clone()]), held, "{range:?}");
        }
    }
}
