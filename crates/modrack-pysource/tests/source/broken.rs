//! Each kind of broken module: the code, the place and the hint that it is reported with.

use crate::show::{describe, folder, origin, show_error};
use expect_test::{Expect, expect};
use modrack_core::{Backend, Code, Language, Origin};
use modrack_pysource::{Reader, SourceOnly, is_python};

/// Describes what `text` means in a folder with these files, which must fail.
fn check(files: &[(&str, &[u8])], text: &str, expected: Expect) {
    let folder = folder(&[]);
    let root = folder.path();
    for (name, bytes) in files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let error = describe(root, text).unwrap_err();
    expected.assert_eq(&show_error(root, &error));
}

#[test]
fn a_missing_file() {
    check(
        &[("upper.py", b"")],
        "uper.py",
        expect![[r#"
        M0201: There is no file `uper.py`
        at uper.py
        hint: Did you mean `./upper.py`?
    "#]],
    );
    check(
        &[("plugins/upper.py", b"")],
        "plugins/upper",
        expect![[r#"
        M0201: There is no file `plugins/upper`
        at plugins/upper
        hint: Did you mean `./plugins/upper.py`?
    "#]],
    );
    check(
        &[("upper/__init__.py", b"")],
        "uper",
        expect![[r#"
        M0201: There is no file `uper`
        at uper
        hint: Did you mean `./upper`?
    "#]],
    );
    check(
        &[("other.py", b"")],
        "uppercase.py",
        expect![[r#"
        M0201: There is no file `uppercase.py`
        at uppercase.py
        hint: Paths are relative to the rack's folder
    "#]],
    );
    check(
        &[],
        "nowhere/x.py",
        expect![[r#"
        M0201: There is no file `nowhere/x.py`
        at nowhere/x.py
        hint: The folder `nowhere` is not there either; paths are relative to the rack's folder
    "#]],
    );
    check(
        &[("x.py", b"")],
        "x.py/y.py",
        expect![[r#"
            M0201: There is no file `x.py/y.py`
            at x.py/y.py
            hint: `x.py` is a file, not a folder
        "#]],
    );
}

#[test]
fn something_that_is_no_file() {
    let error = describe(std::path::Path::new("/"), "dev/null").unwrap_err();
    expect![[r#"
        M0204: `dev/null` is not a regular file
        at /dev/null
        hint: Name a Python file, or a folder with an `__init__.py`
    "#]]
    .assert_eq(&show_error(std::path::Path::new("/"), &error));
}

#[test]
fn a_folder_without_an_init() {
    check(
        &[("plugins/upper.py", b"")],
        "plugins",
        expect![[r#"
        M0301: The folder `plugins` is not a Python package: it has no `__init__.py`
        at plugins
        hint: Name a file in it, `./plugins/upper.py`, or add an `__init__.py`
    "#]],
    );
    check(
        &[("plugins/readme.md", b"")],
        "plugins/",
        expect![[r#"
        M0301: The folder `plugins` is not a Python package: it has no `__init__.py`
        at plugins
        hint: Add an `__init__.py` to it
    "#]],
    );
}

#[test]
fn a_file_that_is_not_python() {
    check(
        &[("x.py", b"\x7fELF\x02\x01")],
        "x.py",
        expect![[r#"
        M0301: `x.py` is not Python source: it is a shared library or program
        at x.py
        hint: Name a file of Python source; what a file is, its content decides, not its ending
    "#]],
    );
    check(
        &[("x.py", b"x = 1\ny = '\0'\n")],
        "x.py",
        expect![[r#"
        M0301: `x.py` is not Python source: it has a NUL byte
        at x.py:2
        hint: The file is binary or damaged; name a file of Python source
    "#]],
    );
    check(
        &[("x.py", b"# gr\xc3\xbc\xc3\x9fe\nx = 'gr\xfc\xdfe'\n")],
        "x.py",
        expect![[r#"
        M0301: `x.py` is not UTF-8 text
        at x.py:2:8
        hint: Save it as UTF-8, or say its encoding in the first line: `# -*- coding: latin-1 -*-`
    "#]],
    );
    check(
        &[("x.py", b"# -*- coding: koi8-r -*-\nx = 1\n")],
        "x.py",
        expect![[r#"
        M0301: `x.py` is written in `koi8-r`, which is not understood here
        at x.py:1
        hint: Save it as UTF-8 and take the `coding` line away; `utf-8` and `latin-1` are understood
    "#]],
    );
    check(
        &[("x.py", b"\xff\xfex\0=\x001\0")],
        "x.py",
        expect![[r#"
        M0301: `x.py` is not Python source: it is UTF-16 text
        at x.py
        hint: Name a file of Python source; what a file is, its content decides, not its ending
    "#]],
    );
}

#[test]
fn encodings_that_are_understood() {
    for bytes in [
        b"# -*- coding: latin-1 -*-\ndef f(x='gr\xfc\xdfe'): ...\n".as_slice(),
        b"#!/usr/bin/python\n# vim: set fileencoding=iso-8859-1 :\ndef f(x='gr\xfc\xdfe'): ...\n",
        b"\xef\xbb\xbfdef f(x='gr\xc3\xbc\xc3\x9fe'): ...\n",
        b"# coding=utf8\r\ndef f(x='gr\xc3\xbc\xc3\x9fe'): ...\r\n",
    ] {
        let folder = folder(&[]);
        std::fs::write(folder.path().join("x.py"), bytes).unwrap();
        let described = describe(folder.path(), "x.py").unwrap();
        assert_eq!(described.functions[0].signature.to_string(), "(x = 'gr\u{fc}\u{df}e')");
    }
}

#[test]
fn a_syntax_error() {
    check(
        &[("x.py", b"import os\n\ndef f(a, b:\n    return a\n")],
        "x.py",
        expect![[r#"
            M0302: `x.py` has a syntax error: `(` was never closed
            at x.py:3:6
            | def f(a, b:
            |      ^
            hint: Mend line 3; `python3 -m py_compile x.py` says it in Python's own words
        "#]],
    );
    check(
        &[("x.py", b"def f():\n    return 1\n\nx = (\n")],
        "x.py",
        expect![[r#"
        M0302: `x.py` has a syntax error: `(` was never closed
        at x.py:4:5
        | x = (
        |     ^
        hint: Mend line 4; `python3 -m py_compile x.py` says it in Python's own words
    "#]],
    );
    check(
        &[("x.py", b"class A:\n\tdef f(self):\n\t\treturn 'abc\n")],
        "x.py",
        expect![[r#"
        M0302: `x.py` has a syntax error: missing closing quote in string literal
        at x.py:3:10
        | return 'abc
        |        ^
        hint: Mend line 3; `python3 -m py_compile x.py` says it in Python's own words
    "#]],
    );
    check(
        &[("x.py", b"def f():\n    x = 1\n  y = 2\n")],
        "x.py",
        expect![[r#"
        M0302: `x.py` has a syntax error: unindent does not match any outer indentation level
        at x.py:3:1
        | y = 2
        | ^
        hint: Mend line 3; `python3 -m py_compile x.py` says it in Python's own words
    "#]],
    );
    check(
        &[("x.py", "x = 'größe' +* 2\n".as_bytes())],
        "x.py",
        expect![[r#"
        M0302: `x.py` has a syntax error: starred expression cannot be used here
        at x.py:1:14
        | x = 'größe' +* 2
        |              ^
        hint: Mend line 1; `python3 -m py_compile x.py` says it in Python's own words
    "#]],
    );
    check(
        &[("x.py", b"print 'hello'\n")],
        "x.py",
        expect![[r#"
            M0302: `x.py` has a syntax error: simple statements must be separated by newlines or semicolons
            at x.py:1:7
            | print 'hello'
            |       ^
            hint: In Python 3 `print` is a function: `print(...)`
        "#]],
    );
    check(
        &[("x.py", b"{ \"a\": [1, 2 }\n")],
        "x.py",
        expect![[r#"
            M0302: `x.py` has a syntax error: `}` does not close the `[` before it
            at x.py:1:14
            | { "a": [1, 2 }
            |              ^
            hint: Mend line 1; `python3 -m py_compile x.py` says it in Python's own words
        "#]],
    );
}

#[test]
fn nesting_without_end() {
    let many = |open: &str, close: &str, n: usize| {
        let text = format!("\nx = {}y{}\n", open.repeat(n), close.repeat(n));
        let folder = folder(&[("x.py", &text)]);
        describe(folder.path(), "x.py").map_err(|error| (error.code(), error.place_of().and_then(|p| p.line)))
    };
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("[1,", "]"),
        ("{1:", "}"),
        ("f(", ")"),
        ("not ", ""),
        ("-", ""),
        ("1+", ""),
        ("", ".a"),
        ("lambda: ", ""),
        ("1 if 1 else ", ""),
        ("f'{", "}'"),
        ("await ", ""),
    ] {
        assert_eq!(many(open, close, 300_000).err(), Some((Code::PythonSyntax, Some(2))), "{open}");
        // What Python still takes is read.
        let deep = many(open, close, 150).err();
        assert!(deep.is_none() || open == "f'{" || open == "await ", "{open}: {deep:?}");
    }
    assert!(many("1+", "", 5_000).is_ok());
    assert!(many("", "()", 3_000).is_ok());
    let blocks: String = (0..5_000).map(|n| format!("{}if x:\n", " ".repeat(n))).collect();
    let folder = folder(&[("x.py", &blocks)]);
    assert_eq!(describe(folder.path(), "x.py").unwrap_err().code(), Code::PythonSyntax);
}

#[test]
fn long_and_flat_is_not_deep() {
    let table: String = (0..50_000).map(|n| format!("    ('a{n}', -{n}, [1, 2]),\n")).collect();
    let folder = folder(&[("x.py", &format!("TABLE = [\n{table}]\ndef run(): ...\n"))]);
    assert_eq!(describe(folder.path(), "x.py").unwrap().functions.len(), 1);
}

#[test]
fn a_cycle_of_bases_and_imports_ends() {
    let folder = folder(&[
        ("x.py", "from y import B\nclass A(B):\n    def run(self): ...\nC = D\nD = C\n"),
        ("y.py", "from x import A\nfrom y import Z\nclass B(A): ...\n"),
    ]);
    assert_eq!(describe(folder.path(), "x.py:A").unwrap().functions.len(), 1);
    assert!(describe(folder.path(), "x.py:C").is_ok());
    assert!(describe(folder.path(), "y.py:Z").is_ok());
}

#[test]
fn source_in_a_configuration() {
    let reader = Reader::default();
    let origin =
        |text: &str| Origin::Source { name: "slots.x".into(), language: Language::Python, text: text.into() };
    let described = reader.describe(&origin("def run(row: dict): ...")).unwrap();
    assert_eq!(
        (described.name.as_str(), described.functions.len(), described.hash.is_some()),
        ("slots.x", 1, true)
    );
    let error = reader.describe(&origin("x = 1\ndef run(:\n")).unwrap_err();
    expect![[r#"
        M0302: `<slots.x>` has a syntax error: `(` was never closed
        at <slots.x>:2:8
        | def run(:
        |        ^
        hint: Mend line 2; `python3 -m py_compile <slots.x>` says it in Python's own words
    "#]]
    .assert_eq(&show_error(std::path::Path::new(""), &error));
}

#[test]
fn content_decides_what_is_python() {
    for (name, bytes, is) in [
        ("x.py", b"hello".as_slice(), true),
        ("x.py", b"\x7fELF", false),
        ("x.py", b"a\0b", false),
        ("tool", b"#!/usr/bin/env python3\nprint(1)\n", true),
        ("tool", b"#!/bin/sh\necho 1\n", false),
        ("x.txt", b"import os\n", true),
        ("x.txt", b"# tools\n\nfrom .a import b\n", true),
        ("x.txt", b"def run(row):\n    return row\n", true),
        ("x.txt", b"class of 1999\nfrom here on, import taxes\n", false),
        ("x.yaml", b"rack: 1\nslots: {}\n", false),
        ("x.wat", b"(module)\n", false),
        ("x.wasm", b"\0asm\x01\0\0\0", false),
    ] {
        assert_eq!(
            is_python(bytes, std::path::Path::new(name)),
            is,
            "{name}: {}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn the_hash_follows_the_content_of_every_file_that_belongs_to_a_module() {
    let files = |helper: &str| {
        let folder =
            folder(&[("x.py", "import helper\ndef run(): ...\n"), ("helper.py", helper), ("other.py", "1")]);
        describe(folder.path(), "x.py").unwrap().hash.unwrap()
    };
    assert_eq!(files("a = 1"), files("a = 1"));
    assert_ne!(files("a = 1"), files("a = 2"));
}

#[test]
fn starting_needs_an_interpreter() {
    let folder = folder(&[("x.py", "def run(): ...\n")]);
    let backend = SourceOnly(Reader { root: folder.path().to_owned(), path: Vec::new() });
    let origin = origin(folder.path(), "x.py");
    let description = backend.describe(&origin).unwrap();
    let slot = modrack_core::SlotName::parse("x").unwrap();
    let started = backend.start(modrack_core::Start {
        origin: &origin,
        description: &description,
        slot: &slot,
        generation: modrack_core::GenerationId(1),
        params: &modrack_core::Map::new(),
        services: Vec::new(),
        limits: &modrack_core::plan::Limits::default(),
        allow: &modrack_core::plan::Allow::default(),
        copies: &std::sync::Arc::default(),
        root: folder.path(),
    });
    let error = started.err().unwrap();
    expect![[r#"
        M0701: `x.py` is a Python module, and here is no interpreter to run it
        hint: Run it with the `modrack` command, or from Python; a Rust program asks for the feature `python`
    "#]]
    .assert_eq(&show_error(folder.path(), &error));
    assert!(backend.recognises(&folder.path().join("x.py"), Some(b"def run(): ...\n")));
    assert!(!backend.recognises(folder.path(), None));
}
