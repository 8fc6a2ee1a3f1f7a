//! Contracts: named, versioned sets of functions with types, as they are looked up and checked.

use std::fmt;

use semver::{Version, VersionReq};

use crate::{FunctionInfo, Result};

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
