//! What components take of the process: address space where there is little, a thread while a call has a deadline.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use modrack_core::plan::Limits;
use modrack_core::{Call, Log, Result, Service, SlotName, Text, Value};

use crate::guests::{ECHO, HOST, TYPES, With, backend, call, component, start, started};
use crate::host::{Answers, STARTING, guest};

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

/// Set for the process whose address space ends while a component starts.
const ENDING: &str = "MODRACK_TEST_ENDING_ROOM";

#[test]
fn a_start_that_is_made_anew_for_want_of_address_space_has_its_time_once() {
    static UNTIL: Mutex<Vec<Option<Instant>>> = Mutex::new(Vec::new());
    if std::env::var_os(ENDING).is_none() {
        return alone("room::a_start_that_is_made_anew_for_want_of_address_space_has_its_time_once", ENDING);
    }
    // As it is instantiated, what it calls leaves no room for the memory that it is yet to have.
    let answer: fn(&Call<'_>) -> Result<Value> = |call| {
        UNTIL.lock().expect("a lock").push(call.deadline);
        let held = std::fs::read_to_string("/proc/self/statm").expect("pages");
        let pages: u64 = held.split(' ').next().and_then(|pages| pages.parse().ok()).expect("a number");
        let most = Some(pages * rustix::param::page_size() as u64 + (1 << 30));
        let limit = rustix::process::Rlimit { current: most, maximum: None };
        rustix::process::setrlimit(rustix::process::Resource::As, limit).expect("a limit");
        Ok(Value::Null)
    };
    let late = r#"(core module $late (memory 1)) (core instance (instantiate $late))"#;
    let rate = SlotName::parse("rate").expect("a name");
    let with = With {
        services: vec![(Text::from("rate"), Arc::new(Answers(rate, answer)) as Arc<dyn Service>)],
        limits: Limits { time: Some(Duration::from_secs(600)), ..Limits::default() },
        ..With::default()
    };
    let begun = STARTING.split("(func (export \"initialize\") (canon").next().expect("text");
    start(&backend(), &component(&[TYPES, HOST, begun, late]), &with)
        .unwrap_or_else(|error| panic!("{error:?}"));
    let until = UNTIL.lock().expect("a lock");
    let [wide, narrow] = until.as_slice() else { panic!("{until:?}") };
    assert!(wide.is_some() && wide == narrow, "{until:?}");
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
