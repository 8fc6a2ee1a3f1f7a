//! Native modules as a rack meets them: small libraries in C, built by the compiler that links Rust programs, sound
//! ones and such as are broken in one way each.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod broken;
mod calls;
mod elf;
mod found;
mod layout;
mod loading;
mod misuse;
mod values;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use modrack_core::plan::{Allow, Limits};
use modrack_core::{
    Args, Backend, Call, CopyMeter, Description, Error, GenerationId, Instance, Log, Map, Origin, Result,
    Service, SlotName, Start, Text, Value,
};
use modrack_native::{NativeBackend, NativeSettings};

/// A folder for libraries, and a backend that loads them.
struct Lab {
    folder: tempfile::TempDir,
    backend: NativeBackend,
    said: Arc<Mutex<Vec<String>>>,
}

/// What every source begins with: functions are `F(name) { ... }`, with `a`, `n` and `out` at hand.
const BEGIN: &str = r#"
#include "modrack.h"
#define F(name) static int32_t name(void *self, const modrack_context *c, const modrack_value *a, size_t n, \
    modrack_output *out)
#define UNUSED (void)self; (void)c; (void)a; (void)n
#define GIVE(v) do { out->value = (v); return MODRACK_OK; } while (0)
"#;

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        let backend = NativeBackend::new(NativeSettings {
            root: folder.path().to_owned(),
            store: Some(folder.path().join(".modrack/native")),
            log: Log::new(move |line| {
                let slot = line.slot.map_or("", SlotName::as_str);
                heard.lock().unwrap().push(format!("{slot} {}: {}", line.level.as_str(), line.message));
            }),
            kept: None,
        });
        Self { folder, backend, said }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Builds a library of this source.
    fn build(&self, name: &str, source: &str) -> PathBuf {
        self.build_with(name, &format!("{BEGIN}{source}"), &[])
    }

    fn build_with(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        let (file, library) = (self.path(&format!("{name}.c")), self.path(name));
        std::fs::create_dir_all(library.parent().unwrap()).unwrap();
        std::fs::write(&file, source).unwrap();
        let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include");
        let mut command = Command::new("cc");
        command.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I"]).arg(include);
        command.arg("-o").arg(&library).arg(&file).args(flags).current_dir(self.folder.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        library
    }

    /// A library of these functions, each of which is its name; the rest of its table is what is given.
    fn module(&self, name: &str, functions: &[&str], source: &str, table: &str) -> PathBuf {
        self.build(name, &format!("{source}\n{}", show(functions, table)))
    }

    fn describe(&self, path: &Path) -> Result<Description> {
        self.backend.describe(&Origin::File { path: path.to_owned(), attr: None })
    }

    fn start(&self, path: &Path) -> Result<Arc<dyn Instance>> {
        self.start_with(path, &Map::new(), Vec::new())
    }

    fn start_with(
        &self,
        path: &Path,
        params: &Map,
        services: Vec<(Text, Arc<dyn Service>)>,
    ) -> Result<Arc<dyn Instance>> {
        let origin = Origin::File { path: path.to_owned(), attr: None };
        let description = self.backend.describe(&origin)?;
        self.start_described(&origin, &description, params, services)
    }

    fn start_described(
        &self,
        origin: &Origin,
        description: &Description,
        params: &Map,
        services: Vec<(Text, Arc<dyn Service>)>,
    ) -> Result<Arc<dyn Instance>> {
        let slot = SlotName::parse("slot").unwrap();
        let started = self.backend.start(Start {
            origin,
            description,
            slot: &slot,
            generation: GenerationId(1),
            params,
            services,
            limits: &Limits::default(),
            allow: &Allow::default(),
            copies: &Arc::new(CopyMeter::default()),
            root: self.folder.path(),
        })?;
        Ok(started.instance)
    }
}

/// The table of a module with these functions.
fn show(functions: &[&str], table: &str) -> String {
    let entries: Vec<String> = functions.iter().map(|f| format!("{{MODRACK_STR(\"{f}\"), {f}}}")).collect();
    format!(
        "static const modrack_function functions[] = {{ {} }};\n\
         MODRACK_EXPORT const modrack_module modrack_module_v1 = {{ .head = MODRACK_HEAD(modrack_module), \
         MODRACK_FUNCTIONS(functions), {table} }};\n",
        entries.join(", ")
    )
}

fn call(instance: &Arc<dyn Instance>, function: &str, args: &[Value]) -> Result<Value> {
    instance.function(function)?.call(Call::new(args))
}

fn named(instance: &Arc<dyn Instance>, function: &str, named: &[(&str, Value)]) -> Result<Value> {
    let named: Vec<_> = named.iter().map(|(name, value)| (Text::from(*name), value.clone())).collect();
    let args = Args { positional: &[], named: &named };
    instance.function(function)?.call(Call { args, ..Call::default() })
}

/// A failure as one line: its code and its message.
fn line(error: &Error) -> String {
    format!("{}: {}", error.code(), error.message())
}

fn failed<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => panic!("it went well"),
        Err(error) => line(&error),
    }
}
