//! `cargo xtask bench`: runs the benchmarks and writes `benches/RESULTS.md`.
//!
//! The benchmarks are a workspace of their own, because they link libpython and nothing else here does; the yardstick that
//! brings another engine along is one more. What is measured inside one process is criterion's;
//! `benches/drive.py` measures whole processes and writes the page.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::cargo::{Product, cargo, root, target};
use crate::python::Interpreter;
use crate::{embed, flights, guests};

/// Builds what is measured, in release, and measures it. Words after `bench` go to `drive.py`;
/// `--only swap-memory` and `--only swap-pauses` run the programs of these names in `examples/embed`, which say what swaps of
/// Python modules and components leave in memory, and for how long a call waits for one.
pub(crate) fn run(more: &[String]) -> Result<bool> {
    if let [only, program @ ("swap-memory" | "swap-pauses")] =
        &more.iter().map(String::as_str).collect::<Vec<_>>()[..]
        && *only == "--only"
    {
        return embed::measure(program);
    }
    flights::full()?;
    let product = Product::build("release")?;
    let benches = root().join("benches");
    let venv = Interpreter::default()?.venv(&root().join("tests/python/requirements.txt"))?;
    let python = venv.folder.join("bin").join("python");
    let modules = guests::for_benches()?;
    let figures = target()?.join("criterion");

    if !more.iter().any(|word| word == "--only") {
        for folder in [benches.clone(), benches.join("extism")] {
            let mut inside = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            inside.current_dir(&folder).arg("bench").env("PYO3_PYTHON", &python);
            inside.env("CARGO_TARGET_DIR", folder.join("target")).env("CRITERION_HOME", &figures);
            inside.env("MODRACK_BENCH_MODULES", &modules);
            ensure!(inside.status()?.success(), "the benchmarks in {} do not run", folder.display());
        }
    }
    let mut example = cargo();
    example.args([
        "build",
        "--release",
        "-p",
        "modrack",
        "--features",
        "native,wasm",
        "--example",
        "swap_cost",
    ]);
    ensure!(example.status()?.success(), "`swap_cost` does not build");
    let mut processes = venv.python();
    processes.current_dir(&benches).arg("drive.py").arg("--command").arg(&product.command);
    processes.arg("--python").arg(&python).arg("--modules").arg(&modules);
    processes.arg("--pauses").arg(embed::built("swap-pauses")?);
    processes.arg("--figures").arg(&figures).args(more);
    Ok(processes.status()?.success())
}
