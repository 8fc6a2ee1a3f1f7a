//! Values both ways: what each kind comes to, that nothing large is copied, and what is refused.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch, StringArray};
use modrack_core::{Map, Value};

use crate::{Lab, call, failed};

const ECHO: &str = r#"
#include <stdlib.h>
/* Gives the argument back, without anything to free: it is copied. */
F(echo) { UNUSED; GIVE(a[0]); }
/* Where an argument lies. */
F(place) { UNUSED; GIVE(modrack_int((int64_t)a[0].payload.integer)); }
F(tag) { UNUSED; GIVE(modrack_int(a[0].tag)); }
static void let_go(modrack_output *out) { free(out->owner); out->release = NULL; }
/* Text of so many bytes in the module's own memory. */
F(own) {
    UNUSED;
    size_t len = (size_t)a[0].payload.integer;
    char *bytes = malloc(len);
    for (size_t i = 0; i < len; i++) bytes[i] = 'x';
    out->value = n > 1 ? modrack_bytes(bytes, len) : modrack_text(bytes, len);
    out->owner = bytes;
    out->release = let_go;
    return MODRACK_OK;
}
F(deep) {
    UNUSED;
    static modrack_value levels[100];
    for (int i = 0; i < 99; i++) levels[i] = modrack_list(&levels[i + 1], 1);
    GIVE(levels[0]);
}
F(not_text) { UNUSED; GIVE(modrack_text("ab\xff", 3)); }
F(no_kind) { UNUSED; modrack_value v = {99, 0, 0, {0}}; GIVE(v); }
F(no_bool) { UNUSED; modrack_value v = {MODRACK_TAG_BOOL, 0, 0, {2}}; GIVE(v); }
F(nowhere) { UNUSED; GIVE(modrack_text((const char *)0, 5)); }
F(endless) { UNUSED; GIVE(modrack_text("x", (size_t)1 << 45)); }
F(negative) { UNUSED; GIVE(modrack_list((const modrack_value *)a, (size_t)-1)); }
F(crooked) { UNUSED; GIVE(modrack_list((const modrack_value *)((const char *)a + 1), 1)); }
"#;

const FUNCTIONS: &[&str] = &[
    "echo", "place", "tag", "own", "deep", "not_text", "no_kind", "no_bool", "nowhere", "endless",
    "negative", "crooked",
];

#[test]
fn every_kind_of_value_comes_back_as_it_went() {
    let lab = Lab::new();
    let instance = lab.start(&lab.module("x.so", FUNCTIONS, ECHO, "")).unwrap();
    let map =
        Map::from_iter([("b".into(), Value::Int(1)), ("a".into(), Value::List(vec![Value::from("ä")]))]);
    for (tag, value) in [
        (0, Value::Null),
        (1, Value::Bool(true)),
        (2, Value::Int(i64::MIN)),
        (3, Value::Float(-0.5)),
        (4, Value::from("größe")),
        (4, Value::from("")),
        (5, Value::Bytes(b"a\0b".as_slice().into())),
        (6, Value::List(vec![Value::Null, Value::List(vec![])])),
        (7, Value::from(map)),
        (4, Value::from("x".repeat(100_000))),
    ] {
        assert_eq!(call(&instance, "tag", std::slice::from_ref(&value)).unwrap(), Value::Int(tag));
        assert_eq!(call(&instance, "echo", std::slice::from_ref(&value)).unwrap(), value);
    }
}

#[test]
fn text_and_bytes_are_read_where_they_lie() {
    let lab = Lab::new();
    let instance = lab.start(&lab.module("x.so", FUNCTIONS, ECHO, "")).unwrap();
    let bytes = bytes::Bytes::from(vec![7; 1 << 20]);
    let place = call(&instance, "place", &[Value::Bytes(bytes.clone())]).unwrap();
    assert_eq!(place, Value::Int(bytes.as_ptr() as i64));
    let Value::Text(own) = call(&instance, "own", &[Value::Int(1 << 20)]).unwrap() else {
        panic!("it is text")
    };
    let Value::Bytes(raw) = call(&instance, "own", &[Value::Int(1 << 20), Value::Null]).unwrap() else {
        panic!("it is bytes")
    };
    // Results outlive the instance's handle; the instance goes with the last of them.
    drop(instance);
    assert!(own.bytes().all(|byte| byte == b'x') && raw.iter().all(|byte| *byte == b'x'));
}

#[test]
fn what_is_no_value_is_refused() {
    let lab = Lab::new();
    let instance = lab.start(&lab.module("x.so", FUNCTIONS, ECHO, "")).unwrap();
    for (function, message) in [
        ("deep", "M0506: `deep` gave a value that is nested deeper than 64 levels"),
        ("not_text", "M0506: `not_text` gave text that is not UTF-8: byte 2 of 3"),
        ("no_kind", "M0506: `no_kind` gave a value of the kind 99, which there is not"),
        ("no_bool", "M0506: `no_bool` gave a bool that is 2"),
        ("nowhere", "M0506: `nowhere` gave text of length 5 that is not there"),
        ("endless", "M0506: `endless` gave text of length 35184372088832 that is not there"),
        ("negative", "M0506: `negative` gave a list of length 18446744073709551615 that is not there"),
        ("crooked", "M0506: `crooked` gave a list of length 1 that is not there"),
    ] {
        assert_eq!(failed(call(&instance, function, &[Value::Null])), message);
    }
    let mut deep = Value::Null;
    for _ in 0..100 {
        deep = Value::List(vec![deep]);
    }
    assert_eq!(failed(call(&instance, "echo", &[deep])), "M0506: The value is nested deeper than 64 levels");
}

const TABLES: &str = r#"
#include <stdlib.h>
#include <string.h>
/* Gives the table back that it was given: taken over, not copied. */
static struct ArrowSchema schema;
static struct ArrowArray array;
static modrack_table table = { &schema, &array };
static void take(const modrack_value *a) {
    const modrack_table *given = a[0].payload.table;
    schema = *given->schema; given->schema->release = NULL;
    array = *given->array; given->array->release = NULL;
}
static modrack_value held(void) {
    modrack_value value = { MODRACK_TAG_TABLE, 0, 1, {0} };
    value.payload.table = &table;
    return value;
}
F(same) { UNUSED; take(a); GIVE(held()); }
F(borrow) { UNUSED; GIVE(a[0]); }
F(sum) {
    UNUSED;
    const struct ArrowArray *column = a[0].payload.table->array->children[0];
    const int64_t *values = column->buffers[1];
    int64_t sum = 0;
    for (int64_t i = 0; i < column->length; i++) sum += values[column->offset + i];
    GIVE(modrack_int(sum));
}
F(keep) { UNUSED; take(a); GIVE(modrack_null()); }
F(kept) { UNUSED; (void)a; GIVE(held()); }
/* From here on the structures are the module's own, with a word of its own that frees them. */
static void schema_done(struct ArrowSchema *s) { s->release = NULL; }
static void array_done(struct ArrowArray *s) { s->release = NULL; }
static void own(const modrack_value *a) { take(a); schema.release = schema_done; array.release = array_done; }
F(no_format) { UNUSED; own(a); schema.format = NULL; GIVE(held()); }
F(bad_format) { UNUSED; own(a); schema.children[0]->format = "nonsense"; GIVE(held()); }
F(no_rows) { UNUSED; own(a); schema.format = "l"; schema.n_children = 0; GIVE(held()); }
F(length) { UNUSED; own(a); array.length = -1; GIVE(held()); }
F(offset) { UNUSED; own(a); array.children[0]->offset = -5; GIVE(held()); }
F(beyond) { UNUSED; own(a); array.length = array.children[0]->length = (int64_t)1 << 40; GIVE(held()); }
F(children) { UNUSED; own(a); array.n_children = 7; GIVE(held()); }
F(buffers) { UNUSED; own(a); array.children[0]->n_buffers = 1; GIVE(held()); }
F(released) { UNUSED; own(a); array.release(&array); GIVE(held()); }
F(nothing) { UNUSED; modrack_value v = { MODRACK_TAG_TABLE, 0, 1, {0} }; GIVE(v); }
"#;

const TABLE_FUNCTIONS: &[&str] = &[
    "same",
    "borrow",
    "sum",
    "keep",
    "kept",
    "no_format",
    "bad_format",
    "no_rows",
    "length",
    "offset",
    "beyond",
    "children",
    "buffers",
    "released",
    "nothing",
];

fn batch() -> RecordBatch {
    let numbers = Int64Array::from(vec![1, 2, 3]);
    let words = StringArray::from(vec![Some("a"), None, Some("c")]);
    RecordBatch::try_from_iter_with_nullable([
        ("n", Arc::new(numbers) as arrow_array::ArrayRef, true),
        ("w", Arc::new(words), true),
    ])
    .unwrap()
}

/// Where the numbers of a table lie.
fn place(value: &Value) -> *const i64 {
    match value {
        Value::Table(batch) => batch.column(0).as_primitive::<Int64Type>().values().as_ptr(),
        other => panic!("{other:?} is no table"),
    }
}

#[test]
fn a_table_goes_in_and_comes_out_without_a_copy() {
    let lab = Lab::new();
    let instance = lab.start(&lab.module("x.so", TABLE_FUNCTIONS, TABLES, "")).unwrap();
    let given = Value::from(batch());
    assert_eq!(call(&instance, "sum", std::slice::from_ref(&given)).unwrap(), Value::Int(6));
    for function in ["same", "borrow"] {
        let got = call(&instance, function, std::slice::from_ref(&given)).unwrap();
        assert_eq!((place(&got), &got), (place(&given), &given), "{function}");
    }
    // A table that was taken over may be kept after the call, also when nobody else has it any more.
    call(&instance, "keep", &[Value::from(batch())]).unwrap();
    assert_eq!(call(&instance, "kept", &[]).unwrap(), given);
}

#[test]
fn a_table_that_lies_is_refused() {
    let lab = Lab::new();
    let instance = lab.start(&lab.module("x.so", TABLE_FUNCTIONS, TABLES, "")).unwrap();
    for (function, lie) in [
        ("no_format", "its schema has no format"),
        ("bad_format", "it cannot be taken: "),
        ("no_rows", "it is a column of Int64, not rows of columns"),
        ("length", "its length is -1 and its offset 0"),
        ("offset", "in `n`, its length is 3 and its offset -5"),
        ("beyond", "in `n`, it claims 8796093022208 bytes that are not there"),
        ("children", "it has 7 parts where its type has 2"),
        ("buffers", "in `n`, it has 1 buffers where Int64 has 2"),
        ("released", "it was released, or taken by somebody else"),
        ("nothing", ""),
    ] {
        let got = failed(call(&instance, function, &[Value::from(batch())]));
        let wanted = match function {
            "nothing" => "M0506: `nothing` gave a table of length 1 that is not there".to_owned(),
            _ => format!("M0613: `{function}` gave a table that contradicts itself: {lie}"),
        };
        assert!(got.starts_with(&wanted), "{got}");
    }
}
