//! Streams that a call gave, read when it has ended: each keeps what it needs of its instance by a lease.
//!
//! To its own backend a stream is the object that it is; nothing else of that is touched.

use std::any::Any;
use std::sync::Arc;

use modrack_core::{BackendName, Foreign, ForeignObject, Items, Lease, Result, Value};

/// A stream with its lease.
struct Leased {
    stream: Foreign,
    lease: Arc<dyn Lease>,
}

/// The values of a stream, until it has none any more.
struct Reading {
    items: Items,
    lease: Option<Arc<dyn Lease>>,
}

/// `value` with a lease of its instance, where it is a stream.
#[inline]
pub(super) fn leased<L: Lease + 'static>(value: Value, lease: impl FnOnce() -> L) -> Value {
    match value {
        Value::Foreign(object) => with_lease(object, lease),
        value => value,
    }
}

#[inline(never)]
fn with_lease<L: Lease + 'static>(object: Foreign, lease: impl FnOnce() -> L) -> Value {
    // What another slot gave, and is only handed on, has one already.
    if !object.is_stream() || object.lease().is_some() {
        return Value::Foreign(object);
    }
    Value::Foreign(Foreign::new(Leased { stream: object, lease: Arc::new(lease()) }))
}

impl ForeignObject for Leased {
    fn backend(&self) -> BackendName {
        self.stream.backend()
    }

    fn type_name(&self) -> String {
        self.stream.type_name()
    }

    fn to_value(&self) -> Result<Value> {
        self.stream.to_value()
    }

    fn items(&self) -> Option<Items> {
        let mut items = None;
        let lease = self.lease.clone();
        // Where a stream begins, its own code may run.
        let asked = lease.read(&mut || {
            items = self.stream.items();
            Ok(())
        });
        match (asked, items) {
            (Ok(()), items) => Some(Box::new(Reading { items: items?, lease: Some(lease) })),
            (Err(why), _) => Some(Box::new(std::iter::once(Err(why)))),
        }
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn lease(&self) -> Option<Arc<dyn Lease>> {
        Some(self.lease.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self.stream.as_any()
    }
}

impl Iterator for Reading {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Self::Item> {
        let lease = self.lease.clone()?;
        let mut item = None;
        let read = lease.read(&mut || {
            item = self.items.next().transpose()?;
            Ok(())
        });
        let next = read.map(|()| item.take()).transpose();
        if !matches!(next, Some(Ok(_))) {
            self.lease = None;
            lease.end();
        }
        next
    }
}
