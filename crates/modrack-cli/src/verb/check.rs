//! `modrack check`: everything that can be known without running a module; with `--load`, also what starting
//! each slot says.

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
    let rack = session.rack()?;
    let slots: Vec<Slot> =
        rack.plan().slots.keys().map(|name| rack.slot(name.as_str())).collect::<modrack_core::Result<_>>()?;
    let mut found = rack.check();
    for pipeline in rack.plan().pipelines.values() {
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
        session.needs_python(&rack, &sound)?;
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
    let pipelines = rack.plan().pipelines.len() as u64;
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
        let paint = session.output.paint;
        session.output.say(&format!(
            "{} {rack}: {}, {}; no errors\n",
            paint.good(if what.load { "Checked and started" } else { "Checked" }),
            counted(slots.len() as u64, "slot"),
            counted(pipelines, "pipeline"),
        ));
    }
    Ok(0)
}
