//! `cargo xtask sanitize`: the runtime's tests under ThreadSanitizer, and its cell under Miri.
//!
//! Both come with a nightly toolchain only, so they are no part of `cargo xtask test`. The standard library is built anew for
//! the first: what it does with locks and threads would else not be seen. A race that is found ends the test that has it.
//! Neither knows the system's call by which a publisher has all threads stand at a fence; Miri runs the fences that stand in for it.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::cargo::{root, target};

const TOOLCHAIN: &str = "nightly";

/// What is run by each: its words after `cargo +nightly`.
const THREAD: &[&str] = &["test", "-p", "modrack-runtime", "--lib", "--test", "rack", "-Zbuild-std"];
const MIRI: &[&str] =
    &["miri", "test", "-p", "modrack-runtime", "--lib", "--", "scope::", "pins::", "fences::"];

/// Runs both; false when one found something.
pub(crate) fn run() -> Result<bool> {
    let host = host()?;
    let folder = target()?.join("sanitize");
    let mut sound = true;
    for (name, words) in [("ThreadSanitizer", THREAD), ("Miri", MIRI)] {
        let mut cargo = cargo(&folder);
        let at = words.iter().position(|word| *word == "test").map_or(0, |at| at + 1);
        cargo.args(&words[..at]);
        if name == "Miri" {
            cargo.env("MIRIFLAGS", "-Zmiri-disable-isolation");
        } else {
            cargo.env("RUSTFLAGS", "-Zsanitizer=thread").env("TSAN_OPTIONS", "halt_on_error=1");
        }
        cargo.args(["--target", &host]).args(&words[at..]);
        println!("{name}:");
        sound &= cargo.status()?.success();
    }
    Ok(sound)
}

/// Cargo of the nightly toolchain, with a folder of its own for what it builds.
fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    // What the chore itself was started with would be another toolchain's.
    for name in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTC", "RUSTDOC", "CARGO_ENCODED_RUSTFLAGS"] {
        cargo.env_remove(name);
    }
    cargo.current_dir(root()).env("CARGO_TARGET_DIR", folder).arg(format!("+{TOOLCHAIN}"));
    cargo
}

/// The platform of the nightly toolchain, which must have what this needs.
fn host() -> Result<String> {
    let rustc = |what: &[&str]| -> Result<String> {
        let mut rustc = Command::new("rustc");
        rustc.env_remove("RUSTUP_TOOLCHAIN").arg(format!("+{TOOLCHAIN}")).args(what);
        let said = rustc.output()?;
        ensure!(
            said.status.success(),
            "there is no nightly toolchain: `rustup toolchain install {TOOLCHAIN}`"
        );
        Ok(String::from_utf8(said.stdout)?)
    };
    let sysroot = rustc(&["--print", "sysroot"])?;
    let sysroot = Path::new(sysroot.trim());
    let needed = [("rust-src", "lib/rustlib/src/rust/library/std"), ("miri", "bin/cargo-miri")];
    for (component, path) in needed {
        if !sysroot.join(path).exists() {
            bail!("it needs `rustup component add {component} --toolchain {TOOLCHAIN}`");
        }
    }
    let version = rustc(&["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| anyhow::anyhow!("`rustc -vV` names no host"))
}
