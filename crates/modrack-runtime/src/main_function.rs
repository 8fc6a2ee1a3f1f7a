//! Which function is meant where none is named.
//!
//! The slot's own word comes first, then the contract's, then the module's manifest, then the only public
//! function there is. What a module has for modrack alone (`initialize`, `shutdown` and so on) is none of these.

use modrack_core::{Entry, Instance, Result, is_lifecycle};

use crate::error::{self, no_main_function};
use crate::seat::Checked;

/// The main function, as far as that is known without running anything.
///
/// # Errors
/// [`modrack_core::Code::NoMainFunction`] when several could be it, or none is known.
pub(crate) fn of_description(checked: &Checked, plan: Option<&str>) -> Result<String> {
    let description = &checked.description;
    let alone = match &description.entry {
        Entry::Function(name) => Some(last(name)),
        _ => None,
    };
    let contract = checked.contract.as_ref().and_then(|c| c.main()).map(|f| f.info.name.as_str());
    let listed = contract.filter(|name| description.function(name).is_some());
    let manifest = description.manifest.function.as_deref();
    // What is not listed may still be there, but only where nothing that is listed would do.
    let likely = contract.filter(|_| description.open && description.functions.is_empty());
    if let Some(name) = plan.or(alone).or(listed).or(manifest).or(likely) {
        return Ok(name.to_owned());
    }
    if description.open && description.functions.is_empty() {
        return Err(error::main_function_unknown());
    }
    only(description.functions.iter().map(|f| f.name.as_str()).collect())
}

/// The main function of a started module, which may have more than could be read of it.
///
/// # Errors
/// [`modrack_core::Code::NoMainFunction`] when several could be it, or none is there.
pub(crate) fn of_instance(checked: &Checked, plan: Option<&str>, instance: &dyn Instance) -> Result<String> {
    of_description(checked, plan).or_else(|error| {
        if !checked.description.open || !checked.description.functions.is_empty() {
            return Err(error);
        }
        let mut names = instance.names();
        names.retain(|name| instance.function(name).is_ok());
        let named = checked.origin.attr().map(|attr| last(&attr.path));
        match named.filter(|name| instance.function(name).is_ok()) {
            Some(name) => Ok(name.to_owned()),
            None => only(names.iter().map(String::as_str).collect()),
        }
    })
}

/// The only one of these, those that serve the module's own life left out where there are others.
fn only(names: Vec<&str>) -> Result<String> {
    if let [name] = names[..] {
        return Ok(name.to_owned());
    }
    let serving: Vec<_> = names.iter().copied().filter(|name| !is_lifecycle(name)).collect();
    match serving[..] {
        [name] => Ok(name.to_owned()),
        [] => Err(no_main_function(names.into_iter())),
        _ => Err(no_main_function(serving.into_iter())),
    }
}

fn last(dotted: &str) -> &str {
    dotted.rsplit('.').next().unwrap_or(dotted)
}
