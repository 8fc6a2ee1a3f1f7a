//! Guests in Rust, built by cargo for a target without an operating system, so that all they import is what their
//! world says.
//!
//! The compiler is looked for in this order: one that has the standard library of `wasm32-unknown-unknown`; one that
//! has the library's source, from which cargo builds it; one that has `wasm32-wasip2`, whose components also import
//! WASI. None of it reaches the build of the product: cargo is given a target folder of its own, and its environment
//! is set for this one run.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::list::{Guest, Kind};
use super::stamp::hash;
use super::{Outcome, Yard};
use crate::cargo::{cargo, root};
use crate::job::capture;

/// What users of Debian or Ubuntu install; `rustc-web` is kept new enough for browsers.
const PACKAGES: &[&str] = &["rustc-web", "rust-web-src"];

/// The oldest compiler that builds the guests: the first with edition 2024.
const OLDEST: u32 = 85;

/// What to do when nothing was found.
const HOW: &str = "there is no Rust compiler for WebAssembly: `rustup target add wasm32-unknown-unknown` adds one, \
    and so does, on Debian, `apt-get install --no-install-recommends rustc-web rust-web-src`";

/// A compiler, and how cargo is told to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Toolchain {
    /// The compiler, when it is not the one that cargo takes by itself.
    rustc: Option<PathBuf>,
    /// What it says of itself.
    version: String,
    /// What it compiles for.
    target: &'static str,
    /// Whether cargo builds the standard library from source.
    builds_std: bool,
    /// The folder with `wasm-component-ld`.
    linkers: PathBuf,
}

/// A compiler that was found, with what lies beside it.
struct Compiler {
    program: PathBuf,
    version: String,
    host: String,
    sysroot: PathBuf,
}

/// Builds those that are not up to date, all of a workspace in one go.
pub(super) fn build(yard: &Yard, guests: &[&Guest]) -> Result<Vec<Outcome>> {
    let toolchain = match Toolchain::find().or_else(install) {
        Some(toolchain) => toolchain,
        None => return Ok(vec![Outcome::Skipped(HOW.to_owned()); guests.len()]),
    };
    let mut outcomes = Vec::new();
    let mut stale: Vec<(usize, &str, String)> = Vec::new();
    for (i, guest) in guests.iter().enumerate() {
        let Kind::Rust { workspace, .. } = guest.kind else { continue };
        let hash = hash(&toolchain.words(), &guest.from.concat())?;
        if !yard.has(guest, &hash) {
            stale.push((i, workspace, hash));
        }
        outcomes.push(Outcome::Fresh);
    }
    while let Some(&(_, workspace, _)) = stale.first() {
        let (these, others): (Vec<_>, Vec<_>) = stale.into_iter().partition(|(_, of, _)| *of == workspace);
        stale = others;
        let wanted: Vec<&Guest> = these.iter().map(|(i, ..)| guests[*i]).collect();
        let build = yard.folder.join("build");
        let (printed, succeeded) = capture(toolchain.cargo(&root().join(workspace), &wanted, &build))?;
        for (i, _, hash) in these {
            outcomes[i] = match succeeded {
                true => {
                    let built = build.join(toolchain.target).join("release").join(made(guests[i]));
                    yard.put(guests[i], &fs::read(&built)?, &hash)?;
                    Outcome::Built
                }
                false => Outcome::Failed(printed.clone()),
            };
        }
    }
    Ok(outcomes)
}

/// Where cargo puts a component, in the folder of its profile.
fn made(guest: &Guest) -> PathBuf {
    let file = format!("{}.wasm", guest.name.replace('-', "_"));
    match guest.kind {
        Kind::Rust { example_of: Some(_), .. } => Path::new("examples").join(file),
        _ => file.into(),
    }
}

/// Builds the package in a folder by its profile `component`; or says why not.
pub(super) fn package(yard: &Yard, folder: &Path) -> Result<std::result::Result<PathBuf, Outcome>> {
    let Some(toolchain) = Toolchain::find().or_else(install) else {
        return Ok(Err(Outcome::Skipped(HOW.to_owned())));
    };
    let build = yard.folder.join("build");
    let mut command = toolchain.base(folder, &build);
    command.args(["--profile", "component"]);
    let (printed, succeeded) = capture(command)?;
    if !succeeded {
        return Ok(Err(Outcome::Failed(printed)));
    }
    let manifest = fs::read_to_string(folder.join("Cargo.toml"))?;
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    let name = name.context("the package has a name")?.replace('-', "_");
    Ok(Ok(build.join(toolchain.target).join("component").join(name).with_extension("wasm")))
}

impl Toolchain {
    /// The best that this machine has.
    fn find() -> Option<Self> {
        let found: Vec<Compiler> = ["rustc", "/usr/bin/rustc"]
            .iter()
            .filter_map(|program| Compiler::ask(Path::new(program)))
            .collect();
        let linkers =
            found.iter().map(Compiler::linkers).find(|folder| folder.join("wasm-component-ld").exists())?;
        let with = |compiler: &Compiler, target, builds_std| Self {
            rustc: (compiler.program != Path::new("rustc")).then(|| compiler.program.clone()),
            version: compiler.version.clone(),
            target,
            builds_std,
            linkers: linkers.clone(),
        };
        let has = |target: &str| found.iter().find(|compiler| compiler.has(target));
        has("wasm32-unknown-unknown/lib")
            .map(|compiler| with(compiler, "wasm32-unknown-unknown", false))
            .or_else(|| {
                has("src/rust/library/std").map(|compiler| with(compiler, "wasm32-unknown-unknown", true))
            })
            .or_else(|| has("wasm32-wasip2/lib").map(|compiler| with(compiler, "wasm32-wasip2", false)))
    }

    /// What tells one toolchain from another.
    fn words(&self) -> String {
        format!("{} {} {}", self.version, self.target, self.builds_std)
    }

    /// Cargo, to build these packages and examples of a workspace.
    fn cargo(&self, workspace: &Path, guests: &[&Guest], build: &Path) -> Command {
        let mut command = self.base(workspace, build);
        command.args(["--release", "--locked"]);
        let has_packages =
            guests.iter().any(|guest| matches!(guest.kind, Kind::Rust { example_of: None, .. }));
        command.args(has_packages.then_some("--lib"));
        for guest in guests {
            match guest.kind {
                Kind::Rust { example_of: Some(package), .. } => {
                    command.args(["--package", package, "--example", guest.name])
                }
                _ => command.args(["--package", guest.name]),
            };
        }
        command
    }

    /// Cargo, to build what is in a folder.
    fn base(&self, folder: &Path, build: &Path) -> Command {
        let mut command = cargo();
        command.current_dir(folder).args(["build", "--quiet"]);
        command.args(["--target", self.target, "--target-dir"]).arg(build);
        // What is set for the build of the product is not meant for this one.
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            command.env_remove(name);
        }
        if let Some(rustc) = &self.rustc {
            command.env("RUSTC", rustc);
        }
        if self.builds_std {
            command.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
        }
        let linker = format!("CARGO_TARGET_{}_LINKER", self.target.to_uppercase().replace('-', "_"));
        command.env(linker, self.linkers.join("wasm-component-ld"));
        command.env("PATH", before_path(&self.linkers.join("gcc-ld")));
        command
    }
}

impl Compiler {
    /// Asks a program whether it is a compiler that is new enough.
    fn ask(program: &Path) -> Option<Self> {
        let said = |args: &[&str]| {
            let output = Command::new(program).current_dir(root()).args(args).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let version = said(&["--version", "--verbose"])?;
        let minor = minor(&version)?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "))?.to_owned();
        let sysroot = said(&["--print", "sysroot"])?.into();
        (minor >= OLDEST).then(|| Self { program: program.to_owned(), version, host, sysroot })
    }

    fn has(&self, what: &str) -> bool {
        self.sysroot.join("lib/rustlib").join(what).exists()
    }

    fn linkers(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(&self.host).join("bin")
    }
}

/// The second number of the version that a compiler says.
fn minor(version: &str) -> Option<u32> {
    let numbers = version.strip_prefix("rustc 1.")?;
    numbers.split('.').next()?.parse().ok()
}

/// Installs a compiler where that takes no question: as root, on a system with `apt-get`.
fn install() -> Option<Toolchain> {
    // Without rustup's linkers it would be for nothing.
    let rustup = Compiler::ask(Path::new("rustc"))?;
    if !rustup.linkers().join("wasm-component-ld").exists() || !is_root() {
        return None;
    }
    println!("Installing {} by apt-get", PACKAGES.join(" and "));
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-qq", "--yes"]).args(args);
        capture(command).is_ok_and(|(_, succeeded)| succeeded)
    };
    let install: Vec<&str> = ["install", "--no-install-recommends"].iter().chain(PACKAGES).copied().collect();
    // Lists of packages that are there are mostly new enough.
    let installed = apt(&install) || (apt(&["update"]) && apt(&install));
    if installed { Toolchain::find() } else { None }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// `PATH` with a folder before all others.
fn before_path(folder: &Path) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read() {
        for (said, number) in [
            ("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\nbinary: rustc", Some(96)),
            ("rustc 1.63.0", Some(63)),
            ("rustc", None),
            ("gcc 12", None),
        ] {
            assert_eq!(minor(said), number, "{said}");
        }
    }

    #[test]
    fn nothing_of_the_toolchain_is_left_out_of_the_hash() {
        let one = Toolchain {
            rustc: None,
            version: "rustc 1.96.0".to_owned(),
            target: "wasm32-unknown-unknown",
            builds_std: true,
            linkers: PathBuf::new(),
        };
        for other in [
            Toolchain { version: "rustc 1.97.0".to_owned(), ..one.clone() },
            Toolchain { target: "wasm32-wasip2", ..one.clone() },
            Toolchain { builds_std: false, ..one.clone() },
        ] {
            assert_ne!(one.words(), other.words());
        }
    }
}
