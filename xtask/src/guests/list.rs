//! Which guests there are, and what each is made from. Whoever adds one adds a row here, and nothing else.

/// A module that is built from source, for tests, benchmarks and the demonstration.
pub(crate) struct Guest {
    /// Its name: it becomes `target/guests/NAME.wasm`, or `NAME.so`.
    pub(crate) name: &'static str,
    /// How it is built.
    pub(crate) kind: Kind,
    /// What it is made from beside the contracts, files and folders from the root of the tree: when any of it
    /// changes, it is built again.
    pub(crate) from: &'static [&'static [&'static str]],
}

/// How a guest is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By cargo, as the package of the guest's name, or as the example of that name of a package.
    Rust {
        /// The folder of the workspace.
        workspace: &'static str,
        /// The package, where the guest is one of its examples.
        example_of: Option<&'static str>,
    },
    /// By cargo for this machine, as a native library: the package whose library has the guest's name.
    Library {
        /// The folder of its workspace.
        workspace: &'static str,
    },
    /// By `componentize-qjs`.
    JavaScript {
        /// The folder with the script, its `world.wit`, and `package.json`, which names the tool.
        folder: &'static str,
        /// The script.
        script: &'static str,
    },
    /// By `componentize-py`, which takes its time: only `cargo xtask guests --all` builds it.
    Python {
        /// The folder with the module, its `world.wit`, and `requirements.txt`, which names the tool.
        folder: &'static str,
        /// The module.
        module: &'static str,
    },
}

impl Guest {
    /// The file that it becomes.
    pub(crate) fn file(&self) -> String {
        let ending = match self.kind {
            Kind::Library { .. } => "so",
            Kind::Rust { .. } | Kind::JavaScript { .. } | Kind::Python { .. } => "wasm",
        };
        format!("{}.{ending}", self.name)
    }
}

/// A guest in Rust of the workspace in `guests/`, of that for tables, a slide, and an example of the kit.
const OURS: Kind = Kind::Rust { workspace: "guests", example_of: None };
const TABLES: Kind = Kind::Rust { workspace: "guests/tables", example_of: None };
const SLIDE: Kind = Kind::Rust { workspace: "guests", example_of: Some("slides") };
const EXAMPLE: Kind = Kind::Rust { workspace: "guests", example_of: Some("kit") };

/// The kit for authors, in both forms; and the workspaces.
const KIT: &[&str] = &["Cargo.toml", "crates/modrack-abi", "crates/modrack-sdk", "crates/modrack-sdk-macros"];
const IN_OURS: &[&str] = &["guests/Cargo.toml", "guests/Cargo.lock"];
const IN_TABLES: &[&str] = &["guests/tables/Cargo.toml", "guests/tables/Cargo.lock"];
const IN_SLIDES: &[&str] = &["guests/Cargo.toml", "guests/Cargo.lock", "guests/slides"];

/// What the benchmarks call and nothing else does.
pub(crate) const MEASURED: &[Guest] = &[
    Guest {
        name: "little",
        kind: Kind::Rust { workspace: "benches/modules", example_of: None },
        from: &[KIT, &["benches/modules"]],
    },
    Guest {
        name: "liblittle",
        kind: Kind::Library { workspace: "benches/modules" },
        from: &[KIT, &["benches/modules"]],
    },
];

/// What they call of the others.
pub(crate) const MEASURED_TOO: &[&str] = &["speed", "libspeed"];

/// All that is built when no benchmark is run.
pub(crate) const GUESTS: &[Guest] = &[
    Guest { name: "values", kind: OURS, from: &[IN_OURS, &["guests/values"]] },
    Guest { name: "trouble", kind: OURS, from: &[IN_OURS, &["guests/trouble"]] },
    Guest { name: "tally", kind: OURS, from: &[IN_OURS, &["guests/tally"]] },
    Guest { name: "price", kind: OURS, from: &[IN_OURS, &["guests/price"]] },
    Guest { name: "everything", kind: OURS, from: &[IN_OURS, KIT, &["guests/everything"]] },
    Guest { name: "lab", kind: OURS, from: &[IN_OURS, KIT, &["guests/lab", "tests/modules/lab.rs"]] },
    Guest {
        name: "liblab",
        kind: Kind::Library { workspace: "guests" },
        from: &[IN_OURS, KIT, &["guests/lab", "tests/modules/lab.rs"]],
    },
    Guest {
        name: "batch",
        kind: TABLES,
        from: &[IN_TABLES, KIT, &["guests/tables/batch", "tests/modules/batch.rs"]],
    },
    Guest {
        name: "libbatch",
        kind: Kind::Library { workspace: "guests/tables" },
        from: &[IN_TABLES, KIT, &["guests/tables/batch", "tests/modules/batch.rs"]],
    },
    Guest {
        name: "speed",
        kind: TABLES,
        from: &[IN_TABLES, KIT, &["guests/tables/speed", "examples/flights/modules/speed/src"]],
    },
    Guest {
        name: "libspeed",
        kind: Kind::Library { workspace: "examples/flights/modules/speed" },
        from: &[KIT, &["examples/flights/modules/speed"]],
    },
    Guest {
        name: "as_text",
        kind: SLIDE,
        from: &[IN_SLIDES, KIT, &["examples/slides/processors/as_text.rs"]],
    },
    Guest { name: "clip", kind: SLIDE, from: &[IN_SLIDES, KIT, &["examples/slides/normalise/clip.rs"]] },
    Guest { name: "counter", kind: SLIDE, from: &[IN_SLIDES, KIT, &["examples/slides/state/counter.rs"]] },
    Guest { name: "greeter", kind: SLIDE, from: &[IN_SLIDES, KIT, &["examples/slides/methods/greeter.rs"]] },
    Guest { name: "reverse", kind: SLIDE, from: &[IN_SLIDES, KIT, &["examples/slides/plugins/reverse.rs"]] },
    Guest { name: "scale", kind: SLIDE, from: &[IN_SLIDES, KIT, &["examples/slides/normalise/scale.rs"]] },
    Guest { name: "shout", kind: SLIDE, from: &[IN_SLIDES, KIT, &["examples/slides/lifecycle/shout.rs"]] },
    Guest { name: "kinds", kind: EXAMPLE, from: &[IN_OURS, KIT, &["guests/kit"]] },
    Guest { name: "contract-analyzer", kind: EXAMPLE, from: &[IN_OURS, KIT, &["guests/kit"]] },
    Guest { name: "contract-error-handler", kind: EXAMPLE, from: &[IN_OURS, KIT, &["guests/kit"]] },
    Guest { name: "contract-formatter", kind: EXAMPLE, from: &[IN_OURS, KIT, &["guests/kit"]] },
    Guest { name: "contract-layer", kind: EXAMPLE, from: &[IN_OURS, KIT, &["guests/kit"]] },
    Guest { name: "contract-metric", kind: EXAMPLE, from: &[IN_OURS, KIT, &["guests/kit"]] },
    Guest { name: "contract-plugin", kind: EXAMPLE, from: &[IN_OURS, KIT, &["guests/kit"]] },
    Guest { name: "contract-runnable", kind: EXAMPLE, from: &[IN_OURS, KIT, &["guests/kit"]] },
    Guest { name: "contract-sink", kind: EXAMPLE, from: &[IN_OURS, KIT, &["guests/kit"]] },
    Guest { name: "contract-source", kind: EXAMPLE, from: &[IN_OURS, KIT, &["guests/kit"]] },
    Guest { name: "contract-source-transform", kind: EXAMPLE, from: &[IN_OURS, KIT, &["guests/kit"]] },
    Guest { name: "contract-transform", kind: EXAMPLE, from: &[IN_OURS, KIT, &["guests/kit"]] },
    Guest {
        name: "price-javascript",
        kind: Kind::JavaScript { folder: "guests/javascript", script: "price.js" },
        from: &[&["guests/javascript"]],
    },
    Guest {
        name: "price-python",
        kind: Kind::Python { folder: "guests/python", module: "price" },
        from: &[&["guests/python"]],
    },
];
