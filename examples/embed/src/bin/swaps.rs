//! The life of what fills a slot, over Python modules that are edited while the rack runs: each case of the table that
//! libraries and components are held to. And a Python module that hears. It is a program, because a test of the
//! workspace embeds no interpreter; it panics where something does not hold.

#[path = "../../../../crates/modrack/tests/life/mod.rs"]
mod life;

use std::path::Path;

use modrack::{Asked, Rack, SlotName, Swap};

fn main() {
    pyo3::Python::initialize();
    // Modules run on threads of their own here: this one lets go of the interpreter.
    pyo3::Python::attach(|py| {
        py.detach(|| {
            for case in life::CASES {
                case.run();
            }
            a_slot_hears_of_swaps();
        });
    });
    println!("every swap did what it should");
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
