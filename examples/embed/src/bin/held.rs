//! What becomes of the memory of Python modules that were swapped out: freed, or held by somebody who is named. The modules are
//! those of `tests/python/held`, each of which says in its docstring what holds it. A program, because a test of the workspace
//! embeds no interpreter; it panics where something does not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Mutex, mpsc};

use modrack::{Call, Event, Rack, Results, SlotName, Swap, Value};
use pyo3::prelude::*;

/// What comes in the place of each.
const NEXT: &str = "def version() -> int:\n    return 2\n\n\ndef me():\n    return None\n";

/// A module whose objects and whose instance the program itself keeps.
const OURS: &str = "class Given:\n    def version(self) -> int:\n        return 1\n\n    def me(self):\n        return lambda: self\n";

fn main() {
    Python::initialize();
    // The event loop and the janitor need the interpreter meanwhile.
    Python::attach(|py| py.detach(run));
    println!("what is held is named, and what is not is freed");
}

fn run() {
    let folder = tempfile::tempdir().expect("there is room");
    let folder = folder.path();
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/held");
    let mut cases = BTreeMap::new();
    for entry in fs::read_dir(modules).expect("it is there") {
        let path = entry.expect("it can be read").path();
        if path.extension().is_none_or(|ending| ending != "py") {
            continue;
        }
        let name = path.file_stem().and_then(|name| name.to_str()).expect("it has a name");
        let text = fs::read_to_string(&path).expect("it is text");
        if name == "outside" {
            write(&folder.join("lib/outside.py"), &text);
        } else {
            let told = text.split("\"\"\"").nth(1).expect("it says who holds it").to_owned();
            write(&folder.join(name).join(format!("{name}.py")), &text);
            cases.insert(name.to_owned(), told);
        }
    }
    cases.remove("keeper").expect("it is there");
    for (name, told) in [
        (
            "kept_object",
            "Python's collector does not see who: an extension or the program around has an object of it",
        ),
        ("kept_instance", "The program around the rack has its instance, or a function of it"),
    ] {
        write(&folder.join(name).join(format!("{name}.py")), OURS);
        cases.insert(name.to_owned(), told.to_owned());
    }
    let slots = ["keeper"].into_iter().chain(cases.keys().map(String::as_str));
    let slots = slots
        .map(|name| format!("  {name}: {{ use: ./{name}/{name}.py, swap: {{ trial: {{ for: 0s }} }} }}\n"));
    let text = format!("rack: 1\npython: {{ path: [lib] }}\nslots:\n{}", slots.collect::<String>());
    write(&folder.join("rack.yaml"), &text);
    let rack = Rack::open(folder).expect("it opens");
    let (send, told) = mpsc::channel();
    let send = Mutex::new(send);
    rack.observe(move |event| {
        if let Event::Held { slot, holders, .. } = event {
            send.lock()
                .expect("nobody panics")
                .send((slot.to_string(), holders.clone()))
                .expect("it is heard");
        }
    });

    call(&rack, "keeper");
    cases.keys().for_each(|name| call(&rack, name));
    let object = {
        let me =
            rack.slot("kept_object").and_then(|slot| slot.runtime().function(Some("me"))).expect("it has it");
        me.call(Call { results: Results::Kept, ..Call::new(&[]) }).expect("it gives itself")
    };
    let instance = {
        let slot = rack.slot("kept_instance").expect("it is declared");
        slot.runtime().pin().expect("it is loaded").instance().clone()
    };
    assert!(matches!(object, Value::Foreign(_)));

    for name in cases.keys() {
        write(&folder.join(name).join(format!("{name}.py")), NEXT);
        rack.swap(&Swap::reload(SlotName::parse(name).expect("a name"))).expect("it swaps");
    }
    let held = cases.iter().filter(|(_, told)| !told.starts_with("Nothing"));
    let mut held: BTreeMap<_, _> = held.map(|(name, told)| (name.clone(), told.as_str())).collect();
    let names: BTreeSet<_> = held.keys().cloned().collect();
    while !held.is_empty() {
        let (slot, holders) = told.recv().expect("it is told");
        let expected = held.remove(&slot).unwrap_or_else(|| panic!("`{slot}` is held by {holders:?}"));
        let mut holders: Vec<_> = holders.iter().map(|holder| holder.as_str()).collect();
        let mut expected: Vec<_> = expected.lines().collect();
        (holders.sort_unstable(), expected.sort_unstable());
        let same = holders.len() == expected.len()
            && holders.iter().zip(&expected).all(|(one, other)| fits(one, other));
        assert!(same, "`{slot}` is held by {holders:?} and not by {expected:?}");
    }
    let listed = |rack: &Rack| rack.held().iter().map(|held| held.slot.to_string()).collect::<BTreeSet<_>>();
    assert_eq!(listed(&rack), names);
    assert_eq!(alive(), names, "these and no others have more than what serves");

    // What lets go of them has them freed.
    drop((object, instance));
    Python::attach(|py| {
        let end = c"import outside, gc, time, threading\noutside.done.set()\nouter = [t for t in threading.enumerate() if t.name == 'worker']\n[t.join() for t in outer]\ndel outer\noutside.REGISTRY.clear()\noutside.errors.clear()\noutside.rows.clear()\noutside.compute.cache_clear()\ngc.collect()";
        py.run(end, None, None).expect("it runs");
    });
    let gone = ["cache", "errors", "kept_instance", "kept_object", "rows", "thread"];
    let left: BTreeSet<_> = names.iter().filter(|name| !gone.contains(&name.as_str())).cloned().collect();
    assert_eq!(listed(&rack), left);
    assert!(rack.stop().is_empty());
}

/// The modules of which something is alive that was swapped out.
fn alive() -> BTreeSet<String> {
    let find = c"sorted(o['__name__'].split('.')[-1] for o in __import__('gc').get_objects() if type(o) is dict and '__modrack__' in o and '__name__' in o and 'return 2' not in (o['__loader__'].get_source(o['__name__']) or '') )";
    let found: Vec<String> = Python::attach(|py| {
        py.eval(find, None, None).and_then(|found| found.extract()).expect("it finds them")
    });
    found.into_iter().filter(|name| name != "keeper").collect()
}

/// Whether a line is what was expected, in which `...` stands for anything.
fn fits(line: &str, expected: &str) -> bool {
    match expected.split_once("...") {
        Some((begins, ends)) => line.starts_with(begins) && line.ends_with(ends),
        None => line == expected,
    }
}

fn call(rack: &Rack, slot: &str) {
    let version = rack.slot(slot).and_then(|slot| slot.function::<(), i64>("version"));
    version.and_then(|version| version.call(())).unwrap_or_else(|why| panic!("{slot}: {why}"));
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it has one")).expect("there is room");
    fs::write(path, text).expect("it can be written");
}
