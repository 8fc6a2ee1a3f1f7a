//! Slots that hear of events, over modules as they are: a shared library and a component. Python's are in `examples/embed`.
#![cfg(all(feature = "native", feature = "wasm"))]

use std::path::Path;
use std::process::Command;

use modrack::{Asked, Code, Rack, SlotName, Swap};

/// A module in C that counts what it hears, if it is a mapping of five entries.
const LIBRARY: &str = r#"
#include "modrack.h"
MODRACK_NOTE("instances = 'shared'\nwit = 'package a:b; world module { use modrack:types/values@1.0.0.{value}; "
    "export hear: func(event: value); export heard: func() -> s64; }'\n");
#define F(name) static int32_t name(void *s, const modrack_context *c, const modrack_value *a, size_t n, modrack_output *out)
static int64_t count;
F(hear) {
    (void)s; (void)c;
    if (n != 1 || a[0].tag != MODRACK_TAG_MAP || a[0].len != 5)
        return modrack_fail(out, MODRACK_FAILED, "this is no event");
    __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    out->value = modrack_null();
    return MODRACK_OK;
}
F(heard) {
    (void)s; (void)c; (void)a; (void)n;
    out->value = modrack_int(__atomic_load_n(&count, __ATOMIC_SEQ_CST));
    return MODRACK_OK;
}
static const modrack_function functions[] = { {MODRACK_STR("hear"), hear}, {MODRACK_STR("heard"), heard} };
MODRACK_EXPORT const modrack_module modrack_module_v1 = {
    .head = MODRACK_HEAD(modrack_module), .flags = MODRACK_THREAD_SAFE, MODRACK_FUNCTIONS(functions) };
"#;

/// The same as a component. What it is given lies in its memory and is not looked at.
const COMPONENT: &str = r#"(component
  (import "modrack:types/values@1.0.0" (instance $values
    (type $table' (record (field "ipc" (list u8))))
    (export "table" (type $table (eq $table')))
    (type $part' (variant (case "null") (case "bool" bool) (case "int" s64) (case "float" f64) (case "text" string)
      (case "bytes" (list u8)) (case "list" (list u32)) (case "map" (list (tuple string u32))) (case "table" $table)))
    (export "part" (type $part (eq $part')))
    (type $value' (record (field "parts" (list $part))))
    (export "value" (type (eq $value')))))
  (alias export $values "value" (type $value))
  (core module $m (memory (export "memory") 1)
    (global $kept (mut i64) (i64.const 0))
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $free (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
      (global.get $free)
      (global.set $free (i32.add (global.get $free) (local.get 3))))
    (func (export "hear") (param i32 i32)
      (global.set $free (i32.const 1024))
      (global.set $kept (i64.add (global.get $kept) (i64.const 1))))
    (func (export "heard") (result i64) (global.get $kept)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (func (export "hear") (param "event" $value)
    (canon lift (core func $i "hear") (memory $memory) (realloc $realloc)))
  (func (export "heard") (result s64) (canon lift (core func $i "heard"))))
"#;

/// A rack with `a`, which is swapped, and `ear`, which hears of it.
fn rack(folder: &Path, ear: &str) -> Rack {
    std::fs::write(folder.join("a.wat"), "(component)").expect("there is room");
    std::fs::write(folder.join("ear.wat"), COMPONENT).expect("there is room");
    let text = format!(
        "rack: 1\nslots:\n  a: ./a.wat\n  ear: {{ use: ./{ear}, events: {{ 'swap.swapped, swap.rolled-back': hear }} }}\n"
    );
    std::fs::write(folder.join("rack.yaml"), text).expect("there is room");
    Rack::open(folder).expect("it opens")
}

/// Swaps and goes back, and waits until both were heard.
fn check(rack: &Rack) {
    rack.tell_slots();
    let a = SlotName::parse("a").expect("a name");
    rack.swap(&Swap::reload(a.clone())).expect("it is filled");
    rack.swap(&Swap::reload(a.clone())).expect("it swaps");
    rack.rollback(&a, Asked::default()).expect("it is parked");
    // Its own swap is told to it as well.
    let ear = rack.slot("ear").expect("it is declared");
    let heard = ear.function::<(), i64>("heard").expect("it is there");
    while heard.call(()).expect("it answers") < 3 {
        std::thread::yield_now();
    }
    rack.swap(&Swap::reload(ear.name().clone())).expect("it swaps");
    while heard.call(()).expect("it answers") == 0 {
        std::thread::yield_now();
    }
    let warnings = rack.events_since(0).into_iter().filter(|told| told.name == "warning");
    assert_eq!(warnings.count(), 0);
    assert!(rack.stop().is_empty());
    assert_eq!(heard.call(()).expect_err("it is stopped").code(), Code::RackStopped);
}

#[test]
fn a_library_hears() {
    let folder = tempfile::tempdir().expect("there is room");
    let (source, library) = (folder.path().join("ear.c"), folder.path().join("ear.so"));
    std::fs::write(&source, LIBRARY).expect("there is room");
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-I"]).arg(include).arg("-o").arg(&library).arg(&source);
    assert!(compiler.status().expect("Rust links with it").success());
    check(&rack(folder.path(), "ear.so"));
}

#[test]
fn a_component_hears() {
    let folder = tempfile::tempdir().expect("there is room");
    check(&rack(folder.path(), "ear.wat"));
}
