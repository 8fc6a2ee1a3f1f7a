//! `cargo xtask guests`: the modules of the project that are WebAssembly components, and the libraries that are held
//! against them, built from source into `target/guests`.
//!
//! A guest is built when the hash of what it is made from, its compiler included, is another than last time. What
//! cannot be built here because a tool is missing is skipped, by name and with what to do; a guest whose source does
//! not compile has failed. What is out of date and not built is taken away: no test meets an old one.

mod kept;
mod library;
mod list;
mod rust;
mod script;
mod stamp;

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::count::Count;
pub(crate) use kept::shown;
use list::{GUESTS, Guest, Kind, MEASURED, MEASURED_TOO};

/// What became of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was there, made from what is there now.
    Fresh,
    /// It was built.
    Built,
    /// It cannot be built here, or was not asked for; why, and what to do.
    Skipped(String),
    /// Its source does not build; what the compiler says.
    Failed(String),
}

/// Builds, and says what became of each guest.
pub(crate) fn run(args: &[String]) -> Result<bool> {
    if let [flag, folder] = args
        && flag == "--package"
    {
        return package(Path::new(folder));
    }
    let (mut all, mut keep) = (false, false);
    for arg in args {
        match arg.as_str() {
            "--all" => all = true,
            "--keep" => keep = true,
            _ => bail!(
                "`guests` takes `--all`, which also builds those that take long, `--keep`, which renews those that are \
                 kept beside their source, and `--package DIR`, which builds a package that `modrack new rust` made"
            ),
        }
    }
    let started = Instant::now();
    let folder = folder()?;
    let outcomes = build(all)?;
    let mut said = None;
    for (name, outcome) in &outcomes {
        // What failed in one go is told once.
        if matches!(outcome, Outcome::Failed(_)) && said == Some(outcome) {
            println!("{name:<26} does not build either");
            continue;
        }
        println!("{name:<26} {outcome}");
        said = Some(outcome);
    }
    if keep {
        kept::renew()?;
    }
    println!("in {:.1} s, to {}", started.elapsed().as_secs_f64(), folder.display());
    Ok(!outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_))))
}

/// Builds a package of an author's as a component, and prints where that is.
fn package(folder: &Path) -> Result<bool> {
    let yard = Yard::open(self::folder()?)?;
    match rust::package(&yard, folder)? {
        Ok(component) => println!("{}", component.display()),
        Err(outcome) => {
            eprintln!("{} {outcome}", folder.display());
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where guests are put: beside what cargo builds.
pub(crate) fn folder() -> Result<PathBuf> {
    Ok(cargo::target()?.join("guests"))
}

/// Builds what is not up to date; `all` also what takes long. The outcomes are in the order of the list.
///
/// # Errors
/// When the folder of the guests cannot be written. What is wrong with one guest is its outcome.
pub(crate) fn build(all: bool) -> Result<Vec<(&'static str, Outcome)>> {
    build_these(&GUESTS.iter().collect::<Vec<_>>(), all)
}

/// Builds what the benchmarks call; the folder where it is.
///
/// # Errors
/// When something of it cannot be built here.
pub(crate) fn for_benches() -> Result<PathBuf> {
    let too = GUESTS.iter().filter(|guest| MEASURED_TOO.contains(&guest.name));
    for (name, outcome) in build_these(&MEASURED.iter().chain(too).collect::<Vec<_>>(), false)? {
        if let Outcome::Skipped(why) | Outcome::Failed(why) = outcome {
            bail!("`{name}` cannot be built: {why}");
        }
    }
    folder()
}

fn build_these(guests: &[&'static Guest], all: bool) -> Result<Vec<(&'static str, Outcome)>> {
    let yard = Yard::open(folder()?)?;
    let mut outcomes: Vec<Option<Outcome>> = vec![None; guests.len()];
    let in_rust: Vec<usize> =
        (0..guests.len()).filter(|i| matches!(guests[*i].kind, Kind::Rust { .. })).collect();
    let rust: Vec<&Guest> = in_rust.iter().map(|i| guests[*i]).collect();
    for (i, outcome) in in_rust.iter().zip(rust::build(&yard, &rust)?) {
        outcomes[*i] = Some(outcome);
    }
    for (guest, outcome) in guests.iter().zip(&mut outcomes) {
        match guest.kind {
            Kind::Rust { .. } => {}
            Kind::Library { workspace } => *outcome = Some(library::build(&yard, guest, workspace)?),
            Kind::JavaScript { folder, script } => {
                *outcome = Some(script::javascript(&yard, guest, folder, script)?)
            }
            Kind::Python { folder, module } => {
                *outcome = Some(script::python(&yard, guest, folder, module, all)?)
            }
        }
    }
    let mut told = Vec::new();
    for (guest, outcome) in guests.iter().zip(outcomes) {
        let outcome = outcome.context("every guest has an outcome")?;
        if matches!(outcome, Outcome::Skipped(_) | Outcome::Failed(_)) {
            yard.remove(guest)?;
        }
        told.push((guest.name, outcome));
    }
    Ok(told)
}

/// The outcomes as tests are counted, and in words what was skipped and what failed.
pub(crate) fn told(outcomes: &[(&str, Outcome)]) -> (Count, String) {
    let (mut count, mut note) = (Count::default(), String::new());
    for (name, outcome) in outcomes {
        match outcome {
            Outcome::Fresh | Outcome::Built => count.passed += 1,
            Outcome::Skipped(_) => count.skipped += 1,
            Outcome::Failed(_) => count.failed += 1,
        }
        if matches!(outcome, Outcome::Skipped(_) | Outcome::Failed(_)) {
            note += &format!("  {name} {outcome}\n");
        }
    }
    (count, note)
}

/// The folder of the guests, held by one process at a time.
struct Yard {
    folder: PathBuf,
    _held: File,
}

impl Yard {
    /// Makes the folder and waits until nobody else builds into it.
    fn open(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let held = File::create(folder.join(".lock"))?;
        held.lock()?;
        Ok(Self { folder, _held: held })
    }

    /// Whether the guest is there, made from what `hash` stands for.
    fn has(&self, guest: &Guest, hash: &str) -> bool {
        self.path(guest).exists() && fs::read_to_string(self.stamp(guest)).is_ok_and(|held| held == hash)
    }

    /// Puts a guest in its place, whole or not at all.
    fn put(&self, guest: &Guest, bytes: &[u8], hash: &str) -> Result<()> {
        let aside = self.folder.join(format!(".{}", guest.file()));
        fs::write(&aside, bytes).with_context(|| aside.display().to_string())?;
        fs::rename(&aside, self.path(guest))?;
        Ok(fs::write(self.stamp(guest), hash)?)
    }

    /// Takes away what is there of a guest.
    fn remove(&self, guest: &Guest) -> Result<()> {
        for path in [self.stamp(guest), self.path(guest)] {
            if path.exists() {
                fs::remove_file(&path).with_context(|| path.display().to_string())?;
            }
        }
        Ok(())
    }

    /// An empty folder to work in.
    fn bench(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join("work").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    fn component(&self, name: &str) -> PathBuf {
        self.folder.join(name).with_extension("wasm")
    }

    fn path(&self, guest: &Guest) -> PathBuf {
        self.folder.join(guest.file())
    }

    fn stamp(&self, guest: &Guest) -> PathBuf {
        self.folder.join(guest.name).with_extension("hash")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh => f.write_str("is up to date"),
            Self::Built => f.write_str("was built"),
            Self::Skipped(why) => write!(f, "was skipped: {why}"),
            Self::Failed(why) => write!(f, "does not build:\n{}", why.trim_end()),
        }
    }
}

/// Copies the files of a folder, not of the folders in it.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let path = entry?.path();
        if let (true, Some(name)) = (path.is_file(), path.file_name()) {
            fs::copy(&path, to.join(name)).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_built_here_is_counted_and_named() {
        let outcomes = [
            ("a", Outcome::Fresh),
            ("b", Outcome::Built),
            ("c", Outcome::Skipped("no compiler".to_owned())),
            ("d", Outcome::Failed("a mistake\n".to_owned())),
        ];
        let (count, note) = told(&outcomes);
        assert_eq!(count.to_string(), "2 passed, 1 failed, 1 skipped");
        assert_eq!(note, "  c was skipped: no compiler\n  d does not build:\na mistake\n");
    }

    #[test]
    fn every_guest_has_a_name_of_its_own_and_is_made_from_what_is_there() {
        let mut names: Vec<_> = GUESTS.iter().map(|guest| guest.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), GUESTS.len());
        for guest in GUESTS {
            for path in guest.from.concat() {
                assert!(cargo::root().join(path).exists(), "{}: {path}", guest.name);
            }
        }
    }
}
