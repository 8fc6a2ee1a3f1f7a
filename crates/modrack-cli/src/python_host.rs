//! Which Python runs a rack's modules, and the step into it: the interpreter is run in place of this process,
//! with the same arguments and streams, and our extension module inside.
//!
//! What is named and missing is an error, never another interpreter instead. Nothing here asks an interpreter
//! anything before it runs; whether it fits is found out inside it, by `boot.py` and `refuse.py`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use modrack_core::plan::RackPlan;
use modrack_core::{Code, Error, Place, Result};
use serde_json::{Value as Json, json};

use crate::output::reason;

/// The program that the interpreter runs first.
const BOOT: &str = include_str!("boot.py");
/// What it runs when it cannot go on.
const REFUSE: &str = include_str!("refuse.py");
/// The extension's file, as cargo names it and as a wheel does.
const EXTENSION_NAMES: &[&str] = &["libmodrack_py.so", "modrack_py.abi3.so", "libmodrack_py.dylib"];
/// Its files where it was built without components: half of it, so that it is loaded sooner. It may be missing.
const LEAN_NAMES: &[&str] = &["libmodrack_py_lean.so", "libmodrack_py_lean.dylib"];
/// The environment variable that names the extension's file.
const EXTENSION_ENV: &str = "MODRACK_PYTHON_EXTENSION";

/// An interpreter that was chosen, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The program.
    pub(crate) program: PathBuf,
    /// Why this one, in words.
    pub(crate) because: String,
}

/// Which of the two builds of the extension module is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extension {
    /// The one with every backend.
    Whole,
    /// The one without components where it is there, else the other.
    Lean,
}

/// Chooses the interpreter for a rack: its `python.venv`, else `VIRTUAL_ENV`, else `.venv` beside it, else
/// `python3` on the path.
///
/// # Errors
/// [`Code::PythonMissing`] when what was named has no interpreter, or nothing was named and none is found.
pub(crate) fn choose(plan: &RackPlan) -> Result<Chosen> {
    if let Some(venv) = &plan.python.venv {
        let folder = plan.root.join(venv);
        return of_venv(&folder, "`python.venv` of the rack").map_err(|error| match &plan.python.place {
            Some(place) => error.place(place.clone()),
            None => error,
        });
    }
    if let Some(venv) = env::var_os("VIRTUAL_ENV").filter(|venv| !venv.is_empty()) {
        return of_venv(Path::new(&venv), "`VIRTUAL_ENV`");
    }
    let beside = plan.root.join(".venv");
    if fs::symlink_metadata(&beside).is_ok() {
        return of_venv(&beside, "`.venv` beside the rack");
    }
    match on_path("python3", env::var_os("PATH").as_deref()) {
        Some(program) => Ok(Chosen { program, because: "`python3` on the path".to_owned() }),
        None => Err(Error::new(Code::PythonMissing, "There is no `python3` on the path").hint(
            "Install CPython 3.10 or newer, or name a virtual environment with `python: { venv: PATH }`",
        )),
    }
}

/// Runs the interpreter in place of this process. Comes back only when that failed.
pub(crate) fn become_python(interpreter: &Chosen, wanted: Extension, args: &[OsString]) -> Error {
    let extension = match extension(wanted) {
        Ok(extension) => extension,
        Err(error) => return error,
    };
    let error = Command::new(&interpreter.program)
        .arg("-c")
        .arg(BOOT)
        .arg(REFUSE)
        .arg(extension)
        .arg(env!("CARGO_PKG_VERSION"))
        .args(args)
        .exec();
    unrunnable(interpreter, &error)
}

/// The folders of packages that the rack's interpreter has, as far as that can be told without running it.
pub(crate) fn libraries(plan: &RackPlan) -> Vec<PathBuf> {
    let Ok(chosen) = choose(plan) else { return Vec::new() };
    let Some(prefix) = chosen.program.parent().and_then(Path::parent) else { return Vec::new() };
    let mut folders = Vec::new();
    for entry in fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("python3") {
            let packages = entry.path().join("site-packages");
            folders.extend(packages.is_dir().then_some(packages));
        }
    }
    folders.sort();
    folders
}

/// The file of our extension module; what the environment names, before all.
///
/// # Errors
/// [`Code::ExtensionMissing`] when it is nowhere it should be.
pub(crate) fn extension(wanted: Extension) -> Result<PathBuf> {
    if let Some(named) = env::var_os(EXTENSION_ENV).filter(|named| !named.is_empty()) {
        let path = PathBuf::from(named);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(Error::new(
                Code::ExtensionMissing,
                format!("`{EXTENSION_ENV}` names `{}`, which is not there", path.display()),
            )
            .hint("Name the file `libmodrack_py.so`, or unset the variable"))
        };
    }
    let program = env::current_exe().and_then(fs::canonicalize).map_err(|error| {
        Error::new(
            Code::ExtensionMissing,
            format!("Where this command is cannot be told: {}", reason(&error)),
        )
        .hint(format!("Name the extension module in `{EXTENSION_ENV}`"))
    })?;
    let folder = program.parent().unwrap_or(Path::new("/"));
    let folders = [folder.to_owned(), folder.join("../lib/modrack")];
    let find = |names: &[&str]| {
        folders
            .iter()
            .flat_map(|folder| names.iter().map(|name| folder.join(name)))
            .find(|path| path.is_file())
    };
    let lean = if wanted == Extension::Lean { find(LEAN_NAMES) } else { None };
    lean.or_else(|| find(EXTENSION_NAMES)).ok_or_else(|| {
        Error::new(
            Code::ExtensionMissing,
            format!("The Python extension module is not beside `{}`", program.display()),
        )
        .hint(format!(
            "Build it with `cargo build -p modrack-py -p modrack-py-lean`, install the command with `pip install modrack`, or name \
             the file in `{EXTENSION_ENV}`"
        ))
    })
}

/// Asks an interpreter what it is, by running it.
///
/// # Errors
/// [`Code::PythonMissing`] when it does not run, or gives no answer.
pub(crate) fn ask(interpreter: &Chosen) -> Result<Json> {
    const QUESTION: &str = "import sys; print('%d.%d.%d' % sys.version_info[:3]); \
        print(getattr(sys, 'implementation', None) and sys.implementation.name or 'cpython'); \
        print(sys.executable); print(sys.prefix); print('t' in getattr(sys, 'abiflags', ''))";
    let output = Command::new(&interpreter.program)
        .args(["-c", QUESTION])
        .output()
        .map_err(|error| unrunnable(interpreter, &error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    let [version, implementation, executable, prefix, free_threaded] = lines[..] else {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().last().unwrap_or("it says nothing").to_owned();
        let message = format!("`{}` does not run: {said}", interpreter.program.display());
        return Err(Error::new(Code::PythonMissing, message).hint(advice(&interpreter.because)));
    };
    let mut parts = version.split('.').filter_map(|part| part.parse::<u32>().ok());
    let recent = (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (3, 10);
    let free_threaded = free_threaded == "True";
    Ok(json!({
        "version": version,
        "implementation": implementation,
        "executable": executable,
        "prefix": prefix,
        "free_threaded": free_threaded,
        "chosen_by": interpreter.because,
        "fits": recent && implementation == "cpython" && !free_threaded,
    }))
}

fn of_venv(folder: &Path, named_by: &str) -> Result<Chosen> {
    let program = folder.join("bin").join("python");
    let missing = |why: &str| {
        Err(Error::new(Code::PythonMissing, format!("{named_by} has no Python that runs: {why}"))
            .hint(advice(named_by)))
    };
    if fs::metadata(folder).is_err() {
        return missing(&format!("the folder `{}` is not there", folder.display()));
    }
    match fs::metadata(&program) {
        Ok(_) if is_program(&program) => {
            Ok(Chosen { program, because: format!("{named_by} (`{}`)", folder.display()) })
        }
        Ok(_) => missing(&format!("`{}` is not a program", program.display())),
        Err(_) => match fs::read_link(&program) {
            Ok(target) => missing(&format!(
                "`{}` leads to `{}`, which is not there",
                program.display(),
                target.display()
            )),
            Err(_) => missing(&format!("`{}` is not there", program.display())),
        },
    }
}

fn on_path(name: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    env::split_paths(path?)
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| folder.join(name))
        .find(|program| is_program(program))
}

fn is_program(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

fn unrunnable(interpreter: &Chosen, error: &io::Error) -> Error {
    let message = format!("`{}` cannot be run: {}", interpreter.program.display(), reason(error));
    let error = Error::new(Code::PythonMissing, message).hint(advice(&interpreter.because));
    error.place(Place::file(&interpreter.program))
}

fn advice(named_by: &str) -> String {
    if named_by.contains("VIRTUAL_ENV") {
        "Activate another virtual environment, or leave this one with `deactivate`".to_owned()
    } else if named_by.contains("venv") {
        "Make it with `python3 -m venv PATH`, or name another one with `python: { venv: PATH }`".to_owned()
    } else {
        "Install CPython 3.10 or newer, or name a virtual environment with `python: { venv: PATH }`"
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    /// Makes a folder, chooses for a rack in it whose venv is `.venv`, and gives program or message.
    fn check(make: impl Fn(&Path), shown: &str) {
        let root = tempfile::tempdir().unwrap();
        make(root.path());
        let mut plan = RackPlan { root: root.path().to_owned(), ..RackPlan::default() };
        plan.python.venv = Some(".venv".into());
        let got = match choose(&plan) {
            Ok(found) => found.program.display().to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got.replace(&*root.path().to_string_lossy(), ""), shown);
    }

    #[test]
    fn a_venv_that_is_named_has_its_own_python_or_is_an_error() {
        let bin = |root: &Path| {
            fs::create_dir_all(root.join(".venv/bin")).unwrap();
            root.join(".venv/bin/python")
        };
        check(
            |_| (),
            "`python.venv` of the rack has no Python that runs: the folder `/.venv` is not there [M0701]",
        );
        check(
            |root| drop(bin(root)),
            "`python.venv` of the rack has no Python that runs: `/.venv/bin/python` is not there [M0701]",
        );
        check(
            |root| symlink("/gone/python3", bin(root)).unwrap(),
            "`python.venv` of the rack has no Python that runs: `/.venv/bin/python` leads to `/gone/python3`, \
             which is not there [M0701]",
        );
        check(
            |root| {
                fs::write(bin(root), "").unwrap();
                fs::set_permissions(bin(root), fs::Permissions::from_mode(0o644)).unwrap();
            },
            "`python.venv` of the rack has no Python that runs: `/.venv/bin/python` is not a program [M0701]",
        );
        check(|root| symlink("/bin/sh", bin(root)).unwrap(), "/.venv/bin/python");
    }

    #[test]
    fn the_path_is_searched_in_order_for_programs() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["a", "b"] {
            fs::create_dir(root.path().join(folder)).unwrap();
            fs::write(root.path().join(folder).join("python3"), "").unwrap();
        }
        let second = root.path().join("b/python3");
        fs::set_permissions(&second, fs::Permissions::from_mode(0o755)).unwrap();
        let path = env::join_paths([root.path().join("a"), root.path().join("b")]).unwrap();
        assert_eq!(on_path("python3", Some(&path)), Some(second));
        assert_eq!(on_path("python3", Some(OsStr::new(""))), None);
        assert_eq!(on_path("python3", None), None);
    }
}
