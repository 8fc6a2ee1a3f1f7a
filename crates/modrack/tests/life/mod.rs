//! The life of what fills a slot, over modules as they are: one table of cases, the same for a shared library, a component and
//! a Python class. Tests of this crate run it over the first two, and the program `swaps` of `examples/embed` over the third,
//! because a test of the workspace embeds no interpreter. Which kinds are there is said by the features that both have; no
//! case knows who runs it.

mod cases;
mod load;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use modrack::{Asked, Code, Description, Keeper, Origin, Rack, Result, SlotName, Swap, SwapFailed, Swapped};

pub(crate) use cases::CASES;

/// A kind of module.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Library,
    Component,
    Python,
}

/// What is wrong with a module.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Nothing,
    /// There is no file.
    Gone,
    /// Its file ends in the middle.
    Cut,
    Start,
    Import,
    Shutdown,
    /// It has no `version`.
    Lacks,
    /// Each `count` fails.
    Count,
}

/// A case: its name, what stands under `swap` each time it is run, and what it does.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    swaps: &'static [&'static str],
    run: fn(Lab),
}

impl Case {
    /// Runs it on each kind that is there, each way to swap.
    ///
    /// # Panics
    /// Where something does not hold.
    pub(crate) fn run(&self) {
        let there = [
            (cfg!(feature = "native"), Kind::Library),
            (cfg!(feature = "wasm"), Kind::Component),
            (cfg!(feature = "python"), Kind::Python),
        ];
        for (_, kind) in there.into_iter().filter(|(is_there, _)| *is_there) {
            for swap in self.swaps {
                eprintln!("{}: {kind:?}, {{ {swap} }}", self.name);
                (self.run)(Lab::new(kind, swap));
            }
        }
    }
}

/// A rack in a folder, whose modules are written anew while it runs.
struct Lab {
    kind: Kind,
    folder: tempfile::TempDir,
    rack: Rack,
}

impl Lab {
    /// Slots `a` and `b` of this kind, with this under `swap`, that have counted to 1.
    fn new(kind: Kind, swap: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let slots = ["a", "b"]
            .map(|slot| format!("  {slot}: {{ use: './{}', swap: {{ {swap} }} }}\n", kind.used(slot)));
        std::fs::write(folder.path().join("rack.yaml"), format!("rack: 1\nslots:\n{}", slots.concat()))
            .expect("it can be written");
        for slot in ["a", "b"] {
            kind.put(folder.path(), slot, &kind.made(folder.path(), 1, Fault::Nothing));
        }
        let rack = Rack::open(folder.path()).expect("it opens");
        std::fs::create_dir(folder.path().join("kept")).expect("there is room");
        assert!(rack.runtime().keep_with(Arc::new(Beside(folder.path().join("kept")))));
        let lab = Self { kind, folder, rack };
        for slot in ["a", "b"] {
            lab.holds(slot, 1, 1);
        }
        lab
    }

    /// Writes a module.
    fn write(&self, slot: &str, version: i64, fault: Fault) {
        match fault {
            Fault::Gone => std::fs::remove_file(self.path(&self.kind.file(slot))).expect("it is there"),
            _ => self.put(slot, &self.made(version, fault)),
        }
    }

    /// What a module's file is.
    fn made(&self, version: i64, fault: Fault) -> Vec<u8> {
        self.kind.made(self.folder.path(), version, fault)
    }

    /// Puts a module's file in place.
    fn put(&self, slot: &str, bytes: &[u8]) {
        self.kind.put(self.folder.path(), slot, bytes);
    }

    fn call(&self, slot: &str, function: &str) -> Result<i64, Code> {
        let function = self.rack.slot(slot).and_then(|slot| slot.function::<(), i64>(function));
        function.and_then(|function| function.call(())).map_err(|error| error.code())
    }

    /// That the slot is of this version, and counts to this next.
    fn holds(&self, slot: &str, version: i64, count: i64) {
        let seen = (self.call(slot, "version"), self.call(slot, "count"));
        assert_eq!(seen, (Ok(version), Ok(count)), "{slot}");
    }

    fn swap(&self, slots: &[&str]) -> Result<Swapped, SwapFailed> {
        let swaps = slots.iter().map(|slot| Swap::reload(name(slot)));
        self.rack.swap(&swaps.reduce(Swap::and).expect("a slot"))
    }

    fn rollback(&self, slot: &str) -> Result<Swapped, SwapFailed> {
        self.rack.rollback(&name(slot), Asked::default())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Keeps what is about to be started, under its hash.
struct Beside(PathBuf);

impl Keeper for Beside {
    fn keep(&self, _seat: u64, origin: &Origin, about: &Description) -> modrack::Result<Option<Origin>> {
        let (Origin::File { path, attr }, Some(hash)) = (origin, &about.hash) else { return Ok(None) };
        let end = path.extension().expect("it has an ending").display().to_string();
        let kept = self.0.join(format!("{hash}.{end}"));
        std::fs::copy(path, &kept).expect("it can be copied");
        Ok(Some(Origin::File { path: kept, attr: attr.clone() }))
    }
}

impl Kind {
    /// The file of a slot's module.
    fn file(self, slot: &str) -> String {
        let end = match self {
            Self::Library => "so",
            Self::Component => "wat",
            Self::Python => "py",
        };
        format!("{slot}.{end}")
    }

    /// What the rack's text says of it.
    fn used(self, slot: &str) -> String {
        let attr = if self == Self::Python { ":Counter" } else { "" };
        self.file(slot) + attr
    }

    /// Puts a module in place as editors and build tools do: written beside, and renamed.
    fn put(self, folder: &Path, slot: &str, bytes: &[u8]) {
        let beside = folder.join("new");
        std::fs::write(&beside, bytes).expect("it can be written");
        std::fs::rename(&beside, folder.join(self.file(slot))).expect("it can be renamed");
    }

    fn made(self, folder: &Path, version: i64, fault: Fault) -> Vec<u8> {
        let mut bytes = match self {
            Self::Library => compiled(folder, version, fault),
            Self::Component => component(version, fault),
            Self::Python => python(folder, version, fault),
        };
        if fault == Fault::Cut {
            bytes.truncate(bytes.len() / 2);
            // Half of a Python file could be a whole one.
            bytes.push(b'(');
        }
        bytes
    }
}

/// The faults that a module's text is told of.
const TOLD: &[(&str, Fault)] = &[
    ("START_FAILS", Fault::Start),
    ("IMPORT_FAILS", Fault::Import),
    ("SHUTDOWN_FAILS", Fault::Shutdown),
    ("COUNT_FAILS", Fault::Count),
];

/// A component, by its text: its words in capitals are filled in.
fn component(version: i64, fault: Fault) -> Vec<u8> {
    let name = if fault == Fault::Lacks { "other" } else { "version" };
    let mut text = include_str!("counter.wat").replace("VERSION_NAME", name);
    for (word, is) in TOLD {
        text = text.replace(word, if fault == *is { "1" } else { "0" });
    }
    text.replace("VERSION", &version.to_string()).into_bytes()
}

/// A Python file with its values changed.
fn python(folder: &Path, version: i64, fault: Fault) -> Vec<u8> {
    let mut text = include_str!("counter.py").replace("VERSION = 0", &format!("VERSION = {version}"));
    text = text.replace(r#"FOLDER = """#, &format!("FOLDER = {:?}", folder.display().to_string()));
    for (word, _) in TOLD.iter().filter(|(_, is)| fault == *is) {
        text = text.replace(&format!("{word} = False"), &format!("{word} = True"));
    }
    if fault == Fault::Lacks {
        text = text.replace("def version", "def other");
    }
    text.into_bytes()
}

/// A library from C.
fn compiled(folder: &Path, version: i64, fault: Fault) -> Vec<u8> {
    let (source, library) = (folder.join("new.c"), folder.join("new.so"));
    std::fs::write(&source, include_str!("counter.c")).expect("it can be written");
    // As far from here as from the crate that includes this.
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-I"]).arg(include).arg("-o").arg(&library).arg(&source);
    compiler.arg(format!("-DVERSION={version}")).arg(format!("-DFOLDER=\"{}\"", folder.display()));
    for (word, is) in TOLD.iter().chain(&[("LACKS", Fault::Lacks)]) {
        compiler.arg(format!("-D{word}={}", u8::from(fault == *is)));
    }
    assert!(compiler.status().expect("Rust links with it").success());
    std::fs::read(&library).expect("it was made")
}

fn name(slot: &str) -> SlotName {
    SlotName::parse(slot).expect("a name")
}
