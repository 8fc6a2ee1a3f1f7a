//! Components that are kept beside their source, so that the demonstration shows one without building it.
//!
//! Each has a file with the hash of what it was built from; a test fails when they part.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::stamp::hash_of;
use super::{Outcome, Yard, build, folder};
use crate::cargo::root;

/// A component that is kept.
pub(super) struct Kept {
    /// The guest.
    name: &'static str,
    /// The folder that it lies in.
    folder: &'static str,
    /// What it is made from.
    from: &'static [&'static str],
}

/// All of them.
pub(super) const KEPT: &[Kept] = &[Kept {
    name: "price",
    folder: "guests/price",
    from: &["guests/price", "contracts/types.wit", "contracts/transform.wit"],
}];

impl Kept {
    fn component(&self) -> PathBuf {
        root().join(self.folder).join(self.name).with_extension("wasm")
    }

    fn stamp(&self) -> PathBuf {
        self.component().with_extension("hash")
    }

    /// Whether it was built from what is there now.
    ///
    /// # Errors
    /// When its source cannot be read.
    fn holds(&self) -> Result<bool> {
        let wanted = hash_of("", self.from)?;
        let held = fs::read_to_string(self.stamp()).unwrap_or_default();
        Ok(self.component().exists() && held.trim_end() == wanted)
    }
}

/// A guest for the demonstration: that which is kept, while it is what its source says; else it is built. Or why there
/// is none.
///
/// # Errors
/// When it is built and cannot be written.
pub(crate) fn shown(name: &str) -> Result<Result<PathBuf, String>> {
    if let Some(kept) = KEPT.iter().find(|kept| kept.name == name)
        && kept.holds()?
    {
        return Ok(Ok(kept.component()));
    }
    let outcomes = build(false)?;
    let (_, outcome) =
        outcomes.into_iter().find(|(guest, _)| *guest == name).context("the demonstration shows a guest")?;
    Ok(match outcome {
        Outcome::Fresh | Outcome::Built => Ok(folder()?.join(name).with_extension("wasm")),
        Outcome::Skipped(why) | Outcome::Failed(why) => Err(why),
    })
}

/// Puts what was built in place of what is kept.
///
/// # Errors
/// When one was not built.
pub(super) fn renew() -> Result<()> {
    let yard = Yard::open(folder()?)?;
    for kept in KEPT {
        if kept.holds()? {
            continue;
        }
        let built = yard.component(kept.name);
        if !built.exists() {
            bail!("the guest `{}` is not built, so none can be kept", kept.name);
        }
        fs::copy(built, kept.component())?;
        fs::write(kept.stamp(), format!("{}\n", hash_of("", kept.from)?))?;
        println!("{:<18} is kept in {}", kept.name, kept.folder);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_was_built_from_what_lies_beside_it() {
        for kept in KEPT {
            let holds = kept.holds().expect("its source can be read");
            assert!(
                holds,
                "`{}` was built from another source: `cargo xtask guests --keep` renews it",
                kept.name
            );
        }
    }
}
