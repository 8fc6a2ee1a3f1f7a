//! Values in and out, by typed calls and by dynamic ones.

use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, StringArray};
use modrack_core::{Code, Instance, Map, Text, Value};

use crate::guests::{ADD, ECHO, TYPES, With, backend, call, component, start, started, told};

fn map(items: &[(&str, Value)]) -> Value {
    Value::from(items.iter().map(|(key, value)| (Text::from(*key), value.clone())).collect::<Map>())
}

#[test]
fn numbers_are_added() {
    let instance = started(&[ADD]);
    assert_eq!(call(&instance, "add", &[Value::Int(2), Value::Int(3)]).expect("a sum"), Value::Int(5));
    assert_eq!(told(call(&instance, "add", &[Value::Int(2)])), "M0503 `add` must be given `b` []");
    assert_eq!(
        told(call(&instance, "add", &[Value::Int(2), Value::from("x")])),
        "M0503 `b` of `add` takes `int`, not `text` []"
    );
    assert_eq!(told(call(&instance, "sum", &[])), "M0501 The component has no function `sum` []");
}

/// An exported function that hands back what it is given, of this type.
fn echo(types: &str, ty: &str) -> Arc<dyn Instance> {
    let function = format!(
        r#"{types} (func (export "same") (param "it" {ty}) (result {ty})
            (canon lift (core func $i "echo") (memory $memory) (realloc $realloc)))"#
    );
    started(&[ECHO, &function])
}

#[test]
fn texts_bytes_and_lists_come_back_as_they_were() {
    let text = Value::from("größer");
    assert_eq!(call(&echo("", "string"), "same", std::slice::from_ref(&text)).expect("text"), text);
    let bytes = Value::Bytes(vec![7_u8; 3 << 20].into());
    assert_eq!(call(&echo("", "(list u8)"), "same", std::slice::from_ref(&bytes)).expect("bytes"), bytes);
    let list = Value::List(vec![Value::Int(-1), Value::Int(9)]);
    assert_eq!(call(&echo("", "(list s16)"), "same", std::slice::from_ref(&list)).expect("a list"), list);
    let pairs = map(&[("a", Value::Float(0.5)), ("b", Value::Float(2.0))]);
    let got = call(&echo("", "(list (tuple string f64))"), "same", std::slice::from_ref(&pairs));
    assert_eq!(got.expect("a mapping"), pairs);
    let nested = Value::List(vec![Value::from("x"), Value::Null]);
    let got = call(&echo("", "(list (option string))"), "same", std::slice::from_ref(&nested));
    assert_eq!(got.expect("options"), nested);
}

#[test]
fn lists_of_one_type_cross_as_they_are() {
    for (ty, wanted, list, odd) in [
        ("s64", "s64", vec![Value::Int(i64::MIN), Value::Int(7)], Value::from("x")),
        ("f64", "float", vec![Value::Float(0.5), Value::Float(-1e300)], Value::Bool(true)),
        // A whole number whose last digits would be lost.
        ("f64", "float", vec![Value::Float(0.5)], Value::Int((1 << 53) + 1)),
        ("string", "text", vec![Value::from("ä"), Value::from("")], Value::Null),
    ] {
        let instance = echo("", &format!("(list {ty})"));
        let many: Vec<Value> = list.iter().cycle().take(20_000).cloned().collect();
        for given in [list.clone(), Vec::new(), many] {
            let given = Value::List(given);
            assert_eq!(call(&instance, "same", std::slice::from_ref(&given)).expect("a list"), given, "{ty}");
        }
        let said = told(call(&instance, "same", &[Value::List(vec![list[0].clone(), odd.clone()])]));
        assert_eq!(said, format!("M0503 `it`[1] takes `{wanted}`, not `{}` []", odd.type_name()));
        let said = told(call(&instance, "same", &[Value::Int(1)]));
        assert_eq!(said, format!("M0503 `it` of `same` takes `list<{wanted}>`, not `int` []"));
    }
    // Whole numbers are numbers too.
    let got = call(&echo("", "(list f64)"), "same", &[Value::List(vec![Value::Int(3)])]);
    assert_eq!(got.expect("a list"), Value::List(vec![Value::Float(3.0)]));
}

#[test]
fn numbers_out_of_range_are_errors() {
    let list = echo("", "(list u8)");
    assert!(told(call(&list, "same", &[Value::List(vec![Value::Int(1)])])).starts_with("M0503"));
    let list = echo("", "(list s8)");
    assert_eq!(
        told(call(&list, "same", &[Value::List(vec![Value::Int(300)])])),
        "M0503 `it`[0] takes `s8`, not 300 []"
    );
}

#[test]
fn any_value_crosses_as_its_parts() {
    let function = r#"(func (export "transform") (param "input" $value) (result (result $value (error $error)))
      (canon lift (core func $i "ok") (memory $memory) (realloc $realloc)))"#;
    let instance = started(&[TYPES, ECHO, function]);
    let value = map(&[
        ("null", Value::Null),
        ("bool", Value::Bool(true)),
        ("int", Value::Int(i64::MIN)),
        ("float", Value::Float(f64::INFINITY)),
        ("text", Value::from("ä")),
        ("bytes", Value::Bytes(vec![0, 255].into())),
        ("list", Value::List(vec![Value::List(Vec::new()), map(&[]), Value::Int(1)])),
    ]);
    assert_eq!(call(&instance, "transform", std::slice::from_ref(&value)).expect("a value"), value);
    let mut deep = Value::Null;
    for _ in 0..300 {
        deep = Value::List(vec![deep]);
    }
    let error = call(&instance, "transform", &[deep]).expect_err("too deep");
    assert_eq!(error.code(), Code::ValueDoesNotFit);
}

#[test]
fn a_list_of_values_takes_however_many_there_are() {
    let function = r#"(func (export "execute") (param "args" (list $value)) (result (list $value))
      (canon lift (core func $i "echo") (memory $memory) (realloc $realloc)))"#;
    let instance = started(&[TYPES, ECHO, function]);
    let got = call(&instance, "execute", &[Value::Int(1), Value::from("b")]).expect("a list");
    assert_eq!(got, Value::List(vec![Value::Int(1), Value::from("b")]));
    assert_eq!(call(&instance, "execute", &[]).expect("a list"), Value::List(Vec::new()));
}

#[test]
fn a_table_is_copied_once_each_way_and_counted() {
    let function = r#"(func (export "same") (param "it" $table) (result $table)
      (canon lift (core func $i "echo") (memory $memory) (realloc $realloc)))"#;
    let with = With::default();
    let instance = start(&backend(), &component(&[TYPES, ECHO, function]), &with).expect("a component");
    let batch = RecordBatch::try_from_iter([
        ("n", Arc::new(Int64Array::from(vec![1, 2, 3])) as _),
        ("t", Arc::new(StringArray::from(vec![Some("a"), None, Some("c")])) as _),
    ])
    .expect("a table");
    let table = Value::from(batch);
    assert_eq!(call(&instance, "same", std::slice::from_ref(&table)).expect("a table"), table);
    assert_eq!(with.copies.copies().tables, 2);
}

#[test]
fn records_variants_enums_and_flags_have_the_names_of_callers() {
    // They lie flat in the parameters: the core function gives the pointer to what it was told to store.
    let guest = r#"
      (core module $m
        (memory (export "memory") 1)
        (func (export "line") (param i32 i32 i32) (result i32)
          (i32.store8 (i32.const 16) (local.get 0))
          (i32.store8 (i32.const 17) (local.get 1))
          (i32.store (i32.const 20) (local.get 2))
          (i32.const 16)))
      (core instance $i (instantiate $m))
      (type $size (enum "very-small" "large"))
      (type $marks (flags "is-new" "sold"))
      (type $line (record (field "the-size" $size) (field "marks" $marks) (field "count" u32)))
      (func $same (param "it" $line) (result $line) (canon lift (core func $i "line") (memory $i "memory")))
      (component $interface
        (type $size' (enum "very-small" "large")) (import "size-in" (type $size (eq $size')))
        (type $marks' (flags "is-new" "sold")) (import "marks-in" (type $marks (eq $marks')))
        (type $line' (record (field "the-size" $size) (field "marks" $marks) (field "count" u32)))
        (import "line-in" (type $line (eq $line')))
        (import "same-in" (func $same (param "it" $line) (result $line)))
        (export $size-out "size" (type $size))
        (export $marks-out "marks" (type $marks))
        (type $line-out' (record (field "the-size" $size-out) (field "marks" $marks-out) (field "count" u32)))
        (export $line-out "line" (type $line-out'))
        (export "same" (func $same) (func (param "it" $line-out) (result $line-out))))
      (instance $lines (instantiate $interface (with "size-in" (type $size)) (with "marks-in" (type $marks))
        (with "line-in" (type $line)) (with "same-in" (func $same))))
      (export "acme:lines/lines@1.0.0" (instance $lines))"#;
    let instance = started(&[guest]);
    let line = map(&[
        ("the_size", Value::from("large")),
        ("marks", Value::List(vec![Value::from("is-new")])),
        ("count", Value::Int(4_000_000_000)),
    ]);
    assert_eq!(call(&instance, "same", std::slice::from_ref(&line)).expect("a record"), line);
    assert_eq!(
        told(call(&instance, "same", &[map(&[("size", Value::from("large"))])])),
        "M0503 `it` takes `{ the_size: enum { very-small, large }, marks: flags { is-new, sold }, count: u32 }`, \
         not a mapping with `size` []"
    );
}

/// A function that hands back a variant as it came: the case, and eight bytes of what it holds.
const VARIANT: &str = r#"
  (core module $m
    (memory (export "memory") 1)
    (func (export "same") (param i32 i64) (result i32)
      (i32.store8 (i32.const 16) (local.get 0))
      (i64.store (i32.const 24) (local.get 1))
      (i32.const 16)))
  (core instance $i (instantiate $m))
  (type $shape' (variant (case "the-empty") (case "circle" f64) (case "sides" s64) (case "marked" bool)))
  (import "shape" (type $shape (eq $shape')))
  (func (export "same") (param "given" $shape) (result $shape)
    (canon lift (core func $i "same") (memory $i "memory")))
"#;

#[test]
fn a_variant_is_its_case_or_its_case_with_what_it_holds() {
    let instance = started(&[VARIANT]);
    let case = |name: &str, value: Value| map(&[(name, value)]);
    for (given, comes) in [
        (Value::from("the_empty"), Value::from("the_empty")),
        (Value::from("the-empty"), Value::from("the_empty")),
        (case("the_empty", Value::Null), Value::from("the_empty")),
        (case("circle", Value::Float(1.5)), case("circle", Value::Float(1.5))),
        (case("sides", Value::Int(-3)), case("sides", Value::Int(-3))),
        (case("marked", Value::Bool(true)), case("marked", Value::Bool(true))),
        // A value alone is of the one case that takes it.
        (Value::Bool(true), case("marked", Value::Bool(true))),
        (Value::Float(0.5), case("circle", Value::Float(0.5))),
    ] {
        let got = call(&instance, "same", std::slice::from_ref(&given));
        assert_eq!(got.expect("a variant"), comes, "{given:?}");
    }
    // A whole number could be either; the others are no case at all.
    let square = case("square", Value::Int(1));
    for given in [Value::Int(1), Value::from("circle"), case("sides", Value::from("x")), square] {
        let said = told(call(&instance, "same", std::slice::from_ref(&given)));
        assert!(said.starts_with("M0503 `given`"), "{given:?}: {said}");
    }
}

#[test]
fn resources_are_handles_that_stay_with_their_component() {
    let guest = r#"
      (core module $dtor (func (export "dtor") (param i32)))
      (core instance $d (instantiate $dtor))
      (type $counter (resource (rep i32) (dtor (core func $d "dtor"))))
      (core func $new (canon resource.new $counter))
      (core module $m
        (import "h" "new" (func $new (param i32) (result i32)))
        (global $at (mut i32) (i32.const 0))
        (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
        (func (export "get") (param i32) (result i32) (local.get 0)))
      (core instance $i (instantiate $m (with "h" (instance (export "new" (func $new))))))
      (func $make (param "from" u32) (result (own $counter)) (canon lift (core func $i "make")))
      (func $get (param "self" (borrow $counter)) (result u32) (canon lift (core func $i "get")))
      (component $interface
        (import "counter-in" (type $counter (sub resource)))
        (import "make-in" (func $make (param "from" u32) (result (own $counter))))
        (import "get-in" (func $get (param "self" (borrow $counter)) (result u32)))
        (export $out "counter" (type $counter))
        (export "[constructor]counter" (func $make) (func (param "from" u32) (result (own $out))))
        (export "[method]counter.get" (func $get) (func (param "self" (borrow $out)) (result u32))))
      (instance $counters (instantiate $interface (with "counter-in" (type $counter))
        (with "make-in" (func $make)) (with "get-in" (func $get))))
      (export "acme:counters/counters@1.0.0" (instance $counters))"#;
    let instance = started(&[guest]);
    let handle = call(&instance, "counter", &[Value::Int(7)]).expect("a handle");
    let Value::Foreign(object) = &handle else { panic!("{handle:?}") };
    assert_eq!(object.type_name(), "counter");
    assert_eq!(
        call(&instance, "counter.get", std::slice::from_ref(&handle)).expect("a number"),
        Value::Int(7)
    );
    assert!(
        told(call(&started(&[guest]), "counter.get", std::slice::from_ref(&handle))).starts_with("M0503")
    );
    drop(handle);
    call(&instance, "counter", &[Value::Int(8)]).expect("another, once the first was dropped");
}
