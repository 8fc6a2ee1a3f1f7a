//! What 1,000 loaded slots hold. Each kind is measured in a process of its own, which this program starts as itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use modrack_core::{Call, Value};

use crate::loaded::{Scratch, component, library, rack_of};

const SLOTS: usize = 1000;
/// Of components that are all compiled: each takes its time.
const COMPILED: usize = 100;
const ASKED: &str = "MODRACK_BENCH_HOLD";

/// Whether this process is to hold slots and say what it holds.
pub fn is_asked() -> bool {
    std::env::var_os(ASKED).is_some()
}

/// Has each kind measured, and writes what was measured beside criterion's figures.
pub fn measure() {
    let measured: Vec<String> = ["shared", "distinct", "components", "distinct-components"]
        .iter()
        .map(|kind| {
            let this = std::env::current_exe().expect("this program");
            let said = Command::new(this).env(ASKED, kind).output().expect("running it");
            assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
            let said = String::from_utf8(said.stdout).expect("text");
            println!("{kind}: {}", said.trim());
            format!("\"{kind}\": {}", said.trim())
        })
        .collect();
    if let Some(home) = std::env::var_os("CRITERION_HOME") {
        let text = format!("{{{}}}\n", measured.join(", "));
        std::fs::write(PathBuf::from(home).join("held.json"), text).expect("writing");
    }
}

/// Loads slots of the kind that was asked for, calls each once, and says what each holds, in KiB.
pub fn hold() {
    let kind = std::env::var(ASKED).expect("a kind");
    let scratch = Scratch::new(&format!("held-{kind}"));
    let (original, is_distinct, count) = match kind.as_str() {
        "shared" => (library("little"), false, SLOTS),
        "distinct" => (library("little"), true, SLOTS),
        "components" => (component("little"), false, SLOTS),
        _ => (component("little"), true, COMPILED),
    };
    let mut slots = String::from("slots:\n");
    for n in 0..=count {
        let module = if is_distinct { another(&original, &scratch.0, n) } else { original.clone() };
        slots.push_str(&format!("  s{n}: {{ use: '{}' }}\n", module.display()));
    }
    let rack = rack_of(&scratch.0, &slots);
    let mut functions = Vec::with_capacity(count + 1);
    let mut load = |n: usize| {
        let slot = rack.slot(&format!("s{n}")).expect("a slot");
        let add = slot.function(Some("add")).expect("a function");
        let args = [Value::Int(1), Value::Int(2)];
        assert_eq!(add.call(Call::new(&args)).expect("a sum"), Value::Int(3));
        functions.push((slot, add));
    };
    // The first brings along what all share.
    load(0);
    let before = Held::now();
    (1..=count).for_each(load);
    let after = Held::now();
    let each = |after: u64, before: u64| after.saturating_sub(before) as f64 / count as f64;
    println!("{{\"rss\": {:.2}, \"own\": {:.2}}}", each(after.rss, before.rss), each(after.own, before.own));
}

/// The same module with another content.
fn another(original: &Path, folder: &Path, n: usize) -> PathBuf {
    let mut content = std::fs::read(original).expect("reading the module");
    let ending = original.extension().expect("an ending");
    if ending == "wasm" {
        // A section of no meaning: its id, its length, the length of its name, the name, and the number.
        content.extend_from_slice(&[0, 10, 1, b'n']);
    }
    // Of a library it is behind all that its headers speak of.
    content.extend_from_slice(&(n as u64).to_le_bytes());
    let path = folder.join(format!("m{n}")).with_extension(ending);
    std::fs::write(&path, content).expect("writing a module");
    path
}

/// What the process holds, in KiB.
struct Held {
    /// All that is in memory, pages of files that the system may drop included.
    rss: u64,
    /// What is its own alone and was written to.
    own: u64,
}

impl Held {
    fn now() -> Self {
        // A page of a file that was just written counts as written to until the system has put it away.
        assert!(Command::new("sync").status().expect("running it").success());
        let text = std::fs::read_to_string("/proc/self/smaps_rollup").expect("what the system says");
        let line = |name: &str| -> u64 {
            let line = text.lines().find(|line| line.starts_with(name)).expect("a line");
            line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
        };
        Self { rss: line("Rss:"), own: line("Private_Dirty:") }
    }
}
