//! What is left of a generation that was stopped: whether Python has freed it, and who holds it.
//!
//! The globals of its modules have a mark each, which lives as long as they do. Modules are full of circles, so that only Python's
//! collector frees them; nothing here waits for calls, and what would hold them up is not done while there are any.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use modrack_core::{Effort, Left, Remains, Text};
use pyo3::intern;
use pyo3::prelude::*;

use crate::generation::Generation;
use crate::glue::glue;
use crate::instance::Shared;
use crate::{modules, names};

glue!(static HELD = "held");

/// How long a collection may take while calls are under way: so long, any thread may have any other wait for the
/// interpreter.
const BRIEF: Duration = Duration::from_millis(5);

/// What a collection takes for each block of memory that Python has: 18 to 73 ns were measured, on 10,000 to 5,700,000 blocks.
const EACH_BLOCK: Duration = Duration::from_nanos(75);

/// What is left of a stopped instance and its generation.
pub(crate) struct PythonRemains {
    generation: Arc<Generation>,
    /// What the instance and its functions have in common, while one of them is alive.
    shared: Weak<Shared>,
    /// How many full collections there had been when a look was last taken at it; 0 before the first.
    collections: AtomicU64,
}

impl PythonRemains {
    /// The remains of an instance that is about to be stopped.
    pub(crate) fn new(generation: &Arc<Generation>, shared: &Arc<Shared>) -> Self {
        Self {
            generation: Arc::clone(generation),
            shared: Arc::downgrade(shared),
            collections: AtomicU64::new(0),
        }
    }

    /// Has everything collected that nobody holds, unless that was done since the last look, or would hold up calls; whether
    /// it was done.
    fn collect(&self, py: Python<'_>, effort: Effort) -> PyResult<bool> {
        let gc = modules::get(py, intern!(py, "gc"))?;
        let before = self.collections.swap(full_collections(&gc)?, Ordering::AcqRel);
        if before != 0 && full_collections(&gc)? > before {
            // Python did it by itself.
            return Ok(true);
        }
        if !may_look(py, effort)? {
            return Ok(false);
        }
        gc.call_method0(intern!(py, "collect"))?;
        if !self.generation.is_freed() {
            HELD.get(py, "forget_types")?.call0()?;
            gc.call_method0(intern!(py, "collect"))?;
        }
        self.collections.store(full_collections(&gc)?, Ordering::Release);
        Ok(true)
    }

    fn holders(&self, py: Python<'_>) -> PyResult<Vec<Text>> {
        let told = HELD.get(py, "holders")?.call1((self.generation.prefix(),))?;
        let told: Option<Vec<String>> = told.extract()?;
        let mut words: Vec<Text> = told
            .into_iter()
            .flatten()
            .map(|word| Text::from(names::plain_text(&word).into_owned()))
            .collect();
        if self.shared.strong_count() > 0 {
            words.insert(0, Text::from("The program around the rack has its instance, or a function of it"));
        }
        if words.is_empty() {
            words.push(Text::from(
                "Python's collector does not see who: an extension or the program around has an object of it",
            ));
        }
        Ok(words)
    }
}

impl Remains for PythonRemains {
    fn look(&self, effort: Effort) -> Left {
        if self.generation.is_freed() {
            return Left::Nothing;
        }
        if effort == Effort::Glance {
            return Left::Unknown;
        }
        let looked = Python::try_attach(|py| {
            let is_collected = self.collect(py, effort)?;
            if self.generation.is_freed() {
                return Ok(Left::Nothing);
            }
            // Who holds it takes at least as long to find as a collection, be it that Python has done that by itself.
            if !is_collected || !may_look(py, effort)? {
                return Ok(Left::Unknown);
            }
            let holders = self.holders(py)?;
            Ok(if self.generation.is_freed() { Left::Nothing } else { Left::Held(holders) })
        });
        // An interpreter that ends, or cannot be asked now, is asked again later if it is there.
        looked.unwrap_or(Ok(Left::Unknown)).unwrap_or_else(|_: PyErr| Left::Unknown)
    }
}

/// How often Python has looked through everything that it has.
fn full_collections(gc: &Bound<'_, PyAny>) -> PyResult<u64> {
    let stats = gc.call_method0(intern!(gc.py(), "get_stats"))?;
    let oldest = stats.get_item(stats.len()?.saturating_sub(1))?;
    oldest.get_item(intern!(gc.py(), "collections"))?.extract()
}

/// Whether everything that Python has may be looked through: no call is under way, or it is brief.
fn may_look(py: Python<'_>, effort: Effort) -> PyResult<bool> {
    Ok(effort >= Effort::Idle || is_brief(py)?)
}

/// Whether a collection takes no longer than any thread may keep the interpreter.
fn is_brief(py: Python<'_>) -> PyResult<bool> {
    let sys = modules::get(py, intern!(py, "sys"))?;
    let blocks: u32 = sys.call_method0(intern!(py, "getallocatedblocks"))?.extract().unwrap_or(u32::MAX);
    Ok(EACH_BLOCK.saturating_mul(blocks) <= BRIEF)
}
