//! Bytes that are no text, text that is too large, and the other two forms a rack is written in.

use expect_test::{Expect, expect};
use modrack_core::Result;
use modrack_core::plan::TextFormat::{Json, Toml, Yaml};
use modrack_core::plan::{RackPlan, TextFormat};

use crate::text::{parse_as, show};

/// Checks every diagnostic of a text.
fn check(format: TextFormat, bytes: impl AsRef<[u8]>, expected: Expect) {
    let shown = match parse_as(format, bytes.as_ref(), &[]) {
        Ok(_) => "nothing is wrong\n".to_owned(),
        Err(error) => show(&error),
    };
    expected.assert_eq(&shown);
}

/// A plan without the places in it: what a text means whatever it is written in.
fn meaning(plan: Result<RackPlan>) -> String {
    let mut plan = plan.unwrap_or_else(|error| panic!("{}", show(&error)));
    plan.file = None;
    plan.text = None;
    plan.python.place = None;
    for slot in plan.slots.values_mut() {
        slot.place = None;
        slot.key_places.clear();
    }
    for pipeline in plan.pipelines.values_mut() {
        pipeline.place = None;
        pipeline.source.place = None;
        pipeline.sink.place = None;
        for stage in &mut pipeline.stages {
            stage.place = None;
            if let Some(slot) = &mut stage.in_place {
                slot.place = None;
                slot.key_places.clear();
            }
        }
    }
    format!("{plan:#?}")
}

#[test]
fn a_rack_means_the_same_in_all_three_forms() {
    let yaml = r#"
rack: 1
python: { venv: .venv }
slots:
  zeta: { use: ./z.py, params: { on: true, n: 3, x: 1.5, deep: { list: [1, a] } } }
  alpha: ./a.py
pipelines:
  p:
    source: { csv: in.csv, null: [NA] }
    stages: [ zeta, { use: ./l.py, params: { minutes: 60 } } ]
    sink: { parquet: out.parquet }
"#;
    let toml = r#"
rack = 1
python.venv = ".venv"
[slots.zeta]
use = "./z.py"
params = { on = true, n = 3, x = 1.5, deep = { list = [1, "a"] } }
[slots]
alpha = "./a.py"
[pipelines.p]
source = { csv = "in.csv", null = ["NA"] }
sink.parquet = "out.parquet"
[[pipelines.p.stages]]
slot = "zeta"
[[pipelines.p.stages]]
use = "./l.py"
params.minutes = 60
"#;
    let json = r#"{
  "rack": 1,
  "python": { "venv": ".venv" },
  "slots": {
    "zeta": { "use": "./z.py", "params": { "on": true, "n": 3, "x": 1.5, "deep": { "list": [1, "a"] } } },
    "alpha": "./a.py"
  },
  "pipelines": {
    "p": {
      "source": { "csv": "in.csv", "null": ["NA"] },
      "stages": ["zeta", { "use": "./l.py", "params": { "minutes": 60 } }],
      "sink": { "parquet": "out.parquet" }
    }
  }
}"#;
    let meant = meaning(parse_as(Yaml, yaml.as_bytes(), &[]));
    assert_eq!(meaning(parse_as(Toml, toml.as_bytes(), &[])), meant);
    assert_eq!(meaning(parse_as(Json, json.as_bytes(), &[])), meant);
}

#[test]
fn toml_is_read_with_its_places() {
    check(
        Toml,
        "rack = 1\n[slots.a]\nuse = \"./a.py\"\nparams = { x = inf, y = -1e400 }\n",
        expect![[r#"
        rack.toml:4:25: `-1e400` is beyond what a number of 64 bits holds [M0112]
            hint: Put it in quotes to have it as text
    "#]],
    );
    check(
        Toml,
        "rack = 1\n[slots.a]\nuse = \"./a.py\"\nlazi = true\n",
        expect![[r#"
        rack.toml:4:1 slots.a.lazi: `lazi` is not a key of a slot [M0104]
            hint: Did you mean `lazy`?
    "#]],
    );
    check(
        Toml,
        "rack = 1\n[slots.b]\nuse = 3\n[slots.a]\nuse = 4\n",
        expect![[r#"
            rack.toml:3:7 slots.b.use: `use` must be text or a mapping, not a whole number [M0105]
                hint: Put it in quotes to have it as text
            rack.toml:5:7 slots.a.use: `use` must be text or a mapping, not a whole number [M0105]
                hint: Put it in quotes to have it as text
        "#]],
    );
    check(
        Toml,
        "rack = 1\n[slots.a]\nuse = \"./a.py\"\n[slots.a]\nuse = \"./b.py\"\n",
        expect![[r#"
            rack.toml:4:8 slots.a: `a` is given twice [M0107]
                hint: Give one of the two another name
        "#]],
    );
    check(
        Toml,
        "rack = 1\nrack = 2\n",
        expect![[r#"
            rack.toml:2:1 rack: `rack` is given twice [M0107]
                hint: Give one of the two another name
        "#]],
    );
    check(
        Toml,
        "rack = \n[slots",
        expect![[r#"
            rack.toml:1:8: This is not valid TOML: string values must be quoted, expected literal string [M0101]
                hint: Check that each quote that is opened is closed
            rack.toml:2:7: This is not valid TOML: unclosed table, expected `]` [M0101]
                hint: Put text in quotes, and write each table as `[name]`
        "#]],
    );
    check(
        Toml,
        "rack = \"1\n",
        expect![[r#"
        rack.toml:1:10: This is not valid TOML: invalid basic string, expected `"` [M0101]
            hint: Check that each quote that is opened is closed
    "#]],
    );
    check(
        Toml,
        "rack = 99999999999999999999\n",
        expect![[r#"
        rack.toml:1:8: `99999999999999999999` does not fit 64 bits [M0112]
            hint: Put it in quotes to have it as text
    "#]],
    );
    check(
        Toml,
        "",
        expect![[r#"
            rack.toml:1:1: The rack does not say its version [M0111]
                hint: Start it with `rack = 1`
        "#]],
    );
}

#[test]
fn json_is_strict() {
    check(
        Json,
        "{\n  \"rack\": 1,\n  \"slots\": { \"a\": { \"use\": 3 } }\n}",
        expect![[r#"
            rack.json:3:28 slots.a.use: `use` must be text or a mapping, not a whole number [M0105]
                hint: Put it in quotes to have it as text
        "#]],
    );
    check(
        Json,
        "{ \"rack\": 1 /* no */ }",
        expect![[r#"
        rack.json:1:13: This is not valid JSON: comments are not allowed [M0101]
            hint: Take the comment out, or write the rack in YAML or TOML
    "#]],
    );
    check(
        Json,
        "{ \"rack\": 1, }",
        expect![[r#"
        rack.json:1:12: This is not valid JSON: trailing commas are not allowed [M0101]
            hint: Take out the comma after the last item
    "#]],
    );
    check(
        Json,
        "{ rack: 1 }",
        expect![[r#"
        rack.json:1:3: This is not valid JSON: expected string for object property [M0101]
            hint: Check the commas, quotes and brackets just before this place
    "#]],
    );
    check(
        Json,
        "{ 'rack': 1 }",
        expect![[r#"
        rack.json:1:3: This is not valid JSON: single-quoted strings are not allowed [M0101]
            hint: Write text in double quotes
    "#]],
    );
    check(
        Json,
        "{ \"rack\": 0x1 }",
        expect![[r#"
        rack.json:1:11: This is not valid JSON: hexadecimal numbers are not allowed [M0101]
            hint: Check the commas, quotes and brackets just before this place
    "#]],
    );
    check(
        Json,
        "{ \"rack\": 1 } {}",
        expect![[r#"
        rack.json:1:15: This is not valid JSON: text cannot contain more than one JSON value [M0101]
            hint: Check the commas, quotes and brackets just before this place
    "#]],
    );
    check(
        Json,
        "{ \"rack\": 1, \"rack\": 1 }",
        expect![[r#"
            rack.json:1:14 rack: `rack` is given twice [M0107]
                hint: It was given on line 1 before: give one of the two another name
        "#]],
    );
    check(
        Json,
        "{ \"rack\": 1",
        expect![[r#"
        rack.json:1:1: This is not valid JSON: unterminated object [M0101]
            hint: A `{` or `[` that was opened is not closed
    "#]],
    );
    check(
        Json,
        "",
        expect![[r#"
            rack.json:1:1: The rack does not say its version [M0111]
                hint: Start it with `"rack": 1`
        "#]],
    );
    check(
        Json,
        "[".repeat(10_000),
        expect![[r#"
            rack.json:1:513: Values are nested deeper than 100 [M0103]
                hint: Nest them less deeply
        "#]],
    );
}

#[test]
fn bytes_that_are_no_text_are_named() {
    check(
        Yaml,
        b"rack: 1\nslots: { a\xff: ./a.py }\n",
        expect![[r#"
        rack.yaml:2:11: The byte 0xFF is not UTF-8 [M0102]
            hint: Save the rack as UTF-8
    "#]],
    );
    check(
        Yaml,
        b"rack: 1\nslots: { \xc3\xa9\xe9: ./a.py }\n",
        expect![[r#"
        rack.yaml:2:11: The byte 0xE9 is not UTF-8 [M0102]
            hint: Save the rack as UTF-8
    "#]],
    );
    check(
        Yaml,
        b"\xff\xfer\0a\0c\0k\0",
        expect![[r#"
        rack.yaml: The rack is UTF-16, not UTF-8 [M0102]
            hint: Save it as UTF-8
    "#]],
    );
    check(
        Yaml,
        b"\xef\xbb\xbfrack: 1\n",
        expect![[r#"
        nothing is wrong
    "#]],
    );
    check(
        Yaml,
        b"rack: 1\nslots: { a: \"x\0y\" }\n",
        expect![[r#"
            rack.yaml:2:15: There is a NUL byte in the rack [M0102]
                hint: Save the rack as UTF-8, and take the byte out
        "#]],
    );
    check(
        Yaml,
        b"rack: 1\r\nslots:\r\n  a: ./a.py\r\n  b: { nope: 1 }\r\n",
        expect![[r#"
            rack.yaml:4:3 slots.b: `b` has no `use` [M0111]
                hint: Say what fills the slot: `use: ./x.py`
            rack.yaml:4:8 slots.b.nope: `nope` is not a key of a slot [M0104]
                hint: Known here are `use`, `params`, `contract`, `needs`, `limits`, `instances`, `allow`, `enforce`, `function`, `errors`, `lazy`, `swap` and `events`
        "#]],
    );
}

#[test]
fn a_value_of_50_mb_is_refused() {
    let mut text = b"rack: 1\nslots: { a: { use: ./a.py, params: { big: ".to_vec();
    text.resize(50_000_000, b'x');
    text.extend_from_slice(b" } } }\n");
    check(
        Yaml,
        text,
        expect![[r#"
        rack.yaml: The rack is 48 MiB; 8 MiB is the most [M0103]
            hint: Name large data by its path instead of writing it into the rack
    "#]],
    );
}
