//! What a shell offers for slots, functions, attributes and pipelines: from the rack and the index, nothing
//! is run and nothing is said.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::OnceLock;

use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter as _};
use modrack_core::Result;
use modrack_runtime::Rack;

use crate::args::Global;
use crate::host::{Host, Live, WasmFactory};
use crate::output::Output;
use crate::session::Session;

/// The environment variable by which a shell's script asks for what may come next.
pub(crate) const COMPLETE_ENV: &str = "MODRACK_COMPLETE";

/// The backend of components and the state that the process has: what clap calls is given nothing.
static HAS: OnceLock<(Option<WasmFactory>, Option<Live>)> = OnceLock::new();

/// Says which backend of components the process has and what goes with a rack's state, if it has them.
pub(crate) fn with(wasm: Option<WasmFactory>, live: Option<Live>) {
    HAS.get_or_init(|| (wasm, live));
}

/// The pipelines of the rack.
pub(crate) fn pipelines(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = rack().map(|rack| rack.plan().pipelines.keys().map(ToString::to_string).collect());
    matching(names.unwrap_or_default(), current)
}

/// The slots that the rack declares.
pub(crate) fn declared(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = rack().map(|rack| rack.plan().slots.keys().map(ToString::to_string).collect());
    matching(names.unwrap_or_default(), current)
}

/// The slots of the rack, the modules of its catalog, and paths.
pub(crate) fn slots(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = rack().map(|rack| {
        let mut names: Vec<String> = rack.plan().slots.keys().map(ToString::to_string).collect();
        if let Ok(catalog) = rack.catalog() {
            names.extend(catalog.entries().iter().map(|entry| entry.name.clone()));
        }
        names
    });
    let mut found = matching(names.unwrap_or_default(), current);
    found.extend(PathCompleter::any().complete(current));
    found
}

/// The names of events, and their families.
pub(crate) fn events(current: &OsStr) -> Vec<CompletionCandidate> {
    let families = modrack_runtime::EVENTS.iter().filter_map(|name| name.split_once('.'));
    let families = families.map(|(family, _)| format!("{family}.*"));
    matching(families.chain(modrack_runtime::EVENTS.map(str::to_owned)).collect(), current)
}

/// The functions of the slot that the line names.
pub(crate) fn functions(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = || -> Result<Vec<String>> {
        let Some(slot) = slot_of_line() else { return Ok(Vec::new()) };
        let about = rack()?.slot(&slot)?.describe()?;
        Ok(about.functions.iter().map(|function| function.name.clone()).chain(["_".to_owned()]).collect())
    };
    matching(names().unwrap_or_default(), current)
}

/// The attributes of the slot that the line names.
pub(crate) fn attributes(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = || -> Result<Vec<String>> {
        let Some(slot) = slot_of_line() else { return Ok(Vec::new()) };
        let about = rack()?.slot(&slot)?.describe()?;
        Ok(about.attributes.iter().map(|attribute| attribute.name.clone()).collect())
    };
    matching(names().unwrap_or_default(), current)
}

fn matching(mut names: Vec<String>, current: &OsStr) -> Vec<CompletionCandidate> {
    let begun = current.to_string_lossy();
    names.sort();
    names.dedup();
    names.into_iter().filter(|name| name.starts_with(&*begun)).map(CompletionCandidate::new).collect()
}

fn rack() -> Result<Rack> {
    let line = Line::read();
    let global = Global { rack: line.rack, quiet: true, ..Global::default() };
    let output = Output::new(&global, None, None);
    let (wasm, live) = HAS.get().copied().unwrap_or_default();
    let host = Host { wasm, live, ..Host::default() };
    Session::new(host, global, Vec::new(), output).rack_or_none()
}

fn slot_of_line() -> Option<String> {
    // The words are: the command, the verb, the slot.
    Line::read().words.into_iter().nth(2)
}

/// The line that is being completed, as far as it is needed here.
struct Line {
    words: Vec<String>,
    rack: Option<PathBuf>,
}

impl Line {
    fn read() -> Self {
        Self::of(env::args().skip_while(|word| word != "--").skip(1))
    }

    fn of(mut given: impl Iterator<Item = String>) -> Self {
        let mut line = Self { words: Vec::new(), rack: None };
        while let Some(word) = given.next() {
            if word == "-r" || word == "--rack" {
                line.rack = given.next().map(PathBuf::from);
            } else if word == "--set" || word == "--log-format" {
                given.next();
            } else if let Some(rack) = word.strip_prefix("--rack=") {
                line.rack = Some(rack.into());
            } else if !word.starts_with('-') {
                line.words.push(word);
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_without_its_options() {
        let given = ["modrack", "-r", "a/rack.yaml", "--set", "x=1", "call", "--stats", "clean", "tr"];
        let line = Line::of(given.into_iter().map(str::to_owned));
        assert_eq!(line.words, ["modrack", "call", "clean", "tr"]);
        assert_eq!(line.rack, Some("a/rack.yaml".into()));
    }
}
