//! What belongs to a module beside its own file: which names its imports find in its folder or package.
//!
//! Only files are looked at here; nothing is read and nothing is run.

use std::path::{Path, PathBuf};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Where the private names of a generation come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// A file and whatever it imports from its folder.
    Folder(PathBuf),
    /// A package in this folder, and nothing beside it.
    Package {
        /// The folder that the package stands in.
        folder: PathBuf,
        /// The package's name.
        top: String,
    },
    /// Source without a file.
    Nowhere,
}

/// A Python source file that a name was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceFile {
    /// The file.
    pub(crate) path: PathBuf,
    /// Whether it is a package's own file.
    pub(crate) is_package: bool,
}

/// A module's place: its home, and its name in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located {
    /// Where its private names come from.
    pub(crate) home: Home,
    /// Its dotted name as it would be without modrack.
    pub(crate) name: String,
    /// Its file.
    pub(crate) file: SourceFile,
}

impl Home {
    /// Whether `top`, the first part of an absolute import, is looked up among the generation's own names.
    pub(crate) fn looks_up(&self, py: Python<'_>, top: &str) -> bool {
        match self {
            Self::Package { top: own, .. } => own == top,
            Self::Folder(_) => !is_standard(py, top),
            Self::Nowhere => false,
        }
    }

    /// Whether `top`, the first part of an absolute import, can be one of the generation's own names.
    pub(crate) fn owns(&self, py: Python<'_>, top: &str) -> bool {
        self.looks_up(py, top)
            && match self {
                Self::Folder(folder) => has_source(folder, top),
                Self::Package { .. } | Self::Nowhere => true,
            }
    }

    /// Whether `top` is a folder of the home without a package's file: a last resort of an import.
    pub(crate) fn has_plain_folder(&self, top: &str) -> bool {
        match self {
            Self::Folder(folder) => folder.join(top).is_dir(),
            Self::Package { .. } | Self::Nowhere => false,
        }
    }

    /// The folder in which the first part of a private name is looked up.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) | Self::Package { folder, .. } => Some(folder),
            Self::Nowhere => None,
        }
    }

    /// Whether the first part of a private name may be `top`.
    pub(crate) fn admits(&self, top: &str) -> bool {
        match self {
            Self::Package { top: own, .. } => own == top,
            Self::Folder(_) => true,
            Self::Nowhere => false,
        }
    }
}

/// Where the file or package at `path` belongs.
///
/// A file that stands in a package knows its package; any other has its folder to itself. `is_there` says which files there are.
pub(crate) fn locate(path: &Path, is_there: impl Fn(&Path) -> bool) -> Located {
    let (file, own_folder) = if path.is_dir() {
        (SourceFile { path: path.join("__init__.py"), is_package: true }, Some(path.to_owned()))
    } else if path.file_name().is_some_and(|name| name == "__init__.py") {
        let folder = path.parent().map(Path::to_owned);
        (SourceFile { path: path.to_owned(), is_package: true }, folder)
    } else {
        (SourceFile { path: path.to_owned(), is_package: false }, None)
    };
    let mut parts = Vec::new();
    let mut folder = match own_folder {
        Some(own) => {
            parts.push(stem(&own, false));
            own.parent().map(Path::to_owned).unwrap_or_default()
        }
        None => {
            parts.push(stem(path, true));
            path.parent().map(Path::to_owned).unwrap_or_default()
        }
    };
    while is_there(&folder.join("__init__.py")) {
        parts.push(stem(&folder, false));
        if !folder.pop() {
            break;
        }
    }
    parts.reverse();
    let home = match parts.first() {
        Some(top) if parts.len() > 1 || file.is_package => Home::Package { folder, top: top.clone() },
        _ => Home::Folder(folder),
    };
    Located { home, name: parts.join("."), file }
}

/// The source file that `name` is in `folder`, a package before a file.
pub(crate) fn source_in(folder: &Path, name: &str) -> Option<SourceFile> {
    let package = folder.join(name).join("__init__.py");
    if package.is_file() {
        return Some(SourceFile { path: package, is_package: true });
    }
    let file = folder.join(format!("{name}.py"));
    file.is_file().then_some(SourceFile { path: file, is_package: false })
}

/// The names of the standard library's top-level modules.
static STANDARD: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Learns the names of the standard library, before the import hook is there to ask for them: `sys` itself is
/// imported to have them.
///
/// # Errors
/// What Python raised.
pub(crate) fn learn_standard(py: Python<'_>) -> PyResult<()> {
    let names = py.import(intern!(py, "sys"))?.getattr(intern!(py, "stdlib_module_names"))?;
    // Whoever was first learned the same names.
    _ = STANDARD.set(py, names.unbind());
    Ok(())
}

/// Whether `name` is a top-level module of the standard library: no file of a user takes its place.
pub(crate) fn is_standard(py: Python<'_>, name: &str) -> bool {
    STANDARD.get(py).is_some_and(|names| names.bind(py).contains(name).unwrap_or(false))
}

fn has_source(folder: &Path, name: &str) -> bool {
    source_in(folder, name).is_some()
}

/// The last part of a path as a module name; dots would make it a submodule.
fn stem(path: &Path, is_file: bool) -> String {
    let name = if is_file { path.file_stem() } else { path.file_name() };
    name.unwrap_or_default().to_string_lossy().replace('.', "_")
}
