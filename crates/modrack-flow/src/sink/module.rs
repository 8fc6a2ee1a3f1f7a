//! A module of contract `sink` as a sink: its function is called for each batch, `finish` at the end.
//!
//! It is given a table where it says that it takes one, else a list of rows. It runs on the writer's thread.

use arrow_array::RecordBatch;
use modrack_core::plan::{FormatOptions, SlotRef};
use modrack_core::{Call, Cancel, Result, Takes, Value};
use modrack_runtime::{Pin, Rack};

use crate::{module, rows};

/// A sink that is a module.
pub(crate) struct ModuleSink {
    pin: Pin,
    name: String,
    table: bool,
    cancel: Cancel,
}

impl ModuleSink {
    /// Loads the module.
    ///
    /// # Errors
    /// What loading fails with, and that there is no such function.
    pub(crate) fn open(
        rack: &Rack,
        slot: &SlotRef,
        function: Option<&str>,
        options: &FormatOptions,
        cancel: Cancel,
    ) -> Result<Self> {
        let slot = module::slot(rack, slot, options, "sink")?;
        let pin = slot.pin()?;
        let (name, function) = pin.function(function)?;
        let takes = module::takes(pin.description(), &name, function.signature(), false);
        let table = matches!(takes, Takes::Batch | Takes::Table);
        Ok(Self { pin, name, table, cancel })
    }

    /// Hands a batch over.
    ///
    /// # Errors
    /// What the module fails with.
    pub(crate) fn write(&self, batch: &RecordBatch) -> Result<()> {
        let given = if self.table {
            Value::from(batch.clone())
        } else {
            Value::List(rows::rows_of(batch)?.into_iter().map(Value::from).collect())
        };
        let call = Call { cancel: Some(&self.cancel), ..Call::new(std::slice::from_ref(&given)) };
        self.pin.call(Some(&self.name), call).map(drop)
    }

    /// Tells the module that there is nothing more.
    ///
    /// # Errors
    /// What the module's `finish` fails with.
    pub(crate) fn finish(&self) -> Result<()> {
        if self.name == "finish" || !self.pin.instance().names().iter().any(|name| name == "finish") {
            return Ok(());
        }
        self.pin.call(Some("finish"), Call { cancel: Some(&self.cancel), ..Call::default() }).map(drop)
    }
}
