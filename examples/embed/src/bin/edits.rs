//! What an edit of a Python module changes, and what goes on as it began: names that are gone, classes, pickles, helpers, loggers;
//! calls, coroutines, generators and exceptions that a swap comes in the middle of. A program, because a test of the workspace
//! embeds no interpreter; it panics where something does not hold.

use std::fs;
use std::path::{Path, PathBuf};

use modrack::{Before, Call, Code, Error, Rack, SlotName, Swap, Value};
use pyo3::prelude::*;

const MODULE: &str = r#"
import asyncio
import dataclasses
import enum
import functools
import logging
import os
import pickle
import sys
import time

from helper import BASE

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())
guarded = logging.getLogger("guarded")
if not guarded.handlers:
    guarded.addHandler(logging.NullHandler())


class _Colour(enum.Enum):
    RED = VERSION
    BLUE = VERSION + 1


@dataclasses.dataclass
class _Point:
    x: int = VERSION
    colour: "_Colour" = _Colour.RED


class _Own(ValueError):
    pass


def _adder(by):
    return lambda number, more=VERSION: number + by + more


_add = _adder(VERSION)


@functools.lru_cache
def _cached(number):
    return number + VERSION


def version() -> int:
    return BASE + VERSION


def check() -> dict:
    point = pickle.loads(pickle.dumps(_Point()))
    return {
        "class": type(point) is _Point and isinstance(point, sys.modules[__name__]._Point),
        "dataclass": point == _Point() and point.x == VERSION,
        "enum": pickle.loads(pickle.dumps(_Colour.RED)) is _Colour.RED and _Colour(VERSION) is _Colour.RED,
        "closure": _add(1) == 1 + 2 * VERSION,
        "cache": _cached(1) == 1 + VERSION,
        "logger": log.name == "m",
    }


def handlers() -> list:
    return [len(log.handlers), len(guarded.handlers)]


def dump() -> bytes:
    return pickle.dumps(_Point())


def load(data: bytes) -> int:
    return pickle.loads(data).x


def rows():
    for number in range(3):
        yield 10 * number + VERSION


def _wait():
    with open(FOLDER + "/inside", "w"):
        pass
    while os.path.exists(FOLDER + "/held"):
        time.sleep(0.001)


async def coroutine() -> int:
    with open(FOLDER + "/inside", "w"):
        pass
    while os.path.exists(FOLDER + "/held"):
        await asyncio.sleep(0.001)
    return VERSION


def call() -> int:
    _wait()
    return VERSION


def fail():
    _wait()
    raise _Own("VERSION")
"#;

/// What only the first version has.
const FIRST: &str = "\n\nlegacy = 1\n\n\ndef old() -> int:\n    return legacy\n";

struct Lab {
    folder: tempfile::TempDir,
    rack: Rack,
}

impl Lab {
    /// Version 1, started.
    fn new(swap: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let text = format!(
            "rack: 1\nslots:\n  a: {{ use: ./a/m.py, swap: {{ {swap} }} }}\n  p: {{ use: ./p/, swap: {{ {swap} }} }}\n"
        );
        write(&folder.path().join("rack.yaml"), &text);
        let rack = Rack::open(folder.path()).expect("it opens");
        let lab = Self { folder, rack };
        write(&lab.path("a/helper.py"), "BASE = 0\n");
        lab.edit(1, FIRST);
        assert_eq!(lab.number("version"), 1);
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn edit(&self, version: i64, more: &str) {
        let folder = format!("{:?}", self.folder.path().display().to_string());
        let text = MODULE.replace("VERSION", &version.to_string()).replace("FOLDER", &folder);
        write(&self.path("a/m.py"), &format!("{text}{more}"));
    }

    fn swap(&self) -> Before {
        self.rack.swap(&Swap::reload(name("a"))).expect("it swaps").before
    }

    fn ask(&self, function: &str, args: &[Value]) -> Result<Value, Error> {
        self.rack.slot("a")?.runtime().function(Some(function))?.call(Call::new(args))
    }

    fn number(&self, function: &str) -> i64 {
        match self.ask(function, &[]) {
            Ok(Value::Int(number)) => number,
            other => panic!("{function}: {other:?}"),
        }
    }

    /// Begins a call that goes on until `go_on`.
    fn begin<'s>(
        &'s self,
        scope: &'s std::thread::Scope<'s, '_>,
        function: &'static str,
    ) -> std::thread::ScopedJoinHandle<'s, Result<Value, Error>> {
        write(&self.path("held"), "");
        let call = scope.spawn(move || self.ask(function, &[]));
        while !self.path("inside").exists() {
            std::thread::yield_now();
        }
        fs::remove_file(self.path("inside")).expect("it is there");
        call
    }

    fn go_on(&self) {
        fs::remove_file(self.path("held")).expect("it is there");
    }
}

fn main() {
    Python::initialize();
    Python::attach(|py| {
        py.detach(|| {
            new_code_is_whole();
            what_an_older_version_pickled_is_still_to_be_had();
            a_name_that_is_gone_is_gone();
            edits_of_one_size_in_one_second_are_seen();
            an_edited_submodule_is_the_new_one();
            what_is_under_way_ends_on_what_it_began_on();
            a_generator_goes_on_while_it_is_pinned();
        });
    });
    println!("every edit came in whole");
}

fn new_code_is_whole() {
    let lab = Lab::new("trial: { for: 0s }");
    for version in 1..5 {
        let Ok(Value::Map(checked)) = lab.ask("check", &[]) else { panic!("it gives a mapping") };
        let wrong: Vec<_> = checked.iter().filter(|(_, held)| **held != Value::Bool(true)).collect();
        assert!(wrong.is_empty(), "{version}: {wrong:?}");
        // Each has one handler of its own, and the one that is looked for first is the first one's.
        let one = Value::List(vec![Value::Int(1), Value::Int(1)].into());
        assert_eq!(lab.ask("handlers", &[]).expect("it counts"), one, "{version}");
        lab.edit(version + 1, FIRST);
        lab.swap();
    }
    write(&lab.path("a/helper.py"), "BASE = 100\n");
    lab.swap();
    assert_eq!(lab.number("version"), 105);
}

/// It is an object of the version that pickled it.
fn what_an_older_version_pickled_is_still_to_be_had() {
    let lab = Lab::new("trial: { for: 0s }");
    let mut old = Vec::new();
    for version in 1..4 {
        old.push((version, lab.ask("dump", &[]).expect("it pickles")));
        for (x, pickled) in &old {
            let loaded = lab.ask("load", std::slice::from_ref(pickled)).expect("it loads");
            assert_eq!(loaded, Value::Int(*x), "{version}");
        }
        lab.edit(version + 1, FIRST);
        lab.swap();
    }
}

fn a_name_that_is_gone_is_gone() {
    let lab = Lab::new("trial: { for: 0s }");
    lab.edit(2, "");
    lab.swap();
    let slot = lab.rack.slot("a").expect("it is declared");
    let why = lab.ask("old", &[]).expect_err("it is gone");
    assert_eq!(why.code(), Code::UnknownFunction);
    let why = slot.runtime().attribute("legacy").expect_err("it is gone");
    assert_eq!(why.code(), Code::UnknownAttribute);
    assert_eq!(
        slot.runtime().pin().expect("it is loaded").instance().names().iter().find(|name| *name == "old"),
        None
    );
}

fn edits_of_one_size_in_one_second_are_seen() {
    let lab = Lab::new("trial: { for: 0s }");
    let when = fs::metadata(lab.path("a/m.py")).and_then(|about| about.modified()).expect("it is there");
    for version in 2..10 {
        lab.edit(version, FIRST);
        let file = fs::File::options().write(true).open(lab.path("a/m.py")).expect("it is there");
        file.set_modified(when).expect("it can be set");
        lab.swap();
        assert_eq!(lab.number("version"), version);
    }
}

fn an_edited_submodule_is_the_new_one() {
    let lab = Lab::new("trial: { for: 0s }");
    let ask = || {
        lab.rack.slot("p").and_then(|slot| slot.function::<(), i64>("version")?.call(())).expect("it answers")
    };
    write(&lab.path("p/__init__.py"), "from .inner.deep import version\n");
    write(&lab.path("p/inner/__init__.py"), "from p.base import BASE\n");
    write(&lab.path("p/base.py"), "BASE = 1\n");
    write(&lab.path("p/inner/deep.py"), "from . import BASE\n\n\ndef version() -> int:\n    return BASE\n");
    assert_eq!(ask(), 1);
    write(&lab.path("p/base.py"), "BASE = 2\n");
    assert_eq!(ask(), 1);
    lab.rack.swap(&Swap::reload(name("p"))).expect("it swaps");
    assert_eq!(ask(), 2);
}

fn what_is_under_way_ends_on_what_it_began_on() {
    for function in ["call", "coroutine", "fail"] {
        // Past the drain it goes on: it lingers, and ends as it would have.
        let lab = Lab::new("trial: { for: 0s }, drain: 10ms");
        std::thread::scope(|scope| {
            let call = lab.begin(scope, function);
            lab.edit(2, FIRST);
            assert_eq!(lab.swap(), Before::Lingering);
            assert_eq!(lab.number("version"), 2);
            lab.go_on();
            match call.join().expect("no panic") {
                Ok(value) => assert_eq!(value, Value::Int(1), "{function}"),
                Err(why) => {
                    assert_eq!(
                        (function, why.code(), why.message()),
                        ("fail", Code::Raised, "`fail` raised `m._Own`: 1")
                    );
                    assert_eq!(why.class_names().first().map(String::as_str), Some("m._Own"));
                    assert_eq!(why.generation_id().map(|id| id.0), Some(1));
                }
            }
        });
        // Within it, the swap waits for the call.
        let lab = Lab::new("trial: { for: 0s }, drain: 1h");
        std::thread::scope(|scope| {
            let call = lab.begin(scope, function);
            lab.edit(2, FIRST);
            let swap = scope.spawn(|| lab.swap());
            while lab.number("version") != 2 {
                std::thread::yield_now();
            }
            lab.go_on();
            assert_eq!(swap.join().expect("no panic"), Before::Stopped);
            assert_eq!(call.join().expect("no panic").is_ok(), function != "fail");
        });
    }
}

fn a_generator_goes_on_while_it_is_pinned() {
    let lab = Lab::new("trial: { for: 0s }, drain: 10ms");
    let slot = lab.rack.slot("a").expect("it is declared");
    let pin = slot.runtime().pin().expect("it is loaded");
    let rows = pin.call(Some("rows"), Call::new(&[])).expect("it gives rows");
    let Value::Foreign(rows) = rows else { panic!("a generator is handed on: {rows:?}") };
    let mut rows = rows.items().expect("it can be gone through");
    let mut next = || rows.next().map(|row| row.expect("it gives a row"));
    assert_eq!(next(), Some(Value::Int(1)));
    lab.edit(2, FIRST);
    assert_eq!(lab.swap(), Before::Lingering);
    assert_eq!((next(), next(), next()), (Some(Value::Int(11)), Some(Value::Int(21)), None));
    assert_eq!(lab.rack.kept().len(), 1);
    drop(pin);
    assert_eq!(lab.number("version"), 2);
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it has one")).expect("there is room");
    fs::write(path, text).expect("it can be written");
}

fn name(slot: &str) -> SlotName {
    SlotName::parse(slot).expect("a name")
}
