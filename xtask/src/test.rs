//! `cargo xtask test`: every test there is, ending with one line that counts them.
//!
//! Lanes run side by side, because much of each is waiting: what cargo does, what Python does, and the guests, which
//! the tests of both are given. A job shows its output only when it failed.

use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use anyhow::Result;

use crate::cargo::{PRODUCT, Product, cargo, root};
use crate::count::Runner;
use crate::embed;
use crate::guests;
use crate::job::{Job, Report};
use crate::python::{Interpreter, Venv};

/// What authors of modules depend on: packages that can be published by themselves.
const PUBLISHED: &[&str] = &["modrack-abi", "modrack-sdk-macros", "modrack-sdk"];

/// The features of the facade that its tests are about.
const FACADE: &str = "async,flow,native,state,wasm,watch";

/// Runs everything; false when anything failed.
pub(crate) fn run() -> Result<bool> {
    let started = Instant::now();
    let report = Report::default();
    let (built, product) = channel();
    // Nothing is sent: who waits goes on when the lane of the guests has ended.
    let ((for_rust, rust_guests), (for_python, python_guests)) = (channel(), channel());
    std::thread::scope(|scope| {
        let reported = &report;
        scope.spawn(move || {
            guests_lane(reported);
            drop::<(Sender<()>, Sender<()>)>((for_rust, for_python));
        });
        scope.spawn(move || python_lane(reported, &product, &python_guests));
        rust_lane(&report, built, &rust_guests);
    });
    let total = report.close();
    println!("\nin {:.0} s", started.elapsed().as_secs_f64());
    println!("{total}");
    Ok(total.failed == 0)
}

/// Builds the components that tests call. One that cannot be built here is skipped, by its name.
fn guests_lane(report: &Report) {
    let started = Instant::now();
    match guests::build(false) {
        Ok(outcomes) => {
            let (count, note) = guests::told(&outcomes);
            report.tell("guests", count, started.elapsed(), note);
        }
        Err(error) => report.fail("guests", &format!("{error:#}")),
    }
}

/// Builds the product and hands it to the other lane, then tests and lints what is Rust.
fn rust_lane(report: &Report, built: Sender<Product>, guests: &Receiver<()>) {
    report.run(Job::new("cargo build", of_cargo(&["build"], PRODUCT), Runner::Whole));
    match Product::of("dev").and_then(|product| product.set_aside()) {
        Ok(product) => {
            // The other lane may have ended early; then nobody is told.
            _ = built.send(product);
        }
        Err(error) => report.fail("pytest", &format!("modrack is not built: {error:#}")),
    }
    drop(built);
    _ = guests.recv();
    let has_nextest =
        cargo().args(["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    // All of the workspace, also the crates that have no test binaries: with another choice of packages cargo would
    // turn on other features of what they depend on, and build that once more.
    if has_nextest {
        let command = of_cargo(&["nextest", "run", "--workspace", "--no-fail-fast", "--color=never"], &[]);
        report.run(Job::new("cargo nextest", command, Runner::Nextest));
    } else {
        let command = of_cargo(&["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"], &[]);
        report.run(Job::new("cargo test", command, Runner::Cargo));
    }
    let command = of_cargo(&["test", "--workspace", "--doc", "--no-fail-fast"], &[]);
    report.run(Job::new("doc tests", command, Runner::Cargo));
    // What not every crate of the workspace asks the facade for: without it, tests of the facade are not there.
    let facade = ["--package", "modrack", "--features", FACADE];
    let command = of_cargo(&["test", "--no-fail-fast"], &facade);
    report.run(Job::new("facade, features", command, Runner::Cargo));
    report.run(Job::new("cargo fmt", of_cargo(&["fmt", "--all", "--check"], &[]), Runner::Whole));
    let mut format = of_cargo(&["fmt", "--all", "--check"], &[]);
    format.current_dir(root().join("guests"));
    report.run(Job::new("cargo fmt guests", format, Runner::Whole));
    let mut package = vec!["package", "--quiet", "--no-verify", "--allow-dirty"];
    for name in PUBLISHED {
        package.extend(["--package", name]);
    }
    report.run(Job::new("cargo package", of_cargo(&package, &[]), Runner::Whole));
    let lint =
        of_cargo(&["clippy", "--workspace", "--all-targets", "--quiet"], &["--", "--deny", "warnings"]);
    report.run(Job::new("cargo clippy", lint, Runner::Whole));
    let mut lint = of_cargo(&["clippy", "--all-targets", "--quiet"], &facade);
    lint.args(["--", "--deny", "warnings"]);
    report.run(Job::new("clippy, facade", lint, Runner::Whole));
    embed::run(report);
    // The backend as those have it who did not ask for WASI: built for one of the programs just now.
    let command = of_cargo(&["test", "--package", "modrack-wasm", "--lib", "--tests", "--no-fail-fast"], &[]);
    report.run(Job::new("wasm without wasi", command, Runner::Cargo));
    match std::env::current_exe() {
        Ok(xtask) => {
            let mut command = Command::new(xtask);
            command.args(["codegen", "--check"]);
            report.run(Job::new("codegen", command, Runner::Whole));
        }
        Err(error) => report.fail("codegen", &error.to_string()),
    }
}

/// Makes environments while the product is built, then tests it under each interpreter and lints what is Python.
fn python_lane(report: &Report, product: &Receiver<Product>, guests: &Receiver<()>) {
    let folder = root().join("tests").join("python");
    let mut venvs = Vec::new();
    for (i, interpreter) in Interpreter::all().into_iter().enumerate() {
        let requirements = if i == 0 { "requirements-full.txt" } else { "requirements.txt" };
        let name = format!("pytest, {} in {}", interpreter.version, interpreter.prefix);
        match interpreter.venv(&folder.join(requirements)) {
            Ok(venv) => venvs.push((name, venv)),
            Err(why) if i > 0 => report.skip(&name, &format!("{why:#}")),
            Err(why) => report.fail(&name, &format!("{why:#}")),
        }
    }
    let Some((_, first)) = venvs.first().cloned() else {
        report.fail("pytest", "no environment could be made");
        return;
    };
    let Ok(product) = product.recv() else { return };
    _ = guests.recv();
    for (i, (name, venv)) in venvs.iter().enumerate() {
        let mut command = pytest(venv, &product);
        command.current_dir(&folder);
        if i > 0 {
            command.args(["-m", "not once"]);
        }
        report.run(Job::new(name.clone(), command, Runner::Pytest));
    }
    lint(report, &first);
}

fn pytest(venv: &Venv, product: &Product) -> Command {
    let mut command = venv.python();
    command.args(["-m", "pytest", "-q", "--color=no"]);
    if let Ok(xtask) = std::env::current_exe() {
        command.env("MODRACK_XTASK", xtask);
    }
    command.env("MODRACK_COMMAND", &product.command);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    with_guests(command)
}

/// Holds every Python file of the tree against ruff and mypy, with one configuration.
fn lint(report: &Report, venv: &Venv) {
    let settings = "tests/python/pyproject.toml";
    let folders = ["python", "tests/python", "tests/modules", "examples", "benches", "guests"];
    for (name, args) in [
        ("ruff check", vec!["-m", "ruff", "check", "--no-cache", "--quiet", "--config", settings]),
        (
            "ruff format",
            vec!["-m", "ruff", "format", "--no-cache", "--check", "--quiet", "--config", settings],
        ),
    ] {
        let mut command = venv.python();
        command.current_dir(root()).args(args).args(folders);
        report.run(Job::new(name, command, Runner::Whole));
    }
    for folder in ["python", "tests/python", "examples/flights"] {
        let mut command = venv.python();
        command.current_dir(root()).args([
            "-m",
            "mypy",
            "--no-incremental",
            "--config-file",
            settings,
            folder,
        ]);
        report.run(Job::new(format!("mypy {folder}"), command, Runner::Whole));
    }
}

fn of_cargo(args: &[&str], more: &[&str]) -> Command {
    let mut command = cargo();
    command.args(args).args(more);
    with_guests(command)
}

/// Says where the guests are to whoever tests them.
fn with_guests(mut command: Command) -> Command {
    if let Ok(folder) = guests::folder() {
        command.env("MODRACK_GUESTS", folder);
    }
    command
}
