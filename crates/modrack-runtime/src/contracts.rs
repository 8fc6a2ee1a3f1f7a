//! The contracts of a rack: the built-in ones and those of the WIT files that its plan names.

use std::path::Path;

use modrack_core::contract::{Contract, ContractRef};
use modrack_core::plan::RackPlan;
use modrack_core::{Code, Description, Error, Result};

use crate::error;
use crate::find;

/// The contracts of a rack.
#[derive(Clone, Debug, Default)]
pub struct Contracts(Vec<Contract>);

impl Contracts {
    /// The contract that `wanted` means.
    ///
    /// # Errors
    /// [`Code::UnknownContract`].
    pub fn find(&self, wanted: &ContractRef) -> Result<&Contract> {
        self.0.iter().find(|c| c.name == wanted.name && wanted.version.matches(&c.version)).ok_or_else(|| {
            Error::new(Code::UnknownContract, format!("There is no contract `{}`", wanted.name))
        })
    }

    /// The contract whose functions a module has.
    pub fn by_shape(&self, description: &Description) -> Option<&Contract> {
        let has = |c: &&Contract| {
            c.functions.iter().all(|f| f.optional || description.function(&f.info.name).is_some())
        };
        self.0.iter().find(has)
    }
}

/// Reads the contracts of a rack.
///
/// # Errors
/// A file that cannot be read, or whose WIT is wrong.
pub(crate) fn read(root: &Path, plan: &RackPlan) -> Result<Contracts> {
    for file in &plan.contracts {
        let path = find::absolute(root, Path::new(file));
        std::fs::read_to_string(&path).map_err(|why| error::contract_unreadable(&path, &why))?;
    }
    Ok(Contracts::default())
}

/// What of a contract a module does not have.
pub(crate) fn fit(contract: &Contract, description: &Description) -> Vec<Error> {
    let missing =
        contract.functions.iter().filter(|f| !f.optional && description.function(&f.info.name).is_none());
    missing
        .map(|f| {
            Error::new(
                Code::ContractFunctionMissing,
                format!("`{contract}` needs a function `{}`", f.info.name),
            )
        })
        .collect()
}
