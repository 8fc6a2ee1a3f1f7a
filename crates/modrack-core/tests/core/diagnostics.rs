//! What is wrong with a rack, all of it at once: code, place, full key, message and hint.

use expect_test::{Expect, expect};

use crate::text::{parse, show};

/// Checks every diagnostic of a YAML text.
fn check(text: &str, expected: Expect) {
    let shown = match parse(text) {
        Ok(_) => "nothing is wrong\n".to_owned(),
        Err(error) => show(&error),
    };
    expected.assert_eq(&shown);
}

/// Checks a pipeline with the two ends and stages that are given, in a rack with the slot `clean`.
fn check_pipeline(pipeline: &str, expected: Expect) {
    check(&format!("rack: 1\nslots: {{ clean: ./c.py }}\npipelines:\n  p:\n{pipeline}"), expected);
}

#[test]
fn everything_is_reported_at_once_in_the_order_of_the_text() {
    check(
        "rack: 1
slots:
  clean:
    use: ./clean.py
    parms: { a: 1 }
    lazy: nope
  b c: { use: ./b.py }
pipelines:
  delays:
    source: { csv: in.csv, heade: true }
    stages: [ claen ]
    sink: { parquet: [a, b] }
colour: red
",
        expect![[r#"
            rack.yaml:5:5 slots.clean.parms: `parms` is not a key of a slot [M0104]
                hint: Did you mean `params`?
            rack.yaml:6:11 slots.clean.lazy: `lazy` must be true or false, not text [M0105]
                hint: Write `true` or `false`
            rack.yaml:7:3 slots["b c"]: `b c` is not a slot name [M0112]
                hint: Start with a letter, then use letters, digits, `_` and `-`
            rack.yaml:10:28 pipelines.delays.source.heade: `heade` is not a key of a source [M0104]
                hint: Did you mean `header`?
            rack.yaml:11:15 pipelines.delays.stages[0]: There is no slot `claen` [M0106]
                hint: Did you mean `clean`?
            rack.yaml:12:22 pipelines.delays.sink.parquet: `parquet` must be text, not a list [M0105]
                hint: Write one value
            rack.yaml:13:1 colour: `colour` is not a key of a rack [M0104]
                hint: Known here are `rack`, `catalog`, `contracts`, `python`, `native`, `defaults`, `slots`, `errors`, `pipelines` and `state`
        "#]],
    );
}

#[test]
fn a_rack_says_its_version() {
    check(
        "",
        expect![[r#"
            rack.yaml:1:1: The rack does not say its version [M0111]
                hint: Start it with `rack: 1`
        "#]],
    );
    check(
        "# nothing but a comment\n",
        expect![[r#"
            rack.yaml:1:1: The rack does not say its version [M0111]
                hint: Start it with `rack: 1`
        "#]],
    );
    check(
        "slots: {}",
        expect![[r#"
            rack.yaml:1:1: The rack does not say its version [M0111]
                hint: Start it with `rack: 1`
        "#]],
    );
    check(
        "rack: 2",
        expect![[r#"
        rack.yaml:1:7 rack: `rack: 2` is a form that this modrack does not read [M0112]
            hint: Write `rack: 1`, or use a newer modrack
    "#]],
    );
    check(
        "rack: one",
        expect![[r#"
            rack.yaml:1:7 rack: `rack` must be `1`, not text [M0105]
                hint: The version of a rack's form is the number 1
        "#]],
    );
    check(
        "- a\n- b",
        expect![[r#"
            rack.yaml:1:1: The rack must be a mapping, not a list [M0105]
                hint: Write `key: value`, each on a line of its own or all of them within `{...}`
        "#]],
    );
}

#[test]
fn unknown_keys_have_a_suggestion() {
    check(
        "rack: 1\nslot: {}\n",
        expect![[r#"
        rack.yaml:2:1 slot: `slot` is not a key of a rack [M0104]
            hint: Did you mean `slots`?
    "#]],
    );
    check(
        "rack: 1\nslots: { a: { use: ./a.py, Params: {} } }",
        expect![[r#"
        rack.yaml:2:28 slots.a.Params: `Params` is not a key of a slot [M0104]
            hint: Did you mean `params`?
    "#]],
    );
    check(
        "rack: 1\npython: { virtualenv: .venv }",
        expect![[r#"
            rack.yaml:2:11 python.virtualenv: `virtualenv` is not a key of `python` [M0104]
                hint: Known here are `venv` and `path`
        "#]],
    );
    check(
        "rack: 1\nx: 1",
        expect![[r#"
            rack.yaml:2:1 x: `x` is not a key of a rack [M0104]
                hint: Known here are `rack`, `catalog`, `contracts`, `python`, `native`, `defaults`, `slots`, `errors`, `pipelines` and `state`
        "#]],
    );
}

#[test]
fn types_are_checked() {
    check(
        "rack: 1
catalog: 3
contracts: { a: b }
python: .venv
defaults: [1]
slots: [a]
pipelines: text
state: []
",
        expect![[r#"
            rack.yaml:2:10 catalog: `catalog` must be text or a mapping or a list, not a whole number [M0105]
                hint: Put it in quotes to have it as text
            rack.yaml:3:12 contracts: `contracts` must be text or a list, not a mapping [M0105]
                hint: Write one value, or a list of them
            rack.yaml:4:9 python: `python` must be a mapping, not text [M0105]
                hint: Write `key: value`, each on a line of its own or all of them within `{...}`
            rack.yaml:5:11 defaults: `defaults` must be a mapping, not a list [M0105]
                hint: Write `key: value`, each on a line of its own or all of them within `{...}`
            rack.yaml:6:8 slots: `slots` must be a mapping, not a list [M0105]
                hint: Write `key: value`, each on a line of its own or all of them within `{...}`
            rack.yaml:7:12 pipelines: `pipelines` must be a mapping, not text [M0105]
                hint: Write `key: value`, each on a line of its own or all of them within `{...}`
            rack.yaml:8:8 state: `state` must be text, not a list [M0105]
                hint: Write one value
        "#]],
    );
    check(
        "rack: 1
slots:
  a: { use: 1, function: [f], params: [1], contract: 1.0, needs: x, limits: 3s, lazy: 1, enforce: maybe }
  b: { use: { source: 1 } }
  c: [./c.py]
  d: { use: { source: x, language: ruby } }
",
        expect![[r#"
            rack.yaml:3:13 slots.a.use: `use` must be text or a mapping, not a whole number [M0105]
                hint: Put it in quotes to have it as text
            rack.yaml:3:26 slots.a.function: `function` must be text, not a list [M0105]
                hint: Write one value
            rack.yaml:3:39 slots.a.params: `params` must be a mapping, not a list [M0105]
                hint: Write `key: value`, each on a line of its own or all of them within `{...}`
            rack.yaml:3:54 slots.a.contract: `contract` must be text, not a number [M0105]
                hint: Put it in quotes to have it as text
            rack.yaml:3:66 slots.a.needs: `needs` must be a mapping, not text [M0105]
                hint: Write `key: value`, each on a line of its own or all of them within `{...}`
            rack.yaml:3:77 slots.a.limits: `limits` must be a mapping, not text [M0105]
                hint: Write `key: value`, each on a line of its own or all of them within `{...}`
            rack.yaml:3:87 slots.a.lazy: `lazy` must be true or false, not a whole number [M0105]
                hint: Write `true` or `false`
            rack.yaml:3:99 slots.a.enforce: `enforce` cannot be `maybe` [M0112]
                hint: Write `best-effort`
            rack.yaml:4:13 slots.b.use: `use` has no `language` [M0111]
                hint: Add `language:` (what it is written in)
            rack.yaml:4:23 slots.b.use.source: `source` must be text, not a whole number [M0105]
                hint: Put it in quotes to have it as text
            rack.yaml:5:6 slots.c: `c` must be text or a mapping, not a list [M0105]
                hint: Write one value, or `key: value`, each on a line of its own or within `{...}`
            rack.yaml:6:36 slots.d.use.language: `language` cannot be `ruby` [M0112]
                hint: Write one of `python`, `wat`
        "#]],
    );
}

#[test]
fn what_is_missing_is_named() {
    check(
        "rack: 1\nslots: { a: { params: {} }, b: }",
        expect![[r#"
        rack.yaml:2:10 slots.a: `a` has no `use` [M0111]
            hint: Say what fills the slot: `use: ./x.py`
        rack.yaml:2:29 slots.b: `b` has no `use` [M0111]
            hint: Say what fills the slot: `use: ./x.py`
    "#]],
    );
    check(
        "rack: 1\npipelines: { p: { stages: [] } }",
        expect![[r#"
        rack.yaml:2:17 pipelines.p: `p` has no `source` [M0111]
            hint: Add `source:` (where rows come from)
        rack.yaml:2:17 pipelines.p: `p` has no `sink` [M0111]
            hint: Add `sink:` (where they go)
    "#]],
    );
    check(
        "rack: 1\ncatalog: [{}]",
        expect![[r#"
        rack.yaml:2:11 catalog[0]: An item of `catalog` has no `entry-points` [M0111]
            hint: Add `entry-points:` (a group of entry points of the installed Python packages)
    "#]],
    );
}

#[test]
fn what_later_versions_bring_is_known() {
    check(
        "rack: 1
secrets: { env: true }
defaults: { isolation: process }
slots:
  a:
    use: ./a.py
    layers: []
    swap: { watch: true }
    limits: { memory: 256MiB }
    errors: { ValueError: retry, KeyError: { replace: 1 } }
  db: { builtin: sql, url: 'sqlite:./data.db', pool: 3 }
  score: { choose: [] }
  wat: { use: { source: '(module)', language: wat } }
pipelines:
  p:
    source: { sql: 'select 1' }
    stages: [ { all: [a] } ]
    sink: '-'
",
        expect![[r#"
            rack.yaml:2:1 secrets: `secrets` is not available in modrack 0.1 yet [M0110]
                hint: It is of a later version (where secrets come from): leave it out
            rack.yaml:3:13 defaults.isolation: `isolation` is not available in modrack 0.1 yet [M0110]
                hint: It is of a later version (where modules run): leave it out
            rack.yaml:7:5 slots.a.layers: `layers` is not available in modrack 0.1 yet [M0110]
                hint: It is of a later version (behaviour round its calls): leave it out
            rack.yaml:10:27 slots.a.errors.ValueError: `retry` is not available in modrack 0.1 yet [M0110]
                hint: Use another value until then
            rack.yaml:10:46 slots.a.errors.KeyError.replace: `replace` is not available in modrack 0.1 yet [M0110]
                hint: It is of a later version (a value in place of the result): leave it out
            rack.yaml:11:9 slots.db.builtin: `builtin` is not available in modrack 0.1 yet [M0110]
                hint: It is of a later version (a service that is built in): leave it out
            rack.yaml:11:23 slots.db.url: `url` is not available in modrack 0.1 yet [M0110]
                hint: It is of a later version (where a service that is built in finds its data): leave it out
            rack.yaml:12:12 slots.score.choose: `choose` is not available in modrack 0.1 yet [M0110]
                hint: It is of a later version (the first of several slots whose condition holds): leave it out
            rack.yaml:16:15 pipelines.p.source.sql: `sql` is not available in modrack 0.1 yet [M0110]
                hint: It is of a later version (a table or query of a database): leave it out
            rack.yaml:17:17 pipelines.p.stages[0].all: `all` is not available in modrack 0.1 yet [M0110]
                hint: It is of a later version (slots that are each called): leave it out
        "#]],
    );
}

#[test]
fn names_have_a_form() {
    check(
        "rack: 1\nslots: { '1st': ./a.py, a/b: ./b.py, 'a.b': ./c.py, ok-1_x: ./d.py, größe: ./e.py }\npipelines: { 'a b': {} }",
        expect![[r#"
            rack.yaml:2:10 slots.1st: `1st` is not a slot name [M0112]
                hint: Start with a letter, then use letters, digits, `_` and `-`
            rack.yaml:2:25 slots.a/b: `a/b` is not a name that a slot can be given [M0112]
                hint: `/` stands between an experiment and its arm: write `-` or `_`
            rack.yaml:2:38 slots["a.b"]: `a.b` is not a slot name [M0112]
                hint: Start with a letter, then use letters, digits, `_` and `-`
            rack.yaml:3:14 pipelines["a b"]: `a b` is not a pipeline name [M0112]
                hint: Start with a letter, then use letters, digits, `_` and `-`
            rack.yaml:3:21 pipelines["a b"]: `a b` has no `source` [M0111]
                hint: Add `source:` (where rows come from)
            rack.yaml:3:21 pipelines["a b"]: `a b` has no `sink` [M0111]
                hint: Add `sink:` (where they go)
        "#]],
    );
}

#[test]
fn names_are_given_once() {
    check(
        "rack: 1\nslots:\n  a: ./a.py\n  b: ./b.py\n  a: ./c.py\n",
        expect![[r#"
            rack.yaml:5:3 slots.a: `a` is given twice [M0107]
                hint: It was given on line 3 before: give one of the two another name
        "#]],
    );
    check(
        "rack: 1\nrack: 1\n",
        expect![[r#"
            rack.yaml:2:1 rack: `rack` is given twice [M0107]
                hint: It was given on line 1 before: give one of the two another name
        "#]],
    );
    check(
        "rack: 1\nslots: { a: { use: ./a.py, params: { x: 1, x: 2 } } }",
        expect![[r#"
            rack.yaml:2:44 slots.a.params.x: `x` is given twice [M0107]
                hint: It was given on line 2 before: give one of the two another name
        "#]],
    );
    check(
        "rack: 1\npipelines:\n  p: { source: '-', sink: '-' }\n  p: { source: '-', sink: '-' }\n",
        expect![[r#"
            rack.yaml:4:3 pipelines.p: `p` is given twice [M0107]
                hint: It was given on line 3 before: give one of the two another name
        "#]],
    );
}

#[test]
fn a_use_text_is_parsed() {
    check(
        "rack: 1\nslots: { a: ' ./a.py', b: 'python:a b', c: upper@banana, d: './x.py:1a', e: '' }",
        expect![[r#"
            rack.yaml:2:13 slots.a: ` ./a.py` cannot be used: it is empty, or has spaces round it [M0205]
                hint: Write a path (`./x.py:Name`), `python:pkg.mod:attr`, or a name of the catalog
            rack.yaml:2:27 slots.b: `python:a b` cannot be used: what follows `python:` is not a dotted module name [M0205]
                hint: Write a path (`./x.py:Name`), `python:pkg.mod:attr`, or a name of the catalog
            rack.yaml:2:44 slots.c: `upper@banana` cannot be used: its version is not understood (unexpected character 'b' while parsing major version number) [M0205]
                hint: Write a path (`./x.py:Name`), `python:pkg.mod:attr`, or a name of the catalog
            rack.yaml:2:61 slots.d: `./x.py:1a` cannot be used: what follows the `:` is not a name [M0205]
                hint: Write a path (`./x.py:Name`), `python:pkg.mod:attr`, or a name of the catalog
            rack.yaml:2:77 slots.e: `` cannot be used: it is empty, or has spaces round it [M0205]
                hint: Write a path (`./x.py:Name`), `python:pkg.mod:attr`, or a name of the catalog
        "#]],
    );
}

#[test]
fn slots_that_are_named_are_declared() {
    check(
        "rack: 1
slots:
  exchange: ./exchange.py
  clean: { use: ./clean.py, needs: { rates: exchang, other: nowhere, here: ./x.py, one: exchange.rate } }
",
        expect![[r#"
            rack.yaml:4:45 slots.clean.needs.rates: There is no slot `exchang` [M0106]
                hint: Did you mean `exchange`?
            rack.yaml:4:61 slots.clean.needs.other: There is no slot `nowhere` [M0106]
                hint: Declare it under `slots:`, or name the module itself (`./nowhere.py`)
            rack.yaml:4:89 slots.clean.needs.one: `one` names the function `rate`; a whole slot goes there [M0112]
                hint: Leave the function out: the module calls what it needs of the slot
        "#]],
    );
    // With a catalog, a bare name may be of the catalog: only the runtime knows.
    check(
        "rack: 1\ncatalog: ./modules\nslots: { a: { use: ./a.py, needs: { b: upper } } }",
        expect![[r#"
        nothing is wrong
    "#]],
    );
}

#[test]
fn circles_of_needs_are_named() {
    check(
        "rack: 1
slots:
  a: { use: ./a.py, needs: { x: b } }
  b: { use: ./b.py, needs: { x: c } }
  c: { use: ./c.py, needs: { x: a, y: c } }
  d: { use: ./d.py, needs: { x: a } }
",
        expect![[r#"
            rack.yaml:5:33 slots.c.needs.x: Slots need each other in a circle: `a` needs `b` needs `c` needs `a` [M0108]
                hint: Take one of these needs out, or have the module fetch what it needs when it is called
            rack.yaml:5:39 slots.c.needs.y: Slots need each other in a circle: `c` needs `c` [M0108]
                hint: Take one of these needs out, or have the module fetch what it needs when it is called
        "#]],
    );
}

#[test]
fn lengths_of_time_have_a_unit() {
    check(
        "rack: 1
defaults: { limits: { time: 10 } }
slots:
  a: { use: ./a.py, limits: { time: 10 parsecs } }
  b: { use: ./b.py, limits: { time: 0s } }
",
        expect![[r#"
            rack.yaml:2:29 defaults.limits.time: `time` must be a length of time, not a whole number [M0105]
                hint: Write a number and its unit: `10s`, `50ms`, `2m`
            rack.yaml:4:37 slots.a.limits.time: `10 parsecs` is not a length of time [M0112]
                hint: Write a number above zero and its unit: `10s`, `50ms`, `2m`
            rack.yaml:5:37 slots.b.limits.time: `0s` is not a length of time [M0112]
                hint: Write a number above zero and its unit: `10s`, `50ms`, `2m`
        "#]],
    );
}

#[test]
fn decisions_about_errors_are_words() {
    check(
        "rack: 1
errors: { default: skp, ValueError: { quarantin: x }, 'two words': stop, KeyError: {} }
slots:
  a: { use: ./a.py, errors: nothing }
",
        expect![[r#"
            rack.yaml:2:20 errors.default: `default` cannot be `skp` [M0112]
                hint: Did you mean `skip`?
            rack.yaml:2:39 errors.ValueError.quarantin: `quarantin` is not a key of a decision about errors [M0104]
                hint: Did you mean `quarantine`?
            rack.yaml:2:55 errors["two words"]: `two words` is neither a kind of failure nor a class [M0112]
                hint: Write a kind (`type`, `raised`, `timeout`), a class (`ValueError`, `pkg.mod.Error`) or `default`
            rack.yaml:2:84 errors.KeyError: `KeyError` decides nothing [M0112]
                hint: Write `stop`, `skip`, `quarantine` or `{ quarantine: PATH }`
            rack.yaml:4:29 slots.a.errors: `errors` cannot be `nothing` [M0112]
                hint: Write one of `stop`, `skip`, `quarantine`
        "#]],
    );
}

#[test]
fn contracts_have_a_form() {
    check(
        "rack: 1\nslots: { a: { use: ./a.py, contract: 'transform@one' } }",
        expect![[r#"
            rack.yaml:2:38 slots.a.contract: `transform@one` is not a contract [M0112]
                hint: Write its name, or its name and version: `transform@1`
        "#]],
    );
}

#[test]
fn an_end_is_one_thing() {
    check_pipeline(
        "    source: { header: true }\n    sink: {}",
        expect![[r#"
        rack.yaml:5:13 pipelines.p.source: The source does not say what it is [M0111]
            hint: Add one of `csv`, `json`, `parquet`, `arrow`, `text`, `stdin`, `slot` or `use`
        rack.yaml:6:11 pipelines.p.sink: The sink does not say what it is [M0111]
            hint: Add one of `csv`, `json`, `parquet`, `arrow`, `text`, `stdout`, `slot` or `use`
    "#]],
    );
    check_pipeline(
        "    source: { csv: a, json: b }\n    sink: { csv: a, slot: clean }",
        expect![[r#"
        rack.yaml:5:23 pipelines.p.source.json: A source is one thing, not both `csv` and `json` [M0112]
            hint: Leave one of them out
        rack.yaml:6:21 pipelines.p.sink.slot: A sink is one thing, not both `csv` and `slot` [M0112]
            hint: Leave one of them out
    "#]],
    );
    check_pipeline(
        "    source: { csv: [] }\n    sink: { csv: '*.csv' }",
        expect![[r#"
        rack.yaml:5:20 pipelines.p.source.csv: No file is named [M0112]
            hint: Name a file, a pattern, or `-` for the standard stream
        rack.yaml:6:18 pipelines.p.sink.csv: `*.csv` is a pattern, and a sink is one file [M0112]
            hint: Name the file
    "#]],
    );
    check_pipeline(
        "    source: { csv: [a, '-'] }\n    sink: { csv: '' }",
        expect![[r#"
        rack.yaml:5:20 pipelines.p.source.csv: `-` cannot stand among other files [M0112]
            hint: Read the standard stream alone
        rack.yaml:6:18 pipelines.p.sink.csv: A path cannot be empty [M0112]
            hint: Name a file, or `-` for the standard stream
    "#]],
    );
    check_pipeline(
        "    source: { stdout: csv }\n    sink: { stdin: csv }",
        expect![[r#"
            rack.yaml:5:15 pipelines.p.source.stdout: `stdout` is not a key of a source [M0104]
                hint: Known here are `csv`, `json`, `parquet`, `arrow`, `text`, `stdin`, `slot`, `use`, `function`, `params`, `null`, `delimiter`, `header`, `types`, `infer-rows`, `columns`, `compression` and `batch-rows`
            rack.yaml:6:13 pipelines.p.sink.stdin: `stdin` is not a key of a sink [M0104]
                hint: Known here are `csv`, `json`, `parquet`, `arrow`, `text`, `stdout`, `slot`, `use`, `function`, `params`, `null`, `delimiter`, `header`, `compression` and `row-group-bytes`
        "#]],
    );
    check_pipeline(
        "    source: { stdin: xml }\n    sink: nowhere",
        expect![[r#"
        rack.yaml:5:22 pipelines.p.source.stdin: `stdin` cannot be `xml` [M0112]
            hint: Write one of `csv`, `json`, `parquet`, `arrow`, `text`
        rack.yaml:6:11 pipelines.p.sink: There is no slot `nowhere` [M0106]
            hint: Declare it under `slots:`, or name the module itself (`./nowhere.py`)
    "#]],
    );
}

#[test]
fn an_option_that_is_of_no_use_is_refused() {
    check_pipeline(
        "    source: { parquet: a, delimiter: ';', types: { a: int }, compression: gzip, params: {} }
    sink: { json: b, row-group-bytes: 1MiB, null: '' }",
        expect![[r#"
            rack.yaml:5:27 pipelines.p.source.delimiter: `delimiter` is of no use to a parquet source [M0112]
                hint: Leave it out
            rack.yaml:5:43 pipelines.p.source.types: `types` is of no use to a parquet source [M0112]
                hint: Leave it out
            rack.yaml:5:62 pipelines.p.source.compression: `compression` is of no use to a parquet source [M0112]
                hint: Leave it out
            rack.yaml:5:81 pipelines.p.source.params: `params` is of no use to a parquet source [M0112]
                hint: Leave it out
            rack.yaml:6:22 pipelines.p.sink.row-group-bytes: `row-group-bytes` is of no use to a json sink [M0112]
                hint: Leave it out
            rack.yaml:6:45 pipelines.p.sink.null: `null` is of no use to a json sink [M0112]
                hint: Leave it out
        "#]],
    );
    check_pipeline(
        "    source: { slot: clean, params: { a: 1 }, columns: [a] }
    sink: { use: ./s.py, params: { a: 1 }, compression: gzip }",
        expect![[r#"
            rack.yaml:5:28 pipelines.p.source.params: `params` is of no use to a source that is a slot [M0112]
                hint: Give them at the slot, or describe the slot here with `use`
            rack.yaml:5:46 pipelines.p.source.columns: `columns` is of no use to a source that is a slot [M0112]
                hint: Leave it out
            rack.yaml:6:44 pipelines.p.sink.compression: `compression` is of no use to a sink that is a module [M0112]
                hint: Leave it out
        "#]],
    );
}

#[test]
fn options_are_checked() {
    check_pipeline(
        "    source: { csv: a, delimiter: '::', infer-rows: 0, batch-rows: -1, columns: [a, b, a], types: { a: integer }, compression: rar }
    sink: { csv: b, compression: snappy, delimiter: 'é' }",
        expect![[r#"
            rack.yaml:5:34 pipelines.p.source.delimiter: `::` cannot stand between values [M0112]
                hint: Write one ASCII character: `","`, `";"`, `"|"`, or `"\t"` for a tab
            rack.yaml:5:52 pipelines.p.source.infer-rows: `infer-rows` must be above zero [M0112]
                hint: Write `1` or more
            rack.yaml:5:67 pipelines.p.source.batch-rows: `batch-rows` must be above zero [M0112]
                hint: Write `1` or more
            rack.yaml:5:87 pipelines.p.source.columns[2]: The column `a` is named twice [M0107]
                hint: Leave one of them out
            rack.yaml:5:103 pipelines.p.source.types.a: `a` cannot be `integer` [M0112]
                hint: Write one of `bool`, `int`, `float`, `text`, `bytes`, `date`, `time`, `timestamp`, `timestamp-utc`
            rack.yaml:5:127 pipelines.p.source.compression: `compression` cannot be `rar` [M0112]
                hint: Write one of `none`, `gzip`, `zstd`, `snappy`, `lz4`
            rack.yaml:6:34 pipelines.p.sink.compression: A csv file is not compressed with `snappy` [M0112]
                hint: Write one of `none`, `gzip`, `zstd`
            rack.yaml:6:53 pipelines.p.sink.delimiter: `é` cannot stand between values [M0112]
                hint: Write one ASCII character: `","`, `";"`, `"|"`, or `"\t"` for a tab
        "#]],
    );
    check_pipeline(
        "    source: { csv: a, header: maybe }\n    sink: { parquet: b, row-group-bytes: many }",
        expect![[r#"
            rack.yaml:5:31 pipelines.p.source.header: `header` must be true or false, not text [M0105]
                hint: Write `true` or `false`
            rack.yaml:6:42 pipelines.p.sink.row-group-bytes: `many` is not a number of bytes [M0112]
                hint: Write a number above zero and its unit: `64MiB`, `512kB`
        "#]],
    );
}

#[test]
fn a_stage_is_one_thing() {
    check_pipeline(
        "    source: '-'
    sink: '-'
    stages:
      - { function: f }
      - { slot: clean, use: ./x.py }
      - { slot: clean.f, function: g }
      - { slot: clean, params: { a: 1 } }
      - { slot: clean, takes: column }
      - { slot: clean, takes: row, column: a }
      - { slot: clean, takes: row, batch: 3 }
      - { slot: clean, schema: {} }
      - { slot: clean, takes: everything }
      - 3
      - clen.f
",
        expect![[r#"
            rack.yaml:8:9 pipelines.p.stages[0]: The stage says neither `slot` nor `use` [M0111]
                hint: Write `slot: NAME`, or `use: ./x.py`
            rack.yaml:9:9 pipelines.p.stages[1]: A stage has either `slot` or `use`, not both [M0112]
                hint: Leave one of them out
            rack.yaml:10:17 pipelines.p.stages[2].slot: The function is named twice: `f` along with the slot, and `function` [M0112]
                hint: Leave one of them out
            rack.yaml:11:24 pipelines.p.stages[3].params: `params` belongs to the slot, not to a stage that names it [M0112]
                hint: Move it to the slot, or describe the slot here with `use` in place of `slot`
            rack.yaml:12:9 pipelines.p.stages[4]: The stage takes a column and does not say which [M0111]
                hint: Add `column: NAME`
            rack.yaml:13:44 pipelines.p.stages[5].column: `column` is of use only to a stage that takes a column [M0112]
                hint: Leave `takes` out, or write `takes: column`
            rack.yaml:14:43 pipelines.p.stages[6].batch: `batch` is of use only to a stage that takes the whole input [M0112]
                hint: Leave it out, or write `takes: column`, `rows`, `table`, `pandas` or `polars`
            rack.yaml:15:32 pipelines.p.stages[7].schema: `schema` names no column [M0112]
                hint: Name the columns that come out
            rack.yaml:16:31 pipelines.p.stages[8].takes: `takes` cannot be `everything` [M0112]
                hint: Write one of `row`, `batch`, `column`, `rows`, `table`, `pandas`, `polars`
            rack.yaml:17:9 pipelines.p.stages[9]: An item of `stages` must be text or a mapping, not a whole number [M0105]
                hint: Put it in quotes to have it as text
            rack.yaml:18:9 pipelines.p.stages[10]: There is no slot `clen` [M0106]
                hint: Did you mean `clean`?
        "#]],
    );
}

#[test]
fn a_slot_hears_of_events_that_there_are() {
    check(
        "rack: 1\nslots: { a: { use: ./a.py, events: { 'swap.*, module.loaded': f, '*': _ } } }",
        expect![[r#"
        nothing is wrong
    "#]],
    );
    check(
        "rack: 1
slots:
  a:
    use: ./a.py
    events: { swap.swaped: f, 'nothing.*': f, warning: 3, 'module.lost': [f] }
  b: { use: ./b.py, events: on_event }
",
        expect![[r#"
            rack.yaml:5:15 slots.a.events["swap.swaped"]: There is no event `swap.swaped` [M0112]
                hint: Did you mean `swap.swapped`?
            rack.yaml:5:31 slots.a.events["nothing.*"]: There is no event `nothing.*` [M0112]
                hint: Name events as `swap.swapped`, several as `swap.*`, all as `*`
            rack.yaml:5:56 slots.a.events.warning: `warning` must be text, not a whole number [M0105]
                hint: Put it in quotes to have it as text
            rack.yaml:5:74 slots.a.events["module.lost"]: `module.lost` must be text, not a list [M0105]
                hint: Write one value
            rack.yaml:6:29 slots.b.events: `events` must be a mapping, not text [M0105]
                hint: Write `key: value`, each on a line of its own or all of them within `{...}`
        "#]],
    );
}
