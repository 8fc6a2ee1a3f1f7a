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
