//! Typed calls of the module that the suite of the three languages has, the same for each of them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use modrack::{Bytes, Code, FromValue, IntoValue, Kind, Map, Rack, Slot, Value};

/// A value is given and comes back as it was.
fn same<T: IntoValue + FromValue + Clone + PartialEq + Debug>(slot: &Slot, function: &str, values: &[T]) {
    let same = slot.function::<(T,), T>(function).expect(function);
    for value in values {
        assert_eq!(same.call((value.clone(),)).expect(function), *value, "{function}");
    }
}

/// Calls what `named` fills a slot with, by every type that a function of Rust can have.
pub(crate) fn check(rack: &Rack, named: &str) {
    let slot = rack.slot(named).expect("any use text is a slot");
    same(&slot, "same_bool", &[true, false]);
    same(&slot, "same_int", &[0, 1, -1, i64::MIN, i64::MAX]);
    same(&slot, "same_int", &[u8::MIN, u8::MAX]);
    same(&slot, "same_float", &[0.0, -0.5, f64::MAX, f64::INFINITY]);
    same(&slot, "same_text", &[String::new(), "größe".to_owned(), "x".repeat(100_000)]);
    same(&slot, "same_bytes", &[Bytes::new(), Bytes::from_static(b"a\0\xff"), vec![7; 1 << 20].into()]);
    same(&slot, "same_list", &[vec![], vec![1_i64, -2, 3], (0..1000).collect()]);
    same(&slot, "same_option", &[None, Some("there".to_owned())]);
    same(
        &slot,
        "same_map",
        &[BTreeMap::new(), BTreeMap::from([("a".to_owned(), 1_i64), ("b".to_owned(), 2)])],
    );
    same(&slot, "same_map", &[HashMap::from([("z".to_owned(), 26_i64)])]);
    // Any value: what is a record in one language is one in all, in the order in which it was made.
    let record = Map::from_iter([
        ("name".into(), Value::from("plum")),
        ("price".into(), Value::Float(2.5)),
        ("tags".into(), Value::List(vec![Value::from("blue"), Value::Null])),
        ("stock".into(), Map::from_iter([("cellar".into(), Value::Int(3))]).into()),
    ]);
    same(&slot, "same", &[record]);
    same(&slot, "same", &[vec![vec![1_i64], vec![]]]);
    same(&slot, "same", &[None::<i64>, Some(3)]);
    let pair = slot.function::<(Vec<Value>,), Vec<Value>>("same_pair").expect("a tuple is a list");
    let given = vec![1_i64.into_value(), "x".into_value()];
    assert_eq!(pair.call((given.clone(),)).expect("it comes back"), given);
    // Several arguments, none, and what is known only at run time.
    let add = slot.function::<(i64, i64), i64>("add").expect("it is there");
    assert_eq!(add.call((40, 2)).expect("it adds"), 42);
    let add = slot.function::<&[Value], i64>("add").expect("it is there");
    assert_eq!(add.call(&[Value::Int(40), Value::Int(2)]).expect("it adds"), 42);
    let before = slot.call("count", ()).expect("it counts");
    let Value::Int(before) = before else { panic!("{before:?} is no number") };
    let count = slot.function::<(), i64>("count").expect("it is there");
    assert_eq!(count.call(()).expect("it counts"), before + 1);
    refused(&slot);
    fails(&slot);
}

/// Types that cannot fit are refused when the function is bound, and values that do not when it is called.
fn refused(slot: &Slot) {
    let code =
        |found: modrack::Result<()>| found.err().map(|error| (error.code(), error.hint_text().is_some()));
    let check = |found, wanted| assert_eq!(code(found), Some((wanted, true)));
    check(slot.function::<(String,), i64>("same_int").map(drop), Code::BadArguments);
    check(slot.function::<(i64, i64), i64>("same_int").map(drop), Code::BadArguments);
    check(slot.function::<(), i64>("same_int").map(drop), Code::BadArguments);
    check(slot.function::<(i64,), String>("same_int").map(drop), Code::WrongResult);
    check(slot.function::<(Vec<String>,), Vec<i64>>("same_list").map(drop), Code::BadArguments);
    check(slot.function::<(i64,), i64>("same_itn").map(drop), Code::UnknownFunction);
    let small = slot.function::<(i64,), u8>("same_int").expect("it may fit");
    assert_eq!(small.call((255,)).expect("it fits"), 255);
    check(small.call((256,)).map(drop), Code::ValueDoesNotFit);
    let any = slot.function::<(&str,), Vec<i64>>("same").expect("it may fit");
    check(any.call(("text",)).map(drop), Code::ValueDoesNotFit);
}

/// What a module fails with is an error of this program, with its class and its cause, and the next call is answered.
fn fails(slot: &Slot) {
    let fail = slot.function::<(), Value>("fail").expect("it is there");
    let error = fail.call(()).expect_err("it fails");
    assert_eq!((error.code(), error.kind()), (Code::Raised, Kind::Raised));
    assert!(error.message().contains("the train has gone"), "{error:?}");
    assert!(error.class_names()[0].ends_with("TooLate"), "{error:?}");
    assert!(error.causes().iter().any(|cause| cause.message.contains("timetable")), "{error:?}");
    assert_eq!(error.slot_name(), Some(slot.name()));
    same(slot, "same_int", &[1_i64]);
}
