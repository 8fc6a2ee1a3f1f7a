//! The whole of a text to a `RackPlan`: bytes, tree, `--set`, `${...}`, checks, meaning.
//!
//! Each step is in a file of its own; here is their order.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::keys::{self, Shape};
use super::limits::TEXT_BYTES;
use super::node::{At, Node, NodeValue, Trail};
use super::refs::{self, Names};
use super::report::Report;
use super::written::written;
use super::{CatalogSource, NativePlan, PythonPlan, RackPlan, StatePlace, check, pipeline, slot, yaml};
use crate::{Code, Error, PipelineName, Place, Result, SlotName, Text};

/// The text of a rack, and where it came from.
#[derive(Clone)]
pub struct RackText {
    /// The file, as messages show it.
    pub file: PathBuf,
    /// The folder that the rack's paths are relative to.
    pub root: PathBuf,
    /// What it is written in.
    pub format: TextFormat,
    /// The text, not yet known to be text.
    pub bytes: Vec<u8>,
}

/// What a rack is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// YAML 1.2.
    Yaml,
    /// TOML 1.
    Toml,
    /// JSON, without comments.
    Json,
}

impl fmt::Debug for RackText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As numbers the bytes say nothing to anybody.
        f.debug_struct("RackText").field("file", &self.file).finish_non_exhaustive()
    }
}

/// How `${env:...}` and `${file:...}` are answered: the core itself looks at nothing.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// The value of an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The text of a file, or why it cannot be had. The path is absolute where the rack's folder is.
    pub read: &'a dyn Fn(&Path) -> Result<String, String>,
    /// The slots that the program around the rack fills itself: they may be named as those of the text.
    pub given: &'a [SlotName],
}

impl RackPlan {
    /// Reads a rack's text, with the `a.b=value` of each `--set` over it.
    ///
    /// # Errors
    /// Everything that is wrong with the text, in the order of the text ([`Error::each`]), each with its
    /// place, its full key and mostly a hint. Text that is no tree at all gives what makes it none.
    pub fn parse(text: &RackText, set: &[String], ask: &Ask<'_>) -> Result<Self> {
        let mut report = Report::new(&text.file, text.format);
        let mut root = tree(text, &mut report)?;
        super::set::apply(&mut root, set, &mut report)?;
        let mut texts = slot_texts(&root);
        super::fill::fill(&mut root, &text.root, ask, &mut report)?;
        check::check(&mut root, &Shape::Fields(&keys::RACK), &Trail::Root, &mut report);
        let mut plan = plan(&root, ask.given, &mut report);
        plan.file = Some(text.file.clone());
        plan.text = Some(Arc::new(text.clone()));
        plan.root.clone_from(&text.root);
        for (name, slot) in &mut plan.slots {
            slot.text = texts.remove(name.as_str()).unwrap_or_default().into();
        }
        report.end(plan)
    }

    /// A rack without a text: no slot is declared, everything is named by its `use` text.
    pub fn empty(root: PathBuf) -> Self {
        Self { root, ..Self::default() }
    }
}

impl TextFormat {
    /// The format of a file, by its ending.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

pub(crate) fn tree(text: &RackText, report: &mut Report<'_>) -> Result<Node> {
    let whole = Place::file(&text.file);
    if text.bytes.len() > TEXT_BYTES {
        let error = Error::new(
            Code::ConfigTooLarge,
            format!(
                "The rack is {} MiB; {} MiB is the most",
                text.bytes.len().div_ceil(1 << 20),
                TEXT_BYTES >> 20
            ),
        );
        return Err(error
            .hint("Name large data by its path instead of writing it into the rack")
            .place(whole));
    }
    if text.bytes.starts_with(&[0xff, 0xfe]) || text.bytes.starts_with(&[0xfe, 0xff]) {
        let error = Error::new(Code::ConfigEncoding, "The rack is UTF-16, not UTF-8");
        return Err(error.hint("Save it as UTF-8").place(whole));
    }
    let bytes = text.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text.bytes);
    let content = std::str::from_utf8(bytes).map_err(|bad| {
        let valid = String::from_utf8_lossy(&bytes[..bad.valid_up_to()]);
        let (line, column) = super::lines::Lines::new(&valid).line_column(valid.len());
        Error::new(Code::ConfigEncoding, format!("The byte 0x{:02X} is not UTF-8", bytes[bad.valid_up_to()]))
            .hint("Save the rack as UTF-8")
            .place(Place { line: Some(line), column: Some(column), ..whole.clone() })
    })?;
    if let Some(offset) = content.find('\0') {
        let (line, column) = super::lines::Lines::new(content).line_column(offset);
        return Err(Error::new(Code::ConfigEncoding, "There is a NUL byte in the rack")
            .hint("Save the rack as UTF-8, and take the byte out")
            .place(Place { line: Some(line), column: Some(column), ..whole }));
    }
    match text.format {
        TextFormat::Yaml => yaml::parse(content, report),
        TextFormat::Toml => super::toml::parse(content, report),
        TextFormat::Json => super::json::parse(content, report),
    }
}

/// What the text says of each slot, before anything is filled in.
fn slot_texts(root: &Node) -> HashMap<Text, String> {
    let slots = root.get("slots").map_or(&[][..], Node::entries);
    slots.iter().map(|slot| (slot.key.clone(), written(&slot.node))).collect()
}

fn plan(root: &Node, given: &[SlotName], report: &mut Report<'_>) -> RackPlan {
    let top = Trail::Root;
    let mut plan = RackPlan {
        catalog: catalog(root),
        contracts: texts(root.get("contracts")),
        python: python(root, report),
        native: native(root, report),
        state: root.get("state").and_then(Node::as_text).map(|text| match &**text {
            "memory" => StatePlace::Memory,
            folder => StatePlace::Folder(folder.to_owned()),
        }),
        ..RackPlan::default()
    };
    if let Some(defaults) = root.get("defaults") {
        let trail = top.key("defaults");
        if let Some(limits) = defaults.get("limits") {
            plan.defaults = slot::limits_of(limits, &trail.key("limits"), report);
        }
    }
    if let Some(errors) = root.get("errors") {
        plan.errors = slot::on_errors(errors, &top.key("errors"), report);
    }
    slots(root, given, &mut plan, report);
    plan
}

fn slots(root: &Node, given: &[SlotName], plan: &mut RackPlan, report: &mut Report<'_>) {
    let top = Trail::Root;
    let entries = root.get("slots").map_or(&[][..], Node::entries);
    let trail = top.key("slots");
    let slots = given.iter().map(|name| (name.as_str().into(), name.clone())).collect();
    let mut names = Names { slots, catalog: !plan.catalog.is_empty() };
    for entry in entries {
        match SlotName::parse(&entry.key) {
            Ok(name) if !name.as_str().contains('/') => {
                names.slots.insert(entry.key.clone(), name);
            }
            Ok(_) => {
                let error = super::report::bad_value(
                    format!("`{}` is not a name that a slot can be given", entry.key),
                    "`/` stands between an experiment and its arm: write `-` or `_`",
                );
                report.add(entry.key_at, &trail.key(&entry.key), error);
            }
            Err(error) => report.add(entry.key_at, &trail.key(&entry.key), error),
        }
    }
    let mut need_places: HashMap<(SlotName, Text), At> = HashMap::new();
    for entry in entries {
        let Some(name) = names.slots.get(&entry.key) else { continue };
        let trail = trail.key(&entry.key);
        let needs = refs::needs(&entry.node, &trail, &names, report);
        let read = slot::slot(name.clone(), &entry.node, entry.key_at, &trail, &plan.defaults, report);
        let Some(mut slot) = read else { continue };
        for need in entry.node.get("needs").map_or(&[][..], Node::entries) {
            need_places.insert((name.clone(), need.key.clone()), need.node.at);
        }
        slot.needs = needs;
        slot.swap.migrate = entry
            .node
            .get("swap")
            .and_then(|swap| swap.get("migrate"))
            .and_then(|migrate| names.whole_slot(migrate, &trail.key("swap").key("migrate"), report));
        plan.slots.insert(name.clone(), slot);
    }
    refs::circles(&plan.slots, &need_places, report);
    pipelines(root, plan, &names, report);
}

fn pipelines(root: &Node, plan: &mut RackPlan, names: &Names, report: &mut Report<'_>) {
    let top = Trail::Root;
    let trail = top.key("pipelines");
    for entry in root.get("pipelines").map_or(&[][..], Node::entries) {
        let trail = trail.key(&entry.key);
        let name = match PipelineName::parse(&entry.key) {
            Ok(name) => name,
            Err(error) => {
                report.add(entry.key_at, &trail, error);
                continue;
            }
        };
        let read = pipeline::pipeline(
            name.clone(),
            &entry.node,
            entry.key_at,
            &trail,
            names,
            &plan.defaults,
            report,
        );
        if let Some(pipeline) = read {
            plan.pipelines.insert(name, pipeline);
        }
    }
}

fn catalog(root: &Node) -> Vec<CatalogSource> {
    let Some(catalog) = root.get("catalog") else { return Vec::new() };
    let read = catalog.one_or_many().iter().filter_map(|item| match &item.value {
        NodeValue::Text(folder) => Some(CatalogSource::Folder(folder.to_string())),
        _ => Some(CatalogSource::EntryPoints(item.get("entry-points")?.as_text()?.to_string())),
    });
    read.collect()
}

fn native(root: &Node, report: &mut Report<'_>) -> NativePlan {
    let (top, mut plan) = (Trail::Root, NativePlan::default());
    if let Some(kept) = root.get("native").and_then(|native| native.get("kept"))
        && let Some(kept) = slot::bytes_of(kept, &top.key("native").key("kept"), report)
    {
        plan.kept = kept;
    }
    plan
}

fn python(root: &Node, report: &Report<'_>) -> PythonPlan {
    let Some(python) = root.get("python") else { return PythonPlan::default() };
    let venv = python.get("venv");
    let (top, key) = (Trail::Root, "python");
    PythonPlan {
        venv: venv.and_then(Node::as_text).map(|text| text.to_string()),
        path: python.get("path").map(|path| texts(Some(path))),
        place: venv.map(|venv| report.place(venv.at, &top.key(key).key("venv"))),
    }
}

fn texts(node: Option<&Node>) -> Vec<String> {
    let items = node.map_or(&[][..], Node::one_or_many);
    items.iter().filter_map(Node::as_text).map(|text| text.to_string()).collect()
}
