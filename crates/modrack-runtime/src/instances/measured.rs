//! An instance whose results are measured when they are there, for backends that cannot keep one from growing.
//!
//! A result is asked for as data, because an object of another language has no size here; what is no data at all
//! (a generator, an object of a class) passes unmeasured.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use modrack_core::{Call, Footprint, Function, Instance, Remains, Result, Results, Signature, State, Value};

use crate::error;

/// The instance, measured.
pub(super) struct Measured {
    inner: Arc<dyn Instance>,
    most: u64,
}

struct MeasuredFunction {
    inner: Arc<dyn Function>,
    name: String,
    most: u64,
}

/// `inner` with every result of more than `most` bytes refused.
pub(crate) fn measured(inner: Arc<dyn Instance>, most: u64) -> Arc<dyn Instance> {
    Arc::new(Measured { inner, most })
}

impl Function for MeasuredFunction {
    fn call(&self, call: Call<'_>) -> Result<Value> {
        let value = self.inner.call(Call { results: Results::Converted, ..call })?;
        let size = value.size();
        if size > self.most { Err(error::output_too_large(&self.name, size, self.most)) } else { Ok(value) }
    }

    fn signature(&self) -> Option<&Signature> {
        self.inner.signature()
    }
}

impl Instance for Measured {
    fn function(&self, name: &str) -> Result<Arc<dyn Function>> {
        let inner = self.inner.function(name)?;
        Ok(Arc::new(MeasuredFunction { inner, name: name.to_owned(), most: self.most }))
    }

    fn attribute(&self, name: &str) -> Result<Value> {
        let value = self.inner.attribute(name)?;
        let size = value.size();
        if size > self.most { Err(error::output_too_large(name, size, self.most)) } else { Ok(value) }
    }

    fn names(&self) -> Vec<String> {
        self.inner.names()
    }

    fn export_state(&self) -> Result<Option<State>> {
        self.inner.export_state()
    }

    fn import_state(&self, state: &State) -> Result<bool> {
        self.inner.import_state(state)
    }

    fn end_calls(&self) -> bool {
        self.inner.end_calls()
    }

    fn broken(&self) -> bool {
        self.inner.broken()
    }

    fn stop(&self, within: Duration) -> Result<()> {
        self.inner.stop(within)
    }

    fn remains(&self) -> Vec<Arc<dyn Remains>> {
        self.inner.remains()
    }

    fn footprint(&self) -> Footprint {
        self.inner.footprint()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
