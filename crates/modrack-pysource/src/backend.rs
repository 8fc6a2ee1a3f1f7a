//! The backend of a process without an interpreter: it reads Python modules and starts none.

use std::path::{Path, PathBuf};

use modrack_core::{
    Backend, BackendName, Description, Error, Guard, Guards, Map, Origin, Result, Start, Started, Text,
};

use crate::{Reader, check_params, error, extension_module, is_python};

/// What of a module that shares the process with its host Python can guard: it ends a call at the next bytecode.
pub const GUARDS: Guards = Guards { time: Guard::BestEffort, ..Guards::LATE };

/// Describes Python modules; starting one is an error that says that it needs an interpreter.
#[derive(Clone, Debug, Default)]
pub struct SourceOnly(pub Reader);

impl Backend for SourceOnly {
    fn name(&self) -> BackendName {
        BackendName::Python
    }

    fn describe(&self, origin: &Origin) -> Result<Description> {
        self.0.describe(origin)
    }

    fn asks_for(&self, origin: &Origin) -> Vec<PathBuf> {
        self.0.asks_for(origin)
    }

    fn recognises(&self, path: &Path, first: Option<&[u8]>) -> bool {
        recognises(path, first)
    }

    fn check_params(&self, description: &Description, params: &Map, injected: &[Text]) -> Vec<Error> {
        check_params(description, params, injected)
    }

    fn guards(&self) -> Guards {
        GUARDS
    }

    fn libraries(&self) -> Vec<PathBuf> {
        let holds =
            |folder: &&PathBuf| folder.ends_with("site-packages") || folder.ends_with("dist-packages");
        self.0.path.iter().filter(holds).cloned().collect()
    }

    fn start(&self, start: Start<'_>) -> Result<Started> {
        Err(error::needs_interpreter(&start.origin.to_string()).slot(start.slot))
    }
}

/// Whether what stands at `path` is Python: a package's folder, an extension, or a file by its first bytes.
pub fn recognises(path: &Path, first: Option<&[u8]>) -> bool {
    match first {
        Some(bytes) if bytes.starts_with(modrack_core::elf::MAGIC) => extension_module(path).is_some(),
        Some(bytes) => is_python(bytes, path),
        None => path.join("__init__.py").is_file(),
    }
}
