//! The workspace as cargo sees it: its folders, its crates, and what is built of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Cargo itself: the one that runs this chore.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// What `cargo metadata` says of the workspace's own crates.
pub(crate) fn metadata() -> Result<Value> {
    let output = cargo().args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The folder that cargo builds into.
pub(crate) fn target() -> Result<PathBuf> {
    let metadata = metadata()?;
    Ok(metadata["target_directory"].as_str().context("cargo metadata names no target folder")?.into())
}

/// What is built and run: the command, with the extension modules that Python loads beside it.
pub(crate) struct Product {
    /// The command.
    pub(crate) command: PathBuf,
}

/// The packages that are the product.
pub(crate) const PRODUCT: &[&str] =
    &["--package", "modrack-cli", "--package", "modrack-py", "--package", "modrack-py-lean"];

/// The extension modules: whole, and without components.
const EXTENSIONS: &[&str] = &["libmodrack_py.so", "libmodrack_py_lean.so"];

impl Product {
    /// Where cargo puts the product of a profile.
    pub(crate) fn of(profile: &str) -> Result<Self> {
        let folder = target()?.join(if profile == "dev" { "debug" } else { profile });
        Ok(Self { command: folder.join("modrack") })
    }

    /// Builds the product, showing what cargo says.
    pub(crate) fn build(profile: &str) -> Result<Self> {
        let status = cargo().args(["build", "--profile", profile]).args(PRODUCT).status()?;
        if !status.success() {
            bail!("modrack does not build");
        }
        Self::of(profile)
    }

    /// A copy that stays as it is while cargo builds the same with other features, for tests.
    pub(crate) fn set_aside(&self) -> Result<Self> {
        let folder = target()?.join("tested");
        std::fs::create_dir_all(&folder)?;
        let copy = |from: &Path| -> Result<PathBuf> {
            let to = folder.join(from.file_name().context("a file has a name")?);
            std::fs::copy(from, &to).with_context(|| from.display().to_string())?;
            Ok(to)
        };
        for extension in EXTENSIONS {
            copy(&self.command.with_file_name(extension))?;
        }
        Ok(Self { command: copy(&self.command)? })
    }

    /// The command with `args`, to be run in `folder`.
    pub(crate) fn modrack(&self, folder: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(&self.command);
        command.current_dir(folder).args(args);
        command
    }
}
