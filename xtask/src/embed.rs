//! The program of `examples/embed`, a crate outside of the workspace, built with each feature of the facade and run.
//!
//! What it prints is held against the lines here. With Python, the programs of `src/bin` are run as well: swaps, and what becomes of
//! the memory of what was swapped out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cargo::{cargo, root, target};
use crate::count::Runner;
use crate::job::{Job, Report};
use crate::python::Interpreter;

/// A feature, and the line that the program prints for it.
const FEATURES: &[(&str, &str)] = &[
    ("async", "async: AWAITED"),
    ("native", "native: true"),
    ("wasm", "wasm: 3"),
    ("python", "python: 3"),
    ("flow", r#"flow: 2 rows, {"item":"pear","price":2} {"item":"plum","price":3}"#),
];

/// The line that it prints first when it embeds Python: what a rack says that is opened too early.
const EARLY: &str = "python: The program has not initialised the Python interpreter";

/// What `src/bin/under_load.rs` prints.
const UNDER_LOAD: &str = "\
serves 1
swapped: yes
broken: refused in step match, serves Ok(2)
rolled back: yes, serves Ok(1)
failed calls: 0
in order: yes
";

/// The line that it prints with any features.
const ALWAYS: &str = "closure: HELLO";

/// Builds and runs the program with none of the features, each of them, and all.
pub(crate) fn run(report: &Report) {
    let one_by_one = FEATURES.iter().map(std::slice::from_ref);
    for features in [&[][..]].into_iter().chain(one_by_one).chain([FEATURES]) {
        let name = match features {
            [] => "embed, no feature".to_owned(),
            [(one, _)] => format!("embed, {one}"),
            _ => "embed, all features".to_owned(),
        };
        match job(&name, features) {
            Ok(job) => report.run(job),
            Err(error) => report.fail(&name, &format!("{error:#}")),
        }
    }
}

/// Runs the program as `job` began it: its arguments are `features`, and what it must print.
///
/// # Errors
/// A build that fails, and a program that prints something else.
pub(crate) fn check(features: &str) -> Result<bool> {
    let folder = root().join("examples").join("embed");
    // The versions that the workspace was built with.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let target = target()?;
    let run = || {
        let mut build = cargo();
        build.current_dir(&folder).args(["run", "--quiet", "--no-default-features", "--features", features]);
        build.arg("--target-dir").arg(&target);
        if let Ok(interpreter) = Interpreter::default() {
            build.env("PYO3_PYTHON", interpreter.path);
        }
        build
    };
    let mut build = run();
    if features.contains("native") {
        build.arg("--").arg(library(&target)?);
    }
    let output = build.output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let chosen: Vec<&str> = features.split(',').collect();
    let lines = FEATURES.iter().filter(|(name, _)| chosen.contains(name)).map(|(_, line)| *line);
    let early = chosen.contains(&"python").then_some(EARLY);
    let expected: Vec<&str> = early.into_iter().chain([ALWAYS]).chain(lines).collect();
    ensure!(
        printed.lines().eq(expected.iter().copied()),
        "it printed\n{printed}and not\n{}",
        expected.join("\n")
    );
    if features == "python" {
        for program in ["swaps", "held", "edits"] {
            let output = run().args(["--bin", program]).output()?;
            ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    if chosen.contains(&"python") && chosen.contains(&"flow") {
        let output = run().args(["--bin", "pipelines"]).output()?;
        ensure!(output.status.success(), "pipelines: {}", String::from_utf8_lossy(&output.stderr));
    }
    if features == "wasm" {
        let output = run().args(["--bin", "under_load"]).output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "under_load: {}", String::from_utf8_lossy(&output.stderr));
        ensure!(printed == UNDER_LOAD, "under_load printed\n{printed}and not\n{UNDER_LOAD}");
    }
    Ok(true)
}

/// Builds a program of `examples/embed` with Python and components, in release, and runs it.
///
/// # Errors
/// A program that does not run to its end.
pub(crate) fn measure(program: &str) -> Result<bool> {
    Ok(Command::new(built(program)?).status()?.success())
}

/// Builds a program of `examples/embed` as [`measure`] does, and says where it is.
///
/// # Errors
/// A build that fails.
pub(crate) fn built(program: &str) -> Result<PathBuf> {
    let folder = root().join("examples").join("embed");
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let target = target()?;
    let mut build = cargo();
    build.current_dir(&folder).args(["build", "--quiet", "--release", "--no-default-features"]);
    build.args(["--features", "python,wasm", "--bin", program]).arg("--target-dir").arg(&target);
    build.env("PYO3_PYTHON", Interpreter::default()?.path);
    ensure!(build.status()?.success(), "`{program}` of `examples/embed` does not build");
    Ok(target.join("release").join(program))
}

fn job(name: &str, features: &[(&str, &str)]) -> Result<Job> {
    let names: Vec<&str> = features.iter().map(|(name, _)| *name).collect();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["embed", &names.join(",")]);
    Ok(Job::new(name, command, Runner::Whole))
}

/// The module in C, built.
fn library(target: &Path) -> Result<PathBuf> {
    let source = root().join("examples").join("native-c").join("luhn.c");
    let library = target.join("embed-luhn.so");
    let status =
        Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
    ensure!(status.context("`cc`, the C compiler")?.success(), "the module in C does not build");
    Ok(library)
}
