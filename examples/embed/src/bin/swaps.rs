//! The life of what fills a slot, over Python modules that are edited while the rack runs: what `crates/modrack/tests/swaps.rs`
//! says of libraries and components. It is a program, because a test of the workspace embeds no interpreter; it panics where
//! something does not hold.

#[path = "../../../../crates/modrack/tests/load/mod.rs"]
mod load;

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};

use load::Load;
use modrack::{Asked, Before, Code, Event, Rack, Result, SlotName, Step, Swap, SwapFailed, Swapped};

/// A counter that carries its count and says its version, with a helper beside it; `hold` goes on until the file `held` is
/// gone.
const MODULE: &str = r#"
import os, threading, time
from helper import BASE

lock = threading.Lock()


class Counter:
    def __init__(self):
        if START_FAILS:
            raise ValueError("it does not start")
        self.counted = 0

    def count(self) -> int:
        with lock:
            self.counted += 1
            return self.counted

    def version(self) -> int:
        return BASE + VERSION

    def hold(self) -> int:
        open(FOLDER + "/inside", "w").close()
        while os.path.exists(FOLDER + "/held"):
            time.sleep(0.001)
        return VERSION

    def export_state(self):
        return {"counted": self.counted}

    def import_state(self, state, from_version):
        if IMPORT_FAILS:
            raise ValueError("it does not take it")
        self.counted = state["counted"]

    def shutdown(self):
        if SHUTDOWN_FAILS:
            raise ValueError("it does not end")
"#;

/// What is wrong with a module.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Nothing,
    /// It ends in the middle.
    Cut,
    /// It has no `version`.
    Lacks,
    Start,
    Import,
    Shutdown,
}

/// A rack with slots `a` and `b`, whose modules are written anew while it runs.
struct Lab {
    folder: tempfile::TempDir,
    rack: Rack,
}

impl Lab {
    /// Both with this under `swap`, started, having counted to 1.
    fn new(swap: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let slots = ["a", "b"]
            .map(|slot| format!("  {slot}: {{ use: './{slot}/m.py:Counter', swap: {{ {swap} }} }}\n"));
        write(&folder.path().join("rack.yaml"), &format!("rack: 1\nslots:\n{}", slots.concat()));
        let rack = Rack::open(folder.path()).expect("it opens");
        let lab = Self { folder, rack };
        for slot in ["a", "b"] {
            std::fs::create_dir(lab.folder.path().join(slot)).expect("there is room");
            lab.helper(slot, 0);
            lab.module(slot, 1, Fault::Nothing);
            lab.holds(slot, 1, 1);
        }
        lab
    }

    fn helper(&self, slot: &str, base: i64) {
        write(&self.folder.path().join(slot).join("helper.py"), &format!("BASE = {base}\n"));
    }

    fn module(&self, slot: &str, version: i64, fault: Fault) {
        let flag = |of: Fault| if of == fault { "True" } else { "False" };
        let folder = format!("{:?}", self.folder.path().display().to_string());
        let mut text = MODULE
            .replace("START_FAILS", flag(Fault::Start))
            .replace("IMPORT_FAILS", flag(Fault::Import))
            .replace("SHUTDOWN_FAILS", flag(Fault::Shutdown))
            .replace("VERSION", &version.to_string())
            .replace("FOLDER", &folder);
        match fault {
            Fault::Cut => text.truncate(text.find("BASE + ").expect("it is there")),
            Fault::Lacks => text = text.replace("def version", "def other"),
            _ => {}
        }
        if fault == Fault::Cut {
            text += "(";
        }
        write(&self.folder.path().join(slot).join("m.py"), &text);
    }

    fn call(&self, slot: &str, function: &str) -> Result<i64, Code> {
        let function = self.rack.slot(slot).and_then(|slot| slot.function::<(), i64>(function));
        function.and_then(|function| function.call(())).map_err(|error| error.code())
    }

    /// That the slot is of this version, and counts to this next.
    fn holds(&self, slot: &str, version: i64, count: i64) {
        assert_eq!(
            (self.call(slot, "version"), self.call(slot, "count")),
            (Ok(version), Ok(count)),
            "{slot}"
        );
    }

    fn swap(&self, slots: &[&str]) -> Result<Swapped, SwapFailed> {
        let swaps = slots.iter().map(|slot| Swap::reload(name(slot)));
        self.rack.swap(&swaps.reduce(Swap::and).expect("a slot"))
    }
}

fn main() {
    pyo3::Python::initialize();
    // Modules run on threads of their own here: this one lets go of the interpreter.
    pyo3::Python::attach(|py| {
        py.detach(|| {
            for way in ["", "state: exclusive", "overlap: false", "trial: { for: 0s }"] {
                edits_come_in_with_their_state(&Lab::new(way));
            }
            for way in ["probe: { call: [version] }", "state: exclusive"] {
                what_is_broken_stays_out(&Lab::new(way));
            }
            a_call_past_the_drain_is_waited_for(Lab::new("trial: { for: 0s }, drain: 50ms"));
            no_count_is_lost_and_no_mixture_shown(&Lab::new("state: exclusive, drain: 1m"));
            a_slot_hears_of_swaps();
        });
    });
    println!("every swap did what it should");
}

fn edits_come_in_with_their_state(lab: &Lab) {
    for version in 2..4 {
        lab.module("a", version, Fault::Nothing);
        // Nothing is looked at before somebody asks.
        assert_eq!(lab.call("a", "version"), Ok(version - 1));
        assert!(lab.swap(&["a"]).expect("it swaps").slots[0].carried);
        lab.holds("a", version, version);
    }
    lab.helper("a", 10);
    lab.swap(&["a"]).expect("it swaps");
    lab.holds("a", 13, 4);
    assert!(lab.rack.stop().is_empty());
}

fn what_is_broken_stays_out(lab: &Lab) {
    let faults = [
        (Fault::Cut, Step::Match),
        (Fault::Lacks, Step::Match),
        (Fault::Start, Step::Start),
        (Fault::Import, Step::Carry),
    ];
    for (count, (fault, step)) in (2..).zip(faults) {
        lab.module("a", 2, Fault::Nothing);
        lab.module("b", 2, fault);
        // The second is what fails, when the first is there.
        let failed = lab.swap(&["a", "b"]).expect_err("it is broken");
        assert_eq!((failed.step, failed.slot.as_str()), (step, "b"), "{fault:?}: {}", failed.error);
        lab.holds("a", 1, count);
        lab.holds("b", 1, count);
    }
    lab.module("b", 2, Fault::Nothing);
    lab.swap(&["a", "b"]).expect("it is mended");
    lab.holds("a", 2, 6);
    lab.rack.rollback(&name("b"), Asked::default()).expect("it is parked");
    lab.holds("a", 1, 7);
    lab.holds("b", 1, 6);
}

fn a_call_past_the_drain_is_waited_for(lab: Lab) {
    let lab = Arc::new(lab);
    let (send, told) = mpsc::channel();
    let send = Mutex::new(send);
    lab.rack.observe(move |event| drop(send.lock().expect("nobody panics").send(event.clone())));
    write(&lab.folder.path().join("held"), "");
    let caller = lab.clone();
    let call = std::thread::spawn(move || caller.call("a", "hold"));
    while !lab.folder.path().join("inside").exists() {
        std::thread::yield_now();
    }
    lab.module("a", 2, Fault::Shutdown);
    assert_eq!(lab.swap(&["a"]).expect("it swaps").before, Before::Lingering);
    assert_eq!((lab.call("a", "version"), lab.rack.kept()[0].state), (Ok(2), Before::Lingering));
    std::fs::remove_file(lab.folder.path().join("held")).expect("it is there");
    assert_eq!(call.join().expect("no panic"), Ok(1));
    let is_first = |event: &Event| matches!(event, Event::Retired { generation, .. } if generation.0 == 1);
    while !is_first(&told.recv().expect("it is told")) {}
    // A shutdown that fails keeps nothing out.
    lab.module("a", 3, Fault::Nothing);
    assert_eq!(lab.swap(&["a"]).expect("it swaps").stopped.len(), 1);
}

fn no_count_is_lost_and_no_mixture_shown(lab: &Lab) {
    let load = Load { threads: 6, calls: 100_000, changes: 100 };
    let counted = load.put_on(&lab.rack, |at| {
        let broken = [Fault::Cut, Fault::Lacks, Fault::Start, Fault::Import];
        let fault = if at % 4 == 3 { broken[(at / 4 % 4) as usize] } else { Fault::Nothing };
        lab.module("a", at + 2, Fault::Nothing);
        lab.module("b", at + 2, fault);
        assert_eq!(lab.swap(&["a", "b"]).is_ok(), fault == Fault::Nothing, "swap {at}");
        if at % 10 == 0 {
            lab.rack.rollback(&name("a"), Asked::default()).expect("it is parked");
        }
    });
    assert_eq!(lab.call("a", "count"), Ok(1 + counted + 1));
    assert!(lab.rack.stop().is_empty());
}

/// A module with a coroutine function that hears: of the rack's swaps, of its own load, and not of its own failure.
const EAR: &str = r#"
import asyncio

heard = []


async def hear(event):
    await asyncio.sleep(0)
    heard.append(event["name"] + " " + str(event["slot"]) + " " + event["fields"].get("who", ""))
    if event["name"] == "module.loaded":
        raise ValueError("it does not hear well")


def all_heard() -> str:
    return "\n".join(heard)
"#;

fn a_slot_hears_of_swaps() {
    let folder = tempfile::tempdir().expect("there is room");
    write(&folder.path().join("m.py"), "def version() -> int:\n    return 1\n");
    write(&folder.path().join("ear.py"), EAR);
    let events = "'swap.swapped, module.loaded, warning': hear";
    let slots = format!("slots:\n  m: ./m.py\n  ear: {{ use: ./ear.py, events: {{ {events} }} }}\n");
    write(&folder.path().join("rack.yaml"), &format!("rack: 1\n{slots}"));
    let rack = Rack::open(folder.path()).expect("it opens");
    rack.tell_slots();
    rack.slot("m").and_then(|slot| slot.call("version", ())).expect("it answers");
    let asked = Asked { who: "me".into(), why: String::new() };
    rack.swap(&Swap::reload(name("m")).asked(asked)).expect("it swaps");
    let all = rack.slot("ear").and_then(|ear| ear.function::<(), String>("all_heard")).expect("it is there");
    let mut heard = String::new();
    while !heard.contains("swapped") || !heard.contains("module.loaded ear") {
        heard = all.call(()).expect("it answers");
        std::thread::yield_now();
    }
    // The new `m` was loaded before it served.
    let mut lines: Vec<_> = heard.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["module.loaded ear ", "module.loaded m ", "module.loaded m ", "swap.swapped m me"]);
    let warnings = rack.events_since(0).into_iter().filter(|told| told.name == "warning");
    assert!(warnings.count() >= 2);
    assert!(rack.stop().is_empty());
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("it can be written");
}

fn name(slot: &str) -> SlotName {
    SlotName::parse(slot).expect("a name")
}
