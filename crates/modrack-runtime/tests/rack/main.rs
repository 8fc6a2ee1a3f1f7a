//! What a rack promises its callers, tested against scripted backends.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod awaited;
mod back;
mod calls;
mod catalog;
mod configure;
mod elsewhere;
mod events;
mod find;
mod gates;
mod guards;
mod hearing;
mod held;
mod instances;
mod lifecycle;
mod loading;
mod migrates;
mod slots;
mod streams;
mod stress;
mod swaps;
mod trials;

use std::path::Path;
use std::sync::Arc;

use modrack_core::plan::{Ask, RackPlan, RackText, TextFormat};
use modrack_core::{Backend, BackendName, Error, Value};
use modrack_runtime::Rack;
use modrack_runtime::doubles::ScriptedBackend;

/// What this text says, in this folder.
fn plan_in(folder: &Path, yaml: &str) -> RackPlan {
    let text = RackText {
        file: "rack.yaml".into(),
        root: folder.to_owned(),
        format: TextFormat::Yaml,
        bytes: format!("rack: 1\n{yaml}").into(),
    };
    let ask = Ask { env: &|_| None, read: &|_| Err("no files in tests".into()), given: &[] };
    RackPlan::parse(&text, &[], &ask).unwrap()
}

/// What this text says where no folder is needed.
fn plan(yaml: &str) -> RackPlan {
    plan_in(Path::new("/nowhere"), yaml)
}

/// A rack of this text, in this folder, with one scripted backend.
fn rack_in(folder: &Path, yaml: &str) -> (Rack, Arc<ScriptedBackend>) {
    let backend = ScriptedBackend::new(BackendName::Python);
    let rack = Rack::open(plan_in(folder, yaml), vec![backend.clone() as Arc<dyn Backend>]).unwrap();
    (rack, backend)
}

/// A rack of this text that needs no folder.
fn rack(yaml: &str) -> (Rack, Arc<ScriptedBackend>) {
    rack_in(Path::new("/nowhere"), yaml)
}

/// A failure as lines: code, slot, module, generation, phase and place; message; hint.
fn shown(error: &Error) -> String {
    let part = |what: &str, value: Option<String>| value.map_or_else(String::new, |v| format!(" {what}={v}"));
    let place = error.place_of().map(|place| {
        let key = place.key.as_ref().map_or_else(String::new, |key| format!("({key})"));
        format!("{place}{key}")
    });
    [
        error.code().to_string(),
        part("slot", error.slot_name().map(ToString::to_string)),
        part("module", error.module_name().map(str::to_owned)),
        part("generation", error.generation_id().map(|id| id.to_string())),
        part("phase", error.phase_of().map(|phase| phase.to_string())),
        part("at", place),
        format!("\n  {}\n", error.message()),
        error.hint_text().map_or_else(String::new, |hint| format!("  hint: {hint}\n")),
    ]
    .concat()
}

fn shown_all(errors: &[Error]) -> String {
    errors.iter().map(shown).collect()
}

fn text(value: &str) -> Value {
    Value::from(value)
}
