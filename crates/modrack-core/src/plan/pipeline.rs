//! A pipeline's mapping to a `PipelinePlan`: its source, its stages and its sink.
//!
//! Types were checked before; here an option that a format has no use for is refused, never passed over.

use indexmap::{IndexMap, IndexSet};

use super::check::has_unknown;
use super::keys::{Object, SINK, SOURCE, STAGE};
use super::node::{At, Node, NodeValue, Trail};
use super::refs::{self, Names};
use super::report::{Report, bad_value};
use super::{
    ColumnType, Compression, Endpoint, Format, FormatOptions, Limits, PipelinePlan, SinkPlan, SlotRef,
    SourcePlan, StagePlan, slot, units,
};
use crate::{Code, Error, PipelineName, SlotName, Takes};

/// Reads a pipeline. `None` when its source or sink cannot be told, which is reported.
pub(crate) fn pipeline(
    name: PipelineName,
    node: &Node,
    key_at: At,
    trail: &Trail<'_>,
    names: &Names,
    defaults: &Limits,
    report: &mut Report<'_>,
) -> Option<PipelinePlan> {
    let source = node.get("source").and_then(|end| {
        let trail = trail.key("source");
        let (from, options) = endpoint(end, Side::Source, &trail, names, report)?;
        Some(SourcePlan { from, options, place: Some(report.place(end.at, &trail)) })
    });
    let mut stages = Vec::new();
    if let Some(list) = node.get("stages").filter(|list| !matches!(list.value, NodeValue::Null)) {
        let trail = trail.key("stages");
        for (index, item) in list.one_or_many().iter().enumerate() {
            stages.extend(stage(item, &trail.item(index), names, defaults, report));
        }
    }
    let sink = node.get("sink").and_then(|end| {
        let trail = trail.key("sink");
        let (to, options) = endpoint(end, Side::Sink, &trail, names, report)?;
        Some(SinkPlan { to, options, place: Some(report.place(end.at, &trail)) })
    });
    let errors = node.get("errors").map(|errors| slot::on_errors(errors, &trail.key("errors"), report));
    Some(PipelinePlan {
        name,
        source: source?,
        stages,
        sink: sink?,
        errors,
        place: Some(report.place(key_at, trail)),
    })
}

fn stage(
    node: &Node,
    trail: &Trail<'_>,
    names: &Names,
    defaults: &Limits,
    report: &mut Report<'_>,
) -> Option<StagePlan> {
    let place = Some(report.place(node.at, trail));
    if let Some(text) = node.as_text() {
        let (slot, function) = names.slot_ref(node, trail, report)?;
        return Some(StagePlan {
            name: text.to_string(),
            slot,
            function,
            in_place: None,
            takes: None,
            column: None,
            batch: None,
            schema: None,
            errors: None,
            place,
        });
    }
    let mut function = node.get("function").and_then(Node::as_text).map(|text| text.to_string());
    let (slot, in_place) = match (node.get("slot"), node.get("use")) {
        (Some(named), None) => {
            for key in ["params", "contract", "needs", "limits", "enforce"] {
                if let Some(entry) = node.entries().iter().find(|entry| *entry.key == *key) {
                    let error = bad_value(
                        format!("`{key}` belongs to the slot, not to a stage that names it"),
                        "Move it to the slot, or describe the slot here with `use` in place of `slot`",
                    );
                    report.add(entry.key_at, &trail.key(key), error);
                }
            }
            let (slot, along) = names.slot_ref(named, &trail.key("slot"), report)?;
            if let (Some(along), Some(_)) = (&along, &function) {
                let error = bad_value(
                    format!("The function is named twice: `{along}` along with the slot, and `function`"),
                    "Leave one of them out",
                );
                report.add(named.at, &trail.key("slot"), error);
            }
            function = function.or(along);
            (slot, None)
        }
        (None, Some(_)) => {
            // The full key is no name that a slot could have, so it meets no other.
            let name = SlotName::undeclared(&trail.to_string());
            let mut plan = slot::slot(name, node, node.at, trail, defaults, report)?;
            plan.needs = refs::needs(node, trail, names, report);
            plan.errors = None;
            (SlotRef::Inline(plan.use_text.as_str().into()), Some(plan))
        }
        (Some(_), Some(_)) => {
            let error = bad_value("A stage has either `slot` or `use`, not both", "Leave one of them out");
            report.add(node.at, trail, error);
            return None;
        }
        (None, None) => {
            if matches!(node.value, NodeValue::Map(_)) && !slot::is_later(node) && !has_unknown(node, &STAGE)
            {
                let error = Error::new(Code::MissingKey, "The stage says neither `slot` nor `use`")
                    .hint("Write `slot: NAME`, or `use: ./x.py`");
                report.add(node.at, trail, error);
            }
            return None;
        }
    };
    let name = match node.get("name").and_then(Node::as_text) {
        Some(name) => name.to_string(),
        None => match &slot {
            SlotRef::Declared(name) => name.to_string(),
            SlotRef::Inline(text) => text.to_string(),
        },
    };
    let name = match (&function, node.get("name")) {
        (Some(function), None) => format!("{name}.{function}"),
        _ => name,
    };
    let takes = node.get("takes").and_then(Node::as_text).and_then(|word| takes_of(word));
    let column = node.get("column").and_then(Node::as_text).map(|text| text.to_string());
    let batch = node.get("batch").and_then(Node::as_count);
    cross_check(node, takes, column.is_some(), trail, report);
    Some(StagePlan {
        name,
        slot,
        function,
        in_place,
        takes,
        column,
        batch,
        schema: node.get("schema").map(columns_types),
        errors: node.get("errors").map(|errors| slot::on_errors(errors, &trail.key("errors"), report)),
        place,
    })
}

/// What a stage takes must go together with its other keys.
fn cross_check(node: &Node, takes: Option<Takes>, column: bool, trail: &Trail<'_>, report: &mut Report<'_>) {
    match (takes, column) {
        (Some(Takes::Column), false) => {
            let error = Error::new(Code::MissingKey, "The stage takes a column and does not say which")
                .hint("Add `column: NAME`");
            report.add(node.at, trail, error);
        }
        (Some(takes), true) if takes != Takes::Column => {
            let at = node.get("column").map_or(node.at, |column| column.at);
            let error = bad_value(
                "`column` is of use only to a stage that takes a column",
                "Leave `takes` out, or write `takes: column`",
            );
            report.add(at, &trail.key("column"), error);
        }
        _ => {}
    }
    if let Some(batch) = node.get("batch")
        && matches!(takes, Some(Takes::Row | Takes::Batch))
    {
        let error = bad_value(
            "`batch` is of use only to a stage that takes the whole input",
            "Leave it out, or write `takes: column`, `rows`, `table`, `pandas` or `polars`",
        );
        report.add(batch.at, &trail.key("batch"), error);
    }
    if let Some(schema) = node.get("schema")
        && schema.entries().is_empty()
    {
        report.add(
            schema.at,
            &trail.key("schema"),
            bad_value("`schema` names no column", "Name the columns that come out"),
        );
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Sink,
}

impl Side {
    fn object(self) -> &'static Object {
        match self {
            Self::Source => &SOURCE,
            Self::Sink => &SINK,
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
        }
    }

    fn standard(self) -> &'static str {
        match self {
            Self::Source => "stdin",
            Self::Sink => "stdout",
        }
    }
}

fn endpoint(
    node: &Node,
    side: Side,
    trail: &Trail<'_>,
    names: &Names,
    report: &mut Report<'_>,
) -> Option<(Endpoint, FormatOptions)> {
    if let Some(text) = node.as_text() {
        return Some((plain_endpoint(node, text, side, trail, names, report)?, FormatOptions::default()));
    }
    let heads: Vec<_> = node
        .entries()
        .iter()
        .filter(|entry| {
            let key = &*entry.key;
            matches!(key, "slot" | "use" | "sql") || key == side.standard() || format_of(key).is_some()
        })
        .collect();
    let [head, more @ ..] = heads.as_slice() else {
        if matches!(node.value, NodeValue::Map(_)) && !has_unknown(node, side.object()) {
            let error = Error::new(Code::MissingKey, format!("The {} does not say what it is", side.key()))
                .hint(format!(
                    "Add one of `csv`, `json`, `parquet`, `arrow`, `text`, `{}`, `slot` or `use`",
                    side.standard()
                ));
            report.add(node.at, trail, error);
        }
        return None;
    };
    if let [second, ..] = more {
        let error = bad_value(
            format!("A {} is one thing, not both `{}` and `{}`", side.key(), head.key, second.key),
            "Leave one of them out",
        );
        report.add(second.key_at, &trail.key(&second.key), error);
        return None;
    }
    let head_trail = trail.key(&head.key);
    let to = match &*head.key {
        "sql" => return None,
        "slot" => {
            let (slot, along) = names.slot_ref(&head.node, &head_trail, report)?;
            Endpoint::Slot(
                slot,
                node.get("function").and_then(Node::as_text).map(|t| t.to_string()).or(along),
            )
        }
        "use" => {
            let text = head.node.as_text()?;
            if let Err(error) = crate::Use::parse(text) {
                report.add(head.node.at, &head_trail, error);
                return None;
            }
            let function = node.get("function").and_then(Node::as_text).map(|text| text.to_string());
            Endpoint::Slot(SlotRef::Inline(text.as_str().into()), function)
        }
        "stdin" | "stdout" => Endpoint::Standard(format_of(head.node.as_text()?)?),
        format => {
            let format = format_of(format)?;
            files(format, &head.node, side, &head_trail, report)?
        }
    };
    let options = options(node, &to, &head.key, side, trail, report);
    Some((to, options))
}

/// An end that is a text alone: the standard stream, a data file by its ending, or a slot.
fn plain_endpoint(
    node: &Node,
    text: &str,
    side: Side,
    trail: &Trail<'_>,
    names: &Names,
    report: &mut Report<'_>,
) -> Option<Endpoint> {
    if text == side.standard() || text == "-" {
        return Some(Endpoint::Standard(Format::Csv));
    }
    if !names.slots.contains_key(text)
        && let Some(format) = format_by_ending(text)
    {
        return files(format, node, side, trail, report);
    }
    let (slot, function) = names.slot_ref(node, trail, report)?;
    Some(Endpoint::Slot(slot, function))
}

fn files(
    format: Format,
    node: &Node,
    side: Side,
    trail: &Trail<'_>,
    report: &mut Report<'_>,
) -> Option<Endpoint> {
    let mut paths = Vec::new();
    for item in node.one_or_many() {
        let path = item.as_text()?;
        if path.is_empty() {
            report.add(
                item.at,
                trail,
                bad_value("A path cannot be empty", "Name a file, or `-` for the standard stream"),
            );
            return None;
        }
        if side == Side::Sink && path.contains(['*', '?']) {
            report.add(
                item.at,
                trail,
                bad_value(format!("`{path}` is a pattern, and a sink is one file"), "Name the file"),
            );
            return None;
        }
        paths.push(path.to_string());
    }
    match paths.as_slice() {
        [] => {
            report.add(
                node.at,
                trail,
                bad_value("No file is named", "Name a file, a pattern, or `-` for the standard stream"),
            );
            None
        }
        [dash] if dash == "-" => Some(Endpoint::Standard(format)),
        all if all.iter().any(|path| path == "-") => {
            report.add(
                node.at,
                trail,
                bad_value("`-` cannot stand among other files", "Read the standard stream alone"),
            );
            None
        }
        _ => Some(Endpoint::Files(format, paths)),
    }
}

/// The options of an end, each refused where it is of no use.
fn options(
    node: &Node,
    end: &Endpoint,
    head: &str,
    side: Side,
    trail: &Trail<'_>,
    report: &mut Report<'_>,
) -> FormatOptions {
    let mut options = FormatOptions::default();
    for entry in node.entries() {
        let key = &*entry.key;
        if key == head || !is_option(key) {
            continue;
        }
        let trail = trail.key(key);
        if !serves(key, end, head, side) {
            let of = match end {
                Endpoint::Files(format, _) | Endpoint::Standard(format) => {
                    format!("a {} {}", format.as_str(), side.key())
                }
                Endpoint::Slot(..) if head == "use" => format!("a {} that is a module", side.key()),
                Endpoint::Slot(..) => format!("a {} that is a slot", side.key()),
            };
            let hint = match key {
                "params" if head == "slot" => "Give them at the slot, or describe the slot here with `use`",
                _ => "Leave it out",
            };
            report.add(entry.key_at, &trail, bad_value(format!("`{key}` is of no use to {of}"), hint));
            continue;
        }
        let value = &entry.node;
        match key {
            "null" => {
                let texts = value.one_or_many().iter().filter_map(Node::as_written);
                options.null = Some(texts.map(|text| text.to_string()).collect());
            }
            "delimiter" => options.delimiter = delimiter(value, &trail, report),
            "header" => options.header = value.as_bool(),
            "types" => options.types = columns_types(value),
            "infer-rows" => options.infer_rows = value.as_count(),
            "columns" => options.columns = Some(columns(value, &trail, report)),
            "compression" => options.compression = compression(value, end, side, &trail, report),
            "batch-rows" => options.batch_rows = value.as_count(),
            "row-group-bytes" => options.row_group_bytes = row_group(value, &trail, report),
            "params" => options.params = value.to_map(),
            _ => {}
        }
    }
    options
}

fn is_option(key: &str) -> bool {
    matches!(
        key,
        "null"
            | "delimiter"
            | "header"
            | "types"
            | "infer-rows"
            | "columns"
            | "compression"
            | "batch-rows"
            | "row-group-bytes"
            | "params"
            | "function"
    )
}

/// Whether an option means anything to an end.
fn serves(key: &str, end: &Endpoint, head: &str, side: Side) -> bool {
    use Format::{Arrow, Csv, Json, Parquet, Text};
    let (Endpoint::Files(format, _) | Endpoint::Standard(format)) = end else {
        return key == "function" || key == "batch-rows" || (key == "params" && head == "use");
    };
    match (key, side) {
        ("null" | "delimiter" | "header", _) => *format == Csv,
        ("types" | "infer-rows", _) => matches!(format, Csv | Json),
        ("columns", _) => matches!(format, Csv | Json | Parquet | Arrow),
        ("compression", Side::Source) => matches!(format, Csv | Json | Text),
        ("compression", Side::Sink) | ("batch-rows", _) => true,
        ("row-group-bytes", _) => *format == Parquet,
        _ => false,
    }
}

fn delimiter(node: &Node, trail: &Trail<'_>, report: &mut Report<'_>) -> Option<u8> {
    let text = node.as_text()?;
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Some(*byte),
        br"\t" => Some(b'\t'),
        _ => {
            report.add(
                node.at,
                trail,
                bad_value(
                    format!("`{}` cannot stand between values", text.escape_debug()),
                    "Write one ASCII character: `\",\"`, `\";\"`, `\"|\"`, or `\"\\t\"` for a tab",
                ),
            );
            None
        }
    }
}

fn columns(node: &Node, trail: &Trail<'_>, report: &mut Report<'_>) -> Vec<String> {
    let mut names = IndexSet::new();
    for (index, item) in node.one_or_many().iter().enumerate() {
        let Some(name) = item.as_text() else { continue };
        if !names.insert(name.to_string()) {
            let error = Error::new(Code::DuplicateName, format!("The column `{name}` is named twice"))
                .hint("Leave one of them out");
            report.add(item.at, &trail.item(index), error);
        }
    }
    if names.is_empty() {
        report.add(
            node.at,
            trail,
            bad_value("No column is named", "Name the columns that are read, or leave it out"),
        );
    }
    names.into_iter().collect()
}

fn compression(
    node: &Node,
    end: &Endpoint,
    side: Side,
    trail: &Trail<'_>,
    report: &mut Report<'_>,
) -> Option<Compression> {
    let word = node.as_text()?;
    let found = match &**word {
        "none" => Compression::None,
        "gzip" => Compression::Gzip,
        "zstd" => Compression::Zstd,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        _ => return None,
    };
    let (Endpoint::Files(format, _) | Endpoint::Standard(format)) = end else { return Some(found) };
    let allowed: &[&str] = match (format, side) {
        (Format::Parquet, Side::Sink) => &["none", "gzip", "zstd", "snappy", "lz4"],
        (Format::Arrow, Side::Sink) => &["none", "zstd", "lz4"],
        _ => &["none", "gzip", "zstd"],
    };
    if allowed.contains(&word.as_str()) {
        return Some(found);
    }
    let shown: Vec<_> = allowed.iter().map(|word| format!("`{word}`")).collect();
    let error = bad_value(
        format!("A {} file is not compressed with `{word}`", format.as_str()),
        format!("Write one of {}", shown.join(", ")),
    );
    report.add(node.at, trail, error);
    None
}

fn row_group(node: &Node, trail: &Trail<'_>, report: &mut Report<'_>) -> Option<usize> {
    let written = node.as_written()?;
    match units::bytes(written) {
        Some(bytes) if bytes > 0 => Some(bytes),
        _ => {
            report.add(
                node.at,
                trail,
                bad_value(
                    format!("`{written}` is not a number of bytes"),
                    "Write a number above zero and its unit: `64MiB`, `512kB`",
                ),
            );
            None
        }
    }
}

fn columns_types(node: &Node) -> IndexMap<String, ColumnType> {
    let types = node.entries().iter().filter_map(|entry| {
        let word = entry.node.as_text()?;
        let (_, ty) = ColumnType::WORDS.iter().find(|(known, _)| *known == &**word)?;
        Some((entry.key.to_string(), *ty))
    });
    types.collect()
}

fn format_of(word: &str) -> Option<Format> {
    Format::WORDS.iter().find(|(known, _)| *known == word).map(|(_, format)| *format)
}

/// The format of a data file, by its ending, with or without that of a compression.
fn format_by_ending(path: &str) -> Option<Format> {
    let path = path.strip_suffix(".gz").or_else(|| path.strip_suffix(".zst")).unwrap_or(path);
    match path.rsplit_once('.')?.1 {
        "csv" => Some(Format::Csv),
        "json" | "jsonl" | "ndjson" => Some(Format::Json),
        "parquet" => Some(Format::Parquet),
        "arrow" | "arrows" | "ipc" | "feather" => Some(Format::Arrow),
        "txt" => Some(Format::Text),
        _ => None,
    }
}

fn takes_of(word: &str) -> Option<Takes> {
    Some(match word {
        "row" => Takes::Row,
        "batch" => Takes::Batch,
        "column" => Takes::Column,
        "rows" => Takes::Rows,
        "table" => Takes::Table,
        "pandas" => Takes::Pandas,
        "polars" => Takes::Polars,
        _ => return None,
    })
}
