//! What components take of the process: address space where there is little, a thread while a call has a deadline.

use std::process::Command;
use std::time::{Duration, Instant};

use modrack_core::{Call, Cancel, Value};

use crate::guests::{ADD, ECHO, call, started};

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
    let instance = started(&[ADD]);
    let args = [Value::Int(1), Value::Int(2)];
    call(&instance, "add", &args).expect("a sum");
    assert!(!ticking(), "no call has a deadline");
    // The call lasts until it is given up: a thread has its name only once it runs, and that may take a while.
    let endless = started(&[r#"
        (core module $m (func (export "go") (loop (br 0))))
        (core instance $i (instantiate $m))
        (func (export "go") (canon lift (core func $i "go")))"#]);
    let go = endless.function("go").expect("a function");
    let (cancel, deadline) = (Cancel::default(), Some(Instant::now() + Duration::from_secs(600)));
    std::thread::scope(|scope| {
        let bounded = scope.spawn(|| go.call(Call { cancel: Some(&cancel), deadline, ..Call::default() }));
        while !ticking() {
            assert!(!bounded.is_finished(), "the call ends when it is given up, and not before");
            std::thread::yield_now();
        }
        cancel.cancel();
        bounded.join().expect("no panic").expect_err("given up");
    });
    while ticking() {
        std::thread::yield_now();
    }
    call(&instance, "add", &args).expect("a sum");
    assert!(!ticking(), "it is gone, and not needed");
}

/// Runs a test in a process of its own.
fn alone(name: &str, marked: &str) {
    let this = std::env::current_exe().expect("a program");
    let done =
        Command::new(this).args([name, "--exact", "--nocapture"]).env(marked, "1").output().expect("a child");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
