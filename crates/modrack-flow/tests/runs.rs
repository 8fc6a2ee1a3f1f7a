//! Whole runs: what is written, what is left when one fails, how one is given up.

mod common;

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Bench, Shared};
use expect_test::expect;
use modrack_core::{Code, Manifest, Map, Takes, Value};
use modrack_runtime::HostModule;

fn rows(many: usize) -> String {
    let rows: String = (0..many).map(|i| format!("{i},text {i}\n")).collect();
    format!("a,b\n{rows}")
}

#[test]
fn a_run_is_counted() {
    let outcome = Bench::new()
        .file("a.csv", rows(20_000))
        .rows("keep", |_| Ok(()))
        .stage("half", Takes::Row, |call| {
            let row = call.args.positional[0].as_map().unwrap();
            Ok(if row["a"] == Value::Null { Value::Null } else { Value::from(row.clone()) })
        })
        .run("source: { csv: a.csv, batch-rows: 1000 }\nsink: { csv: o.csv }");
    let summary = outcome.summary();
    assert_eq!((summary.rows_in, summary.rows_out), (20_000, 20_000));
    assert_eq!(summary.outputs, [outcome.root.join("o.csv")]);
    assert_eq!(outcome.text("o.csv"), rows(20_000));
    assert_eq!(outcome.files(), ["a.csv", "o.csv"]);
}

#[test]
fn a_limit_counts_rows_that_are_read() {
    for (limit, out) in [(0, "a,b\n"), (3, "a,b\n0,text 0\n1,text 1\n2,text 2\n")] {
        let mut bench = Bench::new().file("a.csv", rows(100));
        bench.limit = Some(limit);
        let outcome = bench.run("source: { csv: a.csv, batch-rows: 2 }\nsink: { csv: o.csv }");
        assert_eq!(outcome.text("o.csv"), out);
        assert_eq!(outcome.summary().rows_in, limit);
    }
}

#[test]
fn a_dry_run_reads_the_columns_and_runs_nothing() {
    let mut bench =
        Bench::new().file("a.csv", rows(3)).stage("s", Takes::Row, |_| panic!("a dry run calls nothing"));
    bench.dry_run = true;
    let outcome = bench.run("source: { csv: a.csv }\nsink: { csv: out/o.csv }");
    let summary = outcome.summary();
    assert!(summary.dry_run);
    assert_eq!(summary.columns, [("a".into(), "int".into()), ("b".into(), "text".into())]);
    assert_eq!(summary.outputs, [outcome.root.join("out/o.csv")]);
    assert_eq!(outcome.files(), ["a.csv"]);
    let mut bench = Bench::new();
    bench.dry_run = true;
    assert_eq!(bench.run("source: { csv: a.csv }\nsink: { csv: o.csv }").error().code(), Code::SourceMissing);
}

#[test]
fn what_stood_there_stays_until_all_is_well() {
    let bench = || Bench::new().file("a.csv", "a\n1\n2\n").file("o.csv", "before\n");
    let outcome = bench()
        .rows("s", |row| match row["a"] {
            Value::Int(2) => Err(modrack_core::Error::new(Code::Raised, "No")),
            _ => Ok(()),
        })
        .run("source: { csv: a.csv, batch-rows: 1 }\nsink: { csv: o.csv }");
    assert_eq!(outcome.error().code(), Code::Raised);
    assert_eq!(outcome.text("o.csv"), "before\n");
    assert_eq!(outcome.files(), ["a.csv", "o.csv"]);
    assert_eq!(outcome.summary.as_ref().unwrap().rows_in, 2);
    let outcome = bench().run("source: { csv: a.csv }\nsink: { csv: o.csv }");
    assert_eq!(outcome.text("o.csv"), "a\n1\n2\n");
}

#[test]
fn a_sink_is_no_source() {
    let outcome =
        Bench::new().file("d/a.csv", "a\n1\n").run("source: { csv: d/*.csv }\nsink: { csv: d/../d/a.csv }");
    expect![[r#"
        M0112 rack.yaml:5:11 (pipelines.p.sink)
        Pipeline `p` reads `d/a.csv` and writes it too
        hint: Name another file for the sink; a pattern of the source may fit it"#]]
    .assert_eq(&outcome.told());
}

#[test]
fn failed_rows_replace_neither_what_is_read_nor_what_is_written() {
    let told = |errors: &str, source: &str, sink: &str| {
        let bench = Bench::new().file("a.csv", "a,b\n1,2\nx\n").file("p.quarantine.jsonl", "{\"a\": 1}\n");
        let outcome = bench.run(&format!("source: {source}\nerrors: {errors}\nsink: {sink}"));
        assert_eq!(outcome.text("a.csv"), "a,b\n1,2\nx\n");
        assert_eq!(outcome.files(), ["a.csv", "p.quarantine.jsonl"]);
        outcome.told()
    };
    expect![[r#"
        M0112 rack.yaml:3:3 (pipelines.p)
        Pipeline `p` reads `a.csv` and puts failed rows into it too
        hint: Name another file with `{ quarantine: PATH }`; a pattern of the source may fit it"#]]
    .assert_eq(&told("{ default: { quarantine: ./a.csv } }", "{ csv: a.csv }", "{ csv: o.csv }"));
    expect![[r#"
        M0112 rack.yaml:3:3 (pipelines.p)
        Pipeline `p` writes `o.csv` and puts failed rows into it too
        hint: Name another file with `{ quarantine: PATH }`"#]]
    .assert_eq(&told("{ ValueError: { quarantine: o.csv } }", "{ csv: a.csv }", "{ csv: o.csv }"));
    expect![[r#"
        M0112 rack.yaml:3:3 (pipelines.p)
        Pipeline `p` reads `p.quarantine.jsonl` and puts failed rows into it too
        hint: Name another file with `{ quarantine: PATH }`; a pattern of the source may fit it"#]]
    .assert_eq(&told("quarantine", "{ json: '*.jsonl' }", "{ csv: o.csv }"));
}

#[test]
fn a_sink_that_cannot_be_written_is_told() {
    let told = |sink: &str| {
        let outcome = Bench::new()
            .file("a.csv", "a\n1\n")
            .run(&format!("source: {{ csv: a.csv }}\nsink: {{ csv: {sink} }}"));
        assert_eq!(outcome.files(), ["a.csv"]);
        outcome.told()
    };
    expect![[r#"
        M0608 a.csv/o.csv
        `a.csv/o.csv` cannot be written: not a directory
        hint: A part of its path is a file, not a folder"#]]
    .assert_eq(&told("a.csv/o.csv"));
    expect![[r#"
        M0608 .
        `.` cannot be written: is a directory
        hint: It is a folder; name a file in it"#]]
    .assert_eq(&told("."));
    expect![[r#"
        M0608 /proc/nowhere/o.csv
        `/proc/nowhere/o.csv` cannot be written: No such file or directory
        hint: Name a sink in a folder that can be written"#]]
    .assert_eq(&told("/proc/nowhere/o.csv"));
}

#[test]
fn a_full_disk_is_told() {
    for format in ["csv", "json", "parquet", "arrow", "text"] {
        let outcome = Bench::new()
            .file("a.csv", rows(5))
            .run(&format!("source: {{ csv: a.csv, columns: [b] }}\nsink: {{ {format}: /dev/full }}"));
        let error = outcome.error();
        assert_eq!(error.code(), Code::DiskFull, "{format}: {error:?}");
        assert!(error.hint_text().unwrap().contains("Make room"));
        assert_eq!(outcome.files(), ["a.csv"]);
    }
}

struct Refusing(std::io::ErrorKind, usize);

impl Write for Refusing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.1 < bytes.len() {
            return Err(self.0.into());
        }
        self.1 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_refused_write_ends_every_side() {
    // Much more than the channels hold, so that every side has to notice.
    for format in ["csv", "json", "parquet", "arrow"] {
        let outcome = Bench::new()
            .file("a.csv", rows(20_000))
            .rows("s", |_| Ok(()))
            .stdout(Refusing(std::io::ErrorKind::StorageFull, 1000))
            .run(&format!("source: {{ csv: a.csv, batch-rows: 500 }}\nsink: {{ stdout: {format} }}"));
        assert_eq!(outcome.error().code(), Code::DiskFull, "{format}");
        assert_eq!(outcome.error().place_of().unwrap().file.to_str(), Some("<stdout>"));
    }
}

#[test]
fn who_reads_the_output_may_leave() {
    let outcome = Bench::new()
        .file("a.csv", rows(100_000))
        .stdout(Refusing(std::io::ErrorKind::BrokenPipe, 1_000_000))
        .run("source: { csv: a.csv }\nsink: { stdout: csv }");
    assert!(outcome.result.is_ok(), "{:?}", outcome.result);
    assert!(outcome.summary().rows_out < 100_000);
}

#[test]
fn an_interrupt_in_mid_run_leaves_nothing() {
    let mut bench = Bench::new().file("a.csv", rows(20_000));
    bench.cancel = modrack_core::Cancel::default();
    let cancel = bench.cancel.clone();
    let outcome = bench
        .rows("s", move |row| {
            if row["a"] == Value::Int(12_345) {
                cancel.cancel();
            }
            Ok(())
        })
        .run("source: { csv: a.csv, batch-rows: 100 }\nsink: { parquet: out/deep/o.parquet }");
    assert_eq!(outcome.error().code(), Code::Interrupted);
    assert_eq!(outcome.files(), ["a.csv"]);
    assert!(outcome.summary.as_ref().unwrap().rows_in >= 12_345);
}

/// Input that never comes.
struct Silent(Arc<AtomicBool>);

impl Read for Silent {
    fn read(&mut self, _buffer: &mut [u8]) -> std::io::Result<usize> {
        while !self.0.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        Ok(0)
    }
}

#[test]
fn waiting_for_input_can_be_given_up() {
    let done = Arc::new(AtomicBool::new(false));
    let bench = Bench::new().stdin(Silent(done.clone()));
    bench.cancel.cancel();
    let outcome = bench.run("source: { stdin: csv }\nsink: { csv: o.csv }");
    done.store(true, Ordering::Release);
    assert_eq!(outcome.error().code(), Code::Interrupted);
    assert!(outcome.files().is_empty());
}

#[test]
fn a_source_that_vanishes_is_told() {
    let bench = Bench::new().file("1.csv", rows(50)).file("2.csv", rows(50));
    let second = bench.root().join("2.csv");
    let outcome = bench
        .rows("s", move |_| {
            let _ = std::fs::remove_file(&second);
            Ok(())
        })
        .run("source: { csv: \"*.csv\", batch-rows: 1, infer-rows: 10 }\nsink: { json: o.jsonl }");
    assert_eq!(outcome.files(), ["1.csv"]);
    expect![[r#"
        M0610 2.csv
        `2.csv` was there when the run began, and is gone
        hint: Run the pipeline when nothing moves or removes its files"#]]
    .assert_eq(&outcome.told());
}

#[test]
fn too_many_errors_fail_the_run_and_keep_the_rows() {
    let mut bench = Bench::new().file("a.csv", "a,b\n1\n2\n3,4\n5\n");
    bench.max_errors = Some(2);
    let outcome = bench.run(
        "source: { csv: a.csv }\nsink: { csv: o.csv }\nerrors: { default: { quarantine: bad/rows.jsonl } }",
    );
    assert_eq!(outcome.files(), ["a.csv", "bad/", "bad/rows.jsonl"]);
    assert_eq!(outcome.text("bad/rows.jsonl").lines().count(), 3);
    assert_eq!(outcome.summary.as_ref().unwrap().quarantines, [outcome.root.join("bad/rows.jsonl")]);
    expect![[r#"
        M0612 a.csv:5
        3 rows failed where at most 2 may
        hint: Mend the rows, or allow more with `--max-errors`; those put aside are in `bad/rows.jsonl`"#]]
    .assert_eq(&outcome.told());
}

#[test]
fn a_schema_that_changes_in_mid_run_is_told() {
    let run = |errors: &str| {
        Bench::new()
            .file("a.csv", rows(6))
            .stage("s", Takes::Batch, |call| {
                let Value::Table(batch) = &call.args.positional[0] else { panic!() };
                let columns: Vec<usize> = match Value::from(batch.num_rows() as i64) {
                    Value::Int(4) => vec![0, 1],
                    _ => vec![0],
                };
                Ok(Value::from(batch.project(&columns).unwrap()))
            })
            .run(&format!("source: {{ csv: a.csv, batch-rows: 4 }}\nsink: {{ csv: o.csv }}\n{errors}"))
    };
    let outcome = run("");
    assert_eq!(outcome.files(), ["a.csv"]);
    expect![[r#"
        M0607 a.csv:6
        The rows lack the column `b` of the settled columns
        hint: The first batch settles the columns; say them with `schema:` in the stage, or decide with `errors:`"#]].assert_eq(&outcome.told());
    let outcome = run("errors: { default: quarantine }");
    assert_eq!(outcome.summary().rows_out, 4);
    expect![[r#"
        {"row": {"a":4}, "source": "a.csv", "row_number": 5, "line": 6, "stage": "s", "code": "M0607", "kind": "data", "class": null, "message": "The rows lack the column `b` of the settled columns", "column": null}
        {"row": {"a":5}, "source": "a.csv", "row_number": 6, "line": 7, "stage": "s", "code": "M0607", "kind": "data", "class": null, "message": "The rows lack the column `b` of the settled columns", "column": null}
    "#]].assert_eq(&outcome.text("p.quarantine.jsonl"));
}

#[test]
fn an_input_without_rows_gives_an_output_without_rows() {
    for (format, name) in
        [("csv", "o.csv"), ("parquet", "o.parquet"), ("arrow", "o.arrow"), ("json", "o.jsonl")]
    {
        for stage in [false, true] {
            let bench = Bench::new().file("a.csv", "a,b\n");
            let bench = if stage { bench.rows("s", |_| Ok(())) } else { bench };
            let outcome = bench.run(&format!("source: {{ csv: a.csv }}\nsink: {{ {format}: {name} }}"));
            assert_eq!(outcome.files(), ["a.csv", name], "{:?}", outcome.result);
        }
    }
}

#[test]
fn null_is_written_as_is_said() {
    let outcome = Bench::new()
        .file("a.csv", "a,b\n1,\n")
        .run("source: { csv: a.csv }\nsink: { csv: o.csv, null: NA, delimiter: \";\" }");
    assert_eq!(outcome.text("o.csv"), "a;b\n1;NA\n");
}

#[test]
fn csv_is_quoted_where_it_must_be() {
    let outcome = Bench::new()
        .file(
            "a.jsonl",
            "{\"a\": \"x,y\", \"b\": [1, 2]}\n{\"a\": \"q\\\"\", \"b\": null}\n{\"a\": \"\", \"b\": []}\n",
        )
        .run("source: { json: a.jsonl }\nsink: { csv: o.csv }");
    assert_eq!(outcome.text("o.csv"), "a,b\n\"x,y\",\"[1,2]\"\n\"q\"\"\",\n\"\",[]\n");
    let outcome = Bench::new()
        .file("a.jsonl", "{\"a\": null}\n{\"a\": \"x\"}\n")
        .run("source: { json: a.jsonl }\nsink: { csv: o.csv }");
    assert_eq!(outcome.text("o.csv"), "a\n\"\"\nx\n");
}

#[test]
fn text_needs_one_column() {
    let outcome = Bench::new().file("a.csv", rows(1)).run("source: { csv: a.csv }\nsink: { text: o.txt }");
    assert_eq!(outcome.files(), ["a.csv"]);
    expect![[r#"
        M0614 o.txt
        What is written as text has no column `line`
        hint: A text sink writes the column `line`, or the only one; leave one column in the last stage"#]]
    .assert_eq(&outcome.told());
}

fn source_module() -> HostModule {
    HostModule::new("numbers").function("read", None, |_| {
        let row = |n: i64| Value::from([("n".into(), Value::Int(n))].into_iter().collect::<Map>());
        Ok(Value::List(vec![row(1), row(2), Value::Int(3), row(4)]))
    })
}

#[test]
fn modules_are_sources_and_sinks() {
    let got = Shared::default();
    let (writing, ending) = (got.clone(), got.clone());
    let sink = HostModule::new("sink")
        .function("write", None, move |call| {
            let Value::List(rows) = &call.args.positional[0] else { panic!() };
            writeln!(writing.clone(), "{rows:?}").unwrap();
            Ok(Value::Null)
        })
        .function("finish", None, move |_| {
            writeln!(ending.clone(), "finish").unwrap();
            Ok(Value::Null)
        })
        .manifest(Manifest { function: Some("write".into()), ..Manifest::default() });
    let mut bench = Bench::new().module("numbers", source_module()).module("sink", sink);
    let (rack, mut pipeline) =
        bench.open("source: { stdin: csv }\nsink: { stdout: csv }\nerrors: { default: skip }");
    let slot = |name: &str| {
        let name = modrack_core::SlotName::parse(name).unwrap();
        modrack_core::plan::Endpoint::Slot(modrack_core::plan::SlotRef::Declared(name), None)
    };
    pipeline.source.from = slot("numbers");
    pipeline.sink.to = slot("sink");
    let outcome = bench.go(&rack, &pipeline);
    assert!(outcome.result.is_ok(), "{:?}", outcome.result);
    assert_eq!((outcome.summary().rows_in, outcome.summary().skipped, outcome.summary().rows_out), (4, 1, 3));
    expect![[r#"
        [Map({"n": Int(1)}), Map({"n": Int(2)})]
        [Map({"n": Int(4)})]
        finish
    "#]]
    .assert_eq(&String::from_utf8(got.0.lock().unwrap().clone()).unwrap());
}
