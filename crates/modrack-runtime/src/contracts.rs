//! The contracts of a rack: the built-in ones and those of the WIT files that its plan names.

use std::path::Path;

use modrack_core::Result;
use modrack_core::contract::Contracts;
use modrack_core::plan::RackPlan;

use crate::error;
use crate::find;

/// Reads the contracts of a rack.
///
/// # Errors
/// A file that cannot be read, or whose WIT is wrong.
pub(crate) fn read(root: &Path, plan: &RackPlan) -> Result<Contracts> {
    let mut texts = Vec::new();
    for file in &plan.contracts {
        let path = find::absolute(root, Path::new(file));
        let text =
            std::fs::read_to_string(&path).map_err(|why| error::contract_unreadable(&path, root, &why))?;
        texts.push((path, text));
    }
    Contracts::built_in().with(&texts)
}
