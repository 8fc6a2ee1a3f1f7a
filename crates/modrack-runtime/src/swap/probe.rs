//! Probes: calls that a new module must answer before it serves, whether it comes by a swap or is loaded first.

use std::time::{Duration, Instant};

use modrack_core::plan::Probe;
use modrack_core::{Call, Code, Error, Phase, Result};

use crate::generation::Generation;

/// How long a probe may take where the slot does not limit its calls.
const WITHIN: Duration = Duration::from_secs(30);

/// Makes each call, and holds the answer against what is expected. `phase` is what it is part of.
///
/// # Errors
/// [`Code::ProbeFailed`], with what the call failed with as its cause.
pub(crate) fn all(generation: &Generation, probes: &[Probe], phase: Phase) -> Result<()> {
    for probe in probes {
        let id = generation.bind(probe.function.as_deref())?;
        let entry = generation.entry(id)?;
        let deadline = generation.time().is_none().then(|| Instant::now() + WITHIN);
        let call = Call { deadline, ..Call::new(&probe.args) };
        let given = generation.probe(entry, call).map_err(|why| {
            let what = format!("The probe of `{}` failed: {}", entry.name(), why.message());
            blamed(generation, Error::new(Code::ProbeFailed, what).caused_by(&why), phase)
        })?;
        if let Some(expected) = probe.expect.as_ref().filter(|expected| **expected != given) {
            let what = format!("The probe of `{}` gave {given}, and {expected} is expected", entry.name());
            return Err(blamed(generation, Error::new(Code::ProbeFailed, what), phase));
        }
    }
    Ok(())
}

fn blamed(generation: &Generation, error: Error, phase: Phase) -> Error {
    let hint = match phase {
        Phase::Swap => "What served before serves still; mend the module, or what `swap.probe` expects of it",
        _ => "Mend the module, or what `swap.probe` expects of it",
    };
    generation.blame(error.hint(hint), phase)
}
