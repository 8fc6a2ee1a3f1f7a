//! Guests in languages that bring their engine along: JavaScript by npm's `componentize-qjs`, Python by pip's
//! `componentize-py`. The tools are kept under `target/guests`, in the versions that lie beside the sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::list::Guest;
use super::stamp::{hash, with_section};
use super::{Outcome, Yard, copy_files};
use crate::cargo::root;
use crate::job::capture;
use crate::python::Interpreter;

/// Builds a guest in JavaScript.
pub(super) fn javascript(yard: &Yard, guest: &Guest, folder: &str, script: &str) -> Result<Outcome> {
    let hash = hash("componentize-qjs --sync --stub-wasi", &guest.from.concat())?;
    if yard.has(guest, &hash) {
        return Ok(Outcome::Fresh);
    }
    let source = root().join(folder);
    let tool = match npm(yard, &source)? {
        Ok(tool) => tool,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    let bench = yard.bench(guest.name)?;
    lay_out(&source, &bench)?;
    let mut command = Command::new(tool);
    command.current_dir(&bench).args([
        "--wit",
        "wit",
        "--sync",
        "--stub-wasi",
        "--output",
        "out.wasm",
        "--js",
    ]);
    command.arg(script);
    finish(yard, guest, &hash, &source, &bench, command)
}

/// Builds a guest in Python, if `asked`.
pub(super) fn python(yard: &Yard, guest: &Guest, folder: &str, module: &str, asked: bool) -> Result<Outcome> {
    let hash = hash("componentize-py --stub-wasi", &guest.from.concat())?;
    if yard.has(guest, &hash) {
        return Ok(Outcome::Fresh);
    }
    if !asked {
        return Ok(Outcome::Skipped("it takes long: `cargo xtask guests --all` builds it".to_owned()));
    }
    let source = root().join(folder);
    let Some(interpreter) = Interpreter::all().into_iter().next() else {
        return Ok(Outcome::Skipped("it needs a CPython from 3.10 on".to_owned()));
    };
    let venv = match interpreter.venv_in(&yard.folder.join("venv"), &source.join("requirements.txt")) {
        Ok(venv) => venv,
        Err(why) => return Ok(Outcome::Skipped(format!("componentize-py cannot be installed: {why:#}"))),
    };
    let bench = yard.bench(guest.name)?;
    lay_out(&source, &bench)?;
    let mut command = venv.program("componentize-py");
    command.current_dir(&bench).args([
        "--wit-path",
        "wit",
        "componentize",
        "--stub-wasi",
        "--output",
        "out.wasm",
    ]);
    command.arg(module);
    finish(yard, guest, &hash, &source, &bench, command)
}

/// Puts the sources and the interfaces into one folder: `wit/world.wit`, and under `wit/deps` the contracts.
fn lay_out(source: &Path, bench: &Path) -> Result<()> {
    copy_files(source, bench)?;
    copy_files(&root().join("contracts"), &bench.join("wit/deps"))?;
    fs::rename(bench.join("world.wit"), bench.join("wit/world.wit")).context("a guest has a `world.wit`")
}

/// Runs the tool, and has the component say what `modrack.toml` says, if there is one.
fn finish(
    yard: &Yard,
    guest: &Guest,
    hash: &str,
    source: &Path,
    bench: &Path,
    command: Command,
) -> Result<Outcome> {
    let (printed, succeeded) = capture(command)?;
    let built = bench.join("out.wasm");
    if !succeeded || !built.exists() {
        return Ok(Outcome::Failed(printed));
    }
    let mut component = fs::read(built)?;
    let said = source.join("modrack.toml");
    if said.exists() {
        component = with_section(component, "modrack", &fs::read(said)?);
    }
    yard.put(guest, &component, hash)?;
    fs::remove_dir_all(bench)?;
    Ok(Outcome::Built)
}

/// Where npm put `componentize-qjs`, in the version that `package.json` in `source` names (the tool names those of
/// its parts itself); or why it did not.
fn npm(yard: &Yard, source: &Path) -> Result<Result<PathBuf, String>> {
    let folder = yard.folder.join("npm");
    let tool = folder.join("node_modules/.bin/componentize-qjs");
    let (stamp, wanted) = (folder.join("installed.stamp"), fs::read_to_string(source.join("package.json"))?);
    if tool.exists() && fs::read_to_string(&stamp).is_ok_and(|held| held == wanted) {
        return Ok(Ok(tool));
    }
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("package.json"), &wanted)?;
    let mut command = Command::new("npm");
    command.current_dir(&folder).args([
        "install",
        "--no-package-lock",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ]);
    match capture(command) {
        Err(_) => return Ok(Err("it needs node and npm, which are not here".to_owned())),
        Ok((printed, false)) => {
            return Ok(Err(format!("npm cannot install componentize-qjs: {}", reason(&printed))));
        }
        Ok((_, true)) => {}
    }
    fs::write(stamp, wanted)?;
    Ok(Ok(tool))
}

/// The line of npm's output that says what is wrong.
fn reason(printed: &str) -> &str {
    let lines =
        printed.lines().filter_map(|line| line.strip_prefix("npm error ").or(line.strip_prefix("npm ERR! ")));
    let mut told = lines.filter(|line| !line.trim().is_empty() && !line.starts_with("code "));
    told.next().unwrap_or("it does not say why")
}
