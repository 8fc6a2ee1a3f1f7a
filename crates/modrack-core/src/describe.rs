//! What can be known of a module without running it.

use std::path::PathBuf;

use semver::Version;

use crate::{BackendName, Content, ContentHash, Map, ParamKind, Place, Signature, Takes};

/// Functions by which a module is started, stopped and carried over; none is meant as the main function.
const LIFECYCLE: &[&str] =
    &["create", "export_state", "finish", "import_state", "initialize", "shutdown", "start", "stop"];

/// Whether a function belongs to a module's life, not to its work.
pub fn is_lifecycle(name: &str) -> bool {
    LIFECYCLE.contains(&name)
}

/// A module, as read and not run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    /// The module's own name.
    pub name: String,
    /// Its version, where it says one.
    pub version: Option<Version>,
    /// Who loads it.
    pub backend: Option<BackendName>,
    /// Its documentation.
    pub doc: Option<String>,
    /// How an instance of it comes to be.
    pub entry: Entry,
    /// The public functions of what fills the slot.
    pub functions: Vec<FunctionInfo>,
    /// The public attributes of what fills the slot.
    pub attributes: Vec<AttributeInfo>,
    /// The classes that the module defines.
    pub classes: Vec<ClassInfo>,
    /// What the constructor or factory takes; none when it is not known before the module runs.
    pub constructor: Option<Signature>,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Whether it may have functions that are not listed: a list of an open module is advice.
    pub open: bool,
    /// The hash of its content; none for what the interpreter imports by itself.
    pub hash: Option<ContentHash>,
    /// The files that belong to it, its own first: their content is what the hash is of.
    pub files: Vec<PathBuf>,
    /// Files beside those that it may read when it runs. They are kept with it; that one changes makes it no other module.
    pub data: Vec<PathBuf>,
    /// What its backend keeps of that content, so that whatever is started of it is what was described, whatever the files hold by
    /// then.
    pub content: Content,
}

/// How an instance of a module comes to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Entry {
    /// The module itself; its functions are the slot's.
    #[default]
    Module,
    /// An instance of this class.
    Class(String),
    /// What this function gives when it is called with the parameters.
    Factory(String),
    /// This function, alone.
    Function(String),
    /// This object, as it is.
    Object(String),
    /// Known only once the module runs.
    Unknown,
}

/// A function of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionInfo {
    /// Its name.
    pub name: String,
    /// What it takes and gives.
    pub signature: Signature,
    /// Its documentation.
    pub doc: Option<String>,
    /// Where it stands.
    pub place: Option<Place>,
}

/// A value that a module shows by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeInfo {
    /// Its name.
    pub name: String,
    /// The text of its annotation.
    pub annotation: Option<String>,
    /// The text of its value, where that is a literal.
    pub value: Option<String>,
    /// Where it stands.
    pub place: Option<Place>,
}

/// A class of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassInfo {
    /// Its name.
    pub name: String,
    /// The names of its bases, as written.
    pub bases: Vec<String>,
    /// Its documentation.
    pub doc: Option<String>,
    /// Its public methods, without `self`.
    pub methods: Vec<FunctionInfo>,
    /// Its class attributes and annotated fields.
    pub attributes: Vec<AttributeInfo>,
    /// What its constructor takes, without `self`; none when a base that is not seen decides.
    pub constructor: Option<Signature>,
    /// Whether instances can be made: false for abstract classes and protocols.
    pub concrete: bool,
    /// Where it stands.
    pub place: Option<Place>,
}

/// What a module says of itself in a manifest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    /// Its name, where that is not the file's.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<Version>,
    /// Who wrote it.
    pub author: Option<String>,
    /// One line on what it is for.
    pub description: Option<String>,
    /// The contract it is written for, `transform@1`.
    pub contract: Option<String>,
    /// Its main function.
    pub function: Option<String>,
    /// What it requires, each as a Python requirement or `NAME VERSION`.
    pub requires: Vec<String>,
    /// How many instances may be called at once.
    pub instances: Option<Instances>,
    /// What a transform takes.
    pub takes: Option<Takes>,
    /// Which formats or file types it serves.
    pub formats: Vec<String>,
    /// What else it says, by key.
    pub other: Map,
}

/// How a module's instances serve calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Instances {
    /// One instance takes several calls at once.
    #[default]
    Shared,
    /// One instance takes one call at a time; others queue, re-entry is an error.
    One,
    /// So many instances, each taking one call at a time.
    Pool(u32),
    /// A new instance for each call.
    PerCall,
}

impl Instances {
    /// Reads `shared`, `one`, `pool(4)` or `per-call`; a pool has at least one instance.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "shared" => Self::Shared,
            "one" => Self::One,
            "per-call" => Self::PerCall,
            _ => {
                let count = text.strip_prefix("pool(")?.strip_suffix(')')?.trim().parse().ok()?;
                (1..=Self::MOST).contains(&count).then_some(Self::Pool(count))?
            }
        })
    }

    /// How many instances a pool may have.
    pub const MOST: u32 = 1024;
}

impl std::fmt::Display for Instances {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shared => f.write_str("shared"),
            Self::One => f.write_str("one"),
            Self::Pool(count) => write!(f, "pool({count})"),
            Self::PerCall => f.write_str("per-call"),
        }
    }
}

impl Description {
    /// The function called `name`, where the module lists it.
    pub fn function(&self, name: &str) -> Option<&FunctionInfo> {
        self.functions.iter().find(|f| f.name == name)
    }

    /// The class called `name`, where the module lists it.
    pub fn class(&self, name: &str) -> Option<&ClassInfo> {
        self.classes.iter().find(|c| c.name == name)
    }

    /// Whether the constructor would take a parameter called `name`; true when that is not known.
    pub fn takes_param(&self, name: &str) -> bool {
        self.constructor.as_ref().is_none_or(|signature| {
            signature.named(name).is_some() || signature.params.iter().any(|p| p.kind == ParamKind::NamedRest)
        })
    }
}
