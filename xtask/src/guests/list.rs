//! Which guests there are, and what each is made from. Whoever adds one adds a row here, and nothing else.

/// A module that is built as a component.
pub(crate) struct Guest {
    /// Its name: it becomes `target/guests/NAME.wasm`.
    pub(crate) name: &'static str,
    /// How it is built.
    pub(crate) kind: Kind,
    /// What it is made from beside the contracts, files and folders from the root of the tree: when any of it
    /// changes, it is built again.
    pub(crate) from: &'static [&'static str],
}

/// How a guest is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By cargo, as the package of the guest's name; `workspace` is the folder of its workspace.
    Rust {
        /// The folder of the workspace.
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

/// A guest in Rust of the workspace in `guests/`.
const OURS: Kind = Kind::Rust { workspace: "guests" };

/// All of them.
pub(crate) const GUESTS: &[Guest] = &[
    Guest { name: "values", kind: OURS, from: &["guests/Cargo.toml", "guests/Cargo.lock", "guests/values"] },
    Guest {
        name: "trouble",
        kind: OURS,
        from: &["guests/Cargo.toml", "guests/Cargo.lock", "guests/trouble"],
    },
    Guest { name: "tally", kind: OURS, from: &["guests/Cargo.toml", "guests/Cargo.lock", "guests/tally"] },
    Guest { name: "price", kind: OURS, from: &["guests/Cargo.toml", "guests/Cargo.lock", "guests/price"] },
    Guest {
        name: "everything",
        kind: OURS,
        from: &[
            "guests/Cargo.toml",
            "guests/Cargo.lock",
            "guests/everything",
            "Cargo.toml",
            "crates/modrack-sdk",
            "crates/modrack-sdk-macros",
        ],
    },
    Guest {
        name: "price-javascript",
        kind: Kind::JavaScript { folder: "guests/javascript", script: "price.js" },
        from: &["guests/javascript"],
    },
    Guest {
        name: "price-python",
        kind: Kind::Python { folder: "guests/python", module: "price" },
        from: &["guests/python"],
    },
];
