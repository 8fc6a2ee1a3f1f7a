//! The contracts that a rack knows: those of modrack and its own.
//!
//! Those of modrack are read one by one, when they are asked for: no command waits for WIT it does not need.

use std::path::{Path, PathBuf};

use super::built_in::{ALL, TYPES};
use super::{Contract, ContractRef, wit};
use crate::{Code, Description, Error, Result, nearest};

/// The contracts that a rack knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contracts {
    own: Vec<Contract>,
}

static BUILT_IN: Contracts = Contracts { own: Vec::new() };

impl Contracts {
    /// The contracts of modrack.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// These contracts and those of the WIT texts, each with the file it is from. The texts may refer to
    /// each other and to `modrack:types`.
    ///
    /// # Errors
    /// [`Code::BadContract`] for each text that is wrong, and [`Code::DuplicateName`] for a contract that is
    /// there already, in the same version.
    pub fn with(&self, texts: &[(PathBuf, String)]) -> Result<Self> {
        if texts.is_empty() {
            return Ok(self.clone());
        }
        let shown: Vec<_> = texts.iter().map(|(path, _)| path.display().to_string()).collect();
        let mut all = vec![TYPES];
        all.extend(shown.iter().zip(texts).map(|(path, (_, text))| (path.as_str(), text.as_str())));
        let wanted: Vec<_> = shown.iter().map(Path::new).collect();
        let read = wit::read(&all, &wanted)?;
        let mut contracts = self.clone();
        let mut wrong = Vec::new();
        for (contract, path) in read.into_iter().zip(&wanted) {
            if contract.is_built_in()
                || contracts.own.iter().any(|c| c.name == contract.name && c.version == contract.version)
            {
                let error =
                    Error::new(Code::DuplicateName, format!("There is a contract `{contract}` already"))
                        .hint("Give the package another name or version")
                        .place(crate::Place::file(*path));
                wrong.push(error);
                continue;
            }
            contracts.own.push(contract);
        }
        Error::all(wrong).map_or(Ok(contracts), Err)
    }

    /// The contract that is meant, in the highest version that fits. A rack's own come before modrack's.
    ///
    /// # Errors
    /// [`Code::UnknownContract`], with what was expected and what there is.
    pub fn find(&self, wanted: &ContractRef) -> Result<&Contract> {
        let named: Vec<&Contract> = self.named(&wanted.name).collect();
        let fitting = named.iter().filter(|contract| wanted.version.matches(&contract.version));
        if let Some(contract) = fitting.max_by(|a, b| a.version.cmp(&b.version)) {
            return Ok(contract);
        }
        if named.is_empty() {
            let error = Error::new(Code::UnknownContract, format!("There is no contract `{}`", wanted.name));
            return Err(match nearest(&wanted.name, self.names()) {
                Some(near) => error.hint(format!("Did you mean `{near}`?")),
                None => {
                    let names: Vec<_> = self.names().map(|name| format!("`{name}`")).collect();
                    error.hint(format!("There are {}; `contracts:` adds your own", names.join(", ")))
                }
            });
        }
        let found: Vec<_> = named.iter().map(|contract| contract.version.to_string()).collect();
        Err(Error::new(
            Code::UnknownContract,
            format!(
                "The contract `{}` is expected in version {}, found {}",
                wanted.name,
                wanted.version,
                found.join(", ")
            ),
        )
        .hint("Ask for a version that is there, or use a modrack that has it"))
    }

    /// The one contract whose functions a module has. `None` when there is none, or more than one.
    pub fn by_shape(&self, module: &Description) -> Option<&Contract> {
        // A function that may be there cannot tell a contract: the shape is what is listed.
        let fits = |contract: &&Contract| contract.is_shape_of(module);
        let own: Vec<_> = self.own.iter().filter(fits).collect();
        match own.as_slice() {
            [] => {}
            [one] => return Some(one),
            _ => return None,
        }
        let told = ALL.iter().filter(|c| c.tells.iter().any(|name| module.function(name).is_some()));
        let mut fitting = told.filter_map(|built_in| built_in.contract()).filter(fits);
        match (fitting.next(), fitting.next()) {
            (one, None) => one,
            _ => None,
        }
    }

    /// Each version of the contract of this name, a rack's own first; no other is read.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Contract> {
        let own = self.own.iter().filter(move |contract| contract.name == name);
        own.chain(ALL.iter().filter(move |contract| contract.name == name).filter_map(|c| c.contract()))
    }

    /// Every contract, a rack's own first.
    pub fn iter(&self) -> impl Iterator<Item = &Contract> {
        self.own.iter().chain(ALL.iter().filter_map(|built_in| built_in.contract()))
    }

    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.own.iter().map(|contract| contract.name.as_str()).chain(ALL.iter().map(|built_in| built_in.name))
    }
}
