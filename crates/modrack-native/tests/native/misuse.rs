//! Modules that break the rules, as far as a host can find it out.

use std::sync::Arc;

use modrack_core::{Call, Function, Map, Result, Service, SlotName, Value};

use crate::{Lab, call, failed};

const RULES: &str = r#"
#include <stdlib.h>
static char held[4096];
static void marks(modrack_output *out) { out->release = NULL; }
static void forgets(modrack_output *out) { (void)out; }
static int32_t give(modrack_output *out, void (*release)(modrack_output *)) {
    for (size_t i = 0; i < sizeof held; i++) held[i] = 'x';
    out->value = modrack_text(held, sizeof held);
    out->owner = held;
    out->release = release;
    return MODRACK_OK;
}
/* Gives one and the same result at each call, as if it were another. */
F(again) { UNUSED; return give(out, marks); }
F(unmarked) { UNUSED; return give(out, forgets); }
F(unmarked_short) { UNUSED; int32_t s = give(out, forgets); out->value.len = 3; return s; }
/* Lends out memory of its argument. */
F(keeps) { UNUSED; out->value = a[0]; out->release = marks; return MODRACK_OK; }
F(twice) {
    UNUSED;
    modrack_str key = MODRACK_STR("key");
    modrack_output got;
    c->host->config(c, key, &got);
    modrack_output copy = got;
    got.release(&got);
    copy.release(&copy);
    GIVE(modrack_null());
}
F(not_ours) {
    UNUSED;
    modrack_str key = MODRACK_STR("key");
    modrack_output got, own = { modrack_null(), 0, &held };
    c->host->config(c, key, &got);
    got.release(&own);
    got.release(&got);
    GIVE(modrack_null());
}
F(no_output) {
    UNUSED;
    modrack_str key = MODRACK_STR("key");
    c->host->config(c, key, NULL);
    GIVE(modrack_null());
}
F(sound) { UNUSED; GIVE(modrack_int(1)); }
"#;

const FUNCTIONS: &[&str] =
    &["again", "unmarked", "unmarked_short", "keeps", "twice", "not_ours", "no_output", "sound"];

#[test]
fn rules_that_are_broken_are_errors_and_nothing_is_freed_twice() {
    let lab = Lab::new();
    let instance = lab.start(&lab.module("x.so", FUNCTIONS, RULES, "")).unwrap();
    let check = |function: &str, what: &str| {
        let text = Value::from("y".repeat(500));
        let got = failed(call(&instance, function, &[text]));
        assert_eq!(got, format!("M0515: `{function}` {what}"));
        assert_eq!(call(&instance, "sound", &[]).unwrap(), Value::Int(1));
    };
    let first = call(&instance, "again", &[]).unwrap();
    check("again", "gave a result that it gave before, and that was not released yet");
    drop(first);
    drop(call(&instance, "again", &[]).unwrap());
    check("unmarked_short", "released a result and did not mark it as released");
    check("keeps", "gave a result to keep that lies in one of its arguments: it must copy what it keeps");
    check("twice", "released an output that is not the host's, or was released before");
    check("not_ours", "released an output that is not the host's, or was released before");
    check("no_output", "asked the host for something, and gave no output for it");
    // What goes wrong after the call is said by the next.
    drop(call(&instance, "unmarked", &[]).unwrap());
    assert_eq!(
        failed(call(&instance, "sound", &[])),
        "M0515: `unmarked` released a result and did not mark it as released"
    );
    assert_eq!(call(&instance, "sound", &[]).unwrap(), Value::Int(1));
}

/// A slot that calls back who called it.
struct Back(std::sync::Mutex<Option<Arc<dyn Function>>>, SlotName);

impl Service for Back {
    fn slot(&self) -> &SlotName {
        &self.1
    }

    fn call(&self, _: Option<&str>, _: Call<'_>) -> Result<Value> {
        let function = self.0.lock().unwrap().clone().unwrap();
        function.call(Call::default())
    }

    fn attribute(&self, _: &str) -> Result<Value> {
        Ok(Value::Null)
    }

    fn has_function(&self, _: &str) -> Result<bool> {
        Ok(true)
    }
}

#[test]
fn who_broke_a_rule_is_blamed_and_not_who_it_calls() {
    let source = r#"
F(outer) {
    (void)self; (void)a; (void)n;
    modrack_str key = MODRACK_STR("key"), slot = MODRACK_STR("back"), none = {0, 0};
    modrack_output got;
    c->host->config(c, key, &got);
    modrack_output copy = got;
    got.release(&got);
    copy.release(&copy);
    return c->host->call(c, slot, none, NULL, 0, out);
}
"#;
    let lab = Lab::new();
    let inner = lab.start(&lab.module("y.so", &["inner"], "F(inner) { UNUSED; GIVE(modrack_int(1)); }", ""));
    let inner = inner.unwrap().function("inner").unwrap();
    let back = Arc::new(Back(std::sync::Mutex::new(Some(inner)), SlotName::parse("back").unwrap()));
    let path = lab.module("x.so", &["outer"], source, "");
    let outer = lab.start_with(&path, &Map::new(), vec![("back".into(), back as Arc<dyn Service>)]).unwrap();
    assert_eq!(
        failed(call(&outer, "outer", &[])),
        "M0515: `outer` released an output that is not the host's, or was released before"
    );
}

#[test]
fn a_module_that_is_not_thread_safe_is_not_called_again_in_a_call() {
    let source = r#"
F(outer) {
    (void)self; (void)a; (void)n;
    modrack_str slot = MODRACK_STR("back"), none = {0, 0};
    return c->host->call(c, slot, none, NULL, 0, out);
}
F(inner) { UNUSED; GIVE(modrack_int(1)); }
"#;
    let lab = Lab::new();
    let back = Arc::new(Back(std::sync::Mutex::default(), SlotName::parse("back").unwrap()));
    let service = |back: &Arc<Back>| vec![("back".into(), Arc::clone(back) as Arc<dyn Service>)];
    let path = lab.module("x.so", &["outer", "inner"], source, "");
    let instance = lab.start_with(&path, &Map::new(), service(&back)).unwrap();
    *back.0.lock().unwrap() = Some(instance.function("inner").unwrap());
    let error = call(&instance, "outer", &[]).unwrap_err();
    assert_eq!(crate::line(&error), "M0504: `inner` was called while its module was being called");
    assert_eq!(error.causes()[0].class, "M0511");
    assert_eq!(call(&instance, "inner", &[]).unwrap(), Value::Int(1));
    let safe = lab.module("y.so", &["outer", "inner"], source, ".flags = MODRACK_THREAD_SAFE");
    let safe = lab.start_with(&safe, &Map::new(), service(&back)).unwrap();
    *back.0.lock().unwrap() = Some(safe.function("inner").unwrap());
    assert_eq!(call(&safe, "outer", &[]).unwrap(), Value::Int(1));
    *back.0.lock().unwrap() = None;
}

const LENDS: &str = r#"
#include <stdlib.h>
static void marks(modrack_output *out) { out->release = NULL; }
static int32_t lend(modrack_output *out, modrack_value value) {
    out->value = value; out->release = marks; return MODRACK_OK;
}
/* The first item of a list; what a map has first; what lies deepest. */
F(item) { UNUSED; return lend(out, a[0].payload.items[0]); }
F(entry) { UNUSED; return lend(out, a[0].payload.entries[0].value); }
F(key) {
    UNUSED;
    modrack_str key = a[0].payload.entries[0].key;
    return lend(out, modrack_bytes(key.data, key.len));
}
F(deepest) {
    UNUSED;
    const modrack_value *at = a;
    while (at->tag == MODRACK_TAG_LIST) at = at->payload.items;
    return lend(out, *at);
}
/* A list of what it was given, of which the end alone is the caller's. */
F(pair) {
    UNUSED;
    static char own[1000];
    static modrack_value pair[2];
    for (size_t i = 0; i < sizeof own; i++) own[i] = 'o';
    pair[0] = modrack_text(own, sizeof own);
    pair[1] = a[0].payload.items[0];
    return lend(out, modrack_list(pair, 2));
}
static modrack_value numbers(const modrack_value *a) {
    const struct ArrowArray *column = a[0].payload.table->array->children[0];
    return modrack_bytes(column->buffers[1], (size_t)column->length * 8);
}
/* The numbers of a table that was only read, and of one that was taken over. */
F(column) { UNUSED; return lend(out, numbers(a)); }
static struct ArrowArray held;
F(taken) {
    UNUSED;
    modrack_value value = numbers(a);
    struct ArrowArray *given = a[0].payload.table->array;
    held = *given; given->release = NULL;
    return lend(out, value);
}
/* A table whose numbers are the bytes that it was given. */
static void schema_done(struct ArrowSchema *s) { s->release = NULL; }
static void array_done(struct ArrowArray *s) { s->release = NULL; }
F(table) {
    UNUSED;
    static struct ArrowSchema schemas[2], *schema_parts[1] = { &schemas[1] };
    static struct ArrowArray arrays[2], *array_parts[1] = { &arrays[1] };
    static const void *none[1], *buffers[2];
    static modrack_table given = { &schemas[0], &arrays[0] };
    const modrack_value *bytes = a[0].tag == MODRACK_TAG_LIST ? a[0].payload.items : a;
    buffers[1] = bytes->payload.bytes;
    int64_t rows = (int64_t)bytes->len / 8;
    schemas[0] = (struct ArrowSchema){ .format = "+s", .name = "", .n_children = 1, .children = schema_parts,
                                       .release = schema_done };
    schemas[1] = (struct ArrowSchema){ .format = "l", .name = "n", .release = schema_done };
    arrays[0] = (struct ArrowArray){ .length = rows, .n_buffers = 1, .n_children = 1, .buffers = none,
                                     .children = array_parts, .release = array_done };
    arrays[1] = (struct ArrowArray){ .length = rows, .n_buffers = 2, .buffers = buffers, .release = array_done };
    modrack_value value = { MODRACK_TAG_TABLE, 0, 1, {0} };
    value.payload.table = &given;
    return lend(out, value);
}
"#;

#[test]
fn a_result_that_lies_within_an_argument_is_refused() {
    let lab = Lab::new();
    let functions = ["item", "entry", "key", "deepest", "pair", "column", "taken", "table"];
    let instance = lab.start(&lab.module("x.so", &functions, LENDS, "")).unwrap();
    let text = || Value::from("y".repeat(500));
    let map = |key: &str| Value::from(Map::from_iter([(modrack_core::Text::from(key), text())]));
    let list = |value: Value| Value::List(vec![value]);
    let deep = (0..30).fold(text(), |value, _| list(value));
    let numbers = arrow_array::Int64Array::from_iter_values(0..1000);
    let table = || {
        let column = Arc::new(numbers.clone()) as arrow_array::ArrayRef;
        Value::from(arrow_array::RecordBatch::try_from_iter([("n", column)]).unwrap())
    };
    let bytes = Value::Bytes(bytes::Bytes::from(vec![1; 8 * 64]));
    for (function, argument) in [
        ("item", list(text())),
        ("entry", map("key")),
        ("key", map(&"k".repeat(300))),
        ("deepest", deep),
        ("pair", list(text())),
        ("column", table()),
        ("table", bytes.clone()),
        ("table", list(bytes)),
    ] {
        let what = if function == "table" { "a table" } else { "a result to keep" };
        let wanted = format!(
            "M0515: `{function}` gave {what} that lies in one of its arguments: it must copy what it keeps"
        );
        assert_eq!(failed(call(&instance, function, &[argument])), wanted);
    }
    // What is short is copied at once, and a table that was taken over is the module's own, also if others have it.
    assert_eq!(call(&instance, "item", &[list(Value::from("short"))]).unwrap(), Value::from("short"));
    let Value::Bytes(taken) = call(&instance, "taken", &[table(), table()]).unwrap() else {
        panic!("it is bytes")
    };
    assert_eq!(taken[8..16], 1_i64.to_ne_bytes());
}

/// A slot that fails, with a number of its own each time.
struct Failing(std::sync::atomic::AtomicUsize, SlotName);

impl Service for Failing {
    fn slot(&self) -> &SlotName {
        &self.1
    }

    fn call(&self, _: Option<&str>, _: Call<'_>) -> Result<Value> {
        let number = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Err(modrack_core::Error::new(modrack_core::Code::Raised, format!("Failure {number}")))
    }

    fn attribute(&self, _: &str) -> Result<Value> {
        Ok(Value::Null)
    }

    fn has_function(&self, _: &str) -> Result<bool> {
        Ok(true)
    }
}

#[test]
fn a_module_may_ask_and_fail_as_often_as_it_likes() {
    let source = r#"
/* Asks as often as it is told, and hands the last failure on. */
F(asks) {
    (void)self; (void)n;
    modrack_str slot = MODRACK_STR("back"), none = {0, 0};
    for (int64_t left = a[0].payload.integer; left > 1; left--) {
        modrack_output got;
        c->host->call(c, slot, none, NULL, 0, &got);
        got.release(&got);
    }
    return c->host->call(c, slot, none, NULL, 0, out);
}
"#;
    let lab = Lab::new();
    let failing = Arc::new(Failing(0.into(), SlotName::parse("back").unwrap())) as Arc<dyn Service>;
    let path = lab.module("x.so", &["asks"], source, "");
    let instance = lab.start_with(&path, &Map::new(), vec![("back".into(), failing)]).unwrap();
    for (times, last) in [(1, 0), (1000, 1000)] {
        let error = call(&instance, "asks", &[Value::Int(times)]).unwrap_err();
        assert_eq!(crate::line(&error), format!("M0504: Failure {last}"));
        assert_eq!(error.causes()[0].message, format!("Failure {last}"));
    }
}

#[test]
fn an_instance_that_was_made_by_breaking_a_rule_is_ended() {
    let source = r#"
#include <stdlib.h>
static int64_t alive = 0;
static int32_t make(const modrack_context *c, const modrack_value *params, void **self, modrack_output *out) {
    (void)out;
    modrack_str key = MODRACK_STR("key");
    alive++;
    *self = &alive;
    if (params->len > 0) c->host->config(c, key, NULL);
    return MODRACK_OK;
}
static void end(void *self) { --*(int64_t *)self; }
F(count) { UNUSED; GIVE(modrack_int(alive)); }
"#;
    let lab = Lab::new();
    let path = lab.module("x.so", &["count"], source, ".create = make, .destroy = end");
    let params = Map::from_iter([("key".into(), Value::Null)]);
    assert_eq!(
        failed(lab.start_with(&path, &params, Vec::new())),
        "M0403: `x.so` could not be constructed: `create` asked the host for something, and gave no output for it"
    );
    assert_eq!(call(&lab.start(&path).unwrap(), "count", &[]).unwrap(), Value::Int(1));
}

#[test]
fn what_a_module_does_wrong_when_it_is_freed_is_not_the_fault_of_others() {
    let source = r#"
static modrack_output kept;
static char held[1000];
static int32_t make(const modrack_context *c, const modrack_value *params, void **self, modrack_output *out) {
    (void)c; (void)params; (void)out;
    *self = &kept;
    return MODRACK_OK;
}
/* Gives back once more what it gave back before. */
static void again(void) {
    modrack_output copy = kept;
    if (kept.owner) copy.release(&copy);
}
static void end(void *self) { (void)self; again(); }
static void marks(modrack_output *out) { out->release = NULL; again(); }
F(f) {
    UNUSED;
    modrack_str key = MODRACK_STR("key");
    c->host->config(c, key, out);
    kept = *out;
    out->release(out);
    GIVE(modrack_int(5));
}
F(lends) {
    UNUSED;
    for (size_t i = 0; i < sizeof held; i++) held[i] = 'x';
    out->value = modrack_bytes((const uint8_t *)held, sizeof held);
    out->owner = held;
    out->release = marks;
    return MODRACK_OK;
}
"#;
    let lab = Lab::new();
    let sound = lab.start(&lab.module("y.so", &["inner"], "F(inner) { UNUSED; GIVE(modrack_int(1)); }", ""));
    let sound = sound.unwrap();
    let path = lab.module("x.so", &["f", "lends"], source, ".create = make, .destroy = end");
    let wrong = lab.start(&path).unwrap();
    assert_eq!(call(&wrong, "f", &[]).unwrap(), Value::Int(5));
    // A result that is released late: its own module says so.
    drop(call(&wrong, "lends", &[]).unwrap());
    assert_eq!(call(&sound, "inner", &[]).unwrap(), Value::Int(1));
    let what = "released an output that is not the host's, or was released before";
    assert_eq!(failed(call(&wrong, "f", &[])), format!("M0515: `lends` {what}"));
    // An instance that is ended: nobody is left to say so, and the log has it.
    drop(wrong);
    assert_eq!(call(&sound, "inner", &[]).unwrap(), Value::Int(1));
    assert_eq!(*lab.said.lock().unwrap(), [format!("slot error: `destroy` {what}")]);
}

#[test]
fn results_that_lie_nowhere_are_refused_however_short() {
    let source = r#"
F(bytes) { UNUSED; GIVE(modrack_bytes((const uint8_t *)16, 10)); }
F(text) { UNUSED; GIVE(modrack_text((const char *)0xfff0000000000000, 10)); }
F(list) { UNUSED; GIVE(modrack_list((const modrack_value *)16, 100)); }
F(map) { UNUSED; GIVE(modrack_map((const modrack_entry *)4096, 1)); }
F(says) { UNUSED; modrack_str line = { (void *)16, 3 }; c->host->log(c, 2, line); GIVE(modrack_null()); }
"#;
    let lab = Lab::new();
    let instance = lab.start(&lab.module("x.so", &["bytes", "text", "list", "map", "says"], source, ""));
    let instance = instance.unwrap();
    for (function, what) in [
        ("bytes", "M0506: `bytes` gave bytes of length 10 that is not there"),
        ("text", "M0506: `text` gave text of length 10 that is not there"),
        ("list", "M0506: `list` gave a list of length 100 that is not there"),
        ("map", "M0506: `map` gave a map of length 1 that is not there"),
        ("says", "M0515: `says` gave a line for the log that is not there"),
    ] {
        assert_eq!(failed(call(&instance, function, &[])), what);
    }
}

/// Bytes that tell when they are gone.
struct Watched(#[expect(dead_code, reason = "it is there to be dropped")] Arc<()>);

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        b"watched"
    }
}

#[test]
fn what_a_module_never_gives_back_goes_with_its_instance() {
    let source = r#"
F(keeps) {
    UNUSED;
    static modrack_output kept[4];
    static int at = 0;
    modrack_str key = MODRACK_STR("key");
    c->host->config(c, key, &kept[at++]);
    GIVE(modrack_null());
}
"#;
    let lab = Lab::new();
    let path = lab.module("x.so", &["keeps"], source, "");
    let alive = Arc::new(());
    let watched = bytes::Bytes::from_owner(Watched(Arc::clone(&alive)));
    let params = Map::from_iter([("key".into(), Value::Bytes(watched))]);
    let [one, other] = [(); 2].map(|()| lab.start_with(&path, &params, Vec::new()).unwrap());
    drop(params);
    assert_eq!(call(&one, "keeps", &[]).unwrap(), Value::Null);
    assert_eq!(call(&other, "keeps", &[]).unwrap(), Value::Null);
    drop(one);
    assert_eq!(Arc::strong_count(&alive), 2);
    drop(other);
    assert_eq!(Arc::strong_count(&alive), 1);
}
