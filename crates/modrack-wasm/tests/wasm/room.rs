//! What components take of the process: address space where there is little, a thread while a call has a deadline.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use modrack_core::{Call, Log, Value};

use crate::guests::{ECHO, call, started};
use crate::host::guest;

/// Set for the process that has little.
const CHILD: &str = "MODRACK_TEST_LITTLE_ROOM";

#[test]
fn a_component_runs_where_address_space_is_short() {
    if std::env::var_os(CHILD).is_some() {
        rustix::process::setrlimit(
            rustix::process::Resource::As,
            rustix::process::Rlimit { current: Some(2 << 30), maximum: Some(2 << 30) },
        )
        .expect("a limit");
        let same = r#"(func (export "same") (param "it" string) (result string)
            (canon lift (core func $i "echo") (memory $memory) (realloc $realloc)))"#;
        let text = Value::from("x".repeat(1 << 20));
        let got = call(&started(&[ECHO, same]), "same", std::slice::from_ref(&text));
        assert_eq!(got.expect("text"), text);
        return;
    }
    alone("room::a_component_runs_where_address_space_is_short", CHILD);
}

/// Set for the process whose threads are counted.
const COUNTED: &str = "MODRACK_TEST_THREADS";

#[test]
fn the_thread_that_looks_at_the_time_is_there_while_a_call_has_a_deadline() {
    if std::env::var_os(COUNTED).is_none() {
        return alone(
            "room::the_thread_that_looks_at_the_time_is_there_while_a_call_has_a_deadline",
            COUNTED,
        );
    }
    let ticking = || {
        let tasks = std::fs::read_dir("/proc/self/task").expect("threads").flatten();
        let mut names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.any(|name| name.trim() == "modrack-wasm")
    };
    // Looked at within a call: how long the thread takes to have its name, and to end, nobody can say.
    let is_bounded = Arc::new(AtomicBool::new(false));
    let bounded = is_bounded.clone();
    let instance = guest(
        None,
        Log::new(move |line| {
            let wanted = bounded.load(Ordering::SeqCst);
            while line.slot.is_some() && ticking() != wanted {
                assert!(wanted, "no call has a deadline");
                std::thread::yield_now();
            }
        }),
    );
    let log = instance.function("log").expect("a function");
    log.call(Call::default()).expect("nothing");
    is_bounded.store(true, Ordering::SeqCst);
    let deadline = Some(Instant::now() + Duration::from_secs(600));
    log.call(Call { deadline, ..Call::default() }).expect("nothing");
    while ticking() {
        std::thread::yield_now();
    }
    is_bounded.store(false, Ordering::SeqCst);
    log.call(Call::default()).expect("nothing");
}

/// Runs a test in a process of its own.
fn alone(name: &str, marked: &str) {
    let this = std::env::current_exe().expect("a program");
    let done =
        Command::new(this).args([name, "--exact", "--nocapture"]).env(marked, "1").output().expect("a child");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
