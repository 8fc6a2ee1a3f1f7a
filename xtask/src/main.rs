//! The project's own chores, run as `cargo xtask NAME`.
//!
//! Everything that a clone needs beside cargo, python3 and the package registries is set up from here. No
//! crate of the workspace is used: the chores work while the crates do not build.

mod bench;
mod cargo;
mod codegen;
mod copies;
mod count;
mod demo;
mod embed;
mod flights;
mod guests;
mod header;
mod job;
mod python;
mod sanitize;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
Usage: cargo xtask CHORE

  demo           builds modrack, runs the flights pipeline, shows what it did
  test           runs every test and ends with how many passed, failed and were skipped
  bench          runs the benchmarks and writes benches/RESULTS.md
  sanitize       runs the runtime's tests under ThreadSanitizer, and its cell under Miri, with a nightly toolchain
  tidy           holds the tree against the project's own rules
  codegen        writes what is made from other files; with --check, says what is out of date
  embed FEATURES builds examples/embed with these features and holds what it prints
  guests         builds the WebAssembly components of the project, and libraries of the same sources; with --all, also
                 those that take long; with --keep, renews those that are kept beside their source; with --package DIR,
                 builds a package that `modrack new rust` made
  flights-data   fetches all rows of examples/flights by pip
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match chore(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs one chore; false when what it tested does not hold.
fn chore(args: &[String]) -> Result<bool> {
    let (name, rest) = args.split_first().map_or(("", args), |(name, rest)| (name.as_str(), rest));
    let check = match rest {
        [] => false,
        [flag] if flag == "--check" && name == "codegen" => true,
        _ if name == "guests" => return guests::run(rest),
        _ if name == "bench" => return bench::run(rest),
        [features] if name == "embed" => return embed::check(features),
        _ => bail!("`{name}` does not take `{}`\n\n{USAGE}", rest.join(" ")),
    };
    match name {
        "demo" => demo::run(),
        "test" => test::run(),
        "bench" => bench::run(rest),
        "guests" => guests::run(rest),
        "sanitize" => sanitize::run(),
        "tidy" => tidy::run(),
        "codegen" => codegen::run(check),
        "flights-data" => flights::run(),
        "" | "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(true)
        }
        _ => bail!("there is no chore `{name}`\n\n{USAGE}"),
    }
}
