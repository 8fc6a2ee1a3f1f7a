//! What a rack's text means, checked: the one thing that everything below reads.
//!
//! A plan that exists is whole: names are well formed, references lead somewhere, nothing is left to fill in.
//! Files are named as they are written; making them absolute is the runtime's.

mod check;
mod edit;
mod edit_toml;
mod fill;
mod json;
mod keys;
mod limits;
mod lines;
mod node;
mod pipeline;
mod rack;
mod refs;
mod report;
mod schema;
mod set;
mod slot;
mod swap;
mod toml;
mod units;
mod written;
mod yaml;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::contract::ContractRef;
use crate::events::Pattern;
pub(crate) use lines::Lines;
pub use rack::{Ask, RackText, TextFormat};
pub(crate) use report::lower_first;
pub use schema::schema_json;
pub use swap::{Carrying, Probe, SwapPlan, TrialPlan};
pub use units::duration;

use crate::{
    Instances, Map, OnErrors, PipelineName, Place, Signature, SlotName, Takes, Text, Type, Use, Value,
};

/// A rack, as its text describes it.
#[derive(Clone, Debug, Default)]
pub struct RackPlan {
    /// The file that was read; none for a rack without one.
    pub file: Option<PathBuf>,
    /// The text that it was read from; none for a rack without one.
    pub text: Option<Arc<RackText>>,
    /// The folder that its paths are relative to.
    pub root: PathBuf,
    /// Where modules are found, in order.
    pub catalog: Vec<CatalogSource>,
    /// WIT files with contracts of the rack's own.
    pub contracts: Vec<String>,
    /// Which Python, and what it can import.
    pub python: PythonPlan,
    /// What holds for shared libraries together.
    pub native: NativePlan,
    /// What holds for every slot that does not say otherwise.
    pub defaults: Limits,
    /// The slots, in the order of the text.
    pub slots: IndexMap<SlotName, SlotPlan>,
    /// What is done about errors, where neither pipeline nor slot decides.
    pub errors: OnErrors,
    /// The pipelines, in the order of the text.
    pub pipelines: IndexMap<PipelineName, PipelinePlan>,
    /// Where the rack keeps its state; none is `.modrack/` beside it.
    pub state: Option<StatePlace>,
}

/// Where modules are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogSource {
    /// A folder of modules.
    Folder(String),
    /// The entry points of a group, of the packages that the interpreter has.
    EntryPoints(String),
}

/// Where a rack keeps its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatePlace {
    /// A folder.
    Folder(String),
    /// Nowhere: it is gone with the process.
    Memory,
}

/// Which Python, and what it can import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PythonPlan {
    /// The virtual environment whose interpreter runs.
    pub venv: Option<String>,
    /// Folders that modules import from, before everything else; none is the rack's own folder.
    pub path: Option<Vec<String>>,
    /// Where the venv was named.
    pub place: Option<Place>,
}

/// What holds for shared libraries together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativePlan {
    /// How many bytes of libraries that nothing uses any more may stay in the process before that is warned of.
    pub kept: u64,
}

impl Default for NativePlan {
    fn default() -> Self {
        Self { kept: 512 << 20 }
    }
}

/// Bounds on calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How long one call may take.
    pub time: Option<Duration>,
    /// How many bytes of memory an instance may hold.
    pub memory: Option<u64>,
    /// How many bytes a result may have.
    pub output: Option<u64>,
}

/// What a module may reach. A key that is there allows what it lists and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// Files and folders that may be read.
    pub read: Option<Vec<String>>,
    /// Files and folders that may be written.
    pub write: Option<Vec<String>>,
    /// Hosts that may be reached, `HOST` or `HOST:PORT`.
    pub net: Option<Vec<String>>,
    /// Variables of the environment that may be seen.
    pub env: Option<Vec<String>>,
}

/// A slot, as the text describes it.
#[derive(Clone, Debug)]
pub struct SlotPlan {
    /// Its name.
    pub name: SlotName,
    /// What fills it.
    pub fills: Use,
    /// What fills it, as written.
    pub use_text: String,
    /// Its main function; none leaves it to the contract or the module.
    pub function: Option<String>,
    /// What the module is given when it starts.
    pub params: Map,
    /// The contract it must fit; none means that one is found by shape.
    pub contract: Option<ContractRef>,
    /// The slots injected into it: parameter or attribute, and which slot.
    pub needs: Vec<(Text, SlotRef)>,
    /// Bounds on its calls.
    pub limits: Limits,
    /// What it may reach.
    pub allow: Allow,
    /// How its instances serve calls; none leaves it to the module.
    pub instances: Option<Instances>,
    /// What is done about its errors; none leaves it to the pipeline or the rack.
    pub errors: Option<OnErrors>,
    /// Whether `serve` waits with starting it until it is called.
    pub lazy: bool,
    /// Whether guards that the backend cannot give are done without.
    pub best_effort: bool,
    /// How what fills it is replaced while the rack runs.
    pub swap: SwapPlan,
    /// The events that its functions are told of.
    pub events: Vec<HearsPlan>,
    /// Where it is described; none for a slot that no text declares.
    pub place: Option<Place>,
    /// Where its keys are: `params.width` and so on, for failures that are found later.
    pub key_places: IndexMap<String, Place>,
    /// The params that `${...}` filled in from outside and that were read as something else than text, as
    /// the text that they were: a module that wants text gets that.
    pub filled: IndexMap<String, Text>,
    /// What the text says of it, in one form whatever its layout and with nothing filled in: what tells whether it was
    /// changed. Empty for a slot that no text declares.
    pub text: Arc<str>,
    /// What is set over the text until the rack says otherwise, each a `path=value`. Empty for what the text says.
    pub over: Vec<String>,
}

/// Events that a function of a slot is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HearsPlan {
    /// Which events.
    pub pattern: Pattern,
    /// The function that is called with each; none is the main one.
    pub function: Option<String>,
    /// The pattern as it is written.
    pub text: String,
}

/// A slot where one is named: declared, or a `use` text in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotRef {
    /// A slot of the rack.
    Declared(SlotName),
    /// A `use` text, as written.
    Inline(Arc<str>),
}

/// A pipeline.
#[derive(Clone, Debug)]
pub struct PipelinePlan {
    /// Its name.
    pub name: PipelineName,
    /// Where rows come from.
    pub source: SourcePlan,
    /// What they go through.
    pub stages: Vec<StagePlan>,
    /// Where they go.
    pub sink: SinkPlan,
    /// What is done about errors; none leaves it to the rack.
    pub errors: Option<OnErrors>,
    /// Where it is described.
    pub place: Option<Place>,
}

/// A form in which rows are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Comma-separated values.
    Csv,
    /// One JSON object a line.
    Json,
    /// Apache Parquet.
    Parquet,
    /// Arrow's IPC file or stream.
    Arrow,
    /// Lines of text: one column, `line`.
    Text,
}

/// Where rows come from.
#[derive(Clone, Debug)]
pub struct SourcePlan {
    /// What is read.
    pub from: Endpoint,
    /// How it is read.
    pub options: FormatOptions,
    /// Where it is described.
    pub place: Option<Place>,
}

/// Where rows go.
#[derive(Clone, Debug)]
pub struct SinkPlan {
    /// What is written.
    pub to: Endpoint,
    /// How it is written.
    pub options: FormatOptions,
    /// Where it is described.
    pub place: Option<Place>,
}

/// One end of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Files: paths or, for sources, globs.
    Files(Format, Vec<String>),
    /// The standard stream of the process.
    Standard(Format),
    /// A module of contract `source` or `sink`, and its function where it is not the main one.
    Slot(SlotRef, Option<String>),
}

/// How a format is read or written. What a format has no use for is refused when the text is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FormatOptions {
    /// Texts that mean that there is no value (`csv`); none means the empty text alone.
    pub null: Option<Vec<String>>,
    /// What stands between values (`csv`).
    pub delimiter: Option<u8>,
    /// Whether the first line names the columns (`csv`); none means it does.
    pub header: Option<bool>,
    /// The types of columns, over what is found by looking (`csv`, `json`).
    pub types: IndexMap<String, ColumnType>,
    /// How many rows are looked at to find the columns' types (`csv`, `json`).
    pub infer_rows: Option<usize>,
    /// The only columns that are read, in this order.
    pub columns: Option<Vec<String>>,
    /// How the file is compressed; none goes by its ending, and for sources by its first bytes.
    pub compression: Option<Compression>,
    /// Rows in a batch.
    pub batch_rows: Option<usize>,
    /// Bytes in a row group (`parquet`), before compression.
    pub row_group_bytes: Option<usize>,
    /// What a slot that is a source or sink is given when it starts.
    pub params: Map,
}

/// How a file is compressed as a whole or, in Parquet, by page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
    /// Snappy (`parquet` alone).
    Snappy,
    /// LZ4 (`parquet` alone).
    Lz4,
}

/// The type of a column, as configuration names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// True or false.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A number of 64 bits.
    Float,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// A point in time, in microseconds, without a zone.
    Timestamp,
    /// A point in time, in microseconds, in UTC.
    TimestampUtc,
}

/// A stage.
#[derive(Clone, Debug)]
pub struct StagePlan {
    /// Its name in messages and figures.
    pub name: String,
    /// What fills it.
    pub slot: SlotRef,
    /// Its function; none is the slot's main one.
    pub function: Option<String>,
    /// The slot itself, where the stage describes one in place.
    pub in_place: Option<SlotPlan>,
    /// What the function is given; none leaves it to the module.
    pub takes: Option<Takes>,
    /// The column whose values it takes.
    pub column: Option<String>,
    /// After how many rows a stage that takes the whole input is given what has come.
    pub batch: Option<usize>,
    /// The columns that come out.
    pub schema: Option<IndexMap<String, ColumnType>>,
    /// What is done about its errors; none leaves it to the slot.
    pub errors: Option<OnErrors>,
    /// Where it is described.
    pub place: Option<Place>,
}

impl Limits {
    /// These bounds, and those of `outer` where nothing is said here.
    #[must_use]
    pub fn or(&self, outer: &Self) -> Self {
        Self {
            time: self.time.or(outer.time),
            memory: self.memory.or(outer.memory),
            output: self.output.or(outer.output),
        }
    }
}

impl RackPlan {
    /// Every slot that the text describes, by its name: those under `slots`, and those that stages describe in place.
    pub fn every_slot(&self) -> impl Iterator<Item = &SlotPlan> {
        let stages = self.pipelines.values().flat_map(|pipeline| &pipeline.stages);
        self.slots.values().chain(stages.filter_map(|stage| stage.in_place.as_ref()))
    }
}

impl PythonPlan {
    /// Whether this and `other` run the same Python, with the same to import.
    pub fn means(&self, other: &Self) -> bool {
        (&self.venv, &self.path) == (&other.venv, &other.path)
    }
}

impl SlotPlan {
    /// A slot that no text declares: a `use` text where a slot is named.
    pub fn undeclared(use_text: &str, fills: Use, limits: Limits) -> Self {
        Self {
            name: SlotName::undeclared(use_text),
            fills,
            use_text: use_text.into(),
            function: None,
            params: Map::new(),
            contract: None,
            needs: Vec::new(),
            limits,
            allow: Allow::default(),
            instances: None,
            errors: None,
            lazy: false,
            best_effort: false,
            swap: SwapPlan::default(),
            events: Vec::new(),
            place: None,
            key_places: IndexMap::new(),
            filled: IndexMap::new(),
            text: "".into(),
            over: Vec::new(),
        }
    }

    /// Whether it means the same as `other`, wherever and however the two are written.
    pub fn means(&self, other: &Self) -> bool {
        self.fills == other.fills
            && self.function == other.function
            && self.params == other.params
            && self.filled == other.filled
            && self.contract == other.contract
            && self.needs == other.needs
            && self.limits == other.limits
            && self.allow == other.allow
            && self.instances == other.instances
            && self.errors == other.errors
            && self.lazy == other.lazy
            && self.best_effort == other.best_effort
            && self.swap == other.swap
            && self.events == other.events
    }

    /// Whether its own text says what that of `other` says, and the two mean the same but for what holds for every slot that does not say
    /// otherwise.
    pub fn says(&self, other: &Self) -> bool {
        let is_said = self.text == other.text && self.over == other.over;
        is_said && Self { limits: other.limits.clone(), ..self.clone() }.means(other)
    }

    /// The `path=value` that sets `key`, one of a slot's own or one below it, or else the param of that name, of the slot in
    /// its rack. None when there is no `=`.
    #[must_use]
    pub fn setting(slot: &SlotName, set: &str) -> Option<String> {
        let key = set.split(['.', '[', '=']).next()?.trim();
        let own = keys::SLOT.keys.iter().copied().flatten().any(|known| known.name == key);
        (set.contains('=')).then(|| format!("slots.{slot}.{}{set}", if own { "" } else { "params." }))
    }

    /// Whether nothing is filled into the value of a `path=value` from elsewhere: no text of it has a `${`, however that is written.
    #[must_use]
    pub fn sets_as_it_stands(set: &str) -> bool {
        let value = set::split(set).and_then(|(_, value)| {
            let mut report = report::Report::new(std::path::Path::new(report::SETTINGS), TextFormat::Yaml);
            yaml::parse_value(value, node::At::Set(0), &mut report).ok()
        });
        value.is_some_and(|value| !fill::mentions(&value))
    }

    /// The `path=value` that has exactly this text stand at the slot's `key`: nothing of it is filled in or read as a number.
    pub fn setting_text(slot: &SlotName, key: &str, text: &str) -> String {
        format!("slots.{slot}.{key}={}", written::quoted(&text.replace("${", "$${")))
    }
}

impl SlotPlan {
    /// What a module with this constructor is given: a param that was filled in from outside, and was read
    /// as a number though the constructor wants text, is the text that it was.
    pub fn params_for(&self, constructor: Option<&Signature>) -> Cow<'_, Map> {
        let text = |ty: &Type| match ty {
            Type::Text => true,
            Type::Option(inner) => **inner == Type::Text,
            _ => false,
        };
        let wanted = self.filled.iter().filter(|(name, _)| {
            constructor.and_then(|signature| signature.named(name)).is_some_and(|param| text(&param.ty))
        });
        let mut params = Cow::Borrowed(&self.params);
        for (name, written) in wanted {
            params.to_mut().insert(name.as_str().into(), Value::Text(written.clone()));
        }
        params
    }
}

impl ColumnType {
    /// Every type with the word that configuration uses for it.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("bool", Self::Bool),
        ("int", Self::Int),
        ("float", Self::Float),
        ("text", Self::Text),
        ("bytes", Self::Bytes),
        ("date", Self::Date),
        ("time", Self::Time),
        ("timestamp", Self::Timestamp),
        ("timestamp-utc", Self::TimestampUtc),
    ];

    /// The type of one value of the column.
    pub fn value_type(self) -> Type {
        match self {
            Self::Bool => Type::Bool,
            Self::Int => Type::Int,
            Self::Float => Type::Float,
            Self::Text | Self::Date | Self::Time | Self::Timestamp | Self::TimestampUtc => Type::Text,
            Self::Bytes => Type::Bytes,
        }
    }
}

impl Format {
    /// Every format with the word that configuration uses for it.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("csv", Self::Csv),
        ("json", Self::Json),
        ("parquet", Self::Parquet),
        ("arrow", Self::Arrow),
        ("text", Self::Text),
    ];

    /// The format's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Text => "text",
        }
    }
}
