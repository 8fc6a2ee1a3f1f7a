//! Stages of every kind, called one by one: what they are given, what may come back, what is done about
//! failures.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::sync::Mutex;

use common::{Bench, all};
use expect_test::{Expect, expect};
use modrack_core::plan::ColumnType;
use modrack_core::{
    BackendName, Call, Code, Error, Foreign, ForeignObject, Items, Map, OnError, Result, Takes, Value,
};
use modrack_runtime::HostModule;

const CSV: &str = "name,n\na,1\nb,2\nc,3\n";
const TEXT: &str = "source: { csv: a.csv }\nsink: { json: out/o.jsonl }";

/// Runs a stage over [`CSV`] and shows what comes out, or what is told.
fn check(takes: Takes, edit: impl FnOnce(Bench) -> Bench, body: Body, expected: &Expect) {
    let bench = Bench::new().file("a.csv", CSV).stage("s", takes, body);
    let outcome = edit(bench).run(TEXT);
    match &outcome.result {
        Ok(_) => {
            let mut shown = outcome.text("out/o.jsonl");
            if outcome.files().iter().any(|file| file.ends_with("quarantine.jsonl")) {
                shown += &outcome.text("out/p.quarantine.jsonl");
            }
            expected.assert_eq(&shown);
        }
        Err(_) => {
            assert_eq!(outcome.files(), ["a.csv"], "something is left");
            expected.assert_eq(&outcome.told());
        }
    }
}

type Body = fn(Call<'_>) -> Result<Value>;

fn row<'a>(call: &Call<'a>) -> &'a Map {
    call.args.positional[0].as_map().unwrap()
}

fn int(value: Option<&Value>) -> i64 {
    match value {
        Some(Value::Int(value)) => *value,
        other => panic!("{other:?}"),
    }
}

fn map(entries: &[(&str, Value)]) -> Value {
    Value::from(entries.iter().map(|(key, value)| ((*key).into(), value.clone())).collect::<Map>())
}

/// An iterator, as a generator of another language is one.
struct Generator(Mutex<Option<Vec<Result<Value>>>>);

impl ForeignObject for Generator {
    fn backend(&self) -> BackendName {
        BackendName::Host
    }

    fn type_name(&self) -> String {
        "generator".into()
    }

    fn to_value(&self) -> Result<Value> {
        Err(Error::new(Code::ValueDoesNotFit, "A generator is no data"))
    }

    fn items(&self) -> Option<Items> {
        Some(Box::new(self.0.lock().unwrap().take()?.into_iter()))
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

fn generator(items: Vec<Result<Value>>) -> Value {
    Value::Foreign(Foreign::new(Generator(Mutex::new(Some(items)))))
}

fn bad_b(call: &Call<'_>) -> Result<()> {
    if row(call)["name"] == Value::from("b") {
        let error = Error::new(Code::Raised, "b is bad");
        return Err(error.classes(vec!["app.BadName".into(), "builtins.ValueError".into()]));
    }
    Ok(())
}

#[test]
fn a_row_gives_none_one_or_several() {
    let body: Body = |call| {
        Ok(match int(row(&call).get("n")) {
            1 => Value::Null,
            2 => map(&[("name", "x".into()), ("n", Value::Float(0.5))]),
            _ => Value::List(vec![map(&[("n", 7.into())]), map(&[("name", "y".into())])]),
        })
    };
    check(
        Takes::Row,
        |bench| bench,
        body,
        &expect![[r#"
        {"name":"x","n":0.5}
        {"name":null,"n":7.0}
        {"name":"y","n":null}
    "#]],
    );
    let body: Body = |call| {
        let row = call.args.positional[0].clone();
        Ok(generator(vec![Ok(row.clone()), Ok(Value::Null), Ok(row)]))
    };
    check(
        Takes::Row,
        |bench| bench,
        body,
        &expect![[r#"
        {"name":"a","n":1}
        {"name":"a","n":1}
        {"name":"b","n":2}
        {"name":"b","n":2}
        {"name":"c","n":3}
        {"name":"c","n":3}
    "#]],
    );
}

#[test]
fn a_row_that_fails_follows_what_is_decided() {
    let body: Body = |call| bad_b(&call).map(|()| call.args.positional[0].clone());
    check(
        Takes::Row,
        |bench| bench,
        body,
        &expect![[r#"
            M0504 a.csv:3
            b is bad
            hint: What it says is the module's own; in a pipeline, `errors:` decides what becomes of such rows"#]],
    );
    check(
        Takes::Row,
        |bench| bench.but(|stage| stage.errors = Some(all("skip"))),
        body,
        &expect![[r#"
        {"name":"a","n":1}
        {"name":"c","n":3}
    "#]],
    );
    check(
        Takes::Row,
        |bench| bench.but(|stage| stage.errors = Some(all("quarantine"))),
        body,
        &expect![[r#"
        {"name":"a","n":1}
        {"name":"c","n":3}
        {"row": {"name":"b","n":2}, "source": "a.csv", "row_number": 2, "line": 3, "stage": "s", "code": "M0504", "kind": "raised", "class": "app.BadName", "message": "b is bad", "column": null}
    "#]],
    );
    // A class is meant bare or dotted, a base as well, and other failures still stop.
    for name in ["BadName", "app.BadName", "ValueError", "raised"] {
        let outcome = Bench::new()
            .file("a.csv", CSV)
            .stage("s", Takes::Row, body)
            .but(|stage| {
                let mut errors = all("stop");
                errors.by_name.push((name.into(), OnError::Skip));
                stage.errors = Some(errors);
            })
            .run(TEXT);
        assert_eq!((outcome.summary().rows_out, outcome.summary().skipped), (2, 1), "{name}");
    }
}

#[test]
fn the_nearest_decision_wins() {
    let run = |text: &str, stage: Option<&str>| {
        let body: Body = |call| bad_b(&call).map(|()| call.args.positional[0].clone());
        let stage = stage.map(all);
        let outcome = Bench::new()
            .file("a.csv", CSV)
            .stage("s", Takes::Row, body)
            .but(|plan| plan.errors = stage)
            .run(&format!("{TEXT}\n{text}"));
        outcome.result.as_ref().map_or_else(
            |error| error.code().to_string(),
            |summary| format!("{} skipped, {} quarantined", summary.skipped, summary.quarantined),
        )
    };
    assert_eq!(run("", None), "M0504");
    assert_eq!(run("errors: { default: skip }", None), "1 skipped, 0 quarantined");
    assert_eq!(run("errors: { default: skip }", Some("stop")), "M0504");
    assert_eq!(run("errors: { ValueError: quarantine, default: skip }", None), "0 skipped, 1 quarantined");
    assert_eq!(run("errors: { data: skip }", None), "M0504");
}

#[test]
fn rows_that_do_not_fit_the_first_batch_are_told() {
    let body: Body = |call| {
        let mut row = row(&call).clone();
        if row["name"] == Value::from("b") {
            row.insert("n".into(), "two".into());
        }
        Ok(Value::from(row))
    };
    check(
        Takes::Row,
        |bench| bench,
        body,
        &expect![[r#"
        M0607 a.csv:3
        Column `n` is int, and here it is text `two`
        hint: The first batch settles the columns; say them with `schema:` in the stage, or decide with `errors:`"#]],
    );
    check(
        Takes::Row,
        |bench| bench.but(|stage| stage.errors = Some(all("quarantine"))),
        body,
        &expect![[r#"
        {"name":"a","n":1}
        {"name":"c","n":3}
        {"row": {"name":"b","n":2}, "source": "a.csv", "row_number": 2, "line": 3, "stage": "s", "code": "M0607", "kind": "data", "class": null, "message": "Column `n` is int, and here it is text `two`", "column": null}
    "#]],
    );
    let schema = |bench: Bench| {
        bench.but(|stage| {
            let columns = [("n", ColumnType::Float), ("day", ColumnType::Date), ("name", ColumnType::Text)];
            stage.schema = Some(columns.iter().map(|(name, ty)| ((*name).into(), *ty)).collect());
            stage.errors = Some(all("quarantine"));
        })
    };
    let body: Body = |call| {
        let mut row = row(&call).clone();
        let n = int(row.get("n"));
        row.insert("day".into(), format!("2013-02-{:02}", n + 27).into());
        Ok(Value::from(row))
    };
    check(
        Takes::Row,
        schema,
        body,
        &expect![[r#"
        {"n":1.0,"day":"2013-02-28","name":"a"}
        {"row": {"name":"b","n":2}, "source": "a.csv", "row_number": 2, "line": 3, "stage": "s", "code": "M0607", "kind": "data", "class": null, "message": "Column `day` is date, and here it is text `2013-02-29`", "column": null}
        {"row": {"name":"c","n":3}, "source": "a.csv", "row_number": 3, "line": 4, "stage": "s", "code": "M0607", "kind": "data", "class": null, "message": "Column `day` is date, and here it is text `2013-02-30`", "column": null}
    "#]],
    );
    let body: Body = |call| {
        let mut row = row(&call).clone();
        row.insert("other".into(), Value::Null);
        Ok(Value::from(row))
    };
    check(
        Takes::Row,
        schema,
        body,
        &expect![[r#"
        {"row": {"name":"a","n":1}, "source": "a.csv", "row_number": 1, "line": 2, "stage": "s", "code": "M0607", "kind": "data", "class": null, "message": "The row has a column `other` that the settled columns lack", "column": null}
        {"row": {"name":"b","n":2}, "source": "a.csv", "row_number": 2, "line": 3, "stage": "s", "code": "M0607", "kind": "data", "class": null, "message": "The row has a column `other` that the settled columns lack", "column": null}
        {"row": {"name":"c","n":3}, "source": "a.csv", "row_number": 3, "line": 4, "stage": "s", "code": "M0607", "kind": "data", "class": null, "message": "The row has a column `other` that the settled columns lack", "column": null}
    "#]],
    );
}

#[test]
fn what_is_no_row_is_told() {
    check(
        Takes::Row,
        |bench| bench,
        |_| Ok(Value::Int(5)),
        &expect![[r#"
        M0505 a.csv:2
        The stage gave `5` where a row should come
        hint: Return a mapping, a list of mappings, or nothing to drop the row"#]],
    );
    check(
        Takes::Row,
        |bench| bench,
        |_| Ok(generator(vec![Ok(Value::Bool(true))])),
        &expect![[r#"
        M0505 a.csv:2
        The stage gave `true` where a row should come
        hint: Return a mapping, a list of mappings, or nothing to drop the row"#]],
    );
    check(
        Takes::Batch,
        |bench| bench,
        |_| Ok(Value::Float(5.5)),
        &expect![[r#"
        M0505 a.csv
        The stage gave `5.5` where rows or a table should come
        hint: Return a table, a list of mappings, or nothing"#]],
    );
    check(
        Takes::Row,
        |bench| bench,
        |_| Ok(map(&[("t", Value::List(vec![Value::Int(1), Value::from("x")]))])),
        &expect![[r#"
            M0607 a.csv:2
            Column `t` is a list of values that are of different types, or no data
            hint: The first batch settles the columns; say them with `schema:` in the stage, or decide with `errors:`"#]],
    );
}

#[test]
fn batches_columns_and_the_whole_input() {
    let same: Body = |call| Ok(call.args.positional[0].clone());
    let all_rows = &expect![[r#"
        {"name":"a","n":1}
        {"name":"b","n":2}
        {"name":"c","n":3}
    "#]];
    check(Takes::Batch, |bench| bench, same, all_rows);
    check(Takes::Table, |bench| bench, same, all_rows);
    check(Takes::Rows, |bench| bench, same, all_rows);
    check(Takes::Rows, |bench| bench.but(|stage| stage.batch = Some(2)), same, all_rows);
    let column = |bench: Bench| bench.but(|stage| stage.column = Some("n".into()));
    check(
        Takes::Column,
        column,
        |call| {
            let Value::List(values) = &call.args.positional[0] else { panic!() };
            let most = values.iter().map(|value| int(Some(value))).max().unwrap();
            Ok(Value::List(values.iter().map(|v| Value::Float(int(Some(v)) as f64 / most as f64)).collect()))
        },
        &expect![[r#"
            {"name":"a","n":0.3333333333333333}
            {"name":"b","n":0.6666666666666666}
            {"name":"c","n":1.0}
        "#]],
    );
    check(
        Takes::Column,
        column,
        |_| Ok(Value::List(vec![Value::Null])),
        &expect![[r#"
        M0505 a.csv
        The stage gave a list of 1 value where a list of 3 values should come
        hint: Give one value for each that came, in the same order"#]],
    );
    let nowhere = |bench: Bench| bench.but(|stage| stage.column = Some("m".into()));
    check(
        Takes::Column,
        nowhere,
        same,
        &expect![[r#"
        M0614 a.csv
        What comes to stage `s` has no column `m`
        hint: Its columns are `name` and `n`"#]],
    );
    let counted: Body = |call| match &call.args.positional[0] {
        Value::List(rows) => Ok(map(&[("rows", Value::Int(rows.len() as i64))])),
        _ => panic!(),
    };
    check(
        Takes::Rows,
        |bench| bench.but(|stage| stage.batch = Some(2)),
        counted,
        &expect![[r#"
        {"rows":2}
        {"rows":1}
    "#]],
    );
    let fails: Body = |_| Err(Error::new(Code::Raised, "No"));
    check(
        Takes::Rows,
        |bench| bench.but(|stage| stage.errors = Some(all("quarantine"))),
        fails,
        &expect![[r#"
        {"row": {"name":"a","n":1}, "source": "a.csv", "row_number": 1, "line": null, "stage": "s", "code": "M0504", "kind": "raised", "class": null, "message": "No", "column": null}
        {"row": {"name":"b","n":2}, "source": "a.csv", "row_number": 2, "line": null, "stage": "s", "code": "M0504", "kind": "raised", "class": null, "message": "No", "column": null}
        {"row": {"name":"c","n":3}, "source": "a.csv", "row_number": 3, "line": null, "stage": "s", "code": "M0504", "kind": "raised", "class": null, "message": "No", "column": null}
    "#]],
    );
}

#[test]
fn finish_aggregates_and_goes_through_what_follows() {
    let total = std::sync::Arc::new(Mutex::new(0));
    let (adding, telling) = (total.clone(), total);
    let sum = HostModule::new("sum")
        .function("transform", None, move |call| {
            *adding.lock().unwrap() += int(row(&call).get("n"));
            Ok(Value::Null)
        })
        .function("finish", None, move |_| Ok(map(&[("total", Value::Int(*telling.lock().unwrap()))])));
    let outcome = Bench::new()
        .file("a.csv", CSV)
        .module("sum", sum)
        .uses("sum", |stage| stage.function = Some("transform".into()))
        .rows("twice", |row| {
            let twice = int(row.get("total")) * 2;
            row.insert("twice".into(), Value::Int(twice));
            Ok(())
        })
        .run(TEXT);
    assert_eq!(outcome.text("out/o.jsonl"), "{\"total\":6,\"twice\":12}\n");
    let shown: Vec<_> =
        outcome.summary().stages.iter().map(|s| format!("{} {} {}", s.name, s.rows_in, s.rows_out)).collect();
    assert_eq!(shown, ["sum 3 1", "twice 1 1"]);
}

#[test]
fn types_without_a_form_among_values_come_back() {
    let csv = "day,time,zone,n\n2013-01-01,2013-01-01T05:00:00,2013-01-01T05:00:00Z,1\n2013-01-02,,,2\n";
    let first = Bench::new()
        .file("a.csv", csv)
        .stage("s", Takes::Row, |call| {
            assert!(matches!(row(&call)["day"], Value::Text(_)));
            Ok(call.args.positional[0].clone())
        })
        .run("source: { csv: a.csv }\nsink: { parquet: t.parquet }");
    assert!(first.result.is_ok(), "{:?}", first.result);
    let bytes = std::fs::read(first.root.join("t.parquet")).unwrap();
    let second =
        Bench::new().file("t.parquet", bytes).run("source: { parquet: t.parquet }\nsink: { csv: o.csv }");
    assert_eq!(second.text("o.csv"), csv);
    let columns: Vec<_> = second.summary().columns.iter().map(|(_, ty)| ty.as_str()).collect();
    assert_eq!(columns, ["date", "timestamp", "timestamp-utc", "int"]);
}

#[test]
fn a_stage_that_panics_is_a_failed_stage() {
    let outcome = Bench::new().file("a.csv", CSV).stage("s", Takes::Row, |_| panic!("oh")).run(TEXT);
    assert_eq!(outcome.error().code(), Code::Raised);
    assert_eq!(outcome.files(), ["a.csv"]);
}
