//! What a file says, taken from its syntax tree: owned, without places in the tree, and not yet interpreted.
//!
//! Which class is meant, what is inherited and what belongs together is decided elsewhere.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use modrack_core::{AttributeInfo, FunctionInfo, Place, Takes};

/// What one file says.
#[derive(Default)]
pub(crate) struct Facts {
    /// The module's documentation.
    pub(crate) doc: Option<String>,
    /// What the top level defines, in the order of the first definition.
    pub(crate) names: Names<Def>,
    /// What `__all__` lists, where that can be read.
    pub(crate) all: Option<HashSet<String>>,
    /// `from x import *`.
    pub(crate) stars: Vec<Link>,
    /// Every import, wherever it stands.
    pub(crate) imports: Vec<Imported>,
    /// Whether names may come about in ways that cannot be read.
    pub(crate) dynamic: bool,
}

/// Things by name, in the order in which the names first came.
pub(crate) struct Names<T> {
    items: Vec<(String, T)>,
    index: HashMap<String, usize>,
}

/// What a name of the top level is.
pub(crate) enum Def {
    Function(FunctionFact),
    Class(ClassFact),
    Value(ValueFact),
    Import(Link),
}

/// Where an imported name comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// How many dots a relative import has.
    pub(crate) level: u32,
    /// The module, dotted; empty in `from . import x`.
    pub(crate) module: String,
    /// What of it; none for the module itself.
    pub(crate) name: Option<String>,
}

/// One import statement.
pub(crate) struct Imported {
    pub(crate) level: u32,
    pub(crate) module: String,
    /// The names after `import`, which may be submodules.
    pub(crate) names: Vec<String>,
    /// Whether loading the file certainly runs it.
    pub(crate) hard: bool,
}

/// A function or method.
pub(crate) struct FunctionFact {
    /// With every parameter, `self` too.
    pub(crate) info: FunctionInfo,
    pub(crate) kind: MethodKind,
    pub(crate) is_abstract: bool,
    pub(crate) is_overload: bool,
    /// What its `return`s give.
    pub(crate) returns: Returns,
    /// What a transform with this first, or second, parameter takes.
    pub(crate) takes: [Option<Takes>; 2],
}

/// How a method is bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MethodKind {
    Plain,
    Static,
    Class,
    Property,
}

/// What the `return`s of a function give, as far as they show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Returns {
    /// Nothing.
    Nothing,
    /// What calling this name gives.
    Made(String),
    /// Something else.
    Other,
}

/// A class.
pub(crate) struct ClassFact {
    pub(crate) name: String,
    pub(crate) bases: Vec<Base>,
    pub(crate) metaclass: Option<String>,
    /// Full names of the decorators.
    pub(crate) decorators: Vec<String>,
    pub(crate) doc: Option<String>,
    pub(crate) members: Names<Member>,
    /// What its methods set on `self`.
    pub(crate) instance: Vec<AttributeInfo>,
    /// How a dataclass is made; none for other classes.
    pub(crate) data: Option<DataOptions>,
    pub(crate) place: Place,
}

/// A base of a class.
pub(crate) struct Base {
    /// As it is written.
    pub(crate) written: String,
    /// The name, without brackets; empty where it is no name.
    pub(crate) name: String,
    /// The name with what was imported written out.
    pub(crate) full: String,
}

/// What a class has in its body.
pub(crate) enum Member {
    Method(FunctionFact),
    Value(ValueFact),
}

/// How a dataclass is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct DataOptions {
    pub(crate) init: bool,
    pub(crate) kw_only: bool,
}

/// A value that was assigned.
pub(crate) struct ValueFact {
    pub(crate) info: AttributeInfo,
    pub(crate) ty: modrack_core::Type,
    pub(crate) literal: Literal,
    /// What a dataclass makes of it.
    pub(crate) field: FieldFact,
    /// The name that it is another name for.
    pub(crate) alias: Option<String>,
    /// The name that is called to make it.
    pub(crate) made: Option<String>,
    /// Whether it may be something that can be called.
    pub(crate) maybe_callable: bool,
    /// Whether it only serves annotations: a type variable, another name for a type.
    pub(crate) is_type: bool,
}

/// What a literal says, where that matters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Text(String),
    Texts(Vec<String>),
    Other,
}

/// What a dataclass makes of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldFact {
    pub(crate) is_field: bool,
    pub(crate) not_in_init: bool,
    pub(crate) default: Option<String>,
    pub(crate) kw_only: Option<bool>,
    /// `_: KW_ONLY`: what follows is by name only.
    pub(crate) marker: bool,
}

impl<T> Names<T> {
    /// Sets a name; a later definition takes the place of an earlier one.
    pub(crate) fn set(&mut self, name: &str, item: T) {
        match self.index.get(name) {
            Some(at) => self.items[*at].1 = item,
            None => {
                self.index.insert(name.to_owned(), self.items.len());
                self.items.push((name.to_owned(), item));
            }
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.index.get(name).map(|at| &self.items[*at].1)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.items.iter().map(|(name, item)| (name.as_str(), item))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|(name, _)| name.as_str())
    }
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { items: Vec::new(), index: HashMap::new() }
    }
}

impl Facts {
    /// Whether `name` is meant for others: listed in `__all__`, or without a leading underscore.
    pub(crate) fn is_public(&self, name: &str) -> bool {
        match &self.all {
            Some(all) => all.contains(name),
            None => !name.starts_with('_'),
        }
    }
}

impl ClassFact {
    /// The method of that name in the class's own body.
    pub(crate) fn method(&self, name: &str) -> Option<&FunctionFact> {
        match self.members.get(name) {
            Some(Member::Method(method)) => Some(method),
            _ => None,
        }
    }
}

/// A line of a file as a place.
pub(crate) fn place(file: &Path, line: usize) -> Place {
    Place::line(file, line)
}
