//! Whether the new module can serve what the old one did: contract, parameters, and the functions in use.

use modrack_core::contract::narrowed;
use modrack_core::{Code, Error, Phase, Result};

use crate::error;
use crate::functions::FunctionId;
use crate::generation::Generation;
use crate::rack::RackCore;
use crate::seat::Seat;
use crate::verify;

/// Holds what is known of the new module, before it runs, against the slot and against `old`.
///
/// # Errors
/// Everything that is wrong, at once.
pub(super) fn before_start(rack: &RackCore, new: &Seat, old: Option<&Generation>, force: bool) -> Result<()> {
    let checked = verify::checked(rack, new)?;
    let mut faults = checked.faults.clone();
    if let Some(old) = old.filter(|_| !force) {
        for (id, name) in used(old) {
            let before = old.checked().description.function(&name).map(|f| f.signature.clone());
            match (checked.description.function(&name), before) {
                (Some(now), Some(before)) => {
                    faults.extend(narrowed(&before, &now.signature).map(|why| error::narrowed(&name, &why)));
                }
                // Which function is the main one is known when it has started: another name may be.
                (None, Some(_)) if !checked.description.open && id != FunctionId::MAIN => {
                    faults.push(error::gone(&name));
                }
                _ => {}
            }
        }
    }
    match Error::all(faults) {
        None => Ok(()),
        Some(error) => Err(error.phase(Phase::Check)),
    }
}

/// Binds the functions in use, so that the first calls of the new generation find them bound; what only runs can
/// tell is known here.
///
/// # Errors
/// [`Code::FunctionLost`], unless forced.
pub(super) fn after_start(new: &Generation, old: Option<&Generation>, force: bool) -> Result<()> {
    let Some(old) = old else { return Ok(()) };
    for id in old.slot().functions.ids().filter(|&id| old.known(id).is_some()) {
        match new.entry(id) {
            Ok(_) => {}
            Err(_) if force => {}
            Err(lost)
                if matches!(
                    lost.code(),
                    Code::UnknownFunction | Code::NotCallable | Code::NoMainFunction
                ) =>
            {
                let gone = match old.known(id) {
                    Some(entry) if id != FunctionId::MAIN => error::gone(entry.name()),
                    _ => error::main_gone(),
                };
                return Err(gone.caused_by(&lost));
            }
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

/// The functions that callers have bound, with their names in the old module.
fn used(old: &Generation) -> Vec<(FunctionId, String)> {
    let ids = old.slot().functions.ids();
    ids.filter_map(|id| Some((id, old.known(id)?.name().to_owned()))).collect()
}
