//! Slots that hear of events: who is called with what, and that nothing of it happens for ever or holds up anybody else.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use expect_test::expect;
use modrack_core::{Call, Code, Error, Map, Result, SlotName, Value};
use modrack_runtime::doubles::{Gate, Running, Script, ScriptedBackend};
use modrack_runtime::{Asked, Pattern, Rack, Swap};

use crate::{plan, rack};

fn name(slot: &str) -> SlotName {
    SlotName::parse(slot).unwrap()
}

fn call(rack: &Rack, slot: &str) -> Result<Value> {
    rack.slot(slot)?.function(Some("f"))?.call(Call::new(&[]))
}

/// What a function was given, as `SLOT: NAME of SLOT`.
fn line(own: &str, args: &[Value]) -> String {
    let Some(Value::Map(event)) = args.first() else { panic!("it is given one mapping: {args:?}") };
    format!("{own}: {} of {}", event["name"], event["slot"])
}

/// A module whose `hear` sends on what it is given, and then does as it is told.
fn hears(
    own: &'static str,
    tell: &Sender<String>,
    then: impl Fn(&Running) -> Result<()> + Send + Sync + 'static,
) -> Script {
    let tell = Mutex::new(tell.clone());
    Script::new().function("f", |_, _| Ok(Value::Null)).function("hear", move |running, call| {
        tell.lock().unwrap().send(line(own, call.args.positional)).unwrap();
        then(running)?;
        Ok(Value::Null)
    })
}

/// A rack with slots `a`, and `ear`, which hears of what these keys say.
fn with_ear(keys: &str) -> (Rack, Arc<ScriptedBackend>, Sender<String>, Receiver<String>) {
    let (rack, backend) = rack(&format!(
        "slots:\n  a: {{ use: 'python:a', swap: {{ trial: {{ for: 0s }} }} }}\n  ear: {{ use: 'python:ear', {keys} }}\n"
    ));
    backend.module("a", Script::new().function("f", |_, _| Ok(Value::Int(1))));
    let (tell, told) = channel();
    rack.tell_slots();
    (rack, backend, tell, told)
}

fn warn(rack: &Rack) {
    rack.announce("warning", None, Map::default());
}

/// What was heard before a warning; each of the `ears` hears that in its turn.
fn until_warned(rack: &Rack, told: &Receiver<String>, ears: usize) -> String {
    warn(rack);
    let mut left = ears;
    let mut lines = String::new();
    while left > 0 {
        let line = told.recv().unwrap();
        left -= usize::from(line.ends_with("\"warning\" of null"));
        lines += &line;
        lines.push('\n');
    }
    lines
}

#[test]
fn a_function_is_called_with_what_was_told() {
    let (rack, backend, _, _) = with_ear("events: { 'swap.swapped': hear }");
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    backend.module(
        "ear",
        Script::new().function("hear", move |_, call| {
            tell.lock().unwrap().send(call.args.positional.to_vec()).unwrap();
            Ok(Value::Null)
        }),
    );
    call(&rack, "a").unwrap();
    rack.swap(&Swap::reload(name("a")).asked(Asked { who: "me".into(), why: String::new() })).unwrap();
    let args = told.recv().unwrap();
    let [Value::Map(event)] = &*args else { panic!("{args:?}") };
    assert!(matches!(event["time"], Value::Float(seconds) if seconds > 1e9));
    assert_eq!(event["number"], Value::Int(7));
    expect![[r#"name="swap.swapped" slot="a" fields={"slots": [{"slot": "a", "module": "a", "generation": 2, "replaced": 1}], "who": "me"}"#]]
        .assert_eq(&["name", "slot", "fields"].map(|key| format!("{key}={}", event[key])).join(" "));
}

#[test]
fn the_first_event_loads_it_and_its_own_load_is_told_too() {
    let (rack, backend, tell, told) = with_ear("events: { '*': hear }");
    backend.module("ear", hears("ear", &tell, |_| Ok(())));
    call(&rack, "a").unwrap();
    let mut heard: Vec<String> = Vec::new();
    while heard.iter().filter(|line| line.starts_with("ear: \"module.loaded\"")).count() < 2 {
        heard.push(told.recv().unwrap());
    }
    // The loads of both go on side by side: those of `a` first.
    heard.sort_by_key(|line| line.ends_with("of \"ear\""));
    expect![[r#"
        ear: "module.found" of "a"
        ear: "module.loading" of "a"
        ear: "module.loaded" of "a"
        ear: "module.found" of "ear"
        ear: "module.loading" of "ear"
        ear: "module.loaded" of "ear"
    "#]]
    .assert_eq(&heard.iter().map(|line| format!("{line}\n")).collect::<String>());
    assert_eq!(until_warned(&rack, &told, 1), "ear: \"warning\" of null\n");
    assert_eq!(backend.count("start python:ear"), 1);
}

#[test]
fn one_that_is_lazy_hears_once_it_is_loaded() {
    let (rack, backend, tell, told) = with_ear("lazy: true, events: { 'module.loaded, warning': hear }");
    backend.module("ear", hears("ear", &tell, |_| Ok(())));
    call(&rack, "a").unwrap();
    call(&rack, "ear").unwrap();
    let heard = until_warned(&rack, &told, 1);
    // What it was loaded before may have been taken up meanwhile.
    assert!(heard.ends_with("ear: \"module.loaded\" of \"ear\"\near: \"warning\" of null\n"), "{heard}");
}

#[test]
fn what_is_unloaded_stays_so_whatever_is_told() {
    let (rack, backend, tell, told) = with_ear("events: { 'module.*, warning': hear }");
    backend.module("ear", hears("ear", &tell, |_| Ok(())));
    until_warned(&rack, &told, 1);
    rack.unload(&name("ear"), Asked::default()).unwrap();
    call(&rack, "a").unwrap();
    rack.stop();
    assert_eq!(backend.count("start python:ear"), 1);
}

#[test]
fn a_failure_is_a_warning_that_no_slot_hears_and_stops_nothing() {
    let text = "slots:\n  a: { use: 'python:a', events: { '*': hear } }\n  b: { use: 'python:b', events: { '*': hear } }\n";
    let (rack, backend) = rack(text);
    let (tell, told) = channel();
    let fails = |_: &Running| Err(Error::new(Code::Raised, "It does not hear well"));
    backend.module("a", hears("a", &tell, fails));
    backend.module("b", hears("b", &tell, fails));
    rack.tell_slots();
    let (send, warned) = channel();
    let pattern = Pattern::parse("warning").unwrap();
    let _subscription = rack.subscribe(&pattern, move |event| drop(send.send(event.clone())));
    let heard = until_warned(&rack, &told, 2);
    // Each heard the warning, and the load of both: once.
    assert_eq!(heard.matches("a: \"warning\" of null").count(), 1);
    let first = warned.iter().find(|event| event.slot == Some(name("a"))).unwrap();
    let Value::Map(error) = &first.fields["error"] else { panic!("{first:?}") };
    let (of, number) = (&first.fields["event"], &first.fields["number"]);
    assert_eq!((of, number), (&Value::from("warning"), &Value::Int(1)));
    assert_eq!(
        (&error["code"], &error["message"]),
        (&Value::from("M0504"), &Value::from("It does not hear well"))
    );
    // Nothing is on its way: what was heard after it are the loads, and then nothing.
    until_warned(&rack, &told, 2);
    rack.stop();
    drop((rack, backend, tell));
    let warnings = |line: &String| line.contains("warning");
    assert_eq!(told.iter().filter(warnings).count(), 0);
}

#[test]
fn one_that_does_not_start_is_tried_once() {
    let (rack, backend, tell, told) = with_ear("events: { '*': hear }");
    let broken = hears("ear", &tell, |_| Ok(()));
    backend.module("ear", broken.on_start(|_| Err(Error::new(Code::ConstructFailed, "No"))));
    let (send, warned) = channel();
    let pattern = Pattern::parse("warning").unwrap();
    let _subscription = rack.subscribe(&pattern, move |event| drop(send.send(event.clone())));
    call(&rack, "a").unwrap();
    let warning = warned.recv().unwrap();
    assert_eq!((&warning.fields["event"], &warning.slot), (&Value::from("module.found"), &Some(name("ear"))));
    warn(&rack);
    rack.stop();
    assert_eq!(backend.count("start python:ear"), 1);
    assert!(told.try_recv().is_err());
}

#[test]
fn what_comes_of_hearing_is_not_heard() {
    let (rack, backend, tell, told) = with_ear("needs: { a: a }, events: { '*': hear }");
    // Each try to load it would be told, and heard, and make it try again.
    backend.module("a", Script::new().on_start(|_| Err(Error::new(Code::ConstructFailed, "No"))));
    let asks = |running: &Running| {
        let a = running.service("a");
        assert_eq!(a.call(Some("f"), Call::new(&[])).unwrap_err().code(), Code::ConstructFailed);
        Ok(())
    };
    backend.module("ear", hears("ear", &tell, asks));
    let heard = until_warned(&rack, &told, 1) + &until_warned(&rack, &told, 1);
    assert!(!heard.contains("module.failed"), "{heard}");
    let failed = |event: &&Arc<modrack_runtime::Told>| event.name == "module.failed";
    assert!(rack.events_since(0).iter().filter(failed).count() > 1);
}

#[test]
fn one_that_hangs_holds_up_nobody_who_subscribes() {
    let (rack, backend, tell, told) = with_ear("events: { warning: hear }");
    let gate = Gate::new();
    let held = gate.clone();
    backend.module(
        "ear",
        hears("ear", &tell, move |_| {
            held.pass();
            Ok(())
        }),
    );
    let (send, subscribed) = channel();
    let pattern = Pattern::parse("warning").unwrap();
    let _subscription = rack.subscribe(&pattern, move |event| {
        // Nobody may be left to be told.
        let _ = send.send(event.number);
    });
    warn(&rack);
    gate.arrived(1);
    warn(&rack);
    assert!(subscribed.iter().take(2).count() == 2);
    gate.open();
    assert_eq!(told.iter().take(2).count(), 2);
}

#[test]
fn a_rack_that_ends_tells_first_what_was_told() {
    let (rack, backend, tell, told) = with_ear("events: { warning: hear }");
    backend.module("ear", hears("ear", &tell, |_| Ok(())));
    for _ in 0..20 {
        warn(&rack);
    }
    rack.stop();
    assert_eq!(told.try_iter().count(), 20);
    warn(&rack);
    assert!(told.try_recv().is_err());
}

#[test]
fn a_slot_that_was_swapped_hears_as_it_is_now() {
    let (rack, backend, tell, told) = with_ear("events: { warning: hear }");
    backend.module("ear", hears("old", &tell, |_| Ok(())));
    until_warned(&rack, &told, 1);
    backend.module("ear", hears("new", &tell, |_| Ok(())));
    rack.swap(&Swap::reload(name("ear"))).unwrap();
    assert_eq!(until_warned(&rack, &told, 1), "new: \"warning\" of null\n");
}

#[test]
fn what_a_slot_hears_follows_the_configuration() {
    let (rack, backend, tell, told) = with_ear("events: { 'module.unloaded': hear }");
    backend.module("ear", hears("ear", &tell, |_| Ok(())));
    warn(&rack);
    let text = "slots: { ear: { use: 'python:ear', events: { warning: hear } } }";
    rack.configure(plan(text), &Swap::default()).unwrap();
    assert_eq!(until_warned(&rack, &told, 1), "ear: \"warning\" of null\n");
}

#[test]
fn a_function_that_is_not_there_is_found_by_checking() {
    let (rack, backend, _, _) = with_ear("events: { warning: heer }");
    backend.module("ear", Script::new().function("hear", |_, _| Ok(Value::Null)));
    expect![[r#"
        M0501 slot=ear module=ear phase=check at=rack.yaml:4:39(slots.ear.events.warning)
          The module has no function `heer`
          hint: Did you mean `hear`?
    "#]]
    .assert_eq(&rack.check().iter().map(crate::shown).collect::<String>());
}

#[test]
fn nobody_hears_before_the_rack_is_asked_to_tell() {
    let (rack, backend) = rack("slots: { ear: { use: 'python:ear', events: { '*': hear } } }");
    let (tell, told) = channel();
    backend.module("ear", hears("ear", &tell, |_| Ok(())));
    warn(&rack);
    rack.stop();
    assert!(told.try_recv().is_err());
    assert_eq!(backend.count("start python:ear"), 0);
}
