//! Pipelines that are under way while what fills their stages is swapped: the same for Python modules and, with the features
//! `native` and `wasm`, for libraries and components. No row is lost or comes twice, each batch is of one version, and what is
//! read after a swap goes through what it brought in. A program, because a test of the workspace embeds no interpreter; it
//! panics where something does not hold.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use modrack::flow::RunOptions;
use modrack::{Before, Code, Event, Rack, Result, SlotName, Swap};

/// Rows of a batch, batches of a run, and after how many of them the stage is swapped.
const ROWS: usize = 50;
const BATCHES: usize = 40;
const EVERY: usize = 8;

/// A kind of module.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Python,
    #[cfg(feature = "native")]
    Library,
    #[cfg(feature = "wasm")]
    Component,
}

const KINDS: &[Kind] = &[
    Kind::Python,
    #[cfg(feature = "native")]
    Kind::Library,
    #[cfg(feature = "wasm")]
    Kind::Component,
];

/// A stage that gives a row's number and its own version.
const PYTHON: &str = "def transform(row: dict) -> dict:\n    return {'n': row['n'], 'v': VERSION}\n";

/// The same, told of the end.
const ENDS: &str = "\n\ndef finish() -> list:\n    return []\n";

/// The same, which fails with every row.
const FAILS: &str = "\n\ndef transform(row: dict) -> dict:\n    raise ValueError('it is bad')\n";

#[cfg(feature = "native")]
const LIBRARY: &str = r#"
#include "modrack.h"
MODRACK_NOTE("instances = 'one'\nwit = 'package a:b; world module { use modrack:types/values@1.0.0.{value}; "
    "export transform: func(row: value) -> value; }'\n");
static int32_t transform(void *s, const modrack_context *c, const modrack_value *a, size_t n, modrack_output *out) {
    static modrack_entry entries[2];
    (void)s; (void)c; (void)n;
    entries[0] = a[0].payload.entries[0];
    entries[0].key = (modrack_str)MODRACK_STR("n");
    entries[1].key = (modrack_str)MODRACK_STR("v");
    entries[1].value = modrack_int(VERSION);
    out->value = modrack_map(entries, 2);
    return MODRACK_OK;
}
static const modrack_function functions[] = {{MODRACK_STR("transform"), transform}};
MODRACK_EXPORT const modrack_module modrack_module_v1 = {
    .head = MODRACK_HEAD(modrack_module), MODRACK_FUNCTIONS(functions) };
"#;

/// Takes the number out of the second part of what it is given: the first is the mapping.
#[cfg(feature = "wasm")]
const COMPONENT: &str = r#"(component
  (import "modrack:types/values@1.0.0" (instance $values
    (type $table' (record (field "ipc" (list u8))))
    (export "table" (type $table (eq $table')))
    (type $part' (variant (case "null") (case "bool" bool) (case "int" s64) (case "float" f64) (case "text" string)
      (case "bytes" (list u8)) (case "list" (list u32)) (case "map" (list (tuple string u32))) (case "table" $table)))
    (export "part" (type $part (eq $part')))
    (type $value' (record (field "parts" (list $part))))
    (export "value" (type (eq $value')))))
  (alias export $values "value" (type $value))
  (core module $m (memory (export "memory") 1)
    (data (i32.const 200) "nv")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16))
      (global.set $next (i32.add (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)) (local.get 3))))
    (global $next (mut i32) (i32.const 1024))
    (func (export "transform") (param i32 i32) (result i32)
      (i32.store (i32.const 16) (i32.const 64)) (i32.store (i32.const 20) (i32.const 3))
      (i32.store8 (i32.const 64) (i32.const 7))
      (i32.store (i32.const 72) (i32.const 128)) (i32.store (i32.const 76) (i32.const 2))
      (i32.store8 (i32.const 80) (i32.const 2)) (i64.store (i32.const 88) (i64.load (i32.add (local.get 0) (i32.const 24))))
      (i32.store8 (i32.const 96) (i32.const 2)) (i64.store (i32.const 104) (i64.const VERSION))
      (i32.store (i32.const 128) (i32.const 200)) (i32.store (i32.const 132) (i32.const 1)) (i32.store (i32.const 136) (i32.const 1))
      (i32.store (i32.const 140) (i32.const 201)) (i32.store (i32.const 144) (i32.const 1)) (i32.store (i32.const 148) (i32.const 2))
      (global.set $next (i32.const 1024))
      (i32.const 16)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (func (export "transform") (param "row" $value) (result $value)
    (canon lift (core func $i "transform") (memory $memory) (realloc $realloc))))
"#;

/// A source of six rows; it waits in the middle until the file `held` is gone.
const SOURCE: &str = r#"
import os, time


def rows():
    for number in range(6):
        if number == 3:
            open(FOLDER + "/inside", "w").close()
            while os.path.exists(FOLDER + "/held"):
                time.sleep(0.001)
        yield {"n": number, "v": VERSION}
"#;

/// What is read: batch by batch, each given when it is asked for. Before some, `before` is run on the reader's thread.
struct Rows<F> {
    batch: usize,
    text: Vec<u8>,
    before: F,
}

impl<F: FnMut(usize)> Read for Rows<F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.text.is_empty() && self.batch < BATCHES {
            (self.before)(self.batch);
            let numbers = self.batch * ROWS..(self.batch + 1) * ROWS;
            self.text = numbers.flat_map(|number| format!("{{\"n\": {number}}}\n").into_bytes()).collect();
            self.batch += 1;
        }
        let many = self.text.len().min(buffer.len());
        buffer[..many].copy_from_slice(&self.text[..many]);
        self.text.drain(..many);
        Ok(many)
    }
}

/// Bytes that are read when the run has ended.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    /// Number and version of each row.
    fn rows(&self) -> Vec<(usize, usize)> {
        let bytes = self.0.lock().expect("nobody panics");
        let number = |text: &str| text.trim().parse().expect("a number");
        let lines = std::str::from_utf8(&bytes).expect("it is text").lines().skip(1);
        lines.map(|line| line.split_once(',').map(|(n, v)| (number(n), number(v))).expect("two")).collect()
    }
}

struct Lab {
    kind: Kind,
    folder: tempfile::TempDir,
    rack: Rack,
}

impl Lab {
    /// A pipeline `p` over two stages of this kind, `a` and `b`, with this under `swap`.
    fn new(kind: Kind, swap: &str) -> Self {
        Self::with(kind, swap, "")
    }

    /// The same, with more keys of both slots.
    fn with(kind: Kind, swap: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let end = kind.ending();
        let slots =
            ["a", "b"].map(|slot| format!("  {slot}: {{ use: ./{slot}.{end}, swap: {{ {swap} }}{more} }}\n"));
        let text = format!(
            "rack: 1\nslots:\n{}pipelines:\n  p:\n    source: {{ stdin: json, infer-rows: 1, batch-rows: {ROWS} }}\n    \
             stages: [{{ slot: a, function: transform, takes: row }}, {{ slot: b, function: transform, takes: row }}]\n    \
             sink: {{ stdout: csv }}\n",
            slots.concat()
        );
        write(&folder.path().join("rack.yaml"), text.as_bytes());
        let rack = Rack::open(folder.path()).expect("it opens");
        let lab = Self { kind, folder, rack };
        lab.edit(1, "");
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes both stages' modules this version.
    fn edit(&self, version: usize, more: &str) {
        let bytes = self.kind.made(self.folder.path(), version, more);
        for slot in ["a", "b"] {
            write(&self.path("new"), &bytes);
            let file = self.path(&format!("{slot}.{}", self.kind.ending()));
            fs::rename(self.path("new"), file).expect("it can be renamed");
        }
    }

    /// Swaps both stages as one.
    fn swap(&self) -> Before {
        let swap = Swap::reload(name("a")).and(Swap::reload(name("b")));
        self.rack.swap(&swap).expect("it swaps").before
    }

    /// Runs the pipeline over all batches, with this before each of them; gives what came out.
    fn run(&self, before: impl FnMut(usize) + Send) -> (Result<u64>, Written) {
        let written = Written::default();
        let done = std::thread::scope(|scope| {
            // The reader's thread is one of the run, and what it is given lives as long as the process: it is told what to do.
            let (ask, asked) = std::sync::mpsc::channel();
            let (done, answered) = std::sync::mpsc::channel();
            let mut before = before;
            scope.spawn(move || {
                for batch in asked {
                    before(batch);
                    let _ = done.send(());
                }
            });
            let before = move |batch| {
                let _ = ask.send(batch);
                let _ = answered.recv();
            };
            let stdin = Rows { batch: 0, text: Vec::new(), before };
            let options = RunOptions {
                stdin: Some(Box::new(stdin)),
                stdout: Some(Box::new(written.clone())),
                ..RunOptions::default()
            };
            self.rack.run("p", options).map(|summary| summary.rows_out)
        });
        (done, written)
    }
}

impl Kind {
    fn ending(self) -> &'static str {
        match self {
            Self::Python => "py",
            #[cfg(feature = "native")]
            Self::Library => "so",
            #[cfg(feature = "wasm")]
            Self::Component => "wat",
        }
    }

    /// What a module's file is.
    #[cfg_attr(not(feature = "native"), expect(unused_variables, reason = "only a compiler needs a folder"))]
    fn made(self, folder: &Path, version: usize, more: &str) -> Vec<u8> {
        let version = version.to_string();
        match self {
            Self::Python => format!("{}{more}", PYTHON.replace("VERSION", &version)).into_bytes(),
            #[cfg(feature = "native")]
            Self::Library => {
                let (source, library) = (folder.join("new.c"), folder.join("new.so"));
                write(&source, LIBRARY.replace("VERSION", &version).as_bytes());
                let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include");
                let mut compiler = std::process::Command::new("cc");
                compiler.args(["-shared", "-fPIC", "-I"]).arg(include).arg("-o").arg(&library).arg(&source);
                assert!(compiler.status().expect("Rust links with it").success());
                fs::read(&library).expect("it was made")
            }
            #[cfg(feature = "wasm")]
            Self::Component => COMPONENT.replace("VERSION", &version).into_bytes(),
        }
    }
}

fn main() {
    pyo3::Python::initialize();
    // Modules run on threads of their own here: this one lets go of the interpreter.
    pyo3::Python::attach(|py| {
        py.detach(|| {
            for kind in KINDS {
                for way in ["", "state: exclusive", "overlap: false", "trial: { for: 0s }"] {
                    a_run_goes_with_swaps_batch_by_batch(&Lab::new(*kind, &with_drain(way)));
                }
                a_run_ends_when_its_rack_does(&Lab::new(*kind, ""));
            }
            a_run_that_keeps_something_ends_on_what_it_began_on();
            a_source_goes_on_until_it_is_exhausted();
            a_stage_that_fails_rows_does_not_stand_its_trial();
        });
    });
    println!("every run kept its rows");
}

/// No swap waits for more than the batch that is under way.
fn with_drain(way: &str) -> String {
    let comma = if way.is_empty() { "" } else { ", " };
    format!("{way}{comma}drain: 1h")
}

fn a_run_goes_with_swaps_batch_by_batch(lab: &Lab) {
    let (done, written) = lab.run(|batch| {
        if batch > 0 && batch % EVERY == 0 {
            lab.edit(batch / EVERY + 1, "");
            assert_ne!(lab.swap(), Before::Lingering);
        }
    });
    assert_eq!(done.expect("it runs"), (ROWS * BATCHES) as u64, "{:?}", lab.kind);
    let rows = written.rows();
    assert!(rows.iter().map(|(number, _)| *number).eq(0..ROWS * BATCHES), "{:?}", lab.kind);
    let mut before = 1;
    for (batch, rows) in rows.chunks(ROWS).enumerate() {
        let version = rows[0].1;
        assert!(rows.iter().all(|(_, of)| *of == version), "{:?}: a mixture: {rows:?}", lab.kind);
        // It was read when that swap had been made.
        assert!(version >= before && version > batch / EVERY, "{:?}: {version}", lab.kind);
        before = version;
    }
    assert_eq!((rows[0].1, before), (1, BATCHES.div_ceil(EVERY)), "{:?}", lab.kind);
    assert!(lab.rack.stop().is_empty());
}

fn a_run_ends_when_its_rack_does(lab: &Lab) {
    let (done, written) = lab.run(|batch| {
        if batch == EVERY {
            std::thread::scope(|scope| {
                lab.edit(2, "");
                let swap = scope.spawn(|| lab.rack.swap(&Swap::reload(name("a"))));
                lab.rack.stop();
                // It was made before, or was refused.
                if let Err(failed) = swap.join().expect("no panic") {
                    assert_eq!(failed.error.code(), Code::RackStopped, "{failed}");
                }
            });
        }
    });
    assert_eq!(done.expect_err("it is stopped").code(), Code::RackStopped, "{:?}", lab.kind);
    assert!(written.rows().len() <= EVERY * ROWS);
    assert!(lab.rack.kept().is_empty());
}

fn a_run_that_keeps_something_ends_on_what_it_began_on() {
    let lab = Lab::new(Kind::Python, "trial: { for: 0s }, drain: 10ms");
    lab.edit(1, ENDS);
    let (done, written) = lab.run(|batch| {
        if batch == EVERY {
            lab.edit(2, ENDS);
            assert_eq!(lab.swap(), Before::Lingering);
        }
    });
    assert_eq!(done.expect("it runs"), (ROWS * BATCHES) as u64);
    assert!(written.rows().iter().all(|(_, version)| *version == 1));
    let (done, written) = lab.run(|_| {});
    assert_eq!(done.expect("it runs"), (ROWS * BATCHES) as u64);
    assert!(written.rows().iter().all(|(_, version)| *version == 2));
}

fn a_stage_that_fails_rows_does_not_stand_its_trial() {
    let swap = "trial: { for: 1h, min-calls: 20, errors: 5% }";
    let lab = Lab::with(Kind::Python, swap, ", errors: skip");
    let (tell, told) = std::sync::mpsc::channel();
    let (tell, told) = (Mutex::new(tell), Mutex::new(told));
    lab.rack.observe(move |event| {
        if let Event::RolledBack { slots, why: Some(why), .. } = event {
            let _ = tell.lock().expect("nobody panics").send((slots.len(), why.code()));
        }
    });
    let (done, written) = lab.run(|batch| {
        if batch == EVERY {
            lab.edit(2, FAILS);
            assert_eq!(lab.swap(), Before::Parked);
        } else if batch == 2 * EVERY {
            // Those that were read before go through the stages meanwhile.
            let back = told.lock().expect("nobody panics").recv_timeout(Duration::from_secs(60));
            assert_eq!(back.expect("it goes back"), (2, Code::TrialFailed));
        }
    });
    let rows = written.rows();
    assert_eq!(done.expect("it runs"), rows.len() as u64);
    assert!(rows.len() < ROWS * BATCHES && rows.iter().all(|(_, version)| *version == 1));
    assert_eq!(rows.last().map(|(number, _)| *number), Some(ROWS * BATCHES - 1));
}

fn a_source_goes_on_until_it_is_exhausted() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = |name: &str| folder.path().join(name);
    let source = |version: &str| {
        let folder = format!("{:?}", folder.path().display().to_string());
        write(&path("s.py"), SOURCE.replace("VERSION", version).replace("FOLDER", &folder).as_bytes());
    };
    let text = "rack: 1\nslots: { s: { use: ./s.py, swap: { trial: { for: 0s }, drain: 10ms } } }\n\
                pipelines: { p: { source: { slot: s, function: rows, batch-rows: 1 }, sink: { stdout: csv } } }\n";
    write(&path("rack.yaml"), text.as_bytes());
    source("1");
    write(&path("held"), b"");
    let rack = Rack::open(folder.path()).expect("it opens");
    let run = || {
        let written = Written::default();
        let options = RunOptions { stdout: Some(Box::new(written.clone())), ..RunOptions::default() };
        rack.run("p", options).expect("it runs");
        written.rows()
    };
    let all_of = |version| (0..6).map(|number| (number, version)).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let first = scope.spawn(run);
        while !path("inside").exists() {
            std::thread::yield_now();
        }
        source("2");
        assert_eq!(rack.swap(&Swap::reload(name("s"))).expect("it swaps").before, Before::Lingering);
        fs::remove_file(path("held")).expect("it is there");
        assert_eq!(run(), all_of(2));
        assert_eq!(first.join().expect("no panic"), all_of(1));
    });
    assert!(rack.stop().is_empty());
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("it can be written");
}

fn name(slot: &str) -> SlotName {
    SlotName::parse(slot).expect("a name")
}
