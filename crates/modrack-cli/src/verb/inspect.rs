//! `modrack inspect`: all that can be known of a slot or a file without running it.

use std::sync::Arc;

use modrack_core::contract::Contract;
use modrack_core::{
    AttributeInfo, BackendName, Description, Entry, Error, FunctionInfo, Manifest, Param, ParamKind,
    Signature, TableCopies, Takes, Type,
};
use modrack_runtime::Slot;
use serde_json::{Map as JsonMap, Value as Json, json};

use crate::args::Inspect;
use crate::json::to_text;
use crate::output::Outcome;
use crate::report::{near, near_text, record};
use crate::session::Session;
use crate::style::Paint;

/// Prints what is known.
pub(crate) fn run(what: &Inspect, session: &mut Session) -> Outcome {
    let rack = session.rack_or_none()?;
    let slot = rack.slot(&session.meant(rack.root(), &what.slot))?;
    let about = Known::of(&slot)?;
    let seen = about.seen(&slot)?;
    if session.output.json {
        let document = seen.document();
        session.output.print_json(&document)?;
    } else {
        let text = seen.text(session.output.data_paint);
        session.output.print(&text)?;
    }
    Ok(0)
}

/// All that can be known of a slot without running it, as JSON.
///
/// # Errors
/// A failure of phase find or check.
pub(crate) fn document(slot: &Slot) -> modrack_core::Result<Json> {
    Ok(Known::of(slot)?.seen(slot)?.document())
}

/// What was read of a slot's module.
struct Known {
    about: Arc<Description>,
    contract: Option<Arc<Contract>>,
    misfits: Vec<Error>,
}

impl Known {
    fn of(slot: &Slot) -> modrack_core::Result<Self> {
        let about = slot.describe()?;
        let contract = slot.contract()?;
        let misfits = contract.as_ref().map_or_else(Vec::new, |contract| contract.fit(&about));
        Ok(Self { about, contract, misfits })
    }

    fn seen<'a>(&'a self, slot: &'a Slot) -> modrack_core::Result<Seen<'a>> {
        Ok(Seen {
            origin: slot.origin()?.to_string(),
            main: slot.main_function().ok(),
            contract: self.contract.as_deref(),
            misfits: &self.misfits,
            about: &self.about,
            slot,
        })
    }
}

/// What is shown.
struct Seen<'a> {
    slot: &'a Slot,
    about: &'a Description,
    origin: String,
    main: Option<String>,
    contract: Option<&'a Contract>,
    misfits: &'a [Error],
}

impl Seen<'_> {
    fn text(&self, paint: Paint) -> String {
        let about = self.about;
        let slot = self.slot.name().to_string();
        let title = if slot == self.slot.plan().use_text {
            paint.strong(&slot)
        } else {
            format!("{}  {}", paint.strong(&slot), self.slot.plan().use_text)
        };
        let mut text = format!("{title}\n");
        if let Some(doc) = about.doc.as_deref().or(about.manifest.description.as_deref()) {
            text.push_str(&indented(doc, "  "));
        }
        text.push('\n');
        let mut line = |what: &str, said: Option<String>| {
            if let Some(said) = said.filter(|said| !said.is_empty()) {
                text.push_str(&format!("  {}{said}\n", paint.faint(&format!("{what:<12}"))));
            }
        };
        line("module", Some(near_text(&self.origin)));
        line("backend", about.backend.map(|backend| backend.to_string()));
        line("entry", Some(entry(&about.entry)));
        line("version", about.version.as_ref().map(ToString::to_string));
        line("author", about.manifest.author.clone());
        line("contract", Some(self.contract_line(paint)));
        line("main", self.main.as_ref().map(|main| format!("{main}()")));
        line("requires", Some(about.manifest.requires.join(", ")));
        line("instances", self.slot.instances().ok().map(|i| i.to_string()));
        line(
            "copies",
            self.slot.table_copies().ok().map(|copies| format!("of a table: {}", copies.as_str())),
        );
        line("takes", about.manifest.takes.map(|takes| takes_word(takes).to_owned()));
        line("formats", Some(about.manifest.formats.join(", ")));
        line("hash", about.hash.as_ref().map(|hash| hash.short().to_owned()));
        let files: Vec<String> = about.files.iter().map(|file| near(file).display().to_string()).collect();
        line("files", Some(files.join(", ")));
        for (key, value) in &about.manifest.other {
            line(key, to_text(value).ok());
        }
        if let Some(constructor) =
            about.constructor.as_ref().filter(|constructor| !constructor.params.is_empty())
        {
            text.push_str(&format!("\n{}\n", paint.strong("Parameters")));
            for param in &constructor.params {
                text.push_str(&format!("  {}\n", parameter(param)));
            }
        }
        self.functions_text(&mut text, paint);
        if !about.attributes.is_empty() {
            text.push_str(&format!("\n{}\n", paint.strong("Attributes")));
            for attribute in &about.attributes {
                text.push_str(&format!("  {}\n", attribute_text(attribute)));
            }
        }
        if matches!(about.entry, Entry::Module | Entry::Unknown) && !about.classes.is_empty() {
            text.push_str(&format!("\n{}\n", paint.strong("Classes")));
            for class in &about.classes {
                let bases = match class.bases.is_empty() {
                    true => String::new(),
                    false => format!("({})", class.bases.join(", ")),
                };
                text.push_str(&format!("  {}{bases}\n", class.name));
                text.push_str(&first_line(class.doc.as_deref(), "      "));
            }
        }
        let guards = about.backend.map(guards).unwrap_or_default();
        if !guards.is_empty() {
            text.push_str(&format!("\n{}\n", paint.strong("Guarded by the host")));
            for (what, held) in guards {
                text.push_str(&format!("  {}{held}\n", paint.faint(&format!("{what:<32}"))));
            }
        }
        text
    }

    fn functions_text(&self, text: &mut String, paint: Paint) {
        if self.about.functions.is_empty() {
            return;
        }
        let more = if self.about.open { paint.faint(" (more may show when it runs)") } else { String::new() };
        text.push_str(&format!("\n{}{more}\n", paint.strong("Functions")));
        for function in &self.about.functions {
            let is_main = self.main.as_deref() == Some(&*function.name);
            let mark = if is_main { paint.good("  main") } else { String::new() };
            let kind = if function.signature.is_async { "async " } else { "" };
            let signature = signature_text(&function.signature);
            text.push_str(&format!("  {kind}{}{signature}{mark}\n", paint.strong(&function.name)));
            text.push_str(&first_line(function.doc.as_deref(), "      "));
        }
    }

    fn contract_line(&self, paint: Paint) -> String {
        let Some(contract) = self.contract else { return "none: any public function by name".to_owned() };
        if self.misfits.is_empty() {
            return format!("{contract} {}", paint.good("fits"));
        }
        let why: Vec<&str> = self.misfits.iter().map(Error::message).collect();
        format!("{contract} {}: {}", paint.error("does not fit"), why.join("; "))
    }

    fn document(&self) -> Json {
        let about = self.about;
        json!({
            "slot": self.slot.name().as_str(),
            "use": self.slot.plan().use_text,
            "module": near_text(&self.origin),
            "name": about.name,
            "backend": about.backend.map(|backend| backend.as_str()),
            "entry": entry(&about.entry),
            "version": about.version.as_ref().map(ToString::to_string),
            "doc": about.doc,
            "contract": self.contract.map(ToString::to_string),
            "fits": self.contract.map(|_| self.misfits.is_empty()),
            "misfits": self.misfits.iter().map(record).collect::<Vec<_>>(),
            "main": self.main,
            "params": about.constructor.as_ref().map(params),
            "functions": about.functions.iter().map(function).collect::<Vec<_>>(),
            "attributes": about.attributes.iter().map(attribute).collect::<Vec<_>>(),
            "classes": about.classes.iter().map(|class| json!({
                "name": class.name,
                "bases": class.bases,
                "doc": class.doc,
                "methods": class.methods.iter().map(function).collect::<Vec<_>>(),
                "attributes": class.attributes.iter().map(attribute).collect::<Vec<_>>(),
                "params": class.constructor.as_ref().map(params),
            })).collect::<Vec<_>>(),
            "instances": self.slot.instances().ok().map(|i| i.to_string()),
            "table_copies": self.slot.table_copies().ok().map(TableCopies::as_str),
            "manifest": manifest(&about.manifest),
            "open": about.open,
            "guards": guards_document(about.backend),
            "hash": about.hash.as_ref().map(|hash| hash.as_str()),
            "files": about.files.iter().map(|file| near(file).display().to_string()).collect::<Vec<_>>(),
        })
    }
}

/// What the host holds for modules of a backend: the table of what a host can guard.
fn guards(backend: BackendName) -> Vec<(&'static str, &'static str)> {
    let held = match backend {
        BackendName::Python => {
            ["yes", "Python's own exits", "best effort, at the next bytecode", "no", "lengths checked", "no"]
        }
        BackendName::Native => ["yes", "no", "no, reported late", "no", "lengths checked", "no"],
        BackendName::Wasm => ["yes", "yes", "yes", "yes", "yes", "denied unless allowed"],
        BackendName::Process => [
            "yes",
            "yes",
            "yes, killed",
            "yes",
            "lengths checked",
            "environment; files where Landlock is there",
        ],
        BackendName::Host => return Vec::new(),
    };
    let what = [
        "exceptions, panics, traps",
        "exit, abort, segfault",
        "time limit",
        "memory limit",
        "Arrow buffers that lie",
        "files, network, environment",
    ];
    what.into_iter().zip(held).collect()
}

fn guards_document(backend: Option<BackendName>) -> Json {
    let keys = ["exceptions", "exits", "time", "memory", "tables", "access"];
    let held = backend.map(guards).unwrap_or_default();
    Json::Object(keys.into_iter().zip(held).map(|(key, (_, held))| (key.to_owned(), held.into())).collect())
}

fn entry(entry: &Entry) -> String {
    match entry {
        Entry::Module => "the module itself".to_owned(),
        Entry::Class(name) => format!("class {name}"),
        Entry::Factory(name) => format!("{name}(), a factory"),
        Entry::Function(name) => format!("function {name}"),
        Entry::Object(name) => format!("object {name}"),
        Entry::Unknown => "known once it runs".to_owned(),
    }
}

fn takes_word(takes: Takes) -> &'static str {
    match takes {
        Takes::Row => "row",
        Takes::Batch => "batch",
        Takes::Column => "column",
        Takes::Rows => "rows",
        Takes::Table => "table",
        Takes::Pandas => "pandas",
        Takes::Polars => "polars",
    }
}

/// A signature in its own language where it was annotated, else in the words of contracts.
fn signature_text(signature: &Signature) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut before = None;
    for param in &signature.params {
        if before == Some(ParamKind::Positional) && param.kind != ParamKind::Positional {
            words.push("/".to_owned());
        }
        let is_first_named =
            param.kind == ParamKind::Named && !matches!(before, Some(ParamKind::Named | ParamKind::Rest));
        if is_first_named {
            words.push("*".to_owned());
        }
        before = Some(param.kind);
        words.push(parameter(param));
    }
    if before == Some(ParamKind::Positional) {
        words.push("/".to_owned());
    }
    let result = annotation(signature.result_annotation.as_deref(), &signature.result);
    let result = result.map_or(String::new(), |result| format!(" -> {result}"));
    format!("({}){result}", words.join(", "))
}

fn parameter(param: &Param) -> String {
    let stars = match param.kind {
        ParamKind::Rest => "*",
        ParamKind::NamedRest => "**",
        _ => "",
    };
    let annotation = annotation(param.annotation.as_deref(), &param.ty);
    let default = param.default.as_deref();
    match (annotation, default) {
        (Some(annotation), Some(default)) => format!("{stars}{}: {annotation} = {default}", param.name),
        (Some(annotation), None) => format!("{stars}{}: {annotation}", param.name),
        (None, Some(default)) => format!("{stars}{}={default}", param.name),
        (None, None) => format!("{stars}{}", param.name),
    }
}

fn annotation(written: Option<&str>, ty: &Type) -> Option<String> {
    match (written, ty) {
        (Some(written), _) => Some(written.to_owned()),
        (None, Type::Any) => None,
        (None, ty) => Some(ty.to_string()),
    }
}

fn attribute_text(attribute: &AttributeInfo) -> String {
    let mut text = attribute.name.clone();
    if let Some(annotation) = &attribute.annotation {
        text.push_str(&format!(": {annotation}"));
    }
    if let Some(value) = &attribute.value {
        let short: String = value.chars().take(60).collect();
        let dots = if short.len() < value.len() { "..." } else { "" };
        text.push_str(&format!(" = {short}{dots}"));
    }
    text
}

fn function(function: &FunctionInfo) -> Json {
    let signature = &function.signature;
    json!({
        "name": function.name,
        "signature": signature_text(signature),
        "params": params(signature),
        "result": signature.result.to_string(),
        "async": signature.is_async,
        "generator": signature.is_generator,
        "doc": function.doc,
        "file": function.place.as_ref().map(|place| near(&place.file).display().to_string()),
        "line": function.place.as_ref().and_then(|place| place.line),
    })
}

fn params(signature: &Signature) -> Json {
    let kind = |kind| match kind {
        ParamKind::Positional => "positional",
        ParamKind::Either => "either",
        ParamKind::Named => "named",
        ParamKind::Rest => "rest",
        ParamKind::NamedRest => "named-rest",
    };
    let each = |param: &Param| {
        json!({
            "name": param.name,
            "type": param.ty.to_string(),
            "annotation": param.annotation,
            "kind": kind(param.kind),
            "default": param.default,
            "required": param.is_required(),
        })
    };
    signature.params.iter().map(each).collect()
}

fn attribute(attribute: &AttributeInfo) -> Json {
    json!({
        "name": attribute.name,
        "annotation": attribute.annotation,
        "value": attribute.value,
        "line": attribute.place.as_ref().and_then(|place| place.line),
    })
}

fn manifest(manifest: &Manifest) -> Json {
    let mut fields = JsonMap::new();
    let mut set = |key: &str, value: Option<Json>| {
        if let Some(value) = value {
            fields.insert(key.to_owned(), value);
        }
    };
    set("name", manifest.name.clone().map(Json::from));
    set("version", manifest.version.as_ref().map(|version| version.to_string().into()));
    set("author", manifest.author.clone().map(Json::from));
    set("description", manifest.description.clone().map(Json::from));
    set("contract", manifest.contract.clone().map(Json::from));
    set("function", manifest.function.clone().map(Json::from));
    set("requires", (!manifest.requires.is_empty()).then(|| json!(manifest.requires)));
    set("instances", manifest.instances.map(|i| i.to_string().into()));
    set("takes", manifest.takes.map(|takes| takes_word(takes).into()));
    set("formats", (!manifest.formats.is_empty()).then(|| json!(manifest.formats)));
    for (key, value) in &manifest.other {
        let value = to_text(value).ok().and_then(|text| serde_json::from_str(&text).ok());
        set(key, value);
    }
    Json::Object(fields)
}

fn indented(text: &str, margin: &str) -> String {
    text.trim().lines().map(|line| format!("{margin}{line}").trim_end().to_owned() + "\n").collect()
}

fn first_line(doc: Option<&str>, margin: &str) -> String {
    let line = doc.and_then(|doc| doc.trim().lines().next());
    line.map_or(String::new(), |line| format!("{margin}{line}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_shown_as_its_language_writes_it() {
        let param = |name: &str, kind, annotation: Option<&str>, default: Option<&str>| Param {
            name: name.into(),
            ty: Type::Any,
            kind,
            default: default.map(Into::into),
            annotation: annotation.map(Into::into),
        };
        let signature = Signature {
            params: vec![
                param("a", ParamKind::Positional, None, None),
                param("b", ParamKind::Either, Some("int"), Some("1")),
                param("c", ParamKind::Named, None, Some("None")),
                param("rest", ParamKind::NamedRest, None, None),
            ],
            result: Type::Text,
            ..Signature::default()
        };
        assert_eq!(signature_text(&signature), "(a, /, b: int = 1, *, c=None, **rest) -> text");
    }
}
