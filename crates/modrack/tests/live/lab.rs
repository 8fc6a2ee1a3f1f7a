//! A folder with a rack and modules that are written anew, and the rack as one process after the other has it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use modrack::live::{LiveRack, LiveSettings, Override, SwapRequest, SwapSlot};
use modrack::{Asked, Code, Error, Rack, SlotName, SwapFailed, Swapped, text};

/// A kind of module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Library,
    Component,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Library, Kind::Component];

/// What is wrong with a module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    Nothing,
    /// It does not start.
    Start,
    /// It ends the process when it is started.
    Ends,
    /// It ends the process when it is started while there is a file `ends` beside it.
    EndsSometimes,
    /// It starts when the pipe `gate` beside it was opened and closed.
    Waits,
}

/// A rack in a folder; processes come and go.
pub(crate) struct Lab {
    pub(crate) kind: Kind,
    folder: tempfile::TempDir,
}

impl Lab {
    /// A rack whose slot `a` is filled by version 1 of `a`, and `b` by `b`. `more` stands in the mapping of each.
    pub(crate) fn new(kind: Kind, more: &str) -> Self {
        let lab = Self { kind, folder: tempfile::tempdir().expect("there is room") };
        let slot = |slot: &str| format!("  {slot}: {{ use: {}{more} }}\n", lab.file(slot));
        lab.rack_text(&format!("rack: 1\nslots:\n{}{}", slot("a"), slot("b")));
        for module in ["a", "b"] {
            lab.write(module, 1, Fault::Nothing);
        }
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The `use` text of a module.
    pub(crate) fn file(&self, module: &str) -> String {
        format!("./{module}.{}", self.kind.ending())
    }

    pub(crate) fn rack_text(&self, text: &str) {
        std::fs::write(self.path("rack.yaml"), text).expect("it can be written");
    }

    /// Writes a module as editors and build tools do: beside, and renamed.
    pub(crate) fn write(&self, module: &str, version: i64, fault: Fault) {
        write(self.kind, self.folder.path(), module, version, fault);
    }

    /// Makes the pipe that modules wait for.
    pub(crate) fn gate(&self) {
        assert!(Command::new("mkfifo").arg(self.path("gate")).status().expect("it runs").success());
    }

    /// Waits until a module waits at its gate; it goes on when what is given goes.
    pub(crate) fn arrived(&self) -> std::fs::File {
        std::fs::File::options().write(true).open(self.path("gate")).expect("it is a pipe")
    }

    /// The rack as another process opens it, and what it warns of.
    pub(crate) fn attach(&self) -> (Live, Vec<Error>) {
        self.attach_with(|_| {})
    }

    pub(crate) fn attach_with(&self, change: impl FnOnce(&mut LiveSettings)) -> (Live, Vec<Error>) {
        let (live, warnings) = attach(self.folder.path(), change).expect("it is nobody's");
        (Live(live), warnings)
    }

    /// The rack as another process opens it, which warns of nothing, with every slot started.
    pub(crate) fn started(&self) -> Live {
        let (live, warnings) = self.attach();
        assert!(warnings.is_empty(), "{warnings:?}");
        for started in live.0.start() {
            assert!(started.why.is_none() && started.served.is_some(), "{started:?}");
        }
        assert!(live.0.readiness().is_ready());
        live
    }
}

/// Opens the rack of a folder and joins it to its state.
pub(crate) fn attach(
    folder: &Path,
    change: impl FnOnce(&mut LiveSettings),
) -> modrack::Result<(LiveRack, Vec<Error>)> {
    let rack = Rack::open(folder)?;
    let mut settings = LiveSettings {
        folder: Some(folder.join(".modrack")),
        source: Some(text::Source::File(folder.join("rack.yaml"))),
        who: "tests".to_owned(),
        ..LiveSettings::default()
    };
    change(&mut settings);
    LiveRack::attach(rack.runtime().clone(), settings)
}

/// A process that has the rack.
pub(crate) struct Live(pub(crate) LiveRack);

impl Live {
    /// What the slot's module says that it is.
    pub(crate) fn version(&self, slot: &str) -> Result<i64, Code> {
        version(&self.0, slot)
    }

    pub(crate) fn swap(&self, slot: &str, to: Option<&str>) -> Result<Swapped, SwapFailed> {
        self.swap_set(slot, to, &[])
    }

    pub(crate) fn swap_set(&self, slot: &str, to: Option<&str>, set: &[&str]) -> Result<Swapped, SwapFailed> {
        let set = set.iter().map(|set| (*set).to_owned()).collect();
        let slots = vec![SwapSlot { slot: name(slot), to: to.map(str::to_owned), set }];
        self.0.swap(&SwapRequest { slots, asked: asked(), ..SwapRequest::default() })
    }

    pub(crate) fn rollback(&self, slot: &str, to: Option<&str>) -> Result<Swapped, SwapFailed> {
        self.0.rollback(&name(slot), to, false, asked())
    }

    /// The history, oldest first, a line each: action, outcome, slots.
    pub(crate) fn history(&self) -> Vec<String> {
        let entries = self.0.history(None, 1000).expect("it can be read");
        let lines = entries.iter().rev().map(|entry| {
            let slots: Vec<_> = entry.slots.iter().map(|slot| slot.slot.to_string()).collect();
            format!("{} {} {}", entry.action.as_str(), slots.join(" "), entry.outcome.as_str())
        });
        lines.collect()
    }

    pub(crate) fn overridden(&self) -> Vec<(String, String)> {
        let status = self.0.status().expect("it can be read");
        let overridden = status.slots.into_iter().filter_map(|slot| slot.overridden);
        overridden.map(|Override { slot, to, .. }| (slot.to_string(), to.use_text)).collect()
    }

    pub(crate) fn stop(self) {
        assert!(self.0.stop().is_empty());
    }
}

pub(crate) fn version(live: &LiveRack, slot: &str) -> Result<i64, Code> {
    let function = live.rack().slot(slot).and_then(|slot| slot.function(Some("version")));
    let given = function.and_then(|function| function.call(modrack_core_call())).map_err(|why| why.code())?;
    match given {
        modrack::Value::Int(version) => Ok(version),
        other => panic!("{other:?}"),
    }
}

fn modrack_core_call() -> modrack::Call<'static> {
    modrack::Call::default()
}

pub(crate) fn name(slot: &str) -> SlotName {
    SlotName::parse(slot).expect("a name")
}

pub(crate) fn asked() -> Asked {
    Asked { who: "ann".to_owned(), why: "a test".to_owned() }
}

impl Kind {
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Library => "so",
            Self::Component => "wat",
        }
    }
}

const LIBRARY: &str = r#"
#include "modrack.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
MODRACK_NOTE("instances = 'shared'\nwit = 'package a:b; world module { export version: func() -> s64; }'\n");
static int32_t make(const modrack_context *c, const modrack_value *params, void **instance, modrack_output *error) {
    (void)c; (void)params;
    if (ENDS) _Exit(9);
#ifdef FOLDER
    if (ENDS_SOMETIMES && !access(FOLDER "/ends", F_OK)) _Exit(9);
    if (WAITS) { FILE *gate = fopen(FOLDER "/gate", "r"); if (gate) { fgetc(gate); fclose(gate); } }
#endif
    if (START_FAILS) return modrack_fail(error, MODRACK_FAILED, "it does not start");
    *instance = calloc(1, 8);
    return MODRACK_OK;
}
static int32_t version(void *s, const modrack_context *c, const modrack_value *a, size_t n, modrack_output *out) {
    (void)s; (void)c; (void)a; (void)n;
    out->value = modrack_int(VERSION);
    return MODRACK_OK;
}
static const modrack_function functions[] = {{MODRACK_STR("version"), version}};
MODRACK_EXPORT const modrack_module modrack_module_v1 = {
    .head = MODRACK_HEAD(modrack_module), .flags = MODRACK_THREAD_SAFE, .create = make, .destroy = free,
    MODRACK_FUNCTIONS(functions) };
"#;

const COMPONENT: &str = r#"(component
  (core module $m
    (func $begin (if (i32.const START_FAILS) (then unreachable)))
    (start $begin)
    (func (export "version") (result i64) (i64.const VERSION)))
  (core instance $i (instantiate $m))
  (func (export "version") (result s64) (canon lift (core func $i "version"))))
"#;

pub(crate) fn write(kind: Kind, folder: &Path, module: &str, version: i64, fault: Fault) {
    let flag = |is: Fault| if fault == is { "1" } else { "0" };
    let (beside, there) = (folder.join("new"), folder.join(format!("{module}.{}", kind.ending())));
    match kind {
        Kind::Library => {
            let of = match fault {
                Fault::EndsSometimes => Some((folder, "ENDS_SOMETIMES=1", "WAITS=0")),
                Fault::Waits => Some((folder, "ENDS_SOMETIMES=0", "WAITS=1")),
                _ => None,
            };
            let built = built(version, flag(Fault::Start), flag(Fault::Ends), of);
            std::fs::copy(built, &beside).expect("it can be copied");
        }
        Kind::Component => {
            assert!(matches!(fault, Fault::Nothing | Fault::Start), "no component can");
            let text = COMPONENT.replace("VERSION", &version.to_string());
            std::fs::write(&beside, text.replace("START_FAILS", flag(Fault::Start)))
                .expect("it can be written");
        }
    }
    std::fs::rename(&beside, &there).expect("it can be renamed");
}

/// A library, compiled once in this process; one of a folder each time.
fn built(version: i64, fails: &str, ends: &str, of: Option<(&Path, &str, &str)>) -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("there is room")).path();
    let own =
        of.map_or_else(String::new, |(of, first, _)| format!("-{}{first}", of.display()).replace('/', "-"));
    let built = folder.join(format!("{version}-{fails}-{ends}{own}.so"));
    if built.exists() {
        return built;
    }
    let mine = tempfile::tempdir_in(folder).expect("there is room");
    let (source, beside) = (mine.path().join("new.c"), mine.path().join("new.so"));
    std::fs::write(&source, LIBRARY).expect("it can be written");
    let mut own = Vec::new();
    if let Some((of, first, second)) = of {
        own = vec![format!("-DFOLDER=\"{}\"", of.display()), format!("-D{first}"), format!("-D{second}")];
    }
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-I"]).arg(include).arg("-o").arg(&beside).arg(&source);
    compiler
        .args(own)
        .arg(format!("-DVERSION={version}"))
        .arg(format!("-DSTART_FAILS={fails}"))
        .arg(format!("-DENDS={ends}"));
    assert!(compiler.status().expect("Rust links with it").success());
    std::fs::rename(&beside, &built).expect("it can be renamed");
    built
}
