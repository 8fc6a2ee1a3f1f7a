//! What an instance's store holds beside its memories: whom it belongs to, its bounds, and why it was stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use modrack_core::{Cancel, CopyMeter, Error, Log, Map, Service, SlotName, Text};
use wasmtime::{ResourceLimiter, UpdateDeadline};

use crate::engine::Counted;
use crate::wasi::Wasi;

/// The most entries that a table of functions may have.
const TABLE: usize = 1 << 20;

/// The bytes of one.
const ENTRY: u64 = 8;

/// So many failures of other slots are remembered: a module hands on one of those that it met last.
const CARRIED: usize = 16;

/// The data of a store.
pub(crate) struct Data {
    pub(crate) slot: SlotName,
    pub(crate) params: Arc<Map>,
    pub(crate) services: Vec<(Text, Arc<dyn Service>)>,
    pub(crate) log: Log,
    pub(crate) copies: Arc<CopyMeter>,
    /// When the call under way must have ended.
    pub(crate) deadline: Option<Instant>,
    /// How the caller gives it up.
    pub(crate) cancel: Option<Cancel>,
    /// Whether all calls of the instance are to end.
    pub(crate) ended: Arc<AtomicBool>,
    /// The most bytes that all memories and tables may have.
    pub(crate) memory: Option<u64>,
    /// The bytes that they have.
    pub(crate) held: u64,
    /// Why the call under way was stopped.
    pub(crate) stopped: Option<Stopped>,
    /// What the module said before it trapped.
    pub(crate) panicked: Option<(String, Option<String>)>,
    /// What other slots failed with in the call under way, the last of it.
    pub(crate) carried: Vec<Error>,
    /// What is given of the system to a component that imports WASI.
    pub(crate) wasi: Option<Box<Wasi>>,
    pub(crate) _counted: Counted,
}

/// Why a call was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Its time was up.
    Deadline,
    /// It was given up.
    Cancelled,
    /// It wanted so many bytes of memory.
    Memory(u64),
}

impl Data {
    /// Remembers what another slot failed with.
    pub(crate) fn carry(&mut self, failed: Error) {
        if self.carried.len() == CARRIED {
            self.carried.remove(0);
        }
        self.carried.push(failed);
    }

    /// Counts more bytes, of memories and of tables.
    fn hold(&mut self, more: u64) -> wasmtime::Result<()> {
        let wanted = self.held.saturating_add(more);
        if self.memory.is_some_and(|most| wanted > most) {
            self.stopped = Some(Stopped::Memory(wanted));
            return Err(wasmtime::Error::msg("the memory limit was reached"));
        }
        self.held = wanted;
        Ok(())
    }

    /// Whether the call under way may go on, asked at each tick.
    pub(crate) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let cancelled = || self.cancel.as_ref().is_some_and(Cancel::is_cancelled);
        let stopped = if self.ended.load(Ordering::Acquire) || cancelled() {
            Stopped::Cancelled
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Stopped::Deadline
        } else {
            return Ok(UpdateDeadline::Continue(1));
        };
        self.stopped = Some(stopped);
        Ok(UpdateDeadline::Interrupt)
    }
}

impl ResourceLimiter for Data {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|most| desired > most) {
            return Ok(false);
        }
        self.hold(desired.saturating_sub(current) as u64)?;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > TABLE || maximum.is_some_and(|most| desired > most) {
            return Ok(false);
        }
        self.hold((desired.saturating_sub(current) as u64).saturating_mul(ENTRY))?;
        Ok(true)
    }
}
