//! Text that is no YAML, or too much of it: where it goes wrong, and that little is spent on it.

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

#[test]
fn text_that_is_no_yaml_is_refused() {
    check(
        "rack: 1\nslots:\n  a: { use: ./a.py\n",
        expect![[r#"
        rack.yaml:4:1: This is not valid YAML: while parsing a flow mapping, did not find expected ',' or '}' [M0101]
            hint: A `{` or `[` that was opened is not closed, or a comma is missing
    "#]],
    );
    check(
        "rack: 1\nslots:\n  a: \"./a.py\n",
        expect![[r#"
        rack.yaml:3:6: This is not valid YAML: while scanning a quoted scalar, found unexpected end of stream [M0101]
            hint: A quote that was opened is not closed
    "#]],
    );
    check(
        "rack: 1\nslots:\n  a: b: c\n",
        expect![[r#"
        rack.yaml:3:7: This is not valid YAML: mapping values are not allowed in this context [M0101]
            hint: Check the indentation, and put text that holds `: ` in quotes
    "#]],
    );
    check(
        "rack: 1\n  slots: {}\n",
        expect![[r#"
        rack.yaml:2:8: This is not valid YAML: mapping values are not allowed in this context [M0101]
            hint: Check the indentation, and put text that holds `: ` in quotes
    "#]],
    );
    check(
        "rack: 1\nslots: @a\n",
        expect![[r#"
        rack.yaml:2:8: This is not valid YAML: unexpected character: `@' [M0101]
            hint: Put text that starts with a special character in quotes
    "#]],
    );
    check(
        "rack: 1\n---\nrack: 1\n",
        expect![[r#"
        rack.yaml:2:1: There is more than one document [M0101]
            hint: A rack is one document: take the `---` out, or put the rest into a file of its own
    "#]],
    );
    check(
        "rack: 1\n? [a, b]\n: c\n",
        expect![[r#"
        rack.yaml:2:3: A key must be text, not a list [M0101]
            hint: Put what has braces or brackets in quotes
    "#]],
    );
    check(
        "rack: 1\nslots: { a: !ruby/object ./a.py }\n",
        expect![[r#"
        rack.yaml:2:13: `!ruby/object` is a tag that means nothing in a rack [M0101]
            hint: Take it out, or put the value in quotes if it is text
    "#]],
    );
    check(
        "rack: 1\nslots: { a: *nowhere }\n",
        expect![[r#"
        rack.yaml:2:13: This is not valid YAML: while parsing node, found unknown anchor [M0101]
            hint: Check the indentation and the quotes just before this place
    "#]],
    );
    check(
        "rack: !!int x\n",
        expect![[r#"
        rack.yaml:1:7: `x` is not of the type that its tag `!!int` says [M0112]
            hint: Correct the value, or take the tag out
    "#]],
    );
    check(
        "rack: 99999999999999999999\n",
        expect![[r#"
        rack.yaml:1:7: `99999999999999999999` does not fit a whole number of 64 bits [M0112]
            hint: Put it in quotes to have it as text, or write it with a `.` to have it as a float
    "#]],
    );
    check(
        "rack: -1e400\n",
        expect![[r#"
        rack.yaml:1:7: `-1e400` is beyond what a number of 64 bits holds [M0112]
            hint: Put it in quotes to have it as text
    "#]],
    );
    check(
        "rack: 1\nslots: { a: { use: ./a.py, params: { x: !!str 1e400, y: !!str 99999999999999999999, z: .inf } } }\n",
        expect![[r#"
        nothing is wrong
    "#]],
    );
}

#[test]
fn tabs_are_named() {
    check(
        "rack: 1\nslots:\n\ta: ./a.py\n",
        expect![[r#"
        rack.yaml:3:1: A tab is used to indent [M0101]
            hint: YAML is indented with spaces: replace the tab
    "#]],
    );
    check(
        "rack: 1\nslots:\n  a:\n  \tuse: ./a.py\n",
        expect![[r#"
        rack.yaml:4:3: A tab is used to indent [M0101]
            hint: YAML is indented with spaces: replace the tab
    "#]],
    );
    check(
        "rack: 1\nslots:\n  a:\n    use: ./a.py\n\tparams: {}\n",
        expect![[r#"
        rack.yaml:5:1: A tab is used to indent [M0101]
            hint: YAML is indented with spaces: replace the tab
    "#]],
    );
    check(
        "rack: 1\nslots:\n  a:\n    use: ./a.py\n    params:\n\t\tb: 1\n",
        expect![[r#"
        rack.yaml:6:1: A tab is used to indent [M0101]
            hint: YAML is indented with spaces: replace the tab
    "#]],
    );
}

#[test]
fn a_column_is_counted_in_characters() {
    check(
        "rack: 1\nslots: { größe: { use: ./é.py, nope: 1 } }",
        expect![[r#"
            rack.yaml:2:32 slots.größe.nope: `nope` is not a key of a slot [M0104]
                hint: Known here are `use`, `params`, `contract`, `needs`, `limits`, `instances`, `allow`, `enforce`, `function`, `errors`, `lazy`, `swap` and `events`
        "#]],
    );
}

#[test]
fn anchors_that_explode_cost_little() {
    let mut bomb = "rack: 1\nslots:\n  a: { use: ./a.py, params: { x0: &x0 [boom, boom] } }\n".to_owned();
    for level in 1..40 {
        let before = level - 1;
        bomb +=
            &format!("  s{level}: {{ use: ./a.py, params: {{ x: &x{level} [*x{before}, *x{before}] }} }}\n");
    }
    check(
        &bomb,
        expect![[r#"
        rack.yaml:18:36: The rack grows to more than 400000 values [M0103]
            hint: Look for aliases or `${...}` that repeat each other
    "#]],
    );
    let mut wide = "rack: 1\nslots: &s\n".to_owned();
    for level in 0..1000 {
        wide += &format!("  s{level}: {{ use: ./a.py }}\n");
    }
    for level in 0..1000 {
        wide += &format!("x{level}: *s\n");
    }
    check(
        &wide,
        expect![[r#"
        rack.yaml:1199:7: The rack grows to more than 400000 values [M0103]
            hint: Look for aliases or `${...}` that repeat each other
    "#]],
    );
    check(
        "rack: 1\nslots: &s { a: *s }\n",
        expect![[r#"
        rack.yaml:2:16: An alias stands inside of what it is an alias for [M0108]
            hint: Write the value out, without the alias
    "#]],
    );
}

#[test]
fn depth_is_bounded() {
    check(
        &format!("rack: {}", "[".repeat(100_000)),
        expect![[r#"
            rack.yaml:1:262: Values are nested deeper than 100 [M0103]
                hint: Nest them less deeply
        "#]],
    );
    check(
        &format!("rack: {}1{}", "{ a: ".repeat(1000), "}".repeat(1000)),
        expect![[r#"
        rack.yaml:1:502: Values are nested deeper than 100 [M0103]
            hint: Nest them less deeply
    "#]],
    );
}
