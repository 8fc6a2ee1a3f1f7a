//! What a component is given: the log, its params, calls of the slots that it needs.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use modrack_core::plan::Limits;
use modrack_core::{Call, Code, Error, Instance, Log, Map, Result, Service, SlotName, Text, Value};
use modrack_wasm::{WasmBackend, WasmSettings};

use crate::guests::{HOST, TYPES, With, component, start, told};

/// Calls of the host's functions with what is in its memory.
const GUEST: &str = r#"
  (core module $libc (memory (export "memory") 1)
    (data (i32.const 64) "ratehello")
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (core func $log (canon lower (func $host "log") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (core func $config (canon lower (func $host "config") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (core func $call (canon lower (func $host "call") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (core module $m
    (import "h" "log" (func $log (param i32 i32 i32)))
    (import "h" "config" (func $config (param i32 i32 i32)))
    (import "h" "call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (func (export "log") (call $log (i32.const 3) (i32.const 68) (i32.const 5)))
    (func (export "rate") (result i32)
      (call $config (i32.const 64) (i32.const 4) (i32.const 512)) (i32.const 512))
    (func (export "ask") (result i32)
      (call $call (i32.const 64) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 512))
      (i32.const 512)))
  (core instance $i (instantiate $m (with "h" (instance
    (export "log" (func $log)) (export "config" (func $config)) (export "call" (func $call))))))
  (func (export "log") (canon lift (core func $i "log")))
  (func (export "rate") (result (option $value)) (canon lift (core func $i "rate") (memory $libc "memory")))
  (func (export "ask") (result (result $value (error $error)))
    (canon lift (core func $i "ask") (memory $libc "memory")))
"#;

/// A slot that answers by a function.
pub(crate) struct Answers(pub(crate) SlotName, pub(crate) fn(&Call<'_>) -> Result<Value>);

impl Service for Answers {
    fn slot(&self) -> &SlotName {
        &self.0
    }

    fn call(&self, _function: Option<&str>, call: Call<'_>) -> Result<Value> {
        (self.1)(&call)
    }

    fn attribute(&self, name: &str) -> Result<Value> {
        Err(Error::new(Code::UnknownAttribute, format!("No `{name}`")))
    }

    fn has_function(&self, _name: &str) -> Result<bool> {
        Ok(true)
    }
}

pub(crate) fn guest(answer: Option<fn(&Call<'_>) -> Result<Value>>, log: Log) -> Arc<dyn Instance> {
    let rate = || SlotName::parse("rate").expect("a name");
    let services =
        answer.map(|answer| (Text::from("rate"), Arc::new(Answers(rate(), answer)) as Arc<dyn Service>));
    let with = With {
        params: Map::from_iter([(Text::from("rate"), Value::Float(1.5))]),
        services: services.into_iter().collect(),
        ..With::default()
    };
    let backend = WasmBackend::new(WasmSettings { log, ..WasmSettings::default() });
    start(&backend, &component(&[TYPES, HOST, GUEST]), &with).unwrap_or_else(|error| panic!("{error:?}"))
}

fn call(instance: &Arc<dyn Instance>, name: &str, call: Call<'_>) -> Result<Value> {
    instance.function(name)?.call(call)
}

#[test]
fn lines_go_to_the_log() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let log = {
        let said = said.clone();
        Log::new(move |line| {
            // The backend's own line is that it compiled the component.
            let Some(slot) = line.slot else { return };
            said.lock().expect("a lock").push(format!("{} {slot} {}", line.level.as_str(), line.message));
        })
    };
    call(&guest(None, log), "log", Call::default()).expect("nothing");
    assert_eq!(*said.lock().expect("a lock"), ["warn guest hello"]);
}

#[test]
fn params_are_read_by_name() {
    let got = call(&guest(None, Log::default()), "rate", Call::default());
    assert_eq!(got.expect("a value"), Value::Float(1.5));
}

#[test]
fn another_slot_is_called_within_the_time_that_is_left() {
    let answer = |call: &Call<'_>| Ok(Value::Bool(call.deadline.is_some()));
    let guest = guest(Some(answer), Log::default());
    let deadline = Instant::now() + Duration::from_secs(60);
    let call = |deadline| call(&guest, "ask", Call { deadline, ..Call::default() }).expect("an answer");
    assert_eq!(call(Some(deadline)), Value::Bool(true));
    assert_eq!(call(None), Value::Bool(false));
}

#[test]
fn a_failure_of_another_slot_comes_through_with_its_class() {
    let answer = |_: &Call<'_>| {
        let error = Error::new(Code::Raised, "No rate today").classes(vec!["acme.NoRate".into()]);
        Err(error.hint("Come tomorrow").traceback("line 3"))
    };
    let error = call(&guest(Some(answer), Log::default()), "ask", Call::default()).expect_err("it fails");
    assert_eq!((error.message(), error.class_names()), ("No rate today", &["acme.NoRate".to_owned()][..]));
    assert_eq!((error.hint_text(), error.traceback_text()), (Some("Come tomorrow"), None));
    // What the other slot said stands with the cause that is the other slot's.
    let [cause] = error.causes() else { panic!("{error:?}") };
    assert_eq!((cause.class.as_str(), cause.traceback.as_deref()), ("acme.NoRate", Some("line 3")));
}

#[test]
fn arguments_that_another_slot_refused_are_not_those_of_this_call() {
    let refused: fn(&Call<'_>) -> Result<Value> =
        |_| Err(Error::new(Code::BadArguments, "`currency` must be text"));
    // Nor when it is the class of what another slot raised.
    let raised: fn(&Call<'_>) -> Result<Value> = |_| {
        let error = Error::new(Code::Raised, "`currency` must be text");
        Err(error.classes(vec!["modrack:bad-arguments".into()]))
    };
    for answer in [refused, raised] {
        let error = call(&guest(Some(answer), Log::default()), "ask", Call::default()).expect_err("it fails");
        assert_eq!((error.code(), error.message()), (Code::Raised, "`currency` must be text"), "{error:?}");
        assert_eq!(error.causes().len(), 1, "{error:?}");
    }
}

#[test]
fn what_another_slot_failed_with_led_to_arguments_that_are_to_blame() {
    // The class of what the slot failed with is written over.
    let blaming = GUEST
        .replace("ratehello", "ratehellomodrack:bad-arguments")
        .replace(
            "(i32.const 512))\n      (i32.const 512)))",
            "(i32.const 512))\n      (i32.store (i32.const 516) (i32.const 73)) (i32.store (i32.const 520) (i32.const 21))
      (i32.const 512)))",
        )
        .replace("(import \"h\" \"log\"", "(import \"h\" \"memory\" (memory 1)) (import \"h\" \"log\"")
        .replace("(export \"log\" (func $log))", "(export \"memory\" (memory $libc \"memory\")) (export \"log\" (func $log))");
    let late: fn(&Call<'_>) -> Result<Value> = |_| Err(Error::new(Code::TimedOut, "It took too long"));
    let raised: fn(&Call<'_>) -> Result<Value> = |_| {
        let error = Error::new(Code::Raised, "No such currency").classes(vec!["acme.NoRate".into()]);
        let rate = SlotName::parse("rate").expect("a name");
        Err(error.slot(&rate).traceback("line 3"))
    };
    for (answer, message, led) in
        [(late, "It took too long", "M0508"), (raised, "No such currency", "acme.NoRate")]
    {
        let rate = SlotName::parse("rate").expect("a name");
        let with = With {
            services: vec![(Text::from("rate"), Arc::new(Answers(rate, answer)) as Arc<dyn Service>)],
            ..With::default()
        };
        let backend = WasmBackend::new(WasmSettings::default());
        let guest = start(&backend, &component(&[TYPES, HOST, &blaming]), &with);
        let guest = guest.unwrap_or_else(|error| panic!("{error:?}"));
        let error = call(&guest, "ask", Call::default()).expect_err("it blames the arguments");
        assert_eq!((error.code(), error.message()), (Code::BadArguments, message), "{error:?}");
        let [cause] = error.causes() else { panic!("{error:?}") };
        assert_eq!((cause.class.as_str(), cause.message.as_str()), (led, message), "{error:?}");
    }
}

#[test]
fn a_slot_that_is_not_needed_cannot_be_called() {
    let got = call(&guest(None, Log::default()), "ask", Call::default());
    assert!(told(got).starts_with("M0504 `guest` needs no slot `rate`"));
}

/// Calls another slot as it is instantiated, and when it is initialized.
pub(crate) const STARTING: &str = r#"
  (core module $libc (memory (export "memory") 1) (data (i32.const 64) "rate")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $libc (instantiate $libc))
  (core func $call (canon lower (func $host "call") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (core module $m
    (import "h" "call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (func $ask
      (call $call (i32.const 64) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 512)))
    (start $ask)
    (func (export "initialize") (call $ask)))
  (core instance $i (instantiate $m (with "h" (instance (export "call" (func $call))))))
  (func (export "initialize") (canon lift (core func $i "initialize")))
"#;

#[test]
fn a_start_has_its_time_once() {
    static UNTIL: Mutex<Vec<Option<Instant>>> = Mutex::new(Vec::new());
    let answer: fn(&Call<'_>) -> Result<Value> = |call| {
        UNTIL.lock().expect("a lock").push(call.deadline);
        Ok(Value::Null)
    };
    let rate = SlotName::parse("rate").expect("a name");
    let with = With {
        services: vec![(Text::from("rate"), Arc::new(Answers(rate, answer)) as Arc<dyn Service>)],
        limits: Limits { time: Some(Duration::from_secs(600)), ..Limits::default() },
        ..With::default()
    };
    let backend = WasmBackend::new(WasmSettings::default());
    start(&backend, &component(&[TYPES, HOST, STARTING]), &with).unwrap_or_else(|error| panic!("{error:?}"));
    let until = UNTIL.lock().expect("a lock");
    let [instantiated, initialized] = until.as_slice() else { panic!("{until:?}") };
    assert!(instantiated.is_some() && instantiated == initialized, "{until:?}");
}

/// What a slot answers that calls back.
struct Back {
    slot: SlotName,
    guest: Arc<Mutex<Option<Arc<dyn Instance>>>>,
    /// Whether the guest was broken, as whoever was refused finds it.
    broken: Arc<Mutex<Vec<bool>>>,
}

impl Service for Back {
    fn slot(&self) -> &SlotName {
        &self.slot
    }

    fn call(&self, _function: Option<&str>, _call: Call<'_>) -> Result<Value> {
        let guest = self.guest.lock().expect("a lock").clone().expect("a guest");
        let answer = guest.function("rate")?.call(Call::default());
        self.broken.lock().expect("a lock").push(guest.broken());
        answer
    }

    fn attribute(&self, name: &str) -> Result<Value> {
        Err(Error::new(Code::UnknownAttribute, format!("No `{name}`")))
    }

    fn has_function(&self, _name: &str) -> Result<bool> {
        Ok(true)
    }
}

#[test]
fn a_component_that_is_called_back_says_so_and_goes_on() {
    let guest = Arc::new(Mutex::new(None));
    let broken = Arc::<Mutex<Vec<bool>>>::default();
    let slot = SlotName::parse("rate").expect("a name");
    let back = Arc::new(Back { slot, guest: guest.clone(), broken: broken.clone() }) as Arc<dyn Service>;
    let with = With {
        params: Map::from_iter([(Text::from("rate"), Value::Int(2))]),
        services: vec![(Text::from("rate"), back)],
        ..With::default()
    };
    let backend = WasmBackend::new(WasmSettings::default());
    let instance = start(&backend, &component(&[TYPES, HOST, GUEST]), &with).expect("a guest");
    *guest.lock().expect("a lock") = Some(instance.clone());
    let error = call(&instance, "ask", Call::default()).expect_err("it is being called");
    assert_eq!((error.code(), error.causes().len()), (Code::Raised, 1), "{error:?}");
    assert_eq!(error.message(), "The component was called while it was being called");
    assert_eq!(error.causes()[0].class, "M0511", "{error:?}");
    // One that is in a call is not one that broke in it: nobody gives it up.
    assert_eq!((*broken.lock().expect("a lock")).as_slice(), [false]);
    assert_eq!(call(&instance, "rate", Call::default()).expect("it goes on"), Value::Int(2));
    *guest.lock().expect("a lock") = None;
}
