//! The one list of keys that a rack can have: names, types and documentation.
//!
//! The reader's checks, the JSON Schema and the did-you-mean of unknown keys all come from this list. A key
//! that a later version brings is on it too, so that it is told apart from a mistake.

use super::Carrying;
use Shape::{
    Any, Bool, Bytes, Count, Duration, Either, Fields, List, Many, Named, Scalar, Text, Version, Words,
};

/// A key.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) shape: Shape,
    /// Whether this version has it; else it is of a later one.
    pub(crate) here: bool,
    pub(crate) required: bool,
}

/// What a value may be.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Anything.
    Any,
    /// Text.
    Text,
    /// Any scalar, as it is written.
    Scalar,
    /// True or false.
    Bool,
    /// A whole number above zero.
    Count,
    /// A length of time: `10s`.
    Duration,
    /// A number of bytes: `64MiB`.
    Bytes,
    /// The version of the text's form, `1`.
    Version,
    /// One of these words; those with `false` are of a later version.
    Words(&'static [(&'static str, bool)]),
    /// A list.
    List(&'static Shape),
    /// One, or a list of them.
    Many(&'static Shape),
    /// Names of the author's own, each with such a value.
    Named(&'static Shape),
    /// These keys.
    Fields(&'static Object),
    /// One of these, told apart by whether the node is a scalar, a list or a mapping.
    Either(&'static [Shape]),
}

/// A mapping of known keys.
pub(crate) struct Object {
    /// What the mapping is called in the schema.
    pub(crate) name: &'static str,
    /// What messages call it.
    pub(crate) shown: &'static str,
    pub(crate) keys: &'static [&'static [Key]],
}

impl Object {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static Key> + Clone {
        self.keys.iter().flat_map(|part| part.iter())
    }

    pub(crate) fn find(&self, name: &str) -> Option<&'static Key> {
        self.iter().find(|key| key.name == name)
    }
}

const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, doc, shape, here: true, required: false }
}

const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, doc, shape, here: true, required: true }
}

const fn later(name: &'static str, doc: &'static str) -> Key {
    Key { name, doc, shape: Any, here: false, required: false }
}

/// The whole text.
pub(crate) static RACK: Object = Object {
    name: "rack",
    shown: "a rack",
    keys: &[&[
        required("rack", Version, "The version of this text's form: `1`"),
        key(
            "catalog",
            Many(&Either(&[Text, Fields(&CATALOG)])),
            "Where modules are found by name: folders, and groups of entry points. They are indexed, never run",
        ),
        key("contracts", Many(&Text), "WIT files with contracts of your own"),
        key("python", Fields(&PYTHON), "Which Python runs the modules, and what they can import"),
        key("native", Fields(&NATIVE), "What holds for shared libraries together"),
        key("defaults", Fields(&DEFAULTS), "What holds for every slot that does not say otherwise"),
        key(
            "slots",
            Named(&Either(&[Text, Fields(&SLOT)])),
            "The slots: names that modules fill. A text is short for `use`",
        ),
        key("errors", ERRORS, "What is done about errors, where neither the pipeline nor the slot says"),
        key(
            "pipelines",
            Named(&Fields(&PIPELINE)),
            "The pipelines: where rows come from, what they go through, where they go",
        ),
        key(
            "state",
            Text,
            "The folder that keeps the rack's state, or `memory`; without it `.modrack/` beside the rack, and `FILE/` in that for one not called `rack.*`",
        ),
        later("secrets", "Where secrets come from"),
    ]],
};

static CATALOG: Object = Object {
    name: "catalog-source",
    shown: "a source of the catalog",
    keys: &[&[required("entry-points", Text, "A group of entry points of the installed Python packages")]],
};

static PYTHON: Object = Object {
    name: "python",
    shown: "`python`",
    keys: &[&[
        key("venv", Text, "The virtual environment whose interpreter runs"),
        key("path", Many(&Text), "Folders that modules import from; without it the rack's own folder"),
    ]],
};

static NATIVE: Object = Object {
    name: "native",
    shown: "`native`",
    keys: &[&[key(
        "kept",
        Bytes,
        "How much of libraries that nothing uses any more may stay in the process before that is warned of; `512MiB` unless said",
    )]],
};

static DEFAULTS: Object = Object {
    name: "defaults",
    shown: "`defaults`",
    keys: &[&[
        key("limits", Fields(&LIMITS), "Bounds on calls"),
        later("layers", "Behaviour round every slot's calls"),
        later("isolation", "Where modules run"),
    ]],
};

static LIMITS: Object = Object {
    name: "limits",
    shown: "`limits`",
    keys: &[&[
        key(
            "time",
            Duration,
            "How long one call may take: `10s`, `50ms`, `2m`. Python modules are stopped as well as Python can be, at the next bytecode",
        ),
        key(
            "memory",
            Bytes,
            "How much memory an instance may hold: `256MiB`. WebAssembly components are kept to it; for others it is an error, unless `enforce: best-effort`",
        ),
        key(
            "output",
            Bytes,
            "How large a result may be: `64MiB`. A WebAssembly component is stopped before; for others the result is measured when it is there, and refused",
        ),
        later("concurrency", "How many calls may run at once"),
        later("queue", "How many calls may wait"),
    ]],
};

static ALLOW: Object = Object {
    name: "allow",
    shown: "`allow`",
    keys: &[&[
        key("read", Many(&Text), "Files and folders that it may read"),
        key("write", Many(&Text), "Files and folders that it may write"),
        key("net", Many(&Text), "Hosts that it may reach: `HOST` or `HOST:PORT`"),
        key("env", Many(&Text), "Variables of the environment that it may see"),
    ]],
};

/// The words of a decision about errors.
pub(crate) const DECISIONS: &[(&str, bool)] =
    &[("stop", true), ("skip", true), ("quarantine", true), ("retry", false)];

const DECISION: Shape = Either(&[Words(DECISIONS), Fields(&DECISION_FIELDS)]);

/// The decisions of `errors`.
pub(crate) const ERRORS: Shape = Either(&[Words(DECISIONS), Named(&DECISION)]);

static DECISION_FIELDS: Object = Object {
    name: "decision",
    shown: "a decision about errors",
    keys: &[&[
        key("quarantine", Text, "The file that the row, the error and the place go to"),
        later("retry", "Calls again"),
        later("replace", "A value in place of the result"),
        later("use", "A module that decides"),
    ]],
};

const USE: Shape = Either(&[Text, Fields(&SOURCE_TEXT)]);

/// The keys of what fills a slot, wherever a slot is described.
const FILLING: &[Key] = &[
    key(
        "use",
        USE,
        "What fills it: `./x.py`, `./x.py:Name`, `./pkg/`, `python:pkg.mod:attr`, a name of the catalog, or source in place",
    ),
    key("params", Named(&Any), "What the module is given when it starts"),
    key(
        "contract",
        Text,
        "The contract that the module must fit, `transform@1`; found by shape when left out",
    ),
    key(
        "needs",
        Named(&Text),
        "What is injected: a parameter or attribute, and the slot or `use` that goes there",
    ),
    key("limits", Fields(&LIMITS), "Bounds on its calls"),
    key(
        "instances",
        Text,
        "How its instances serve calls: `shared`, `one` (a call at a time), `pool(4)`, `per-call`; without it as the module says, else `shared`",
    ),
    key("allow", Fields(&ALLOW), "What the module may reach; what its language cannot guard is an error"),
    key(
        "enforce",
        Words(&[("best-effort", true)]),
        "`best-effort` does without the guards that the module's language cannot give, instead of refusing",
    ),
];

const SLOT_ONLY: &[Key] = &[
    key("function", Text, "The main function; without it the contract's, else the only public one"),
    key("errors", ERRORS, "What is done about its errors"),
    key("lazy", Bool, "Whether `serve` waits with starting it until it is called"),
    key("swap", Fields(&SWAP), "How it is replaced while the rack runs"),
    key(
        "events",
        Named(&Text),
        "What it is told as it happens: names of events, `swap.*` or several with commas, each with the function that is called, `_` for the main one",
    ),
];

static SWAP: Object = Object {
    name: "swap",
    shown: "`swap`",
    keys: &[&[
        key(
            "watch",
            Bool,
            "Whether a change of its files replaces it: `serve --watch` does, unless this is `false`",
        ),
        key("probe", Many(&Fields(&PROBE)), "Calls that the new module must answer before it serves"),
        key("drain", Duration, "How long calls of the old module are waited for; `5s` unless said"),
        key(
            "overlap",
            Bool,
            "Whether the new module is started while the old one serves. `false` for what owns a port, a lock or a consumer: the old one is stopped first, and started again should the new one fail",
        ),
        key(
            "state",
            Words(Carrying::WORDS),
            "How state is carried over: `copy` may lose what is written meanwhile, `exclusive` holds new calls back and loses nothing",
        ),
        key("state-size", Bytes, "How much state is carried over at most; `64MiB` unless said"),
        key(
            "migrate",
            Text,
            "A slot or `use` whose main function turns the old module's state and version into the new one's state",
        ),
        key(
            "trial",
            Fields(&TRIAL),
            "What the new module is held to at first; past it the rack goes back by itself",
        ),
    ]],
};

static PROBE: Object = Object {
    name: "probe",
    shown: "a probe",
    keys: &[&[
        required("call", List(&Any), "The function, `_` for the main one, and what it is given"),
        key("expect", Any, "What it must give; without it anything but a failure"),
    ]],
};

static TRIAL: Object = Object {
    name: "trial",
    shown: "`trial`",
    keys: &[&[
        key("for", Duration, "How long it lasts, and the replaced module is kept; `30s` unless said"),
        key("min-calls", Count, "After how many calls anything is decided; 100 unless said"),
        key(
            "errors",
            Scalar,
            "By how much the share of failed calls may be above the replaced module's: `5%`",
        ),
        key("slower", Scalar, "How many times as long as the replaced module it may take on average: `2x`"),
    ]],
};

/// Keys of later versions.
const SLOT_LATER: &[Key] = &[
    later("layers", "Behaviour round its calls"),
    later("isolation", "Where the module runs"),
    later("workers", "How many processes run it"),
    later("python", "An interpreter of its own"),
    later("scope", "How long an instance lives"),
    later("builtin", "A service that is built in"),
    later("url", "Where a service that is built in finds its data"),
    later("choose", "The first of several slots whose condition holds"),
    later("experiment", "Slots that calls are shared out between"),
    later("all", "Slots that are each called"),
    later("compose", "Slots that are called one after the other"),
];

/// The keys that make a slot of a later version out of what has no `use`.
pub(crate) const LATER_SLOTS: &[&str] = &["builtin", "choose", "experiment", "all", "compose"];

pub(crate) static SLOT: Object =
    Object { name: "slot", shown: "a slot", keys: &[FILLING, SLOT_ONLY, SLOT_LATER] };

static SOURCE_TEXT: Object = Object {
    name: "source-text",
    shown: "source in place",
    keys: &[&[
        required("source", Text, "The module's source"),
        required("language", Words(&[("python", true), ("wat", true)]), "What it is written in"),
    ]],
};

static PIPELINE: Object = Object {
    name: "pipeline",
    shown: "a pipeline",
    keys: &[&[
        required("source", Either(&[Text, Fields(&SOURCE)]), "Where rows come from"),
        key("stages", List(&Either(&[Text, Fields(&STAGE)])), "What they go through, in order"),
        required("sink", Either(&[Text, Fields(&SINK)]), "Where they go"),
        key("errors", ERRORS, "What is done about errors, where the slot does not say"),
    ]],
};

/// A word of a format.
pub(crate) const FORMATS: &[(&str, bool)] =
    &[("csv", true), ("json", true), ("parquet", true), ("arrow", true), ("text", true)];

/// A type of a column.
pub(crate) const COLUMN_TYPES: &[(&str, bool)] = &[
    ("bool", true),
    ("int", true),
    ("float", true),
    ("text", true),
    ("bytes", true),
    ("date", true),
    ("time", true),
    ("timestamp", true),
    ("timestamp-utc", true),
];

const COMPRESSIONS: &[(&str, bool)] =
    &[("none", true), ("gzip", true), ("zstd", true), ("snappy", true), ("lz4", true)];

/// The keys of an end of a pipeline that is a slot.
const END_SLOT: &[Key] = &[
    key("slot", Text, "A slot, or a `use` text"),
    key("use", Text, "What fills a slot that is described here"),
    key("function", Text, "Its function; without it the main one"),
    key("params", Named(&Any), "What the module is given when it starts"),
    later("sql", "A table or query of a database"),
];

/// The keys of a source.
pub(crate) static SOURCE: Object = Object {
    name: "source",
    shown: "a source",
    keys: &[
        &[
            key(
                "csv",
                Many(&Text),
                "Files of comma-separated values: paths and globs; `-` is the standard input",
            ),
            key("json", Many(&Text), "Files of one JSON object a line"),
            key("parquet", Many(&Text), "Parquet files"),
            key("arrow", Many(&Text), "Arrow IPC files or streams"),
            key("text", Many(&Text), "Files of text: one column, `line`"),
            key("stdin", Words(FORMATS), "The standard input, in this format"),
        ],
        END_SLOT,
        &[
            key(
                "null",
                Many(&Scalar),
                "Texts that mean that there is no value (csv); without it the empty text alone",
            ),
            key("delimiter", Text, "What stands between values (csv): one character; without it a comma"),
            key("header", Bool, "Whether the first line names the columns (csv); without it, it does"),
            key(
                "types",
                Named(&Words(COLUMN_TYPES)),
                "The types of columns, over what is found by looking (csv, json)",
            ),
            key("infer-rows", Count, "How many rows are looked at to find the types (csv, json)"),
            key("columns", List(&Text), "The only columns that are read, in this order"),
            key(
                "compression",
                Words(COMPRESSIONS),
                "How the files are compressed (csv, json, text); without it found by looking",
            ),
            key("batch-rows", Count, "Rows in a batch"),
        ],
    ],
};

/// The keys of a sink.
pub(crate) static SINK: Object = Object {
    name: "sink",
    shown: "a sink",
    keys: &[
        &[
            key("csv", Text, "A file of comma-separated values; `-` is the standard output"),
            key("json", Text, "A file of one JSON object a line"),
            key("parquet", Text, "A Parquet file"),
            key("arrow", Text, "An Arrow IPC file"),
            key("text", Text, "A file of text: the only column, one line a row"),
            key("stdout", Words(FORMATS), "The standard output, in this format"),
        ],
        END_SLOT,
        &[
            key("null", Scalar, "The text that is written where there is no value (csv)"),
            key("delimiter", Text, "What stands between values (csv): one character; without it a comma"),
            key("header", Bool, "Whether the first line names the columns (csv); without it, it does"),
            key(
                "compression",
                Words(COMPRESSIONS),
                "How the file is compressed; without it by its ending, and `zstd` for Parquet",
            ),
            key("row-group-bytes", Bytes, "Bytes in a row group, before compression (parquet): `64MiB`"),
        ],
    ],
};

/// The keys of a stage.
pub(crate) static STAGE: Object = Object {
    name: "stage",
    shown: "a stage",
    keys: &[
        &[
            key("slot", Text, "A slot, `slot.function`, or a `use` text"),
            key("name", Text, "Its name in messages and figures"),
            key("function", Text, "Its function; without it the slot's main one"),
            key("takes", Words(TAKES), "What the function is given; without it the module says"),
            key("column", Text, "The column whose values it takes, as a list; as many come back"),
            key(
                "batch",
                Count,
                "After how many rows a stage that takes the whole input is given what has come",
            ),
            key("schema", Named(&Words(COLUMN_TYPES)), "The columns that come out, with their types"),
            key("errors", ERRORS, "What is done about its errors"),
        ],
        FILLING,
        SLOT_LATER,
    ],
};

const TAKES: &[(&str, bool)] = &[
    ("row", true),
    ("batch", true),
    ("column", true),
    ("rows", true),
    ("table", true),
    ("pandas", true),
    ("polars", true),
];

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::path::Path;

    use super::*;

    const BEGIN: &str = "<!-- keys: written from the list in plan/keys.rs -->\n";
    const END: &str = "<!-- end of keys -->";

    /// `docs/rack.md` lists every key; `UPDATE_EXPECT=1` writes the list anew.
    #[test]
    fn the_page_for_users_lists_every_key() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rack.md");
        let text = std::fs::read_to_string(&page).expect("the page");
        let (before, rest) = text.split_once(BEGIN).expect("the mark before the keys");
        let (there, after) = rest.split_once(END).expect("the mark after the keys");
        let written = reference();
        if there == written {
            return;
        }
        assert!(
            std::env::var_os("UPDATE_EXPECT").is_some(),
            "run with UPDATE_EXPECT=1 to write docs/rack.md anew"
        );
        std::fs::write(&page, format!("{before}{BEGIN}{written}{END}{after}")).expect("the page is written");
    }

    fn reference() -> String {
        let mut out = String::new();
        let mut wanted: Vec<&'static Object> = vec![&RACK];
        let mut next = 0;
        while let Some(object) = wanted.get(next).copied() {
            next += 1;
            let _ =
                writeln!(out, "\n### Keys of {}\n\n| key | value | meaning |\n|---|---|---|", object.shown);
            for key in object.iter().filter(|key| key.here) {
                let must = if key.required { ", must be there" } else { "" };
                let value = words(&key.shape, &mut wanted).replace('|', "\\|");
                let _ = writeln!(out, "| `{}` | {value}{must} | {} |", key.name, key.doc.replace('|', "\\|"));
            }
            let later: Vec<_> =
                object.iter().filter(|key| !key.here).map(|key| format!("`{}`", key.name)).collect();
            if !later.is_empty() {
                let _ = writeln!(out, "\nOf a later version: {}.", later.join(", "));
            }
        }
        out.push('\n');
        out
    }

    fn words(shape: &Shape, wanted: &mut Vec<&'static Object>) -> String {
        match shape {
            Any => "anything".into(),
            Text => "text".into(),
            Scalar => "text or a number".into(),
            Bool => "`true` or `false`".into(),
            Count => "a whole number above zero".into(),
            Duration => "a length of time".into(),
            Bytes => "a number of bytes".into(),
            Version => "`1`".into(),
            Words(words) => {
                let here = words.iter().filter(|(_, here)| *here);
                here.map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            }
            List(item) => format!("a list: {}", self::words(item, wanted)),
            Many(item) => format!("{}, or a list of them", self::words(item, wanted)),
            Named(value) => format!("names, each with {}", self::words(value, wanted)),
            Fields(object) => {
                if !wanted.iter().any(|there| there.name == object.name) {
                    wanted.push(object);
                }
                let anchor =
                    format!("keys of {}", object.shown).to_lowercase().replace('`', "").replace(' ', "-");
                format!("[{}](#{anchor})", object.shown)
            }
            Either(shapes) => {
                shapes.iter().map(|shape| self::words(shape, wanted)).collect::<Vec<_>>().join(" or ")
            }
        }
    }
}
