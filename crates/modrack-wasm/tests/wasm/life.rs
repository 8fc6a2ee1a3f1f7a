//! A component from its start to its end: params by `initialize`, state, `finish`, items of a resource, `shutdown`.

use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use modrack_core::plan::Limits;
use modrack_core::{Backend, Call, Cancel, Chain, Code, Instance, Log, LogLevel, Map, Result, Text, Value};
use modrack_wasm::{WasmBackend, WasmSettings};

use crate::guests::{ADD, TYPES, With, backend, call, component, start, started, told};

/// A number that is kept: begun, given out and taken back as the functions of a module's life have it.
const KEEPER: &str = r#"
  (core module $m (memory (export "memory") 1)
    (global $kept (mut i64) (i64.const 0))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    ;; A value that is a whole number, behind the tag of a result that is there.
    (func $value (param $number i64) (result i32)
      (i32.store8 (i32.const 16) (i32.const 0))
      (i32.store (i32.const 20) (i32.const 32)) (i32.store (i32.const 24) (i32.const 1))
      (i32.store8 (i32.const 32) (i32.const 2)) (i64.store (i32.const 40) (local.get $number))
      (i32.const 16))
    (func (export "kept") (result i64) (global.get $kept))
    (func (export "keep") (param i64) (result i64)
      (global.set $kept (i64.add (global.get $kept) (local.get 0))) (global.get $kept))
    (func (export "export") (result i32) (call $value (global.get $kept)))
    (func (export "import") (param i32 i32 i32 i32 i32) (result i32)
      (global.set $kept (i64.load (i32.add (local.get 0) (i32.const 8))))
      (i32.store8 (i32.const 16) (i32.const 0)) (i32.const 16))
    (func (export "finish") (result i32) (call $value (i64.mul (global.get $kept) (i64.const 100))))
    (func (export "shutdown") (if (i64.eq (global.get $kept) (i64.const 13)) (then unreachable))))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (func (export "kept") (result s64) (canon lift (core func $i "kept")))
  (func (export "keep") (param "more" s64) (result s64) (canon lift (core func $i "keep")))
  (func (export "export-state") (result (result $value (error $error)))
    (canon lift (core func $i "export") (memory $memory)))
  (func (export "import-state") (param "state" $value) (param "from-version" (option string))
    (result (result (error $error))) (canon lift (core func $i "import") (memory $memory) (realloc $realloc)))
  (func (export "finish") (result (result $value (error $error)))
    (canon lift (core func $i "finish") (memory $memory)))
  (func (export "shutdown") (canon lift (core func $i "shutdown")))
"#;

fn int(instance: &Arc<dyn Instance>, name: &str, args: &[Value]) -> i64 {
    match call(instance, name, args) {
        Ok(Value::Int(number)) => number,
        other => panic!("{other:?}"),
    }
}

#[test]
fn state_goes_from_one_version_to_the_next() {
    let version = |number: &str| format!(r#"(@custom "modrack" "version = \"{number}\"")"#);
    let old = started(&[TYPES, KEEPER, &version("1.2.0")]);
    int(&old, "keep", &[Value::Int(7)]);
    let state = old.export_state().expect("it is exported").expect("there is some");
    assert_eq!((state.version.as_deref(), &state.value), (Some("1.2.0"), &Value::Int(7)));
    let new = started(&[TYPES, KEEPER, &version("1.3.0")]);
    call(&new, "import_state", &[state.value, Value::from("1.2.0")]).expect("it is taken");
    assert_eq!(int(&new, "kept", &[]), 7);
    assert!(started(&[ADD]).export_state().expect("no failure").is_none());
}

#[test]
fn the_end_of_a_run_and_of_a_life_are_functions() {
    let instance = started(&[TYPES, KEEPER]);
    int(&instance, "keep", &[Value::Int(5)]);
    assert_eq!(call(&instance, "finish", &[]).expect("rows"), Value::Int(500));
    let mut names = instance.names();
    names.sort();
    assert_eq!(names, ["keep", "kept"], "what modrack calls is not listed");
    instance.stop(Duration::from_secs(60)).expect("it stops");
    int(&instance, "keep", &[Value::Int(8)]);
    assert_eq!(
        told(instance.stop(Duration::from_secs(60))),
        r#"M0407 `<guest>` could not be shut down: The module trapped: wasm `unreachable` instruction executed ["trap"]"#
    );
    instance.stop(Duration::from_secs(60)).expect("what is broken has nothing more to say");
    started(&[ADD]).stop(Duration::from_secs(60)).expect("there is no `shutdown`");
}

/// Params as parameters of `initialize`, or as the fields of its one record.
fn begun(signature: &str) -> String {
    format!(
        r#"(core module $m
             (global $sum (mut i64) (i64.const 0))
             (func (export "initialize") (param i64 i32 i64)
               (global.set $sum (i64.add (local.get 0) (i64.mul (local.get 2) (i64.extend_i32_u (local.get 1))))))
             (func (export "sum") (result i64) (global.get $sum)))
           (core instance $i (instantiate $m))
           {signature}
           (func (export "sum") (result s64) (canon lift (core func $i "sum")))"#
    )
}

const PARAMS: &str = r#"(func (export "initialize") (param "the-start" s64) (param "step" (option s64))
    (canon lift (core func $i "initialize")))"#;
const RECORD: &str = r#"
    (type $settings' (record (field "the-start" s64) (field "step" (option s64))))
    (import "settings" (type $settings (eq $settings')))
    (func (export "initialize") (param "settings" $settings) (canon lift (core func $i "initialize")))"#;

fn params(items: &[(&str, Value)]) -> Map {
    items.iter().map(|(name, value)| (Text::from(*name), value.clone())).collect()
}

#[test]
fn params_are_typed_by_initialize() {
    let backend = backend();
    for signature in [PARAMS, RECORD] {
        let origin = component(&[&begun(signature)]);
        let described = backend.describe(&origin).unwrap_or_else(|error| panic!("{error:?}"));
        let shown = described.constructor.as_ref().map(ToString::to_string);
        assert_eq!(shown.as_deref(), Some("(the_start: int, step: option<int> = null)"), "{signature}");
        let check = |params: &Map| -> Vec<String> {
            let wrong = backend.check_params(&described, params, &[]);
            wrong.iter().map(|error| format!("{} {}", error.code(), error.message())).collect()
        };
        let of_text = params(&[("the_start", Value::from("x"))]);
        assert_eq!(
            check(&of_text),
            ["M0307 The parameter `the_start` of `<guest>` is `int`, but is given `text`"]
        );
        assert_eq!(check(&params(&[])), ["M0307 `<guest>` must be given the parameter `the_start`"]);
        let unknown = params(&[("the_start", Value::Int(1)), ("stop", Value::Int(1))]);
        assert_eq!(check(&unknown), ["M0307 `<guest>` takes no parameter `stop`"]);
        for (given, sum) in [
            (params(&[("the_start", Value::Int(10))]), 10),
            (params(&[("the_start", Value::Int(10)), ("step", Value::Int(3))]), 13),
        ] {
            let with = With { params: given, ..With::default() };
            let instance = start(&backend, &origin, &with).unwrap_or_else(|error| panic!("{error:?}"));
            assert_eq!(int(&instance, "sum", &[]), sum);
        }
    }
}

/// A resource that gives two numbers, and then no more.
const COUNTDOWN: &str = r#"
  (core module $counts (global $left (mut i32) (i32.const 2)) (memory (export "memory") 1)
    (func (export "next") (param i32) (result i32)
      (i32.store8 (i32.const 16) (i32.ne (global.get $left) (i32.const 0)))
      (i64.store (i32.const 24) (i64.extend_i32_u (global.get $left)))
      (if (global.get $left) (then (global.set $left (i32.sub (global.get $left) (i32.const 1)))))
      (i32.const 16)))
  (core instance $c (instantiate $counts))
  (type $items (resource (rep i32)))
  (core func $new (canon resource.new $items))
  (core module $m (import "h" "new" (func $new (param i32) (result i32)))
    (func (export "read") (result i32) (call $new (i32.const 1))))
  (core instance $i (instantiate $m (with "h" (instance (export "new" (func $new))))))
  (func $read (result (own $items)) (canon lift (core func $i "read")))
  (func $next (param "self" (borrow $items)) (result (option s64))
    (canon lift (core func $c "next") (memory $c "memory")))
  (component $interface
    (import "items-in" (type $items (sub resource)))
    (import "read-in" (func $read (result (own $items))))
    (import "next-in" (func $next (param "self" (borrow $items)) (result (option s64))))
    (export $out "items" (type $items))
    (export "read" (func $read) (func (result (own $out))))
    (export "[method]items.next" (func $next) (func (param "self" (borrow $out)) (result (option s64)))))
  (instance $all (instantiate $interface (with "items-in" (type $items))
    (with "read-in" (func $read)) (with "next-in" (func $next))))
  (export "acme:items/items@1.0.0" (instance $all))
"#;

#[test]
fn a_resource_with_next_gives_its_items() {
    let instance = started(&[COUNTDOWN]);
    let Value::Foreign(object) = call(&instance, "read", &[]).expect("a handle") else { panic!("no handle") };
    let items = object.items().expect("it gives items").collect::<Result<Vec<_>>>().expect("numbers");
    assert_eq!(items, [Value::Int(2), Value::Int(1)]);
    assert_eq!(object.to_value().expect_err("it is no data").code(), Code::ValueDoesNotFit);
}

#[test]
fn an_item_is_asked_for_within_the_time_of_a_call_and_until_it_is_given_up() {
    let endless = COUNTDOWN.replace(
        r#"(func (export "next") (param i32) (result i32)"#,
        r#"(func (export "next") (param i32) (result i32) (loop (br 0))"#,
    );
    let first = |limits: Limits, within: Call<'_>| {
        let with = With { limits, ..With::default() };
        let instance = start(&backend(), &component(&[&endless]), &with).expect("it starts");
        let Value::Foreign(object) = call(&instance, "read", &[]).expect("a handle") else {
            panic!("no handle")
        };
        let mut items = object.items().expect("it gives items");
        let item = Chain::bounded(&within, || items.next()).expect("a failure");
        assert!(instance.broken() && items.next().is_none());
        told(item)
    };
    let cancel = Cancel::default();
    cancel.cancel();
    let given_up = Call { cancel: Some(&cancel), ..Call::default() };
    assert_eq!(first(Limits::default(), given_up), "M0509 The call was given up []");
    let late = Call { deadline: Some(Instant::now()), ..Call::default() };
    assert_eq!(first(Limits::default(), late), "M0508 `items.next` took longer than it may []");
    let limits = Limits { time: Some(Duration::from_millis(20)), ..Limits::default() };
    assert_eq!(first(limits, Call::default()), "M0508 `items.next` took longer than 20ms []");
}

#[test]
fn nobody_but_its_end_calls_what_is_to_end() {
    let guest = r#"
      (core module $m (func (export "go") (loop (br 0))) (func (export "shutdown")))
      (core instance $i (instantiate $m))
      (func (export "go") (canon lift (core func $i "go")))
      (func (export "shutdown") (canon lift (core func $i "shutdown")))"#;
    let instance = started(&[guest]);
    assert!(instance.end_calls());
    // One that begins when the others were told, with nobody else having the engine tick.
    assert_eq!(told(call(&instance, "go", &[])), "M0509 The call was given up []");
    assert!(!instance.broken());
    instance.stop(Duration::from_secs(5)).expect("it is stopped all the same");
}

#[test]
fn a_component_that_many_start_at_once_is_compiled_once() {
    let compiled = Arc::new(Mutex::new(Vec::new()));
    let log = {
        let compiled = compiled.clone();
        Log::new(move |line| {
            if line.level == LogLevel::Debug {
                compiled.lock().expect("a lock").push(line.message.to_owned());
            }
        })
    };
    let backend = WasmBackend::new(WasmSettings { log, ..WasmSettings::default() });
    let (origin, gate) = (component(&[ADD]), Barrier::new(8));
    std::thread::scope(|scope| {
        let (backend, origin, gate) = (&backend, &origin, &gate);
        let starts = (0..8).map(|number| {
            scope.spawn(move || {
                gate.wait();
                let instance = start(backend, origin, &With::default()).expect("it starts");
                assert_eq!(int(&instance, "add", &[Value::Int(number), Value::Int(1)]), number + 1);
                instance
            })
        });
        let starts: Vec<_> = starts.collect();
        // The code is there for as long as any of them.
        let started: Vec<_> = starts.into_iter().map(|start| start.join().expect("it is started")).collect();
        assert_eq!(backend.in_memory().code, 1);
        drop(started);
        assert_eq!(backend.in_memory().code, 0);
    });
    let compiled = compiled.lock().expect("a lock");
    assert!(compiled.len() == 1 && compiled[0].starts_with("Compiled `<guest>` in "), "{compiled:?}");
}
