//! `${...}` and `--set`: what is filled into a rack, and what cannot be.

use expect_test::{Expect, expect};
use modrack_core::plan::TextFormat::Yaml;

use crate::text::{parse_as, show};

/// Checks the params of the slot `a`, or what is wrong.
fn check(params: &str, expected: Expect) {
    check_set(
        &format!("rack: 1\nslots:\n  a:\n    use: ./a.py\n    params: {{ {params} }}\n"),
        &[],
        expected,
    );
}

fn check_set(text: &str, set: &[&str], expected: Expect) {
    let shown = match parse_as(Yaml, text.as_bytes(), set) {
        Ok(plan) => plan
            .slots
            .values()
            .map(|slot| {
                let mut line = format!("{}: {} {:?}", slot.name, slot.use_text, slot.params);
                if !slot.filled.is_empty() {
                    line += &format!(" filled={:?}", slot.filled);
                }
                if let Some(time) = slot.limits.time {
                    line += &format!(" time={time:?}");
                }
                if slot.lazy {
                    line += " lazy";
                }
                line + "\n"
            })
            .collect(),
        Err(error) => show(&error),
    };
    expected.assert_eq(&shown);
}

#[test]
fn the_environment_is_filled_in() {
    check(
        "town: 'in ${env:HOME_TOWN}!'",
        expect![[r#"
        a: ./a.py {"town": Text("in Zürich!")}
    "#]],
    );
    check(
        "width: '${env:WIDTH}', zip: '${env:ZIP}', text: 'w${env:WIDTH}'",
        expect![[r#"
        a: ./a.py {"width": Int(3), "zip": Text("01234"), "text": Text("w3")} filled={"width": "3"}
    "#]],
    );
    check(
        "a: '${env:NONE,7}', b: '${env:NONE,}', c: '${env:NONE,a,b}', d: '${env:EMPTY,x}'",
        expect![[r#"
        a: ./a.py {"a": Int(7), "b": Text(""), "c": Text("a,b"), "d": Text("")} filled={"a": "7"}
    "#]],
    );
    check(
        "a: '${env:NONE,${env:WIDTH}}', b: '${env:NONE,<${env:ZIP}>}'",
        expect![[r#"
        a: ./a.py {"a": Int(3), "b": Text("<01234>")} filled={"a": "3"}
    "#]],
    );
    check(
        "a: '${env:NONE}', b: '${env:}', c: '${env:WIDTH'",
        expect![[r#"
        rack.yaml:5:18 slots.a.params.a: The environment has no `NONE` [M0109]
            hint: Set it, or give a default: `${env:NONE,default}`
        rack.yaml:5:36 slots.a.params.b: `` is not the name of an environment variable [M0109]
            hint: Write `${env:NAME}` or `${env:NAME,default}`
        rack.yaml:5:50 slots.a.params.c: A `${` is not closed [M0109]
            hint: Add the `}`, or write `$${` for the two characters themselves
    "#]],
    );
}

#[test]
fn files_are_filled_in() {
    check(
        "a: '${file:secret.txt}', b: '${file:/rack/secret.txt}'",
        expect![[r#"
        a: ./a.py {"a": Text("hush"), "b": Text("hush")}
    "#]],
    );
    check(
        "a: '${file:nowhere}', b: '${file:}'",
        expect![[r#"
        rack.yaml:5:18 slots.a.params.a: `nowhere` cannot be read: no such file [M0109]
            hint: The path is relative to the rack's folder
        rack.yaml:5:40 slots.a.params.b: `${file:}` names no file [M0109]
            hint: Write `${file:PATH}`
    "#]],
    );
}

#[test]
fn other_keys_are_filled_in() {
    check(
        "a: 3, b: '${slots.a.params.a}', c: 'x${slots.a.params.a}', d: [1, { e: 2 }], f: '${slots.a.params.d}', g: '${slots.a.params.d[1].e}'",
        expect![[r#"
            a: ./a.py {"a": Int(3), "b": Int(3), "c": Text("x3"), "d": List([Int(1), Map({"e": Int(2)})]), "f": List([Int(1), Map({"e": Int(2)})]), "g": Int(2)}
        "#]],
    );
    check(
        "a: '${slots.a.params.b}', b: '${slots.a.params.c}', c: 1.50, d: 'x${slots.a.params.c}'",
        expect![[r#"
        a: ./a.py {"a": Float(1.5), "b": Float(1.5), "c": Float(1.5), "d": Text("x1.50")}
    "#]],
    );
    check(
        "a: '${slots.a.parms}', b: '${nowhere}', c: 'x${slots.a}', d: '${slots.a.params.l[3]}', l: []",
        expect![[r#"
            rack.yaml:5:18 slots.a.params.a: There is no key `slots.a.parms` [M0109]
                hint: Did you mean `params` in place of `parms`?
            rack.yaml:5:41 slots.a.params.b: There is no key `nowhere` [M0109]
                hint: Write the full key, from the top of the rack; `$${` is the two characters themselves
            rack.yaml:5:58 slots.a.params.c: Keys refer to each other in a circle: `slots.a` refers to `slots.a` [M0108]
                hint: Write one of the values out
            rack.yaml:5:58 slots.a.params.c: `${slots.a}` is a mapping, which cannot stand inside of a text [M0109]
                hint: Let it be the whole value, or name a key that holds text or a number
            rack.yaml:5:76 slots.a.params.d: There is no key `slots.a.params.l[3]` [M0109]
                hint: There is no item 3
        "#]],
    );
}

#[test]
fn keys_that_refer_to_each_other_are_named() {
    check(
        "a: '${slots.a.params.b}', b: '${slots.a.params.a}'",
        expect![[r#"
            rack.yaml:5:18 slots.a.params.a: Keys refer to each other in a circle: `slots.a.params.b` refers to `slots.a.params.a` refers to `slots.a.params.b` [M0108]
                hint: Write one of the values out
        "#]],
    );
    check(
        "a: '${slots.a.params}'",
        expect![[r#"
            rack.yaml:5:18 slots.a.params.a: Keys refer to each other in a circle: `slots.a.params` refers to `slots.a.params` [M0108]
                hint: Write one of the values out
        "#]],
    );
    check(
        "a: '${slots.a.params.a}'",
        expect![[r#"
        rack.yaml:5:18 slots.a.params.a: Keys refer to each other in a circle: `slots.a.params.a` refers to `slots.a.params.a` [M0108]
            hint: Write one of the values out
    "#]],
    );
}

#[test]
fn what_is_no_name_is_refused_and_can_be_escaped() {
    check(
        "a: '$${env:WIDTH}', b: '$$${x', c: '$5 {x}', d: '$', e: 'a$${b}c${env:WIDTH}'",
        expect![[r#"
        a: ./a.py {"a": Text("${env:WIDTH}"), "b": Text("$${x"), "c": Text("$5 {x}"), "d": Text("$"), "e": Text("a${b}c3")}
    "#]],
    );
    check(
        "a: '${}', b: '${nope:x}', c: '${secret:key}', d: '${a b}'",
        expect![[r#"
        rack.yaml:5:18 slots.a.params.a: `${}` cannot be filled in [M0109]
            hint: Write `${env:NAME}`, `${file:PATH}` or `${another.key}`; `$${` is the two characters themselves
        rack.yaml:5:28 slots.a.params.b: `nope:` is nothing that can be filled in [M0109]
            hint: Write `${env:NAME}`, `${file:PATH}` or `${another.key}`; `$${` is the two characters themselves
        rack.yaml:5:44 slots.a.params.c: `${secret:...}` is not available in modrack 0.1 yet [M0110]
            hint: Use `${env:NAME}` or `${file:PATH}` until then
        rack.yaml:5:64 slots.a.params.d: There is no key `a b` [M0109]
            hint: Write the full key, from the top of the rack; `$${` is the two characters themselves
    "#]],
    );
}

#[test]
fn what_is_filled_in_takes_the_type_expected() {
    check_set(
        "rack: 1\nslots:\n  a: { use: '${env:NONE,./x.py}', lazy: '${env:NONE,true}', limits: { time: '${env:WIDTH}s' } }\n",
        &[],
        expect![[r#"
            a: ./x.py {} time=3s lazy
        "#]],
    );
    check_set(
        "rack: 1\nslots:\n  a: { use: ./a.py, lazy: '${env:WIDTH}' }\n",
        &[],
        expect![[r#"
        rack.yaml:3:27 slots.a.lazy: `lazy` must be true or false, not a whole number [M0105]
            hint: Write `true` or `false`
    "#]],
    );
    // What could not be filled in is reported once, and not as a wrong type as well.
    check_set(
        "rack: '${env:NONE}'\nslots:\n  a: { use: '${env:NONE}', lazy: '${env:NONE}' }\n",
        &[],
        expect![[r#"
        rack.yaml:1:7 rack: The environment has no `NONE` [M0109]
            hint: Set it, or give a default: `${env:NONE,default}`
        rack.yaml:3:13 slots.a.use: The environment has no `NONE` [M0109]
            hint: Set it, or give a default: `${env:NONE,default}`
        rack.yaml:3:34 slots.a.lazy: The environment has no `NONE` [M0109]
            hint: Set it, or give a default: `${env:NONE,default}`
    "#]],
    );
}

#[test]
fn filling_in_is_bounded() {
    let mut text = "rack: 1\nslots:\n  a:\n    use: ./a.py\n    params:\n      x0: boomboomboom\n".to_owned();
    for level in 1..60 {
        let from = format!("${{slots.a.params.x{}}}", level - 1);
        text += &format!("      x{level}: '{from}{from}'\n");
    }
    check_set(
        &text,
        &[],
        expect![[r#"
            rack.yaml:24:12: The rack grows to more than 16 MiB of text [M0103]
                hint: Name large data by its path instead
        "#]],
    );
}

const SET: &str = "rack: 1\nslots:\n  a: { use: ./a.py, params: { width: 1, list: [1, 2] } }\n";

#[test]
fn the_command_line_sets_keys() {
    check_set(
        SET,
        &["slots.a.params.width=5"],
        expect![[r#"
        a: ./a.py {"width": Int(5), "list": List([Int(1), Int(2)])}
    "#]],
    );
    check_set(
        SET,
        &["slots.a.params.deep.er=[1, {x: y}]", "slots.a.lazy=true"],
        expect![[r#"
        a: ./a.py {"width": Int(1), "list": List([Int(1), Int(2)]), "deep": Map({"er": List([Int(1), Map({"x": Text("y")})])})} lazy
    "#]],
    );
    check_set(
        SET,
        &["slots.a.params.list[1]=x", "slots.a.params.list[2]=y=z"],
        expect![[r#"
        a: ./a.py {"width": Int(1), "list": List([Int(1), Text("x"), Text("y=z")])}
    "#]],
    );
    check_set(
        SET,
        &["slots.b=./b.py", "slots.a.limits.time=3s"],
        expect![[r#"
        a: ./a.py {"width": Int(1), "list": List([Int(1), Int(2)])} time=3s
        b: ./b.py {}
    "#]],
    );
    check_set(
        SET,
        &["slots.a.params[\"a.b\"]=1", "slots.a.params.e="],
        expect![[r#"
        a: ./a.py {"width": Int(1), "list": List([Int(1), Int(2)]), "a.b": Int(1), "e": Null}
    "#]],
    );
    check_set(
        SET,
        &["slots.a.params.width=${env:WIDTH}", "slots.a.use=./${env:ZIP}.py"],
        expect![[r#"
        a: ./01234.py {"width": Int(3), "list": List([Int(1), Int(2)])} filled={"width": "3"}
    "#]],
    );
    check_set("", &["rack=1"], expect![[""]]);
}

#[test]
fn what_the_command_line_sets_is_checked() {
    check_set(
        SET,
        &["slots.a.width=5"],
        expect![[r#"
            <command line or request> slots.a.width: `width` is not a key of a slot [M0104]
                hint: Known here are `use`, `params`, `contract`, `needs`, `limits`, `instances`, `allow`, `enforce`, `function`, `errors`, `lazy`, `swap` and `events`
        "#]],
    );
    check_set(
        "rack: 1\nslots:\n  a: { use: ./a.py, widht: 1 }\n",
        &["slots.a.widht=5"],
        expect![[r#"
            <command line or request> slots.a.widht: `widht` is not a key of a slot [M0104]
                hint: Known here are `use`, `params`, `contract`, `needs`, `limits`, `instances`, `allow`, `enforce`, `function`, `errors`, `lazy`, `swap` and `events`
        "#]],
    );
    check_set(
        SET,
        &["slots.a.params.x=1e999"],
        expect![[r#"
            <command line or request>: `1e999` is beyond what a number of 64 bits holds [M0112]
                hint: Put it in quotes to have it as text
        "#]],
    );
    check_set(
        SET,
        &["slots.a.lazy=maybe", "slots.a.params.width.x=3", "slots.a.params.list[9]=3"],
        expect![[r#"
        <command line or request> slots.a.lazy: `lazy` must be true or false, not text [M0105]
            hint: Write `true` or `false`
        <command line or request> slots.a.params.width.x: `x` cannot be set: `slots.a.params.width` is a whole number, not a mapping [M0112]
            hint: Set the whole value, or correct the path
        <command line or request> slots.a.params.list[9]: Item 9 cannot be set: `slots.a.params.list` has 2 items [M0112]
            hint: Write `[2]` to add one at the end
    "#]],
    );
    check_set(
        SET,
        &["nothing", "=5", "a..b=1", "a[x]=1", "slots[0]=1"],
        expect![[r#"
        <command line or request>: `nothing` sets nothing [M0112]
            hint: Write `--set path=value`: `--set slots.clean.params.width=3`
        <command line or request>: `=5` sets nothing [M0112]
            hint: Write `--set path=value`: `--set slots.clean.params.width=3`
        <command line or request>: `a..b` is not the path of a key [M0112]
            hint: Write keys with dots between them, and items by number: `pipelines.delays.stages[0]`
        <command line or request>: `a[x]` is not the path of a key [M0112]
            hint: Write keys with dots between them, and items by number: `pipelines.delays.stages[0]`
        <command line or request> slots[0]: Item 0 cannot be set: `slots` is a mapping, not a list [M0112]
            hint: Set the whole value, or correct the path
    "#]],
    );
    check_set(
        SET,
        &["slots.a.params.x=[1"],
        expect![[r#"
        <command line or request>: This is not valid YAML: while parsing a flow sequence, expected ',' or ']' [M0101]
            hint: A `{` or `[` that was opened is not closed, or a comma is missing
    "#]],
    );
    check_set(
        SET,
        &["slots.c={}"],
        expect![[r#"
        <command line or request> slots.c: `c` has no `use` [M0111]
            hint: Say what fills the slot: `use: ./x.py`
    "#]],
    );
}
