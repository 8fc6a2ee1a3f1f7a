//! The backends that this crate's features bring along.

use std::sync::Arc;

use modrack_core::plan::RackPlan;
use modrack_core::{Backend, Result};

/// The backends for a rack of this plan.
///
/// # Errors
/// A backend that cannot be made here.
pub(crate) fn of(plan: &RackPlan) -> Result<Vec<Arc<dyn Backend>>> {
    let backends: Vec<Arc<dyn Backend>> = vec![
        #[cfg(feature = "python")]
        python(plan)?,
        #[cfg(feature = "native")]
        native(plan),
        #[cfg(feature = "wasm")]
        wasm(plan),
    ];
    // Without any feature there is nothing to make of the plan.
    let _ = plan;
    Ok(backends)
}

#[cfg(feature = "python")]
fn python(plan: &RackPlan) -> Result<Arc<dyn Backend>> {
    use modrack_python::{PythonBackend, PythonSettings};

    let root = std::path::absolute(&plan.root).unwrap_or_else(|_| plan.root.clone());
    let path = match &plan.python.path {
        Some(folders) => folders.iter().map(|folder| root.join(folder)).collect(),
        None => vec![root.clone()],
    };
    let store = state(plan, &root).map(|folder| folder.join("python"));
    Ok(PythonBackend::new(PythonSettings { root, path, store })?)
}

#[cfg(feature = "native")]
fn native(plan: &RackPlan) -> Arc<dyn Backend> {
    use modrack_native::{NativeBackend, NativeSettings};

    let root = std::path::absolute(&plan.root).unwrap_or_else(|_| plan.root.clone());
    let store = state(plan, &root).map(|folder| folder.join("native"));
    Arc::new(NativeBackend::new(NativeSettings {
        root,
        store,
        kept: Some(plan.native.kept),
        ..NativeSettings::default()
    }))
}

/// Components' lines go nowhere: a program that wants them gives the backend itself.
#[cfg(feature = "wasm")]
fn wasm(plan: &RackPlan) -> Arc<dyn Backend> {
    use modrack_wasm::{WasmBackend, WasmSettings};

    let root = std::path::absolute(&plan.root).unwrap_or_else(|_| plan.root.clone());
    let cache = state(plan, &root).map(|folder| folder.join("wasm"));
    let keys = WasmSettings::keys_of_user();
    WasmBackend::new(WasmSettings { cache, keys, ..WasmSettings::default() })
}

/// The folder for what is kept between runs, if anything is.
#[cfg(any(feature = "native", feature = "python", feature = "wasm"))]
fn state(plan: &RackPlan, root: &std::path::Path) -> Option<std::path::PathBuf> {
    use modrack_core::plan::StatePlace;

    match &plan.state {
        Some(StatePlace::Memory) => None,
        Some(StatePlace::Folder(folder)) => Some(root.join(folder)),
        // A rack without a file keeps nothing beside the program.
        None => plan.file.as_ref().map(|_| root.join(".modrack")),
    }
}
