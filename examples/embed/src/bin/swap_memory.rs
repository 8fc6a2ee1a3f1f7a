//! What swaps cost in memory: the bytes that are allocated, by Rust and by Python, after the 100th swap and after the 1,000th, and
//! what a swap between them left. Each kind of module in a process of its own, which this program starts as itself; it panics
//! where a swap leaves more than a kibibyte, or a module that nobody has any more is alive.

use std::fs;
use std::path::Path;
use std::process::Command;

use modrack::{Rack, SlotName, Swap};
use pyo3::prelude::*;
use pyo3::types::PyModule;

/// The kinds of what is swapped.
const KINDS: [&str; 6] = ["function", "class", "package", "broken", "rollback", "component"];

/// Between which swaps it is measured.
const FROM: u64 = 100;
const TO: u64 = 1_000;

/// What a swap may leave.
const MOST: i64 = 1024;

/// Set for a process that is to measure one kind.
const ASKED: &str = "SWAP_MEMORY_OF";

/// What is allocated, once what nobody holds is freed; and how many modules of generations are alive.
const MEASURE: &std::ffi::CStr = c"
import ctypes, gc

names = 'arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost'
Info = type('Info', (ctypes.Structure,), {'_fields_': [(name, ctypes.c_size_t) for name in names.split()]})
mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Info


def measure():
    for _ in range(3):
        gc.collect()
    alive = sum(type(each) is dict and '__modrack__' in each for each in gc.get_objects())
    told = mallinfo()
    return told.uordblks + told.hblkhd, alive
";

/// A class that keeps some things, as modules do, and carries them.
const CLASS: &str = r#"
import dataclasses, enum, functools, logging, typing

log = logging.getLogger(__name__)


class _Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class _Point:
    x: int
    y: typing.Optional["_Point"] = None


@functools.lru_cache
def cached(number):
    return [number] * 100


class Counter:
    def __init__(self):
        self.kept = [_Point(number) for number in range(100)]
        self.counted = len(cached(VERSION)) - 100

    def version(self) -> int:
        log.debug("asked")
        return VERSION

    def export_state(self):
        return {"counted": self.counted + 1}

    def import_state(self, state):
        self.counted = state["counted"]
"#;

const COMPONENT: &str = r#"(component
  (core module $m (memory (export "memory") 2) (func (export "version") (result i64) (i64.const VERSION)))
  (core instance $i (instantiate $m))
  (func (export "version") (result s64) (canon lift (core func $i "version"))))
"#;

fn main() {
    match std::env::var(ASKED) {
        Ok(kind) => {
            Python::initialize();
            Python::attach(|py| {
                let measure = PyModule::from_code(py, MEASURE, c"measure", c"measure")
                    .and_then(|m| m.getattr("measure"));
                let measure = measure.expect("it runs").unbind();
                py.detach(|| swaps(&kind, &measure));
            });
        }
        Err(_) => {
            for kind in KINDS {
                // Python's own allocator keeps what it frees: without it all is counted in one place.
                let this = std::env::current_exe().expect("this program");
                let status = Command::new(this).env(ASKED, kind).env("PYTHONMALLOC", "malloc").status();
                assert!(status.expect("it runs").success(), "{kind}");
            }
        }
    }
}

/// Swaps a module of this kind, and says what that left.
fn swaps(kind: &str, measure: &Py<PyAny>) {
    let folder = tempfile::tempdir().expect("there is room");
    let folder = folder.path();
    let fills = match kind {
        "component" => "./a.wat",
        "package" => "./a/",
        _ => "./a.py",
    };
    let trial = if kind == "rollback" { "1h" } else { "0s" };
    let text = format!(
        "rack: 1\nstate: memory\nslots:\n  a: {{ use: {fills}, swap: {{ trial: {{ for: {trial} }} }} }}\n"
    );
    write(&folder.join("rack.yaml"), &text);
    write_module(kind, folder, 0);
    let rack = Rack::open(folder).expect("it opens");
    let version = rack.slot("a").and_then(|slot| slot.function::<(), i64>("version")).expect("it is there");
    let version = || version.call(()).expect("no call fails");
    assert_eq!(version(), 0);
    let name = SlotName::parse("a").expect("a name");
    let measured = || -> (i64, usize) {
        // What comes soon after a swap is over then: the janitor's looks, and itself.
        while is_there("modrack-janitor") {
            std::thread::yield_now();
        }
        Python::attach(|py| measure.call0(py).and_then(|told| told.extract(py)).expect("it measures"))
    };
    let mut before = None;
    for number in 1..=TO {
        write_module(kind, folder, number);
        let swapped = rack.swap(&Swap::reload(name.clone()));
        let is_broken = kind == "broken" && number % 2 == 1;
        assert_eq!(swapped.is_ok(), !is_broken, "{number}");
        if kind == "rollback" {
            assert_eq!(version(), number as i64);
            rack.rollback(&name, modrack::Asked::default()).expect("it is parked");
            assert_eq!(version(), 0);
        } else {
            assert_eq!(version(), (number - u64::from(is_broken)) as i64);
        }
        if number == FROM {
            before = Some(measured());
        }
    }
    let ((before, _), (after, alive)) = (before.expect("it was measured"), measured());
    let each = (after - before) / (TO - FROM) as i64;
    let serving = match kind {
        "component" => 0,
        "package" => 3,
        _ => 1,
    };
    println!(
        "{kind}: {before} bytes after {FROM} swaps, {after} after {TO}, {each} for each; {alive} modules alive"
    );
    assert!(each <= MOST, "a swap leaves {each} bytes");
    assert_eq!(alive, serving, "modules that are alive");
}

/// Whether a thread of this name is there.
fn is_there(name: &str) -> bool {
    let threads = fs::read_dir("/proc/self/task").expect("it is there").flatten();
    let mut names = threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
    names.any(|own| own.trim_end() == name)
}

fn write_module(kind: &str, folder: &Path, number: u64) {
    let version = number.to_string();
    let function = format!("def version() -> int:\n    return {number}\n");
    match kind {
        "component" => write(&folder.join("a.wat"), &COMPONENT.replace("VERSION", &version)),
        "package" => {
            write(&folder.join("a/__init__.py"), "from .inner import version\n");
            write(
                &folder.join("a/inner.py"),
                "from a.deep import VERSION\n\n\ndef version() -> int:\n    return VERSION\n",
            );
            write(&folder.join("a/deep.py"), &format!("VERSION = {number}\n"));
        }
        "class" => write(&folder.join("a.py"), &CLASS.replace("VERSION", &version)),
        "broken" if number % 4 == 1 => {
            write(&folder.join("a.py"), &format!("{function}raise ValueError({number})\n"))
        }
        "broken" if number % 4 == 3 => write(&folder.join("a.py"), &format!("{function}def (")),
        _ => write(&folder.join("a.py"), &function),
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it has one")).expect("there is room");
    fs::write(path, text).expect("it can be written");
}
