//! A rack's text to its plan: what well-formed text means.

use expect_test::{Expect, expect};
use modrack_core::plan::{FormatOptions, RackPlan};
use modrack_core::{Param, Signature, Type};

use crate::text::plan;

/// Checks the slots and pipelines that a text describes.
fn check(text: &str, expected: Expect) {
    let plan = plan(text);
    let mut shown = String::new();
    for slot in plan.slots.values() {
        shown += &format!("{}: {:?}", slot.name, slot.use_text);
        let parts = [
            slot.function.as_ref().map(|function| format!("function={function}")),
            (!slot.params.is_empty()).then(|| format!("params={:?}", slot.params)),
            slot.contract.as_ref().map(|contract| format!("contract={} {}", contract.name, contract.version)),
            (!slot.needs.is_empty()).then(|| format!("needs={:?}", slot.needs)),
            slot.limits.time.map(|time| format!("time={time:?}")),
            slot.errors.as_ref().map(|errors| format!("errors={errors:?}")),
            slot.lazy.then(|| "lazy".into()),
            slot.best_effort.then(|| "best-effort".into()),
        ];
        for part in parts.into_iter().flatten() {
            shown += &format!("\n  {part}");
        }
        shown += "\n";
    }
    for pipeline in plan.pipelines.values() {
        shown += &format!(
            "{}\n  from {:?}{}\n",
            pipeline.name,
            pipeline.source.from,
            options(&pipeline.source.options)
        );
        for stage in &pipeline.stages {
            shown += &format!("  stage {}: {:?}", stage.name, stage.slot);
            let parts = [
                stage.function.as_ref().map(|function| format!("function={function}")),
                stage
                    .in_place
                    .as_ref()
                    .map(|slot| format!("in place {} params={:?}", slot.name, slot.params)),
                stage.takes.map(|takes| format!("takes={takes:?}")),
                stage.column.as_ref().map(|column| format!("column={column}")),
                stage.batch.map(|batch| format!("batch={batch}")),
                stage.schema.as_ref().map(|schema| format!("schema={schema:?}")),
                stage.errors.as_ref().map(|errors| format!("errors={errors:?}")),
            ];
            for part in parts.into_iter().flatten() {
                shown += &format!(" {part}");
            }
            shown += "\n";
        }
        shown += &format!("  to {:?}{}\n", pipeline.sink.to, options(&pipeline.sink.options));
        if let Some(errors) = &pipeline.errors {
            shown += &format!("  errors={errors:?}\n");
        }
    }
    expected.assert_eq(&shown);
}

/// The options that are set.
fn options(options: &FormatOptions) -> String {
    let all = format!("{options:#?}");
    let set = all.lines().filter(|line| {
        let line = line.trim();
        line.contains(':') && !line.ends_with(": None,") && !line.ends_with(": {},") || !line.contains(':')
    });
    let set: String = set.map(str::trim).collect::<Vec<_>>().join(" ");
    if set == "FormatOptions { }" { String::new() } else { format!(" {set}") }
}

/// Checks the params of the slot `a`.
fn check_params(params: &str, expected: Expect) {
    let plan = plan(&format!("rack: 1\nslots:\n  a:\n    use: ./a.py\n    params:\n{params}"));
    let slot = plan.slots.values().next().expect("the slot");
    let shown: String = slot.params.iter().map(|(name, value)| format!("{name}: {value:?}\n")).collect();
    expected.assert_eq(&shown);
}

#[test]
fn the_rack_of_the_specification_is_read() {
    check(
        r#"
rack: 1
catalog: [ ./modules, { entry-points: acme.plugins } ]
python: { venv: .venv, path: [.] }
defaults: { limits: { time: 10s } }
slots:
  clean:
    use: ./modules/clean.py:Clean
    function: transform
    params: { currency: EUR, deep: { list: [1, 2.5, no, null, 0x1F] } }
    contract: transform@1
    needs: { rates: exchange }
    errors: { ValidationError: quarantine }
  exchange: { use: ./modules/exchange.py:Exchange, lazy: true, limits: { time: 2m }, enforce: best-effort }
  inline: { use: { source: "def f(): return 1\n", language: python } }
errors: { default: stop }
pipelines:
  delays:
    source: { csv: data/flights.csv, null: [NA, ""] }
    stages: [ clean, { use: ./modules/late.py, params: { minutes: 60 } }, exchange.rank ]
    sink: { parquet: out/delays.parquet }
"#,
        expect![[r#"
            clean: "./modules/clean.py:Clean"
              function=transform
              params={"currency": Text("EUR"), "deep": Map({"list": List([Int(1), Float(2.5), Text("no"), Null, Int(31)])})}
              contract=transform ^1
              needs=[("rates", Declared("exchange"))]
              time=10s
              errors=OnErrors { by_name: [("ValidationError", Quarantine(None))], default: Stop, default_said: false }
            exchange: "./modules/exchange.py:Exchange"
              time=120s
              lazy
              best-effort
            inline: "<inline>"
              time=10s
            delays
              from Files(Csv, ["data/flights.csv"]) FormatOptions { null: Some( [ "NA", "", ], ), }
              stage clean: Declared("clean")
              stage ./modules/late.py: Inline("./modules/late.py") in place pipelines.delays.stages[1] params={"minutes": Int(60)}
              stage exchange.rank: Declared("exchange") function=rank
              to Files(Parquet, ["out/delays.parquet"])
        "#]],
    );
}

#[test]
fn ends_have_short_forms() {
    check(
        r#"
rack: 1
slots: { reader: ./reader.py }
pipelines:
  streams: { source: stdin, sink: stdout }
  dashes: { source: '-', sink: { json: '-' } }
  words: { source: { stdin: json }, sink: { stdout: arrow } }
  endings: { source: data/in.csv.gz, sink: out/rows.jsonl }
  slots: { source: reader.rows, sink: ./sink.py }
  fields: { source: { slot: reader, function: rows, batch-rows: 10 }, sink: { use: ./sink.py, params: { table: t } } }
  python: { source: 'python:pkg.mod:Rows', sink: upper@1 }
"#,
        expect![[r#"
            reader: "./reader.py"
            streams
              from Standard(Csv)
              to Standard(Csv)
            dashes
              from Standard(Csv)
              to Standard(Json)
            words
              from Standard(Json)
              to Standard(Arrow)
            endings
              from Files(Csv, ["data/in.csv.gz"])
              to Files(Json, ["out/rows.jsonl"])
            slots
              from Slot(Declared("reader"), Some("rows"))
              to Slot(Inline("./sink.py"), None)
            fields
              from Slot(Declared("reader"), Some("rows")) FormatOptions { batch_rows: Some( 10, ), }
              to Slot(Inline("./sink.py"), None) FormatOptions { params: { "table": Text( "t", ), }, }
            python
              from Slot(Inline("python:pkg.mod:Rows"), None)
              to Slot(Inline("upper@1"), None)
        "#]],
    );
}

#[test]
fn ends_have_options() {
    check(
        r#"
rack: 1
pipelines:
  all:
    source:
      csv: [a.csv, 'b/*.csv']
      null: [NA, NULL, -999, 1.50, ~, '']
      delimiter: "\t"
      header: false
      types: { day: date, n: int }
      infer-rows: 100
      columns: [day, n]
      compression: gzip
      batch-rows: 1000
    sink: { parquet: out.parquet, compression: lz4, row-group-bytes: 1.5MiB }
"#,
        expect![[r#"
            all
              from Files(Csv, ["a.csv", "b/*.csv"]) FormatOptions { null: Some( [ "NA", "NULL", "-999", "1.50", "~", "", ], ), delimiter: Some( 9, ), header: Some( false, ), types: { "day": Date, "n": Int, }, infer_rows: Some( 100, ), columns: Some( [ "day", "n", ], ), compression: Some( Gzip, ), batch_rows: Some( 1000, ), }
              to Files(Parquet, ["out.parquet"]) FormatOptions { compression: Some( Lz4, ), row_group_bytes: Some( 1572864, ), }
        "#]],
    );
}

#[test]
fn stages_have_options() {
    check(
        r#"
rack: 1
slots: { clean: ./clean.py }
errors: skip
pipelines:
  p:
    source: '-'
    stages:
      - clean
      - clean.rank
      - ./x.py:f
      - python:pkg.mod:f
      - { slot: clean.rank, column: a, errors: quarantine, name: ranks }
      - { slot: ./y.py, function: g, takes: rows, batch: 500, schema: { a: int, b: timestamp-utc } }
      - use: ./late.py
        function: f
        params: { minutes: 60 }
        needs: { other: clean }
        limits: { time: 1s }
        errors: { default: stop, ValueError: skip, pkg.Bad: { quarantine: bad.jsonl } }
    sink: '-'
    errors: { default: quarantine }
"#,
        expect![[r#"
            clean: "./clean.py"
            p
              from Standard(Csv)
              stage clean: Declared("clean")
              stage clean.rank: Declared("clean") function=rank
              stage ./x.py:f: Inline("./x.py:f")
              stage python:pkg.mod:f: Inline("python:pkg.mod:f")
              stage ranks: Declared("clean") function=rank column=a errors=OnErrors { by_name: [], default: Quarantine(None), default_said: true }
              stage ./y.py.g: Inline("./y.py") function=g takes=Rows batch=500 schema={"a": Int, "b": TimestampUtc}
              stage ./late.py.f: Inline("./late.py") function=f in place pipelines.p.stages[6] params={"minutes": Int(60)} errors=OnErrors { by_name: [("ValueError", Skip), ("pkg.Bad", Quarantine(Some("bad.jsonl")))], default: Stop, default_said: true }
              to Standard(Csv)
              errors=OnErrors { by_name: [], default: Quarantine(None), default_said: true }
        "#]],
    );
}

#[test]
fn scalars_are_of_the_core_schema() {
    check_params(
        "      words: [no, yes, on, off, y, n, ~, null, Null, NULL, nUll]
      bools: [true, True, TRUE, false, tRue]
      ints: [0, -0, +12, 0o17, 0x1F, 017, 1_000, 0b1, -9223372036854775808, 9223372036854775807]
      floats: [1.5, -.5, 5., 1e3, 1.5E-3, .inf, -.Inf, +.INF, .nan, '.nan']
      texts: [1.2.3, 12:30, 2024-01-01, 1e, e1, ., '-', '+', -x, 0x, 0o8, inf, nan]
      quoted: ['1', \"true\", '']
      tagged: [!!str 1, !!int '1', !!float 1, !!null '', ! 1]
      empty:
      ? long
      : value
      block: |
        one
        \ttwo
      folded: >-
        three
        four
",
        expect![[r#"
            words: List([Text("no"), Text("yes"), Text("on"), Text("off"), Text("y"), Text("n"), Null, Null, Null, Null, Text("nUll")])
            bools: List([Bool(true), Bool(true), Bool(true), Bool(false), Text("tRue")])
            ints: List([Int(0), Int(0), Int(12), Int(15), Int(31), Int(17), Text("1_000"), Text("0b1"), Int(-9223372036854775808), Int(9223372036854775807)])
            floats: List([Float(1.5), Float(-0.5), Float(5.0), Float(1000.0), Float(0.0015), Float(inf), Float(-inf), Float(inf), Float(NaN), Text(".nan")])
            texts: List([Text("1.2.3"), Text("12:30"), Text("2024-01-01"), Text("1e"), Text("e1"), Text("."), Text("-"), Text("+"), Text("-x"), Text("0x"), Text("0o8"), Text("inf"), Text("nan")])
            quoted: List([Text("1"), Text("true"), Text("")])
            tagged: List([Text("1"), Int(1), Float(1.0), Null, Text("1")])
            empty: Null
            long: Text("value")
            block: Text("one\n\ttwo\n")
            folded: Text("three four")
        "#]],
    );
}

#[test]
fn aliases_and_merge_keys_are_filled_in() {
    check_params(
        "      base: &base { a: 1, b: [x, y] }
      same: *base
      more: { <<: *base, a: 2, c: 3 }
      both: { <<: [{ a: 4, d: 5 }, *base] }
      text: &t hello
      list: [*t, *t]
",
        expect![[r#"
            base: Map({"a": Int(1), "b": List([Text("x"), Text("y")])})
            same: Map({"a": Int(1), "b": List([Text("x"), Text("y")])})
            more: Map({"a": Int(2), "c": Int(3), "b": List([Text("x"), Text("y")])})
            both: Map({"a": Int(4), "d": Int(5), "b": List([Text("x"), Text("y")])})
            text: Text("hello")
            list: List([Text("hello"), Text("hello")])
        "#]],
    );
}

#[test]
fn a_rack_without_a_text_is_empty() {
    let plan = RackPlan::empty("/rack".into());
    assert_eq!(plan.root, std::path::Path::new("/rack"));
    assert!(plan.slots.is_empty() && plan.pipelines.is_empty() && plan.file.is_none());
}

#[test]
fn the_rest_of_a_rack_is_read() {
    let plan = plan(
        "rack: 1
catalog: [./modules, { entry-points: acme.plugins }]
contracts: contracts/pricing.wit
python: { venv: .venv, path: [., lib] }
state: memory
errors: { default: skip, timeout: stop }
",
    );
    expect![[r#"
        RackPlan {
            file: Some(
                "rack.yaml",
            ),
            text: Some(
                RackText {
                    file: "rack.yaml",
                    ..
                },
            ),
            root: "/rack",
            catalog: [
                Folder(
                    "./modules",
                ),
                EntryPoints(
                    "acme.plugins",
                ),
            ],
            contracts: [
                "contracts/pricing.wit",
            ],
            python: PythonPlan {
                venv: Some(
                    ".venv",
                ),
                path: Some(
                    [
                        ".",
                        "lib",
                    ],
                ),
                place: Some(
                    Place {
                        file: "rack.yaml",
                        line: Some(
                            4,
                        ),
                        column: Some(
                            17,
                        ),
                        key: Some(
                            "python.venv",
                        ),
                    },
                ),
            },
            native: NativePlan {
                kept: 536870912,
            },
            defaults: Limits {
                time: None,
                memory: None,
                output: None,
            },
            slots: {},
            errors: OnErrors {
                by_name: [
                    (
                        "timeout",
                        Stop,
                    ),
                ],
                default: Skip,
                default_said: true,
            },
            pipelines: {},
            state: Some(
                Memory,
            ),
        }
    "#]]
    .assert_eq(&format!("{plan:#?}\n"));
}

#[test]
fn places_are_kept_for_what_is_found_later() {
    let plan = plan(
        "rack: 1
slots:
  a:
    use: ./a.py
    function: f
    params: { width: 1, 'odd name': 2 }
    needs: { rates: b }
    limits: { time: 3s }
  b: ./b.py
",
    );
    let mut shown = String::new();
    for slot in plan.slots.values() {
        for (key, place) in &slot.key_places {
            shown += &format!("{} {key}: {place} {}\n", slot.name, place.key.as_deref().unwrap_or_default());
        }
        let place = slot.place.as_ref().expect("a declared slot has a place");
        shown += &format!("{}: {place} {}\n", slot.name, place.key.as_deref().unwrap_or_default());
    }
    expect![[r#"
        a use: rack.yaml:4:10 slots.a.use
        a function: rack.yaml:5:15 slots.a.function
        a params: rack.yaml:6:13 slots.a.params
        a params.width: rack.yaml:6:15 slots.a.params.width
        a params.odd name: rack.yaml:6:25 slots.a.params["odd name"]
        a needs: rack.yaml:7:12 slots.a.needs
        a needs.rates: rack.yaml:7:14 slots.a.needs.rates
        a limits: rack.yaml:8:13 slots.a.limits
        a limits.time: rack.yaml:8:15 slots.a.limits.time
        a: rack.yaml:3:3 slots.a
        b use: rack.yaml:9:6 slots.b
        b: rack.yaml:9:3 slots.b
    "#]]
    .assert_eq(&shown);
}

#[test]
fn what_was_filled_in_is_text_where_the_module_wants_text() {
    let plan = plan(
        "rack: 1\nslots: { a: { use: ./a.py, params: { key: '${env:WIDTH}', n: '${env:WIDTH}', same: 3 } } }",
    );
    let slot = plan.slots.values().next().expect("the slot");
    let text = |name: &str| Param::new(name, Type::Text);
    let signature = Signature {
        params: vec![text("key"), Param::new("n", Type::Int), text("same")],
        ..Signature::default()
    };
    expect![[r#"
        {"key": Int(3), "n": Int(3), "same": Int(3)}
        {"key": Text("3"), "n": Int(3), "same": Int(3)}
    "#]]
    .assert_eq(&format!("{:?}\n{:?}\n", slot.params_for(None), slot.params_for(Some(&signature))));
}
