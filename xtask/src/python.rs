//! The Python interpreters of the machine, and virtual environments made with them.
//!
//! Environments are kept under `target/venvs` and made again when what they must hold has changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::{cargo, job};

/// The oldest Python that modrack runs in.
const OLDEST: (u32, u32) = (3, 10);

/// An interpreter that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// How it is run.
    pub(crate) path: PathBuf,
    /// Its version, all of it: `3.13.0`.
    pub(crate) version: String,
    /// Its version as numbers.
    pub(crate) number: (u32, u32, u32),
    /// Where it was installed.
    pub(crate) prefix: String,
}

/// A virtual environment.
#[derive(Clone, Debug)]
pub(crate) struct Venv {
    /// Its folder.
    pub(crate) folder: PathBuf,
}

impl Interpreter {
    /// Every CPython that fits, each installation once, the newest first.
    pub(crate) fn all() -> Vec<Self> {
        let mut found = BTreeMap::new();
        for path in candidates() {
            if let Some(interpreter) = Self::ask(&path) {
                found.entry((interpreter.number, interpreter.prefix.clone())).or_insert(interpreter);
            }
        }
        found.into_values().rev().collect()
    }

    /// The interpreter that `python3` is, or else the newest.
    pub(crate) fn default() -> Result<Self> {
        Self::ask(Path::new("python3"))
            .or_else(|| Self::all().into_iter().next())
            .with_context(|| format!("no CPython {}.{} or newer was found", OLDEST.0, OLDEST.1))
    }

    /// Asks a program whether it is an interpreter that fits.
    fn ask(path: &Path) -> Option<Self> {
        const QUESTION: &str = "import sys, sysconfig; print(sys.implementation.name, \
            '%d.%d.%d' % sys.version_info[:3], sysconfig.get_config_var('Py_GIL_DISABLED') or 0, sys.base_prefix)";
        let output = Command::new(path).args(["-I", "-c", QUESTION]).output().ok()?;
        let answer = String::from_utf8(output.stdout).ok()?;
        let mut words = answer.trim_end().splitn(4, ' ');
        let (name, version, free_threaded, prefix) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
        let number = (numbers.next()??, numbers.next()??, numbers.next()??);
        let fits = name == "cpython" && free_threaded == "0" && (number.0, number.1) >= OLDEST;
        fits.then(|| Self { path: path.into(), version: version.into(), number, prefix: prefix.into() })
    }

    /// The environment of this interpreter that holds what `requirements` lists, made if need be.
    pub(crate) fn venv(&self, requirements: &Path) -> Result<Venv> {
        self.venv_in(&cargo::target()?.join("venvs"), requirements)
    }

    /// The same, in another folder than that of the tests' environments.
    pub(crate) fn venv_in(&self, folder: &Path, requirements: &Path) -> Result<Venv> {
        let name = format!("{}{}", self.version, self.prefix.replace('/', "-"));
        let venv = Venv { folder: folder.join(name) };
        let wanted = contents(requirements)?;
        let stamp = venv.folder.join("requirements.stamp");
        if fs::read_to_string(&stamp).is_ok_and(|held| held == wanted) {
            return Ok(venv);
        }
        let mut make = Command::new(&self.path);
        make.args(["-m", "venv", "--clear"]).arg(&venv.folder);
        let (printed, succeeded) = job::capture(make)?;
        ensure!(succeeded, "it cannot make virtual environments: {}", first_line(&printed));
        let mut install = venv.python();
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        install.arg(requirements);
        let (printed, succeeded) = job::capture(install)?;
        if !succeeded {
            bail!("pip cannot install {}:\n{printed}", requirements.display());
        }
        fs::write(stamp, wanted)?;
        Ok(venv)
    }
}

impl Venv {
    /// The environment's interpreter.
    pub(crate) fn python(&self) -> Command {
        self.program("python")
    }

    /// A program that was installed into the environment.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join("bin").join(name));
        command.env("VIRTUAL_ENV", &self.folder).env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        command
    }
}

/// Programs that may be interpreters: those on `PATH`, those of the system, those of pyenv and uv.
fn candidates() -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("python3")];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/bin".into(), "/usr/local/bin".into()]);
    if let Some(home) = std::env::var_os("HOME").map(PathBuf::from) {
        for versions in [home.join(".pyenv/versions"), home.join(".local/share/uv/python")] {
            folders.extend(entries(&versions).into_iter().map(|version| version.join("bin")));
        }
    }
    for folder in folders {
        found.extend(entries(&folder).into_iter().filter(|path| is_interpreter(path)));
    }
    found
}

/// Whether the file is called `python3.N`.
fn is_interpreter(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_prefix("python3.").is_some_and(|minor| minor.parse::<u32>().is_ok())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    paths
}

/// A requirements file with those that it includes.
fn contents(requirements: &Path) -> Result<String> {
    let text = fs::read_to_string(requirements).with_context(|| requirements.display().to_string())?;
    let mut all = text.clone();
    for included in text.lines().filter_map(|line| line.strip_prefix("-r ")) {
        all += &contents(&requirements.with_file_name(included.trim()))?;
    }
    Ok(all)
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_is_known_by_its_name() {
        for (name, fits) in
            [("python3.13", true), ("python3.13-config", false), ("python3", false), ("python3.", false)]
        {
            assert_eq!(is_interpreter(Path::new("/usr/bin").join(name).as_path()), fits, "{name}");
        }
    }
}
