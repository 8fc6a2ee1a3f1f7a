//! Modules of other languages called by several threads at once: nothing stands between the calls but what the slot
//! says of its instances. In the suite of the three languages an interpreter makes the calls, and makes them one by one.
#![cfg(all(feature = "native", feature = "wasm"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::time::Duration;

use modrack::{Module, Rack};

/// So many threads call.
const THREADS: usize = 4;

/// So often each.
const TIMES: usize = 25;

/// Longer than they take to come together on a slow machine.
const TOGETHER_WITHIN: Duration = Duration::from_secs(60);

/// A library that may be called by several at once, and calls what its slot needs.
const SHARED: &str = r#"
#include "short.h"
MODRACK_NOTE("wit = '''\npackage suite:shared;\nworld module { export ask: func(function: string) -> s64; }\n'''\n");
FUNCTION(ask) {
    UNUSED;
    modrack_str slot = MODRACK_STR("other"), function = {args[0].payload.bytes, args[0].len};
    return context->host->call(context, slot, function, NULL, 0, output);
}
static const modrack_function functions[] = {{MODRACK_STR("ask"), ask}};
MODULE(.flags = MODRACK_THREAD_SAFE);
"#;

/// Where calls come together that are within a module at the same time.
#[derive(Default)]
struct Meeting {
    /// How many came, ever.
    arrived: Mutex<usize>,
    another: Condvar,
    within: AtomicUsize,
    most: AtomicUsize,
}

impl Meeting {
    /// Goes on when as many have come as there are threads, and as many again for those who come next; false when they
    /// did not come.
    fn meet(&self) -> bool {
        let mut arrived = self.arrived.lock().expect("nobody panics here");
        *arrived += 1;
        self.another.notify_all();
        let all = arrived.div_ceil(THREADS) * THREADS;
        let waited = self.another.wait_timeout_while(arrived, TOGETHER_WITHIN, |arrived| *arrived < all);
        !waited.expect("nobody panics here").1.timed_out()
    }

    /// Counts who is here, and makes room for others to come in, if anything lets them.
    fn pass(&self) -> bool {
        let within = self.within.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(within, Ordering::SeqCst);
        for _ in 0..100 {
            std::thread::yield_now();
        }
        self.within.fetch_sub(1, Ordering::SeqCst);
        true
    }
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/modules")
}

/// A rack whose slot `lab` serves calls so, and may call the meeting.
fn rack(folder: &Path, language: &str, instances: &str) -> (Rack, Arc<Meeting>) {
    let text = |name: &str| fs::read_to_string(sources().join(name)).expect("it is there");
    let file = match language {
        "wat" => {
            let component = format!("(component\n{}\n{})\n", text("begin.wat"), text("lab.wat"));
            fs::write(folder.join("lab.wat"), component).expect("it can be written");
            "lab.wat"
        }
        source => {
            let source = if source == "shared" { SHARED.to_owned() } else { text("lab.c") };
            fs::write(folder.join("lab.c"), source).expect("it can be written");
            let mut compiler = Command::new("cc");
            compiler.args(["-shared", "-fPIC", "-I"]).arg(sources().join("../../include"));
            compiler.arg("-I").arg(sources()).arg("-o").arg(folder.join("lab.so")).arg(folder.join("lab.c"));
            assert!(compiler.status().expect("Rust links with it").success());
            "lab.so"
        }
    };
    let yaml = format!(
        "rack: 1\nslots:\n  lab: {{ use: ./{file}, instances: {instances}, needs: {{ other: meeting }} }}\n"
    );
    fs::write(folder.join("rack.yaml"), yaml).expect("it can be written");
    let meeting = Arc::new(Meeting::default());
    let (meets, passes) = (meeting.clone(), meeting.clone());
    let module = Module::new()
        .function("meet", move |()| i64::from(meets.meet()))
        .function("pass", move |()| i64::from(passes.pass()));
    let rack = Rack::builder().file(folder).module("meeting", module).open();
    (rack.unwrap_or_else(|error| panic!("{error}: {:?}", error.hint_text())), meeting)
}

/// What `call` gives to every thread each time, in order.
fn together<T: Ord + Send>(call: impl Fn() -> T + Sync) -> Vec<T> {
    let gate = Barrier::new(THREADS);
    let mut all: Vec<T> = std::thread::scope(|scope| {
        let one = || {
            gate.wait();
            (0..TIMES).map(|_| call()).collect::<Vec<T>>()
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(one)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it does not panic")).collect()
    });
    all.sort();
    all
}

#[test]
fn calls_run_at_the_same_time_where_there_are_instances_for_them() {
    let pool = format!("pool({THREADS})");
    let cases = [
        ("c", pool.as_str()),
        ("c", "per-call"),
        ("wat", pool.as_str()),
        ("wat", "per-call"),
        ("shared", "shared"),
    ];
    for (language, instances) in cases {
        let folder = tempfile::tempdir().expect("there is room");
        let (rack, _) = rack(folder.path(), language, instances);
        let ask = rack.slot("lab").expect("it is there").function::<(&str,), i64>("ask");
        let ask = ask.expect("it is there, with these types");
        // Each waits within its call until all the others are within theirs.
        let met = together(|| ask.call(("meet",)).expect("it is answered"));
        assert_eq!(met, vec![1; THREADS * TIMES], "{language}, {instances}");
    }
}

#[test]
fn one_instance_takes_one_call_after_the_other() {
    for language in ["c", "wat"] {
        let folder = tempfile::tempdir().expect("there is room");
        let (rack, meeting) = rack(folder.path(), language, "one");
        let lab = rack.slot("lab").expect("it is there");
        let count = lab.function::<(), i64>("count").expect("it is there, with these types");
        let counted = together(|| count.call(()).expect("it is answered"));
        let all: Vec<i64> = (1..).take(THREADS * TIMES).collect();
        assert_eq!(counted, all, "{language}: no call is lost, and none sees what another is at");
        let ask = lab.function::<(&str,), i64>("ask").expect("it is there, with these types");
        together(|| ask.call(("pass",)).expect("it is answered"));
        assert_eq!(meeting.most.load(Ordering::SeqCst), 1, "{language}");
    }
}
