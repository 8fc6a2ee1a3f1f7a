//! Guests that are native libraries: what a component is held against, from the same source.

use std::fs;
use std::process::Command;

use anyhow::Result;

use super::list::Guest;
use super::stamp::hash_of;
use super::{Outcome, Yard};
use crate::cargo::{cargo, root};
use crate::job::capture;

/// Builds the package of a workspace in the release profile. What ends a component by a trap must unwind here.
pub(super) fn build(yard: &Yard, guest: &Guest, workspace: &str) -> Result<Outcome> {
    let mut compiler = Command::new("rustc");
    compiler.current_dir(root()).args(["--version", "--verbose"]);
    let (version, _) = capture(compiler)?;
    let hash = hash_of(&version, &guest.from.concat())?;
    if yard.has(guest, &hash) {
        return Ok(Outcome::Fresh);
    }
    let build = yard.folder.join("host");
    let mut command = cargo();
    command.current_dir(root().join(workspace)).args(["build", "--release", "--quiet", "--locked"]);
    command
        .args(["--package", guest.name.strip_prefix("lib").unwrap_or(guest.name), "--target-dir"])
        .arg(&build);
    command.env("CARGO_PROFILE_RELEASE_PANIC", "unwind");
    let (printed, succeeded) = capture(command)?;
    if !succeeded {
        return Ok(Outcome::Failed(printed));
    }
    yard.put(guest, &fs::read(build.join("release").join(guest.file()))?, &hash)?;
    Ok(Outcome::Built)
}
