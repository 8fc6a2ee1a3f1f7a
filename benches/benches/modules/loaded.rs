//! What the benchmarks of modules share: where those modules are, and racks that hold them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use modrack_core::Backend;
use modrack_core::plan::{Ask, RackPlan, RackText, TextFormat};
use modrack_native::{NativeBackend, NativeSettings};
use modrack_runtime::{Bound, Rack};
use modrack_wasm::{WasmBackend, WasmSettings};

/// A folder that goes when it is no longer used.
pub struct Scratch(pub PathBuf);

impl Scratch {
    /// A new folder.
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("modrack-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("making a folder");
        Self(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("removing the folder");
    }
}

/// The module as a library.
pub fn library(name: &str) -> PathBuf {
    folder().join(format!("lib{name}.so"))
}

/// The module as a component.
pub fn component(name: &str) -> PathBuf {
    folder().join(format!("{name}.wasm"))
}

fn folder() -> PathBuf {
    std::env::var_os("MODRACK_BENCH_MODULES").expect("run by `cargo xtask bench`").into()
}

/// A rack of this text, which keeps what it keeps in `folder`.
pub fn rack_of(folder: &Path, slots: &str) -> Rack {
    let text = RackText {
        file: folder.join("rack.yaml"),
        root: folder.to_owned(),
        format: TextFormat::Yaml,
        bytes: format!("rack: 1\n{slots}").into_bytes(),
    };
    let ask = Ask { env: &|_| None, read: &|_| Err("nothing is read".to_owned()), given: &[] };
    let plan = RackPlan::parse(&text, &[], &ask).expect("a plan");
    let native = NativeSettings {
        root: folder.to_owned(),
        store: Some(folder.join("native")),
        ..NativeSettings::default()
    };
    let wasm = WasmSettings { cache: Some(folder.join("wasm")), ..WasmSettings::default() };
    let backends: Vec<Arc<dyn Backend>> = vec![Arc::new(NativeBackend::new(native)), WasmBackend::new(wasm)];
    Rack::open(plan, backends).expect("a rack")
}

/// The functions of a module in the rack.
pub fn load(rack: &Rack, path: &Path, backend: &str) -> impl Fn(&str) -> Bound + use<> {
    let slot = rack.slot(&path.display().to_string()).expect("a slot");
    assert_eq!(slot.backend().expect("a backend").to_string(), backend);
    let rack = rack.clone();
    move |name| {
        // The rack stays as long as its functions are asked for.
        let _ = &rack;
        slot.function(Some(name)).expect("a function")
    }
}
