//! The smallest component that fails in each way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use modrack_core::plan::Limits;
use modrack_core::{Backend, Call, Cancel, Instance, Phase, Value};

use crate::guests::{ADD, ECHO, HOST, TYPES, With, backend, call, component, shown, start, started, told};

/// A function `go` without parameters, of this body.
fn go(body: &str) -> String {
    format!(
        r#"(core module $m (memory (export "memory") 1)
             (func $inner {body})
             (func $go (export "go") (call $inner)))
           (core instance $i (instantiate $m))
           (func (export "go") (canon lift (core func $i "go")))"#
    )
}

fn limited(limits: Limits, parts: &[&str]) -> Arc<dyn Instance> {
    let with = With { limits, ..With::default() };
    start(&backend(), &component(parts), &with).unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn a_trap_is_an_error_with_the_modules_backtrace() {
    let instance = started(&[&go("unreachable")]);
    let error = call(&instance, "go", &[]).expect_err("a trap");
    assert_eq!(
        shown(&error),
        r#"M0504 The module trapped: wasm `unreachable` instruction executed ["trap"]"#
    );
    let trace = error.traceback_text().expect("a backtrace");
    assert!(trace.contains("inner") && trace.contains("go"), "{trace}");
    assert!(instance.broken());
    assert!(told(call(&instance, "go", &[])).starts_with("M0504 The component trapped before"));
}

#[test]
fn recursion_without_an_end_is_a_trap() {
    let instance = started(&[&go("call $inner")]);
    let error = call(&instance, "go", &[]).expect_err("a trap");
    assert_eq!(shown(&error), r#"M0504 The module trapped: call stack exhausted ["trap"]"#);
}

#[test]
fn an_endless_loop_ends_with_its_time() {
    let instance = started(&[&go("(loop (br 0))")]);
    let function = instance.function("go").expect("a function");
    let deadline = Instant::now() + Duration::from_millis(20);
    let error =
        function.call(Call { deadline: Some(deadline), ..Call::default() }).expect_err("its time is up");
    assert_eq!(shown(&error), "M0508 `go` took longer than it may []");
    assert!(Instant::now() >= deadline);
    assert!(instance.broken());
}

#[test]
fn a_start_that_does_not_end_is_late_as_a_whole() {
    let limits = Limits { time: Some(Duration::from_millis(20)), ..Limits::default() };
    for part in ["(start $go)", r#"(export "initialize" (func $go))"#] {
        let has = part.contains("initialize");
        let lifted = r#"(func (export "initialize") (canon lift (core func $i "initialize")))"#;
        let guest = format!(
            r#"(core module $m (func $go (loop (br 0))) {part})
               (core instance $i (instantiate $m)) {}"#,
            if has { lifted } else { "" }
        );
        let with = With { limits: limits.clone(), ..With::default() };
        let late = start(&backend(), &component(&[&guest]), &with).err().expect("it does not end");
        assert_eq!(shown(&late), "M0508 The start of `<guest>` took longer than 20ms []", "{part}");
        assert_eq!(late.phase_of(), Some(Phase::Start));
    }
}

#[test]
fn a_call_that_was_given_up_ends() {
    let instance = started(&[&go("(loop (br 0))")]);
    let function = instance.function("go").expect("a function");
    let cancel = Cancel::default();
    cancel.cancel();
    let error = function.call(Call { cancel: Some(&cancel), ..Call::default() }).expect_err("given up");
    assert_eq!(shown(&error), "M0509 The call was given up []");
}

#[test]
fn memory_is_bounded() {
    let grow = go("(drop (memory.grow (i32.const 100)))");
    let limits = Limits { memory: Some(2 << 20), ..Limits::default() };
    let error = call(&limited(limits, &[&grow]), "go", &[]).expect_err("too much");
    assert_eq!(shown(&error), "M0513 The module wants 6619136 bytes of memory, and may have 2097152 []");
    call(&started(&[&grow]), "go", &[]).expect("without a limit it grows");
    let limits = Limits { memory: Some(1000), ..Limits::default() };
    let with = With { limits, ..With::default() };
    let refused = start(&backend(), &component(&[&grow]), &with);
    assert_eq!(told(refused), "M0513 The module wants 65536 bytes of memory, and may have 1000 []");
}

#[test]
fn tables_are_memory_too() {
    let guest = r#"
      (core module $m (table $t 1 funcref) (elem declare func $go)
        (func $go (export "go") (drop (table.grow $t (ref.func $go) (i32.const 100000)))))
      (core instance $i (instantiate $m))
      (func (export "go") (canon lift (core func $i "go")))"#;
    let limits = Limits { memory: Some(1 << 16), ..Limits::default() };
    let error = call(&limited(limits, &[guest]), "go", &[]).expect_err("too much");
    assert_eq!(shown(&error), "M0513 The module wants 800008 bytes of memory, and may have 65536 []");
    call(&started(&[guest]), "go", &[]).expect("without a limit it grows");
}

#[test]
fn output_is_bounded() {
    let same = r#"(func (export "same") (param "it" string) (result string)
        (canon lift (core func $i "echo") (memory $memory) (realloc $realloc)))"#;
    let limits = Limits { output: Some(100), ..Limits::default() };
    let instance = limited(limits.clone(), &[ECHO, same]);
    let text = Value::from("x".repeat(100));
    assert_eq!(call(&instance, "same", std::slice::from_ref(&text)).expect("just as much"), text);
    let error = call(&instance, "same", &[Value::from("x".repeat(101))]).expect_err("too much");
    assert_eq!(shown(&error), "M0512 The result is larger than its limit of 100 bytes []");
    let error = call(&limited(limits, &[ECHO, same]), "same", &[Value::from("x".repeat(1 << 20))]);
    assert_eq!(told(error), "M0512 The result is larger than its limit of 100 bytes []");
}

#[test]
fn what_is_given_many_times_is_not_made_in_the_hosts_memory() {
    // A list of 4,096 texts, all of them the same 32 KiB of a memory of 64 KiB: 128 MiB for the host.
    let guest = r#"
      (core module $m (memory (export "memory") 1)
        (func (export "texts") (result i32)
          (local $at i32)
          (i32.store (i32.const 32760) (i32.const 0)) (i32.store (i32.const 32764) (i32.const 4095))
          (loop (i32.store (local.get $at) (i32.const 32768))
            (i32.store (i32.add (local.get $at) (i32.const 4)) (i32.const 32768))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if 0 (i32.lt_u (local.get $at) (i32.const 32760))))
          (i32.const 32760)))
      (core instance $i (instantiate $m))
      (func (export "texts") (result (list string)) (canon lift (core func $i "texts") (memory $i "memory")))"#;
    let limits = Limits { memory: Some(1 << 16), ..Limits::default() };
    let error = call(&limited(limits, &[guest]), "texts", &[]).expect_err("too much");
    assert_eq!(error.code().as_str(), "M0512", "{error:?}");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("`limits.output`")), "{error:?}");
}

/// A function `go` that gives a list of so many texts of one letter, or of whole numbers.
fn listing(items: usize, pages: usize, ty: &str) -> String {
    format!(
        r#"(core module $m (memory (export "memory") {pages})
             (func (export "texts") (result i32) (local $at i32)
               (i32.store8 (i32.const 16) (i32.const 97))
               (loop
                 (i32.store (i32.add (i32.const 64) (i32.shl (local.get $at) (i32.const 3))) (i32.const 16))
                 (i32.store (i32.add (i32.const 68) (i32.shl (local.get $at) (i32.const 3))) (i32.const 1))
                 (local.set $at (i32.add (local.get $at) (i32.const 1)))
                 (br_if 0 (i32.lt_u (local.get $at) (i32.const {items}))))
               (call $list))
             (func $list (export "numbers") (result i32)
               (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const {items}))
               (i32.const 0)))
           (core instance $i (instantiate $m))
           (func (export "go") (result (list {ty})) (canon lift
             (core func $i "{}") (memory $i "memory")))"#,
        if ty == "string" { "texts" } else { "numbers" }
    )
}

#[test]
fn lists_of_short_texts_are_given_up_to_the_limit() {
    // Above what any component may hand over, whatever its output may be.
    let (items, size) = (800_000, 6_400_000);
    let guest = listing(items, 100, "string");
    for (output, fits) in [(size, true), (size - 1, false), (size / 4, false)] {
        let limits = Limits { output: Some(output), ..Limits::default() };
        let instance = limited(limits, &[&guest]);
        match call(&instance, "go", &[]) {
            Ok(Value::List(texts)) => assert!(fits && texts.len() == items, "{output}"),
            got => {
                let wanted = format!("M0512 The result is larger than its limit of {output} bytes []");
                assert_eq!((fits, told(got)), (false, wanted));
            }
        }
        // What was given and is too large is dropped; the instance goes on.
        assert!(!instance.broken(), "{output}");
    }
}

#[test]
fn what_is_made_of_a_list_of_numbers_is_bounded() {
    // As many as the engine lets through by far, and in values more than is handed over at most.
    for ty in ["s64", "f64"] {
        let guest = listing(24_000_000, 2931, ty);
        let instance = started(&[&guest]);
        let error = call(&instance, "go", &[]).expect_err("too much");
        assert_eq!(error.code().as_str(), "M0512", "{error:?}");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("`limits.output`")), "{error:?}");
        assert!(!instance.broken());
    }
    let guest = listing(100, 1, "s64");
    let limits = |output| Limits { output: Some(output), ..Limits::default() };
    let numbers = call(&limited(limits(800), &[&guest]), "go", &[]).expect("just as much");
    assert_eq!(numbers, Value::List(vec![Value::Int(0); 100]));
    let error = call(&limited(limits(799), &[&guest]), "go", &[]);
    assert_eq!(told(error), "M0512 The result is larger than its limit of 799 bytes []");
}

#[test]
fn what_a_component_begins_with_beyond_its_own_memories_is_found_when_it_starts() {
    let page = include_str!("../../../../docs/errors/M0513.md");
    let composed = "(component $inner (core module $m (memory 2)) (core instance (instantiate $m)))
        (instance (instantiate $inner))";
    let table = "(core module $m (table 500000 funcref)) (core instance (instantiate $m))";
    for (guest, said) in [(composed, "the components that it is composed of"), (table, "tables")] {
        let backend = backend();
        let origin = component(&[guest]);
        let description = backend.describe(&origin).expect("a component");
        assert_eq!(backend.least_memory(&description), Some(0), "{guest}");
        let limits = Limits { memory: Some(1 << 16), ..Limits::default() };
        let refused = start(&backend, &origin, &With { limits, ..With::default() });
        assert!(told(refused).starts_with("M0513 "), "{guest}");
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_an_error() {
    let guest = r#"
      (core module $m (memory (export "memory") 1) (data (i32.const 64) "\ff\fe")
        (func (export "text") (result i32)
          (i32.store (i32.const 16) (i32.const 64)) (i32.store (i32.const 20) (i32.const 2)) (i32.const 16)))
      (core instance $i (instantiate $m))
      (func (export "text") (result string) (canon lift (core func $i "text") (memory $i "memory")))"#;
    let error = call(&started(&[guest]), "text", &[]).expect_err("not text");
    assert!(shown(&error).starts_with("M0506 The module gave what is not of its type: "), "{error:?}");
}

#[test]
fn text_beyond_the_memory_is_an_error() {
    let guest = r#"
      (core module $m (memory (export "memory") 1)
        (func (export "text") (result i32)
          (i32.store (i32.const 16) (i32.const 65530)) (i32.store (i32.const 20) (i32.const 1000)) (i32.const 16)))
      (core instance $i (instantiate $m))
      (func (export "text") (result string) (canon lift (core func $i "text") (memory $i "memory")))"#;
    assert!(told(call(&started(&[guest]), "text", &[])).starts_with("M0506"));
}

#[test]
fn a_value_whose_parts_contradict_each_other_is_an_error() {
    // One part: a list that names itself.
    let guest = r#"
      (core module $m (memory (export "memory") 1)
        (func (export "value") (result i32)
          (i32.store (i32.const 16) (i32.const 64)) (i32.store (i32.const 20) (i32.const 1))
          (i32.store8 (i32.const 64) (i32.const 6))
          (i32.store (i32.const 72) (i32.const 128)) (i32.store (i32.const 76) (i32.const 1))
          (i32.store (i32.const 128) (i32.const 0))
          (i32.const 16)))
      (core instance $i (instantiate $m))
      (func (export "value") (result $value) (canon lift (core func $i "value") (memory $i "memory")))"#;
    assert_eq!(
        told(call(&started(&[TYPES, guest]), "value", &[])),
        "M0506 The module gave a `value` that is none: its part 0 names the part 0, which is not behind it []"
    );
}

/// Functions that fail with an error of this class, message and hint: one that is called by a typed call, one that
/// is not, and `initialize` by that name.
fn failing(class: &str, message: &str, hint: &str, initialize: &str) -> String {
    let (classed, said) = (class.len(), message.len());
    let (at_message, at_hint) = (256 + classed, 256 + classed + said);
    let hinted = hint.len();
    format!(
        r#"(core module $m (memory (export "memory") 1)
             (data (i32.const 256) "{class}{message}{hint}")
             (func $text (param $at i32) (param $from i32) (param $length i32)
               (i32.store (local.get $at) (local.get $from))
               (i32.store (i32.add (local.get $at) (i32.const 4)) (local.get $length)))
             (func $fail (result i32)
               (i32.store (i32.const 16) (i32.const 1))
               (call $text (i32.const 20) (i32.const 256) (i32.const {classed}))
               (call $text (i32.const 28) (i32.const {at_message}) (i32.const {said}))
               (i32.store (i32.const 36) (i32.ne (i32.const {hinted}) (i32.const 0)))
               (call $text (i32.const 40) (i32.const {at_hint}) (i32.const {hinted}))
               (i32.const 16))
             (func (export "run") (param i32 i32) (result i32) (call $fail))
             (func (export "narrow") (param i32) (result i32) (call $fail))
             (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
           (core instance $i (instantiate $m))
           (func (export "run") (param "args" (list $value)) (result (result $value (error $error)))
             (canon lift (core func $i "run") (memory $i "memory") (realloc (func $i "realloc"))))
           (func (export "narrow") (param "it" u8) (result (result u8 (error $error)))
             (canon lift (core func $i "narrow") (memory $i "memory") (realloc (func $i "realloc"))))
           (func (export "{initialize}") (param "config" $value) (result (result (error $error)))
             (canon lift (core func $i "run") (memory $i "memory") (realloc (func $i "realloc"))))"#
    )
}

#[test]
fn an_error_of_a_contract_has_its_class_and_hint() {
    let guest = failing("acme.TooLate", "the train has gone", "take the next", "other");
    let instance = started(&[TYPES, &guest]);
    let error = call(&instance, "run", &[]).expect_err("it fails");
    assert_eq!(shown(&error), r#"M0504 `run` raised `acme.TooLate`: the train has gone ["acme.TooLate"]"#);
    assert_eq!(error.hint_text(), Some("take the next"));
    assert!(!instance.broken(), "a failure that is told leaves the instance as it is");
}

#[test]
fn a_component_says_by_a_class_that_the_arguments_are_to_blame() {
    for (class, hint, wanted) in [
        ("modrack:bad-arguments", "", "M0503 `days` must be a whole number []"),
        ("modrack:bad-arguments", "give it days", "M0503 `days` must be a whole number []"),
        // The class alone says it, and whole: the code of it is no class, and no class is nearly it.
        ("M0503", "", r#"M0504 `FUNCTION` raised `M0503`: `days` must be a whole number ["M0503"]"#),
        (
            "bad-arguments",
            "",
            r#"M0504 `FUNCTION` raised `bad-arguments`: `days` must be a whole number ["bad-arguments"]"#,
        ),
        ("", "", r#"M0504 `FUNCTION` failed: `days` must be a whole number ["error"]"#),
    ] {
        let guest = failing(class, "`days` must be a whole number", hint, "other");
        let instance = started(&[TYPES, &guest]);
        for (function, args) in [("run", &[][..]), ("narrow", &[Value::Int(1)])] {
            let error = call(&instance, function, args).expect_err("it refuses");
            assert_eq!(shown(&error), wanted.replace("FUNCTION", function), "{class}");
            assert_eq!(error.hint_text().unwrap_or_default(), hint, "{class}");
        }
        assert!(!instance.broken(), "{class}");
    }
}

#[test]
fn params_that_a_component_refuses_are_a_failure_to_start() {
    for (class, classes) in [("modrack:bad-arguments", "[]"), ("acme.Rate", r#"["acme.Rate"]"#)] {
        let said = "`rate` of `acme.Rate` is too high";
        let guest = failing(class, said, "", "initialize");
        let refused = start(&backend(), &component(&[TYPES, &guest]), &With::default());
        let refused = refused.err().expect("it does not start");
        assert_eq!(shown(&refused), format!("M0404 `<guest>` could not be initialized: {said} {classes}"));
        assert!(refused.hint_text().is_some_and(|hint| hint.contains("`params` of the slot")));
    }
}

#[test]
fn a_panic_has_its_message() {
    let guest = r#"
      (core module $libc (memory (export "memory") 1) (data (i32.const 64) "it is emptysrc/lib.rs:3:5")
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
      (core instance $libc (instantiate $libc))
      (core func $panicked (canon lower (func $host "panicked") (memory $libc "memory")
        (realloc (func $libc "realloc"))))
      (core module $m
        (import "h" "panicked" (func $panicked (param i32 i32 i32 i32 i32)))
        (func (export "go")
          (call $panicked (i32.const 64) (i32.const 11) (i32.const 1) (i32.const 75) (i32.const 14)) unreachable))
      (core instance $i (instantiate $m (with "h" (instance (export "panicked" (func $panicked))))))
      (func (export "go") (canon lift (core func $i "go")))"#;
    let error = call(&started(&[TYPES, HOST, guest]), "go", &[]).expect_err("a panic");
    assert_eq!(shown(&error), r#"M0504 The module panicked at src/lib.rs:3:5: it is empty ["panic"]"#);
}

#[test]
fn an_attribute_is_not_there() {
    assert_eq!(told(started(&[ADD]).attribute("x")), "M0510 The component has no attribute `x` []");
}

#[test]
fn initialize_that_traps_is_a_failure_to_start() {
    let guest = r#"
      (core module $m (func (export "initialize") unreachable))
      (core instance $i (instantiate $m))
      (func (export "initialize") (canon lift (core func $i "initialize")))"#;
    let refused = start(&backend(), &component(&[guest]), &With::default());
    assert_eq!(
        told(refused),
        r#"M0404 `<guest>` could not be initialized: The module trapped: wasm `unreachable` instruction executed ["trap"]"#
    );
}
