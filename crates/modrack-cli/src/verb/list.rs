//! `modrack list`: the slots, and the modules that were found. Nothing is loaded; without `--long` no slot's
//! module is even read.

use std::path::Path;

use modrack_core::{BackendName, Language, Origin, Use};
use modrack_runtime::{CatalogEntry, Rack, Slot};
use serde_json::{Value as Json, json};

use crate::args::List;
use crate::output::Outcome;
use crate::report::{near, record};
use crate::session::Session;
use crate::style::counted;
use crate::table::Table;

/// Prints slots and catalog.
pub(crate) fn run(what: &List, session: &mut Session) -> Outcome {
    let rack = session.rack()?;
    let slots: Vec<Row> = rack
        .plan()
        .slots
        .keys()
        .map(|name| Ok(Row::of(&rack.slot(name.as_str())?, what.long)))
        .collect::<modrack_core::Result<_>>()?;
    let found = catalog(&rack)?;
    if session.output.json {
        let pipelines: Vec<String> = rack.plan().pipelines.keys().map(ToString::to_string).collect();
        let document = json!({
            "slots": slots.iter().map(|row| row.document(what.long)).collect::<Vec<_>>(),
            "catalog": found,
            "pipelines": pipelines,
        });
        session.output.print_json(&document)?;
        return Ok(0);
    }
    let paint = session.output.data_paint;
    let mut text = String::new();
    if !slots.is_empty() {
        let mut table =
            Table::new(&["SLOT", "BACKEND", "USE", "VERSION", "CONTRACT", "FUNCTIONS", "PROBLEM"]);
        for row in &slots {
            table.row(row.cells());
        }
        text.push_str(&table.render(paint));
    }
    if !found.is_empty() {
        let mut table = Table::new(&["MODULE", "BACKEND", "FROM", "VERSION", "ABOUT"]);
        for entry in &found {
            let cell = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            let more = |key: &str| if what.long { cell(key) } else { String::new() };
            table.row(vec![cell("module"), cell("backend"), cell("from"), cell("version"), more("about")]);
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&table.render(paint));
    }
    session.output.print(&text)?;
    if text.is_empty() {
        session.output.say("The rack has no slots, and its catalog no modules\n");
    } else if session.output.words_are_terminal && session.output.data_is_terminal {
        let pipelines = rack.plan().pipelines.len() as u64;
        let mut parts = vec![counted(slots.len() as u64, "slot"), counted(found.len() as u64, "module")];
        if pipelines > 0 {
            parts.push(counted(pipelines, "pipeline"));
        }
        session.output.say(&format!("\n{}\n", session.output.paint.faint(&parts.join(", "))));
    }
    Ok(0)
}

/// What is shown of a slot.
struct Row {
    slot: String,
    backend: Option<BackendName>,
    use_text: String,
    version: Option<String>,
    contract: Option<String>,
    functions: Vec<String>,
    problem: Option<modrack_core::Error>,
}

impl Row {
    fn of(slot: &Slot, is_long: bool) -> Self {
        let plan = slot.plan();
        let mut row = Self {
            slot: slot.name().to_string(),
            backend: backend_by_text(&plan.fills),
            use_text: plan.use_text.clone(),
            version: None,
            contract: plan.contract.as_ref().map(|contract| contract.name.clone()),
            functions: Vec::new(),
            problem: None,
        };
        if is_long {
            match slot.describe() {
                Ok(about) => {
                    row.backend = about.backend.or(row.backend);
                    row.version = about.version.as_ref().map(ToString::to_string);
                    row.functions = about.functions.iter().map(|function| function.name.clone()).collect();
                }
                Err(error) => row.problem = Some(error),
            }
            match slot.contract() {
                Ok(contract) => row.contract = contract.map(|contract| contract.to_string()).or(row.contract),
                Err(error) => row.problem = row.problem.or(Some(error)),
            }
        }
        row
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.slot.clone(),
            self.backend.map_or("-", |backend| backend.as_str()).to_owned(),
            self.use_text.clone(),
            self.version.clone().unwrap_or_default(),
            self.contract.clone().unwrap_or_default(),
            self.functions.join(", "),
            self.problem
                .as_ref()
                .map(|error| format!("{}: {}", error.code(), error.message()))
                .unwrap_or_default(),
        ]
    }

    fn document(&self, is_long: bool) -> Json {
        let mut document = json!({
            "slot": self.slot,
            "backend": self.backend.map(|backend| backend.as_str()),
            "use": self.use_text,
            "contract": self.contract,
        });
        if is_long {
            document["version"] = json!(self.version);
            document["functions"] = json!(self.functions);
            document["error"] = self.problem.as_ref().map_or(Json::Null, crate::report::record);
        }
        document
    }
}

/// Who would load it, as far as its text says; its content is not looked at.
pub(crate) fn backend_by_text(fills: &Use) -> Option<BackendName> {
    match fills {
        Use::Path { path, .. } if path.ends_with('/') => Some(BackendName::Python),
        Use::Path { path, .. } => BackendName::by_ending(Path::new(path)),
        Use::Import { .. } => Some(BackendName::Python),
        Use::Native { .. } => Some(BackendName::Native),
        Use::Source { language: Language::Wat, .. } => Some(BackendName::Wasm),
        Use::Source { language: Language::Python, .. } => Some(BackendName::Python),
        Use::Catalog { .. } => None,
    }
}

/// The modules of the catalog, as JSON; the table picks from it.
pub(crate) fn catalog(rack: &Rack) -> modrack_core::Result<Vec<Json>> {
    let each = |entry: &CatalogEntry| {
        let about = entry.description.as_ref();
        let doc = about.and_then(|about| about.manifest.description.clone().or_else(|| about.doc.clone()));
        let doc = doc.and_then(|doc| doc.trim().lines().next().map(str::to_owned));
        let problem = entry.error.as_ref().map(|error| format!("{}: {}", error.code(), error.message()));
        json!({
            "module": entry.name,
            "version": entry.version.as_ref().map(ToString::to_string),
            "backend": entry.backend.map(|backend| backend.as_str()),
            "from": from(entry),
            "about": problem.or(doc),
            "error": entry.error.as_ref().map(record),
        })
    };
    Ok(rack.catalog()?.entries().iter().map(each).collect())
}

fn from(entry: &CatalogEntry) -> String {
    match &entry.origin {
        Origin::File { path, .. } => near(path).display().to_string(),
        origin => origin.to_string(),
    }
}
