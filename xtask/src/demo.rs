//! `cargo xtask demo`: builds modrack, runs the flights pipeline and shows what it did.
//!
//! Nothing is fetched beyond what cargo builds: rows need no Python package, so any CPython that fits will do.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::cargo::Product;
use crate::flights;
use crate::guests;
use crate::python::Interpreter;

/// One step: why, and the command.
const STEPS: &[(&str, &[&str])] = &[
    ("The rack holds these slots; nothing is loaded to list them.", &["list", "--long"]),
    ("What a module takes and gives is read, not run.", &["inspect", "clean"]),
    ("Any public function of a slot can be called.", &["call", "airports", "name", "JFK"]),
    ("Everything that can be known without running a module is checked.", &["check"]),
    ("The pipeline: CSV in, three Python modules, Parquet out.", &["run", "delays"]),
    ("What it wrote.", &["-r", "show.yaml", "run", "--limit", "5", "--quiet"]),
];

/// Runs the demonstration.
pub(crate) fn run() -> Result<bool> {
    let started = Instant::now();
    let product = Product::build("dev")?;
    println!("Built in {:.0} s.", started.elapsed().as_secs_f64());
    let python = Interpreter::default()?;
    println!("Python {} in {} runs the modules.", python.version, python.prefix);
    let flights = flights::folder();
    for (why, args) in STEPS {
        show(&product, &python, &flights, why, args)?;
    }
    show_aside(&flights)?;
    match guests::shown("price")? {
        Ok(component) => {
            let why = "A WebAssembly component, built from Rust, is a module as any other.";
            let component = component.to_string_lossy();
            show(
                &product,
                &python,
                &flights,
                why,
                &["call", &component, "_", r#"{"price":2.5,"quantity":4}"#],
            )?;
        }
        Err(why) => println!("\nNo WebAssembly component is shown: {why}"),
    }
    println!("\nREADME.md goes on from here.");
    Ok(true)
}

/// Shows a command as a user would type it, and what it prints.
fn show(product: &Product, python: &Interpreter, folder: &Path, why: &str, args: &[&str]) -> Result<()> {
    println!("\n# {why}\n$ modrack {}", typed(args));
    let status = with_python(product, python, folder, args).status().context("modrack cannot be run")?;
    ensure!(status.success(), "`modrack {}` failed", typed(args));
    Ok(())
}

/// Shows what was put aside, with the reason.
fn show_aside(folder: &Path) -> Result<()> {
    let aside = std::fs::read_to_string(folder.join("out/unknown.jsonl"))?;
    println!("\n# {} rows were put aside; each has its reason.", aside.lines().count());
    println!("$ head -n 1 out/unknown.jsonl\n{}", aside.lines().next().unwrap_or_default());
    Ok(())
}

/// The command with the interpreter that was found first on its path.
fn with_python(
    product: &Product,
    python: &Interpreter,
    folder: &Path,
    args: &[&str],
) -> std::process::Command {
    let mut command = product.modrack(folder, args);
    command.env_remove("MODRACK_RACK").env_remove("VIRTUAL_ENV");
    if let Some(bin) = python.path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path));
        if let Ok(path) = std::env::join_paths(folders) {
            command.env("PATH", path);
        }
    }
    command
}

/// Arguments as they are typed into a shell.
fn typed(args: &[&str]) -> String {
    let is_plain = |arg: &str| arg.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,@".contains(c));
    let words = args.iter().map(|arg| if is_plain(arg) { (*arg).to_owned() } else { format!("'{arg}'") });
    words.collect::<Vec<_>>().join(" ")
}
