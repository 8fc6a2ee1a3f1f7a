//! `modrack check`: everything that can be known without running a module, of the whole rack or of the slots and files
//! that are named; with `--load`, also what starting each says.

use modrack_core::{Error, Kind};
use modrack_runtime::Slot;
use serde_json::json;

use crate::args::Check;
use crate::output::{Failure, Outcome};
use crate::report::{near, record};
use crate::session::Session;
use crate::style::counted;

/// Checks plan, slots, catalog and pipelines, and reports all that is found.
pub(crate) fn run(what: &Check, session: &mut Session) -> Outcome {
    let whole = what.slots.is_empty();
    let rack = if whole { session.rack()? } else { session.rack_or_none()? };
    let names: Vec<String> = match whole {
        true => rack.plan().slots.keys().map(ToString::to_string).collect(),
        false => what.slots.iter().map(|text| session.meant(rack.root(), text)).collect(),
    };
    let slots: Vec<Slot> = names.iter().map(|name| rack.slot(name)).collect::<modrack_core::Result<_>>()?;
    let mut found = if whole { rack.check() } else { slots.iter().flat_map(Slot::check).collect() };
    let pipelines = if whole { rack.plan().pipelines.len() } else { 0 };
    for pipeline in rack.plan().pipelines.values().take(pipelines) {
        found.extend(modrack_flow::check(&rack, pipeline));
    }
    // What cannot be found or read cannot be started; the rest can, so as to report all at once.
    let mut done = Ok(0);
    if what.load {
        let sound: Vec<Slot> = slots
            .iter()
            .filter(|slot| !found.iter().any(|error| error.slot_name() == Some(slot.name())))
            .cloned()
            .collect();
        session.needs_python(&rack, &sound, true)?;
        let interrupt = session.watch(&rack);
        for slot in &sound {
            if let Err(error) = slot.pin() {
                match interrupt.explain(error.into()) {
                    Failure::Failed(error) if error.kind() == Kind::Cancelled => {
                        done = Err(error.into());
                        break;
                    }
                    Failure::Failed(error) => found.push(error),
                    gone @ Failure::ReaderGone => return Err(gone),
                }
            }
        }
    }
    let status = session.close(&rack, done)?;
    if status != 0 {
        return Ok(status);
    }
    if let Some(error) = Error::all(found.clone()) {
        session.output.report(&error);
        return Ok(crate::report::status(&error));
    }
    if session.output.json {
        let document = json!({
            "error": null,
            "errors": found.iter().map(record).collect::<Vec<_>>(),
            "slots": slots.len(),
            "pipelines": pipelines,
            "loaded": what.load,
        });
        session.output.print_json(&document)?;
    } else {
        let rack = rack.plan().file.as_ref().map_or(String::new(), |file| near(file).display().to_string());
        let counts = [counted(slots.len() as u64, "slot"), counted(pipelines as u64, "pipeline")].join(", ");
        let checked = if whole { format!("{rack}: {counts}") } else { names.join(", ") };
        let paint = session.output.paint;
        let done = paint.good(if what.load { "Checked and started" } else { "Checked" });
        session.output.say(&format!("{done} {checked}; no errors\n"));
    }
    Ok(0)
}
