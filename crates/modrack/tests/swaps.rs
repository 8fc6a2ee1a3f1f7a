//! The life of what fills a slot, over modules as they are: a shared library and a component, edited on disk while the
//! rack runs. One table of cases, each run on each kind; the runtime's own tests have every step fail besides.
#![cfg(all(feature = "native", feature = "wasm"))]

mod load;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};

use modrack::{
    Asked, Before, Code, Description, Event, Keeper, Origin, Rack, SlotName, Step, Swap, SwapFailed, Swapped,
};

use load::Load;

/// A kind of module.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Library,
    Component,
}

/// What is wrong with a module.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Nothing,
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

/// A counter in C: it carries its count, says its version, and `hold` goes on until the file `held` is gone.
const LIBRARY: &str = r#"
#include "modrack.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
MODRACK_NOTE("instances = 'shared'\nwit = 'package a:b; world module { use modrack:types/values@1.0.0.{value}; "
    "export count: func() -> s64; export version: func() -> s64; export hold: func() -> s64; }'\n");
#define F(name) static int32_t name(void *s, const modrack_context *c, const modrack_value *a, size_t n, modrack_output *out)
#define UNUSED (void)s; (void)c; (void)a; (void)n; (void)out
#define GIVE(given) do { out->value = (given); return MODRACK_OK; } while (0)
static int32_t make(const modrack_context *c, const modrack_value *params, void **instance, modrack_output *error) {
    (void)c; (void)params;
    if (START_FAILS) return modrack_fail(error, MODRACK_FAILED, "it does not start");
    *instance = calloc(1, sizeof(int64_t));
    return MODRACK_OK;
}
F(count) {
    UNUSED;
    if (COUNT_FAILS) return modrack_fail(out, MODRACK_FAILED, "it does not count");
    GIVE(modrack_int(__atomic_add_fetch((int64_t *)s, 1, __ATOMIC_SEQ_CST)));
}
F(version) { UNUSED; GIVE(modrack_int(VERSION)); }
F(hold) {
    UNUSED;
    FILE *in = fopen(FOLDER "/inside", "w");
    if (in != NULL) fclose(in);
    while (access(FOLDER "/held", F_OK) == 0) usleep(1000);
    GIVE(modrack_int(VERSION));
}
F(export_state) { UNUSED; GIVE(modrack_int(*(int64_t *)s)); }
F(import_state) {
    UNUSED;
    if (IMPORT_FAILS) return modrack_fail(out, MODRACK_FAILED, "it does not take it");
    *(int64_t *)s = a[0].payload.integer;
    GIVE(modrack_null());
}
F(shutdown) { UNUSED; if (SHUTDOWN_FAILS) return modrack_fail(out, MODRACK_FAILED, "it does not end"); GIVE(modrack_null()); }
static const modrack_function functions[] = {
    {MODRACK_STR("count"), count}, {MODRACK_STR("hold"), hold}, {MODRACK_STR("export_state"), export_state},
    {MODRACK_STR("import_state"), import_state}, {MODRACK_STR("shutdown"), shutdown},
#if !LACKS
    {MODRACK_STR("version"), version},
#endif
};
MODRACK_EXPORT const modrack_module modrack_module_v1 = {
    .head = MODRACK_HEAD(modrack_module), .flags = MODRACK_THREAD_SAFE, .create = make, .destroy = free,
    MODRACK_FUNCTIONS(functions) };
"#;

/// The same as a component; `hold` never ends by itself.
const COMPONENT: &str = r#"(component
  (import "modrack:types/values@1.0.0" (instance $values
    (type $table' (record (field "ipc" (list u8))))
    (export "table" (type $table (eq $table')))
    (type $part' (variant (case "null") (case "bool" bool) (case "int" s64) (case "float" f64) (case "text" string)
      (case "bytes" (list u8)) (case "list" (list u32)) (case "map" (list (tuple string u32))) (case "table" $table)))
    (export "part" (type $part (eq $part')))
    (type $value' (record (field "parts" (list $part))))
    (export "value" (type (eq $value')))
    (type $cause' (record (field "class" string) (field "message" string) (field "traceback" (option string))))
    (export "cause" (type $cause (eq $cause')))
    (type $error' (record (field "class" string) (field "message" string) (field "hint" (option string))
      (field "causes" (list $cause)) (field "traceback" (option string))))
    (export "error" (type (eq $error')))))
  (alias export $values "value" (type $value))
  (alias export $values "error" (type $error))
  (core module $m (memory (export "memory") 1)
    (global $kept (mut i64) (i64.const 0))
    (func $begin (if (i32.const START_FAILS) (then unreachable)))
    (start $begin)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "count") (result i64)
      (if (i32.const COUNT_FAILS) (then unreachable))
      (global.set $kept (i64.add (global.get $kept) (i64.const 1))) (global.get $kept))
    (func (export "version") (result i64) (i64.const VERSION))
    (func (export "hold") (result i64) (loop (br 0)) (i64.const 0))
    (func (export "export") (result i32)
      (i32.store8 (i32.const 16) (i32.const 0))
      (i32.store (i32.const 20) (i32.const 32)) (i32.store (i32.const 24) (i32.const 1))
      (i32.store8 (i32.const 32) (i32.const 2)) (i64.store (i32.const 40) (global.get $kept))
      (i32.const 16))
    (func (export "import") (param i32 i32 i32 i32 i32) (result i32)
      (if (i32.const IMPORT_FAILS) (then unreachable))
      (global.set $kept (i64.load (i32.add (local.get 0) (i32.const 8))))
      (i32.store8 (i32.const 16) (i32.const 0)) (i32.const 16))
    (func (export "shutdown") (if (i32.const SHUTDOWN_FAILS) (then unreachable))))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (func (export "count") (result s64) (canon lift (core func $i "count")))
  (func (export "VERSION_NAME") (result s64) (canon lift (core func $i "version")))
  (func (export "hold") (result s64) (canon lift (core func $i "hold")))
  (func (export "export-state") (result (result $value (error $error)))
    (canon lift (core func $i "export") (memory $memory)))
  (func (export "import-state") (param "state" $value) (param "from-version" (option string))
    (result (result (error $error))) (canon lift (core func $i "import") (memory $memory) (realloc $realloc)))
  (func (export "shutdown") (canon lift (core func $i "shutdown"))))
"#;

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
        let end = kind.ending();
        let slots =
            ["a", "b"].map(|slot| format!("  {slot}: {{ use: ./{slot}.{end}, swap: {{ {swap} }} }}\n"));
        std::fs::write(folder.path().join("rack.yaml"), format!("rack: 1\nslots:\n{}", slots.concat()))
            .expect("it can be written");
        for slot in ["a", "b"] {
            write(kind, folder.path(), slot, 1, Fault::Nothing);
        }
        let rack = Rack::open(folder.path()).expect("it opens");
        std::fs::create_dir(folder.path().join("kept")).expect("there is room");
        assert!(rack.runtime().keep_with(Arc::new(Beside(folder.path().join("kept")))));
        let lab = Self { kind, folder, rack };
        for slot in ["a", "b"] {
            assert_eq!((lab.call(slot, "count"), lab.call(slot, "version")), (Ok(1), Ok(1)));
        }
        lab
    }

    fn write(&self, slot: &str, version: i64, fault: Fault) {
        write(self.kind, self.folder.path(), slot, version, fault);
    }

    fn call(&self, slot: &str, function: &str) -> Result<i64, Code> {
        let slot = self.rack.slot(slot).map_err(|error| error.code())?;
        let function = slot.function::<(), i64>(function).map_err(|error| error.code())?;
        function.call(()).map_err(|error| error.code())
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
    fn ending(self) -> &'static str {
        match self {
            Self::Library => "so",
            Self::Component => "wat",
        }
    }
}

/// Puts a module in place as editors and build tools do: written beside, and renamed.
fn put(kind: Kind, folder: &Path, slot: &str, bytes: &[u8]) {
    let beside = folder.join("new");
    std::fs::write(&beside, bytes).expect("it can be written");
    std::fs::rename(&beside, folder.join(format!("{slot}.{}", kind.ending()))).expect("it can be renamed");
}

fn name(slot: &str) -> SlotName {
    SlotName::parse(slot).expect("a name")
}

/// Writes a module.
fn write(kind: Kind, folder: &Path, slot: &str, version: i64, fault: Fault) {
    put(kind, folder, slot, &made(kind, folder, version, fault));
}

/// What a module's file is.
fn made(kind: Kind, folder: &Path, version: i64, fault: Fault) -> Vec<u8> {
    let flag = |is: Fault| if fault == is { "1" } else { "0" };
    let mut bytes = match kind {
        Kind::Library => {
            let (source, library) = (folder.join("new.c"), folder.join("new.so"));
            std::fs::write(&source, LIBRARY).expect("it can be written");
            let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include");
            let mut compiler = Command::new("cc");
            compiler.args(["-shared", "-fPIC", "-I"]).arg(include).arg("-o").arg(&library).arg(&source);
            compiler.arg(format!("-DVERSION={version}")).arg(format!("-DFOLDER=\"{}\"", folder.display()));
            compiler.arg(format!("-DSTART_FAILS={}", flag(Fault::Start)));
            compiler.arg(format!("-DIMPORT_FAILS={}", flag(Fault::Import)));
            compiler.arg(format!("-DSHUTDOWN_FAILS={}", flag(Fault::Shutdown)));
            compiler.arg(format!("-DLACKS={}", flag(Fault::Lacks)));
            compiler.arg(format!("-DCOUNT_FAILS={}", flag(Fault::Count)));
            assert!(compiler.status().expect("Rust links with it").success());
            std::fs::read(&library).expect("it was made")
        }
        Kind::Component => {
            let text = COMPONENT
                .replace("VERSION_NAME", if fault == Fault::Lacks { "other" } else { "version" })
                .replace("VERSION", &version.to_string())
                .replace("START_FAILS", flag(Fault::Start))
                .replace("IMPORT_FAILS", flag(Fault::Import))
                .replace("SHUTDOWN_FAILS", flag(Fault::Shutdown))
                .replace("COUNT_FAILS", flag(Fault::Count));
            text.into_bytes()
        }
    };
    if fault == Fault::Cut {
        bytes.truncate(bytes.len() / 2);
    }
    bytes
}

/// Runs a case on each kind, each way to swap given.
fn each(swaps: &[&str], case: impl Fn(Lab)) {
    for kind in [Kind::Library, Kind::Component] {
        for swap in swaps {
            eprintln!("{kind:?}, {{ {swap} }}");
            case(Lab::new(kind, swap));
        }
    }
}

const WAYS: &[&str] = &["", "state: exclusive", "overlap: false", "trial: { for: 0s }"];

#[test]
fn an_edit_comes_in_with_the_state_of_what_it_replaces() {
    each(WAYS, |lab| {
        for version in 2..4 {
            lab.write("a", version, Fault::Nothing);
            // Nothing is looked at before somebody asks.
            assert_eq!(lab.call("a", "version"), Ok(version - 1));
            let swapped = lab.swap(&["a"]).expect("it swaps");
            assert!(swapped.slots[0].carried && swapped.slots[0].hash.is_some());
            assert_eq!((lab.call("a", "version"), lab.call("a", "count")), (Ok(version), Ok(version)));
        }
        // The same content again is another generation with the same hash.
        let (once, again) = (lab.swap(&["a"]).expect("it swaps"), lab.swap(&["a"]).expect("it swaps"));
        assert_eq!(once.slots[0].hash, again.slots[0].hash);
        assert!(lab.rack.stop().is_empty());
    });
}

#[test]
fn what_is_broken_stays_out_and_what_served_serves_on() {
    each(&["probe: { call: [version] }", "state: exclusive", "overlap: false"], |lab| {
        let faults = [
            (Fault::Cut, Step::Match),
            (Fault::Lacks, Step::Match),
            (Fault::Start, Step::Start),
            (Fault::Import, Step::Carry),
        ];
        for (at, (fault, step)) in (0..).zip(faults) {
            lab.write("a", 2, Fault::Nothing);
            lab.write("b", 2, fault);
            // The second is what fails, when the first is there.
            let failed = lab.swap(&["a", "b"]).expect_err("it is broken");
            assert_eq!((failed.step, failed.slot.as_str()), (step, "b"), "{fault:?}: {}", failed.error);
            // What cannot run twice was stopped to make room, and was started again from its content, which was kept.
            for slot in ["a", "b"] {
                let seen = (lab.call(slot, "version"), lab.call(slot, "count"));
                assert_eq!(seen, (Ok(1), Ok(at + 2)), "{fault:?}");
            }
        }
        lab.write("b", 2, Fault::Nothing);
        lab.swap(&["a", "b"]).expect("it is mended");
        assert_eq!((lab.call("a", "version"), lab.call("b", "version")), (Ok(2), Ok(2)));
    });
}

#[test]
fn a_probe_that_is_answered_wrong_keeps_a_module_out() {
    each(&["probe: { call: [version], expect: 1 }"], |lab| {
        lab.write("a", 2, Fault::Nothing);
        let failed = lab.swap(&["a"]).expect_err("it gives 2");
        assert_eq!((failed.step, failed.error.code()), (Step::Probe, Code::ProbeFailed));
        assert_eq!(failed.error.message(), "The probe of `version` gave 2, and 1 is expected");
        assert_eq!(lab.call("a", "version"), Ok(1));
    });
}

#[test]
fn a_rollback_goes_back_with_the_state() {
    each(&["", "state: exclusive"], |lab| {
        for slot in ["a", "b"] {
            lab.write(slot, 2, Fault::Nothing);
        }
        lab.swap(&["a", "b"]).expect("it swaps");
        assert_eq!((lab.call("a", "count"), lab.call("b", "count")), (Ok(2), Ok(2)));
        // What was swapped together goes back together.
        let back = lab.rollback("b").expect("it is parked");
        assert!(back.slots.iter().all(|served| served.carried));
        for slot in ["a", "b"] {
            assert_eq!((lab.call(slot, "version"), lab.call(slot, "count")), (Ok(1), Ok(3)));
        }
        assert_eq!(lab.rollback("a").expect_err("nothing is left").error.code(), Code::NothingBefore);
    });
}

#[test]
fn a_shutdown_that_fails_is_told_and_changes_nothing() {
    each(&["trial: { for: 0s }", "overlap: false"], |lab| {
        let (send, told) = mpsc::channel();
        let send = Mutex::new(send);
        lab.rack.observe(move |event| {
            if let Event::StopFailed { why, .. } = event {
                let _ = send.lock().expect("nobody panics").send(why.code());
            }
        });
        lab.write("a", 2, Fault::Shutdown);
        lab.swap(&["a"]).expect("it swaps");
        lab.write("a", 3, Fault::Nothing);
        let swapped = lab.swap(&["a"]).expect("it swaps");
        let mut failed: Vec<_> = swapped.stopped.iter().map(modrack::Error::code).collect();
        failed.extend(told.try_iter());
        assert_eq!(failed, [Code::StopFailed]);
        assert_eq!(lab.call("a", "version"), Ok(3));
    });
}

#[test]
fn a_call_past_the_drain_is_ended_in_a_component_and_waited_for_in_a_library() {
    each(&["trial: { for: 0s }, drain: 50ms"], |lab| {
        let (send, told) = mpsc::channel();
        let send = Mutex::new(send);
        lab.rack.observe(move |event| {
            let _ = send.lock().expect("nobody panics").send(event.clone());
        });
        std::fs::write(lab.path("held"), "").expect("it can be written");
        // No scope: a call that never ended would keep a failure of this from being seen.
        let lab = Arc::new(lab);
        let caller = lab.clone();
        let call = std::thread::spawn(move || caller.call("a", "hold"));
        {
            match lab.kind {
                Kind::Library => {
                    while !lab.path("inside").exists() {
                        std::thread::yield_now();
                    }
                }
                Kind::Component => {
                    let slot = lab.rack.slot("a").expect("it is declared");
                    let pin = slot.runtime().pin().expect("it is loaded");
                    while pin.instance().footprint().calls == 0 {
                        std::thread::yield_now();
                    }
                }
            }
            lab.write("a", 2, Fault::Nothing);
            // What is in a call has no state to give: the swap goes without.
            let swapped = lab.rack.swap(&Swap::reload(name("a")).force(true));
            match lab.kind {
                Kind::Library => {
                    assert_eq!(swapped.expect("it swaps").before, Before::Lingering);
                    assert_eq!(lab.call("a", "version"), Ok(2));
                    assert_eq!(lab.rack.kept()[0].state, Before::Lingering);
                    std::fs::remove_file(lab.path("held")).expect("it is there");
                    assert_eq!(call.join().expect("no panic"), Ok(1));
                    let ended = std::iter::repeat_with(|| told.recv().expect("it is told")).find(
                        |event| matches!(event, Event::Retired { generation, .. } if generation.0 == 1),
                    );
                    assert!(ended.is_some());
                    assert!(lab.rack.kept().is_empty());
                }
                Kind::Component => {
                    assert_eq!(swapped.expect("it swaps").before, Before::Stopped);
                    assert_eq!(call.join().expect("no panic"), Err(Code::Cancelled));
                    assert_eq!(lab.call("a", "version"), Ok(2));
                }
            }
        }
    });
}

#[test]
fn what_fails_its_trial_is_taken_back_by_itself() {
    each(&["trial: { for: 1h, min-calls: 8, errors: 5% }"], |lab| {
        let (send, told) = mpsc::channel();
        let send = Mutex::new(send);
        lab.rack.observe(move |event| {
            if let Event::RolledBack { why: Some(why), .. } = event {
                let _ = send.lock().expect("nobody panics").send(why.code());
            }
        });
        lab.write("a", 2, Fault::Count);
        lab.swap(&["a"]).expect("it does all that is asked of it before it serves");
        for _ in 0..8 {
            lab.call("a", "count").expect_err("it fails");
        }
        assert_eq!(told.recv(), Ok(Code::TrialFailed));
        assert_eq!(lab.call("a", "version"), Ok(1));
        lab.call("a", "count").expect("it serves again");
    });
}

#[test]
fn slots_are_swapped_side_by_side_and_a_rack_that_is_stopped_meanwhile_starts_nothing() {
    each(WAYS, |lab| {
        std::thread::scope(|scope| {
            for slot in ["a", "b"] {
                let lab = &lab;
                scope.spawn(move || {
                    for turn in 2..6 {
                        assert_eq!(lab.swap(&[slot]).expect("it swaps").slots[0].slot.as_str(), slot);
                        assert_eq!(lab.call(slot, "count"), Ok(turn));
                    }
                });
            }
        });
        std::thread::scope(|scope| {
            let swapping = scope.spawn(|| {
                std::iter::repeat_with(|| lab.swap(&["a"])).find_map(Result::err).expect("it is stopped")
            });
            while lab.call("a", "count") != Ok(8) && !swapping.is_finished() {
                std::thread::yield_now();
            }
            lab.rack.stop();
            let failed = swapping.join().expect("no panic");
            assert_eq!(failed.error.code(), Code::RackStopped, "{failed}");
        });
        assert_eq!(lab.call("a", "count"), Err(Code::RackStopped));
        assert!(lab.rack.kept().is_empty());
    });
}

#[test]
fn a_million_calls_and_200_swaps_lose_no_count_and_show_no_mixture() {
    each(&["state: exclusive, drain: 1m"], |lab| {
        let folder = lab.folder.path();
        let good = [2, 3, 4].map(|version| made(lab.kind, folder, version, Fault::Nothing));
        let broken = [Fault::Cut, Fault::Lacks, Fault::Start, Fault::Import];
        let broken = broken.map(|fault| made(lab.kind, folder, 5, fault));
        let load = Load { threads: 4, calls: 1_000_000, changes: 200 };
        let counted = load.put_on(&lab.rack, |at| {
            let turn = usize::try_from(at).expect("it is small");
            let is_good = at % 4 != 3;
            for slot in ["a", "b"] {
                let bytes = if is_good || slot == "a" { &good[turn % 3] } else { &broken[turn / 4 % 4] };
                put(lab.kind, folder, slot, bytes);
            }
            assert_eq!(lab.swap(&["a", "b"]).is_ok(), is_good, "swap {at}");
            if at % 10 == 0 {
                lab.rollback("a").expect("it is parked");
            }
        });
        assert_eq!(lab.call("a", "count"), Ok(1 + counted + 1));
        assert!(lab.rack.stop().is_empty());
    });
}
