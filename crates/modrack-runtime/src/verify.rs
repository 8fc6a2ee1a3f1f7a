//! What can be known of the module in a slot before any of it runs, and whether it may be started.
//!
//! Everything that is wrong is found at once: the contract, the parameters, the requirements, the names that
//! the slot's plan mentions.

use std::sync::Arc;
use std::time::Instant;

use modrack_core::contract::{Contract, ContractRef};
use modrack_core::{Code, Description, Error, Origin, Phase, Result, Text};

use crate::configuration::Configuration;
use crate::error;
use crate::find;
use crate::rack::RackCore;
use crate::seat::{Checked, Found, Seat};
use crate::told::Load;

/// What the slot's `use` leads to; found once.
///
/// # Errors
/// A failure of phase find.
pub(crate) fn found(rack: &RackCore, seat: &Seat) -> Result<Arc<Found>> {
    if let Some(found) = seat.found().get() {
        return Ok(found);
    }
    let began = Instant::now();
    let found = match seat.origin() {
        Some(origin) => find::at(rack, origin),
        None => find::find(rack, seat.plan(), seat.configuration()),
    };
    seat.slot().meters.record(Phase::Find, began.elapsed(), found.is_ok());
    let found = Arc::new(found.map_err(|error| seat.blame(error.phase(Phase::Find), "use"))?);
    seat.found().set(Some(found.clone()));
    rack.observer().tell_load(&Load::Found(seat.slot().name(), &found.origin));
    Ok(found)
}

/// What is known of the slot's module; read once.
///
/// # Errors
/// A failure of phase find or check by which nothing is known of the module. What else keeps it from being
/// started is in [`Checked::faults`].
pub(crate) fn checked(rack: &RackCore, seat: &Seat) -> Result<Arc<Checked>> {
    if let Some(checked) = seat.checked().get() {
        return Ok(checked);
    }
    let found = found(rack, seat)?;
    let backend = rack.backend(found.backend).map_err(|_| {
        seat.blame(error::no_backend(found.backend, Some((&found.origin, rack.root()))), "use")
    })?;
    let began = Instant::now();
    let described = backend.describe(&found.origin);
    let checked = described.map(|description| examine(rack, seat, &found.origin, description));
    let whole = checked.as_ref().is_ok_and(|checked| checked.faults.is_empty());
    seat.slot().meters.record(Phase::Check, began.elapsed(), whole);
    let checked = Arc::new(checked.map_err(|error| seat.blame(error.phase(Phase::Check), "use"))?);
    seat.checked().set(Some(checked.clone()));
    Ok(checked)
}

/// Has the slot's module read again when it is loaded, if it was read before and is another one by now: nobody has seen it serve.
pub(crate) fn renew(rack: &RackCore, seat: &Seat) {
    // What is swapped in was read for just that.
    let (Some(found), Some(checked), false) = (seat.found().get(), seat.checked().get(), seat.is_coming())
    else {
        return;
    };
    if rack.backend(found.backend).is_ok_and(|backend| backend.has_changed(&checked.description)) {
        seat.forget();
    }
}

/// From where the content of the slot's module can be loaded again, once who keeps content has it; none when nobody does.
///
/// # Errors
/// As [`checked`], or what keeping it failed with.
pub(crate) fn kept(rack: &RackCore, seat: &Seat) -> Result<Option<Origin>> {
    if let Some(kept) = seat.kept().get() {
        return Ok((*kept).clone());
    }
    let (Some(keeper), None) = (rack.keeper(), seat.origin()) else { return Ok(seat.origin().cloned()) };
    let checked = checked(rack, seat)?;
    let kept = keeper
        .keep(seat.id(), &checked.origin, &checked.description)
        .map_err(|error| seat.blame(error.phase(Phase::Load), "use"))?;
    seat.kept().set(Some(Arc::new(kept.clone())));
    Ok(kept)
}

/// Whether the slot's module is still what was read of it, now that it is started from the same files.
///
/// # Errors
/// [`Code::ChangedMeanwhile`]: nobody can say what of it is old and what is new.
pub(crate) fn unchanged(rack: &RackCore, seat: &Seat) -> Result<()> {
    let (found, checked) = (found(rack, seat)?, checked(rack, seat)?);
    let (Origin::File { .. }, Some(hash)) = (&found.origin, &checked.description.hash) else { return Ok(()) };
    match rack.backend(found.backend)?.describe(&found.origin) {
        Ok(now) if now.hash.as_ref() == Some(hash) => Ok(()),
        Ok(_) => Err(error::changed_meanwhile()),
        Err(why) => Err(error::changed_meanwhile().caused_by(&why)),
    }
}

/// What is known of a module that was described, and everything that is wrong with it in this slot.
pub(crate) fn examine(rack: &RackCore, seat: &Seat, origin: &Origin, description: Description) -> Checked {
    let plan = seat.plan();
    let mut faults = Vec::new();
    let blame = |error: Error, key: &str| seat.blame(error.phase(Phase::Check), key);
    let (contract, declared) = match contract(seat, seat.configuration(), &description) {
        Ok(contract) => contract,
        Err(error) => {
            faults.push(error);
            (None, true)
        }
    };
    if let Some(contract) = contract.as_ref().filter(|_| declared) {
        let main = plan.function.as_deref().or(description.manifest.function.as_deref());
        let misfits = match main {
            Some(main) => contract.fit_as(&description, main),
            None => contract.fit(&description),
        };
        faults.extend(misfits.into_iter().map(|error| blame(error, "contract")));
    }
    if let Some(function) = &plan.function
        && !description.open
        && description.function(function).is_none()
    {
        let names = description.functions.iter().map(|f| f.name.as_str());
        faults.push(blame(error::function_missing(function, names), "function"));
    }
    for hears in plan.events.iter().filter(|_| !description.open) {
        if let Some(function) = &hears.function
            && description.function(function).is_none()
        {
            let names = description.functions.iter().map(|f| f.name.as_str());
            faults.push(blame(error::function_missing(function, names), &format!("events.{}", hears.text)));
        }
    }
    if let Ok(backend) = description.backend.map_or_else(
        || Err(error::internal("A description that does not say whose it is")),
        |name| rack.backend(name),
    ) {
        let injected: Vec<Text> = plan.needs.iter().map(|(name, _)| name.clone()).collect();
        let given = plan.params_for(description.constructor.as_ref());
        let params = backend.check_params(&description, &given, &injected);
        faults.extend(params.into_iter().map(|error| blame_params(seat, error.phase(Phase::Check))));
        faults.extend(crate::guards::check(seat, &**backend, &description));
        faults.extend(backend.check_requires(&description).into_iter().map(|error| blame(error, "use")));
    }
    let description = rack.descriptions().share(description);
    let called = match (description.name.is_empty(), seat.origin()) {
        (false, _) => description.name.clone(),
        // Where it is kept says nothing to anybody.
        (true, Some(_)) => plan.use_text.clone(),
        (true, None) => origin.to_string(),
    };
    let mut checked = Checked { origin: origin.clone(), called, description, contract, declared, faults };
    let module = checked.module();
    checked.faults = checked.faults.into_iter().map(|error| error.module(module.clone())).collect();
    checked
}

/// Says of a parameter's error where the rack sets the parameter, rather than where the module takes it.
fn blame_params(seat: &Seat, error: Error) -> Error {
    let key = error.place_of().and_then(|place| place.key.as_ref());
    match key.and_then(|key| seat.place_of_key(key)) {
        Some(place) => error.place(place).slot(seat.slot().name()),
        None => seat.blame(error, "params"),
    }
}

/// The contract by which a module is used, and whether somebody asked for it.
///
/// # Errors
/// A contract that is not known.
pub(crate) fn contract(
    seat: &Seat,
    configuration: &Configuration,
    description: &Description,
) -> Result<(Option<Arc<Contract>>, bool)> {
    let blame = |error: Error, key: &str| seat.blame(error.phase(Phase::Check), key);
    if let Some(wanted) = &seat.plan().contract {
        let contract = configuration.contracts().find(wanted).map_err(|error| blame(error, "contract"))?;
        return Ok((Some(Arc::new(contract.clone())), true));
    }
    if let Some(text) = &description.manifest.contract {
        let wanted = ContractRef::parse(text).map_err(|error| {
            blame(Error::new(Code::BadManifest, error.message()), "use")
                .hint("Write its name and version: `transform@1`")
        })?;
        let contract = configuration.contracts().find(&wanted).map_err(|error| blame(error, "use"))?;
        return Ok((Some(Arc::new(contract.clone())), true));
    }
    Ok((configuration.contracts().by_shape(description).map(|contract| Arc::new(contract.clone())), false))
}

impl Checked {
    /// What messages call the module: its own name, else where it comes from.
    pub(crate) fn module(&self) -> String {
        self.called.clone()
    }
}
