//! Calls: what is described before anything runs, arguments held against it, state, services, failures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use modrack_core::{Call, Cancel, Code, Error, Instances, Map, Result, Service, SlotName, Text, Value};

use crate::{Lab, call, failed, named};

const CALC: &str = r#"
MODRACK_NOTE(
    "name = 'calc'\nversion = '1.2'\nauthor = 'A'\n"
    "wit = '''\n"
    "/// Counts.\n"
    "package t:calc;\n"
    "world module {\n"
    "    /// Adds two numbers.\n"
    "    export add: func(a: s64, b: s64) -> s64;\n"
    "    export half: func(of: f64) -> f64;\n"
    "    export join-up: func(parts: list<string>, by: option<string>) -> string;\n"
    "    export wrong: func() -> s64;\n"
    "}\n"
    "'''\n"
    "[params.start]\ntype = 's64'\ndefault = 5\n"
    "[attributes.unit]\ntype = 'string'\n");
F(add) { UNUSED; GIVE(modrack_int(a[0].payload.integer + a[1].payload.integer)); }
F(half) { UNUSED; GIVE(modrack_float(a[0].payload.number / 2)); }
F(join_up) { UNUSED; GIVE(modrack_int((int64_t)a[0].len * 10 + (a[1].tag == MODRACK_TAG_NULL))); }
F(wrong) { UNUSED; GIVE(modrack_text("x", 1)); }
static int32_t unit(void *self, const modrack_context *c, modrack_output *out) {
    (void)self; (void)c; GIVE(modrack_text("mm", 2));
}
static const modrack_attribute attributes[] = { {MODRACK_STR("unit"), unit} };
"#;

const CALC_TABLE: &str = ".flags = MODRACK_THREAD_SAFE, MODRACK_ATTRIBUTES(attributes)";

#[test]
fn a_library_is_described_without_running_it() {
    let lab = Lab::new();
    // A library whose code ends the process as soon as it is loaded.
    let source =
        format!("{CALC}\n__attribute__((constructor)) static void gone(void) {{ __builtin_trap(); }}");
    let path = lab.module("libcalc.so", &["add", "half", "join_up", "wrong"], &source, CALC_TABLE);
    let about = lab.describe(&path).unwrap();
    assert_eq!((about.name.as_str(), about.version.unwrap().to_string()), ("calc", "1.2.0".to_owned()));
    assert_eq!(about.doc.as_deref(), Some("Counts."));
    assert_eq!(about.manifest.instances, Some(Instances::Shared));
    let functions: Vec<_> = about.functions.iter().map(|f| format!("{}{}", f.name, f.signature)).collect();
    assert_eq!(
        functions,
        [
            "add(a: int, b: int) -> int",
            "half(of: float) -> float",
            "join_up(parts: list<text>, by: option<text>) -> text",
            "wrong() -> int"
        ]
    );
    assert_eq!(about.functions[0].doc.as_deref(), Some("Adds two numbers."));
    assert_eq!(about.constructor.unwrap().to_string(), "(start: int = 5)");
    assert_eq!(about.attributes[0].name, "unit");
    assert!(!about.open);
}

#[test]
fn a_library_without_a_note_is_open_and_takes_one_call_at_a_time() {
    let lab = Lab::new();
    let path = lab.module("libx.so", &["f"], "F(f) { UNUSED; GIVE(modrack_int((int64_t)n)); }", "");
    let about = lab.describe(&path).unwrap();
    assert_eq!((about.name.as_str(), about.open), ("x", true));
    assert_eq!(about.manifest.instances, Some(Instances::One));
    let instance = lab.start(&path).unwrap();
    assert_eq!(call(&instance, "f", &vec![Value::Null; 20]).unwrap(), Value::Int(20));
    assert!(
        failed(named(&instance, "f", &[("x", Value::Null)]))
            .starts_with("M0503: `f` takes arguments by position")
    );
}

#[test]
fn arguments_are_held_against_the_signature() {
    let lab = Lab::new();
    let path = lab.module("libcalc.so", &["add", "half", "join_up", "wrong"], CALC, CALC_TABLE);
    let instance = lab.start(&path).unwrap();
    let list = Value::List(vec![Value::from("a"), Value::from("b")]);
    assert_eq!(call(&instance, "add", &[Value::Int(1), Value::Int(2)]).unwrap(), Value::Int(3));
    assert_eq!(
        named(&instance, "add", &[("b", Value::Int(1)), ("a", Value::Int(2))]).unwrap(),
        Value::Int(3)
    );
    assert_eq!(call(&instance, "half", &[Value::Int(3)]).unwrap(), Value::Float(1.5));
    assert_eq!(instance.attribute("unit").unwrap(), Value::from("mm"));
    let check = |function: &str, args: &[Value], message: &str| {
        assert_eq!(failed(call(&instance, function, args)), message);
    };
    check("add", &[Value::Int(1)], "M0503: `add` must be given `b`");
    check("add", &[Value::Int(1), Value::from("x")], "M0503: `b` of `add` takes `int`, not `text`");
    check("add", &[Value::Null, Value::Null, Value::Null], "M0503: `add` takes 2 arguments, and is given 3");
    check(
        "join_up",
        &[Value::List(vec![Value::Int(1)])],
        "M0503: `parts` of `join_up` takes `list<text>`, not `int` at [0]",
    );
    check("join_up", &[list], "M0505: `join_up` gave `int`; the library's WIT says `text`");
    check("wrong", &[], "M0505: `wrong` gave `text`; the library's WIT says `int`");
    check("ad", &[], "M0501: `libcalc.so` has no function `ad`");
    check("unit", &[], "M0502: `unit` is a value, not a function");
    assert_eq!(failed(named(&instance, "add", &[("c", Value::Null)])), "M0503: `add` has no parameter `c`");
    assert_eq!(failed(instance.attribute("add")), "M0510: `libcalc.so` has no attribute `add`");
}

const STATEFUL: &str = r#"
#include <stdlib.h>
MODRACK_NOTE("[params.start]\ntype = 's64'\ndefault = 5\n[params.name]\ntype = 'string'\n");
static int64_t ended = 0;
static int32_t make(const modrack_context *c, const modrack_value *params, void **self, modrack_output *out) {
    (void)c;
    int64_t *count = malloc(sizeof *count);
    *count = 0;
    for (size_t i = 0; i < params->len; i++) {
        const modrack_entry *entry = &params->payload.entries[i];
        if (entry->value.tag == MODRACK_TAG_INT) *count = entry->value.payload.integer;
    }
    if (*count < 0) { free(count); return modrack_fail(out, MODRACK_FAILED, "it counts from 0 on"); }
    *self = count;
    return MODRACK_OK;
}
static void end(void *self) { ended++; free(self); }
F(count) { UNUSED; GIVE(modrack_int(++*(int64_t *)self)); }
F(ends) { UNUSED; GIVE(modrack_int(ended)); }
F(initialize) { UNUSED; *(int64_t *)self += 100; GIVE(modrack_null()); }
F(export_state) { UNUSED; GIVE(modrack_int(*(int64_t *)self)); }
F(import_state) { UNUSED; *(int64_t *)self = a[0].payload.integer; GIVE(modrack_null()); }
F(shutdown) { UNUSED; return modrack_fail(out, MODRACK_FAILED, "it will not"); }
"#;

#[test]
fn an_instance_is_made_carried_over_and_ended() {
    let lab = Lab::new();
    let functions = ["count", "ends", "initialize", "export_state", "import_state", "shutdown"];
    let path = lab.module("x.so", &functions, STATEFUL, ".create = make, .destroy = end");
    let params =
        |start: i64| Map::from_iter([("start".into(), Value::Int(start)), ("name".into(), Value::from("n"))]);
    let first = lab.start(&path).unwrap();
    assert_eq!(call(&first, "count", &[]).unwrap(), Value::Int(106));
    let second = lab.start_with(&path, &params(0), Vec::new()).unwrap();
    let state = first.export_state().unwrap().unwrap();
    call(&second, "import_state", &[state.value]).unwrap();
    assert_eq!(call(&second, "count", &[]).unwrap(), Value::Int(107));
    let count = first.function("count").unwrap();
    assert_eq!(
        failed(first.stop(std::time::Duration::ZERO)),
        "M0407: `x.so` could not be shut down: `shutdown` failed: it will not"
    );
    drop(first);
    // A function that somebody holds keeps the instance.
    assert_eq!(call(&second, "ends", &[]).unwrap(), Value::Int(0));
    drop(count);
    assert_eq!(call(&second, "ends", &[]).unwrap(), Value::Int(1));
    assert_eq!(
        failed(lab.start_with(&path, &params(-1), Vec::new())),
        "M0403: `x.so` could not be constructed: it counts from 0 on"
    );
    let about = lab.describe(&path).unwrap();
    let check = modrack_core::check_params(&about, &Map::from_iter([("strat".into(), Value::Int(1))]), &[]);
    let check: Vec<_> = check.iter().map(crate::line).collect();
    assert_eq!(
        check,
        ["M0307: `x` takes no parameter `strat`", "M0307: `x` must be given the parameter `name`"]
    );
}

/// A slot that adds one, or fails.
struct Other(SlotName);

impl Service for Other {
    fn slot(&self) -> &SlotName {
        &self.0
    }

    fn call(&self, function: Option<&str>, call: Call<'_>) -> Result<Value> {
        match (function, call.args.positional) {
            (None, [Value::Int(number)]) => Ok(Value::Int(number + 1)),
            (Some("echo"), [value]) => Ok(value.clone()),
            (Some("fail"), _) => Err(Error::new(Code::Raised, "It broke")
                .classes(vec!["other.Broken".to_owned(), "ValueError".to_owned()])
                .traceback("File \"x.py\", line 1")
                .hint("Mend it")),
            (name, _) => Err(Error::new(Code::UnknownFunction, format!("No {name:?}"))),
        }
    }

    fn attribute(&self, _: &str) -> Result<Value> {
        Ok(Value::Null)
    }

    fn has_function(&self, _: &str) -> Result<bool> {
        Ok(true)
    }
}

const ASKING: &str = r#"
static const modrack_str NONE = {0, 0};
F(through) {
    (void)self;
    modrack_str slot = MODRACK_STR("rates"), name = MODRACK_STR("fail");
    modrack_output got;
    int32_t status = c->host->call(c, slot, n > 1 ? name : NONE, a, 1, &got);
    if (status == MODRACK_OK) out->value = got.value; else *out = got;
    if (got.value.tag == MODRACK_TAG_INT) got.release(&got);
    return status;
}
F(unknown) {
    UNUSED;
    modrack_str slot = MODRACK_STR("rate");
    return c->host->call(c, slot, NONE, a, 0, out);
}
F(exchange) {
    UNUSED;
    modrack_str slot = MODRACK_STR("exchange");
    return c->host->call(c, slot, NONE, a, 0, out);
}
F(config) {
    UNUSED;
    modrack_str key = MODRACK_STR("key");
    return c->host->config(c, key, out);
}
F(says) {
    UNUSED;
    modrack_str broken = { (const uint8_t *)"\xff!", 2 };
    c->host->log(c, MODRACK_LEVEL_INFO, broken);
    modrack_str message = MODRACK_STR("heard");
    c->host->log(c, MODRACK_LEVEL_WARN, message);
    GIVE(modrack_bool(c->host->time_left(c) == MODRACK_NO_DEADLINE));
}
F(hurry) {
    UNUSED;
    uint64_t left = c->host->time_left(c);
    if (left == 0) return modrack_fail(out, MODRACK_TIMED_OUT, "too late");
    GIVE(modrack_bool(left < 3600ull * 1000 * 1000 * 1000));
}
F(waits) {
    UNUSED; (void)out;
    while (!modrack_is_cancelled(c)) { }
    return MODRACK_CANCELLED;
}
"#;

#[test]
fn a_module_asks_the_host_for_log_configuration_time_and_other_slots() {
    let lab = Lab::new();
    let path = lab.module(
        "x.so",
        &["through", "unknown", "exchange", "config", "says", "hurry", "waits"],
        ASKING,
        ".flags = MODRACK_THREAD_SAFE",
    );
    let params = Map::from_iter([(Text::from("key"), Value::from("value"))]);
    let other: Arc<dyn Service> = Arc::new(Other(SlotName::parse("exchange").unwrap()));
    let instance = lab.start_with(&path, &params, vec![("rates".into(), other)]).unwrap();
    assert_eq!(call(&instance, "through", &[Value::Int(41)]).unwrap(), Value::Int(42));
    assert_eq!(call(&instance, "config", &[]).unwrap(), Value::from("value"));
    assert_eq!(call(&instance, "says", &[]).unwrap(), Value::Bool(true));
    assert_eq!(*lab.said.lock().unwrap(), ["slot info: \u{fffd}!", "slot warn: heard"]);
    // The failure of the other slot comes through whole, as the cause.
    let error = call(&instance, "through", &[Value::Int(1), Value::Null]).unwrap_err();
    assert_eq!(crate::line(&error), "M0504: It broke");
    assert_eq!(error.class_names(), ["other.Broken", "ValueError"]);
    assert_eq!(error.hint_text(), Some("Mend it"));
    assert_eq!(error.causes()[0].message, "It broke");
    assert_eq!(error.causes()[0].traceback.as_deref(), Some("File \"x.py\", line 1"));
    let error = call(&instance, "unknown", &[]).unwrap_err();
    assert_eq!(crate::line(&error), "M0504: `slot` needs no slot `rate`");
    assert_eq!(error.hint_text(), Some("Did you mean `rates`?"));
    // What fills the slot is called by the name in `needs`, and not by its own.
    let error = call(&instance, "exchange", &[]).unwrap_err();
    assert_eq!(crate::line(&error), "M0504: `slot` needs no slot `exchange`");
    let add = "Add it to the slot's `needs`: `needs: { exchange: exchange }`";
    assert_eq!(error.hint_text(), Some(add));
    let until = |deadline: Instant| {
        instance.function("hurry").unwrap().call(Call { deadline: Some(deadline), ..Call::default() })
    };
    assert_eq!(until(Instant::now() + Duration::from_secs(60)).unwrap(), Value::Bool(true));
    assert_eq!(failed(until(Instant::now())), "M0508: too late");
    // A call that nobody wants any more ends itself.
    let cancel = Cancel::default();
    let waits = instance.function("waits").unwrap();
    let given_up = std::thread::scope(|scope| {
        let call = scope.spawn(|| waits.call(Call { cancel: Some(&cancel), ..Call::default() }));
        cancel.cancel();
        call.join().unwrap()
    });
    assert_eq!(failed(given_up), "M0509: `waits` was given up");
}

#[test]
fn failures_are_told_in_the_modules_words() {
    let source = r#"
static const modrack_value classes[] = {};
static modrack_entry entries[3];
F(plain) { UNUSED; return modrack_fail(out, MODRACK_FAILED, "no such row"); }
F(silent) { UNUSED; (void)out; return MODRACK_FAILED; }
F(panics) { UNUSED; return modrack_fail(out, MODRACK_PANICKED, "index out of bounds"); }
F(picky) { UNUSED; return modrack_fail(out, MODRACK_BAD_ARGUMENTS, "rows, not columns"); }
F(odd) { UNUSED; (void)out; return 77; }
F(whole) {
    UNUSED; (void)classes;
    modrack_str keys[] = { MODRACK_STR("message"), MODRACK_STR("class"), MODRACK_STR("hint") };
    modrack_value values[] = { modrack_text("bad", 3), modrack_text("calc.Bad", 8), modrack_text("try", 3) };
    for (int i = 0; i < 3; i++) { entries[i].key = keys[i]; entries[i].value = values[i]; }
    out->value = modrack_map(entries, 3);
    return MODRACK_FAILED;
}
"#;
    let lab = Lab::new();
    let source =
        source.replace("static const modrack_value classes[] = {};", "static const int classes = 0;");
    let path = lab.module("x.so", &["plain", "silent", "panics", "picky", "odd", "whole"], &source, "");
    let instance = lab.start(&path).unwrap();
    let check = |function: &str, message: &str, classes: &[&str]| {
        let error = call(&instance, function, &[]).unwrap_err();
        assert_eq!(crate::line(&error), message);
        assert_eq!(error.class_names(), classes);
    };
    check("plain", "M0504: `plain` failed: no such row", &["error"]);
    check("silent", "M0504: `silent` failed and did not say why", &["error"]);
    check("panics", "M0504: `panics` panicked: index out of bounds", &["panic"]);
    check("picky", "M0503: rows, not columns", &[]);
    check("odd", "M0515: `odd` returned the status 77, which there is not", &[]);
    check("whole", "M0504: `whole` raised `calc.Bad`: bad", &["calc.Bad"]);
}

#[test]
fn a_panic_in_every_entry_is_an_error_of_that_entry() {
    let source = r#"
static int32_t make(const modrack_context *c, const modrack_value *params, void **self, modrack_output *out) {
    (void)c; (void)self;
    if (params->len > 0) return modrack_fail(out, MODRACK_PANICKED, "in create");
    return MODRACK_OK;
}
static int32_t broken(void *self, const modrack_context *c, modrack_output *out) {
    (void)self; (void)c; return modrack_fail(out, MODRACK_PANICKED, "in attribute");
}
static const modrack_attribute attributes[] = { {MODRACK_STR("broken"), broken} };
F(f) { UNUSED; return modrack_fail(out, MODRACK_PANICKED, "in f"); }
F(export_state) { UNUSED; return modrack_fail(out, MODRACK_PANICKED, "in export_state"); }
F(shutdown) { UNUSED; return modrack_fail(out, MODRACK_PANICKED, "in shutdown"); }
"#;
    let lab = Lab::new();
    let table = ".create = make, MODRACK_ATTRIBUTES(attributes)";
    let path = lab.module("x.so", &["f", "export_state", "shutdown"], source, table);
    let params = Map::from_iter([(Text::from("key"), Value::Null)]);
    assert_eq!(
        failed(lab.start_with(&path, &params, Vec::new())),
        "M0403: `x.so` could not be constructed: `create` panicked: in create"
    );
    let instance = lab.start(&path).unwrap();
    assert_eq!(failed(call(&instance, "f", &[])), "M0504: `f` panicked: in f");
    assert_eq!(failed(instance.attribute("broken")), "M0504: `broken` panicked: in attribute");
    assert_eq!(failed(instance.export_state()), "M0504: `export_state` panicked: in export_state");
    assert_eq!(
        failed(instance.stop(std::time::Duration::ZERO)),
        "M0407: `x.so` could not be shut down: `shutdown` panicked: in shutdown"
    );
}

#[test]
fn a_module_that_is_thread_safe_takes_calls_at_once() {
    let source = r#"
static volatile int inside = 0;
/* Comes back when two calls are in it. */
F(meet) {
    UNUSED;
    __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    while (inside < 2 && !modrack_is_cancelled(c)) { }
    GIVE(modrack_int(inside));
}
"#;
    let lab = Lab::new();
    let instance = lab.start(&lab.module("x.so", &["meet"], source, ".flags = MODRACK_THREAD_SAFE")).unwrap();
    let met = std::thread::scope(|scope| {
        let calls = [(); 2].map(|()| scope.spawn(|| call(&instance, "meet", &[])));
        calls.map(|call| call.join().unwrap().unwrap())
    });
    assert_eq!(met, [Value::Int(2), Value::Int(2)]);
    assert_eq!(instance.footprint().calls, 0);
}
