//! Contracts: named, versioned sets of functions with types, as they are looked up and checked.

mod bounds;
mod built_in;
mod fit;
mod set;
mod wit;
mod world;

use std::fmt;

use semver::{Version, VersionReq};

pub use fit::narrowed;
pub use set::Contracts;
pub use wit::{Signatures, pair, shared_name, signatures, target};
pub use world::{Exported, InterfaceName, doc as world_doc, exports};

use crate::{Description, Error, FunctionInfo, Result};

/// A contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Its name: `transform`.
    pub name: String,
    /// The WIT package it was read from: `modrack:transform`.
    pub package: String,
    /// Its version.
    pub version: Version,
    /// Its documentation.
    pub doc: Option<String>,
    /// Its functions, the main one first, named as Python and Rust write them (`export_state`).
    pub functions: Vec<ContractFunction>,
    /// Functions that stand in for all that are required, each set by itself.
    pub alternatives: Vec<Vec<String>>,
}

/// A function of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractFunction {
    /// The function.
    pub info: FunctionInfo,
    /// Whether a module may leave it out.
    pub optional: bool,
}

/// A contract as configuration names it: `transform`, `transform@1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractRef {
    /// The contract's name.
    pub name: String,
    /// Which versions are meant.
    pub version: VersionReq,
}

impl Contract {
    /// The function that a call without a name means.
    pub fn main(&self) -> Option<&ContractFunction> {
        self.functions.first()
    }

    /// Whether it comes with modrack.
    pub fn is_built_in(&self) -> bool {
        self.package.starts_with("modrack:")
    }

    /// Everything in which a module does not fit: functions that are missing
    /// ([`crate::Code::ContractFunctionMissing`]) and functions that take or give something else
    /// ([`crate::Code::ContractMismatch`]), each with its place in the module, what is expected and what is
    /// there. What the module leaves open fits.
    pub fn fit(&self, module: &Description) -> Vec<Error> {
        fit::fit(self, module, None)
    }

    /// As [`Contract::fit`], for a module that calls the contract's main function `main`.
    pub fn fit_as(&self, module: &Description, main: &str) -> Vec<Error> {
        fit::fit(self, module, Some(main))
    }

    /// Whether a module lists the contract's functions, and they fit.
    fn is_shape_of(&self, module: &Description) -> bool {
        let has = |name: &str| module.function(name).is_some();
        let required = self.functions.iter().filter(|f| !f.optional).all(|f| has(&f.info.name));
        let stands_in = self.alternatives.iter().any(|names| names.iter().all(|name| has(name)));
        (required || stands_in) && self.fit(module).is_empty()
    }
}

impl ContractRef {
    /// Parses `transform`, `transform@1` or `transform@^1.2`.
    ///
    /// # Errors
    /// [`crate::Code::BadValue`] when it has none of these forms.
    pub fn parse(text: &str) -> Result<Self> {
        let malformed = || {
            crate::Error::new(crate::Code::BadValue, format!("`{text}` is not a contract"))
                .hint("Write its name, or its name and version: `transform@1`")
        };
        let (name, version) = text.split_once('@').unwrap_or((text, "*"));
        crate::SlotName::parse(name).map_err(|_| malformed())?;
        let version = VersionReq::parse(version).map_err(|_| malformed())?;
        Ok(Self { name: name.into(), version })
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}
