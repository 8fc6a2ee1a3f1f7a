//! Python modules for a server without an interpreter: they are read and told of, and refused before anything is touched.
//!
//! A process cannot become an interpreter while it serves. Nothing here runs a module.

use std::path::{Path, PathBuf};

use modrack_core::{
    Backend, BackendName, Code, Description, Error, Guards, Map, Origin, Result, Start, Started, Text,
};
use modrack_pysource::SourceOnly;

/// Describes Python modules as [`SourceOnly`] does, and finds with each that it cannot be started here.
#[derive(Debug)]
pub(crate) struct NoPython(pub(crate) SourceOnly);

impl Backend for NoPython {
    fn name(&self) -> BackendName {
        self.0.name()
    }

    fn describe(&self, origin: &Origin) -> Result<Description> {
        self.0.describe(origin)
    }

    fn asks_for(&self, origin: &Origin) -> Vec<PathBuf> {
        self.0.asks_for(origin)
    }

    fn recognises(&self, path: &Path, first: Option<&[u8]>) -> bool {
        self.0.recognises(path, first)
    }

    fn check_params(&self, description: &Description, params: &Map, injected: &[Text]) -> Vec<Error> {
        self.0.check_params(description, params, injected)
    }

    fn check_requires(&self, _description: &Description) -> Vec<Error> {
        let error =
            Error::new(Code::PythonMissing, "A Python module cannot run in a server that has no interpreter");
        vec![error.hint(
            "Stop the server and serve the rack again with a Python module in a slot or in its catalog, or with `python: { path: [.] }`",
        )]
    }

    fn guards(&self) -> Guards {
        self.0.guards()
    }

    fn libraries(&self) -> Vec<PathBuf> {
        self.0.libraries()
    }

    fn start(&self, start: Start<'_>) -> Result<Started> {
        self.0.start(start)
    }
}
