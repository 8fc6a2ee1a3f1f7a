//! Which files belong to a module, and which are looked into.

use expect_test::expect;

use modrack_pysource::Reader;

use crate::show::{check_files, folder, origin};

#[test]
fn siblings_belong_to_a_file() {
    check_files(
        &[
            (
                "x.py",
                r##"import helper
from tools import text
from unused_missing import y
class X(helper.Base):
    def run(self): ...
"##,
            ),
            (
                "helper.py",
                r##"import deeper
class Base:
    def __init__(self, width: int): ...
    def shared(self): ...
"##,
            ),
            ("deeper.py", r##""##),
            ("tools/__init__.py", r##""##),
            ("tools/text.py", r##""##),
            ("other.py", r##""##),
        ],
        "x.py",
        expect![[r#"
            x: Class("X")
            new (width: int)
            def run() @5
            def shared() @4
            class X(helper.Base)
            files x.py deeper.py helper.py tools/__init__.py tools/text.py
        "#]],
    );
    check_files(
        &[
            ("pkg/__init__.py", r##""##),
            (
                "pkg/x.py",
                r##"from . import a
from .b import f
from pkg.c import g
import pkg.d.e
def run(): ...
"##,
            ),
            (
                "pkg/a.py",
                r##"from .. import outside
"##,
            ),
            ("pkg/b.py", r##"def f(): ..."##),
            ("pkg/c.py", r##""##),
            ("pkg/d/__init__.py", r##""##),
            ("pkg/d/e.py", r##""##),
            ("pkg/not_used.py", r##""##),
            ("outside.py", r##""##),
        ],
        "pkg/x.py",
        expect![[r#"
            x: Module, open
            new ?
            def run() @5
            files pkg/x.py pkg/__init__.py pkg/a.py pkg/b.py pkg/c.py pkg/d/__init__.py pkg/d/e.py
        "#]],
    );
    check_files(
        &[
            (
                "x.py",
                r##"try:
    import broken
except Exception:
    pass
def run(): ...
"##,
            ),
            ("broken.py", r##"def ("##),
        ],
        "x.py",
        expect![[r#"
            x: Module
            new ?
            def run() @5
            files x.py broken.py
        "#]],
    );
    check_files(
        &[
            (
                "x.py",
                r##"import broken
def run(): ...
"##,
            ),
            ("broken.py", r##"def ("##),
        ],
        "x.py",
        expect![[r#"
            M0302: `broken.py` has a syntax error: `(` was never closed
            at broken.py:1:5
            | def (
            |     ^
            hint: Mend line 1; `python3 -m py_compile broken.py` says it in Python's own words
        "#]],
    );
    check_files(
        &[
            (
                "x.py",
                r##"import y
def run(): ...
"##,
            ),
            (
                "y.py",
                r##"import x
"##,
            ),
        ],
        "x.py",
        expect![[r#"
            x: Module
            new ?
            def run() @2
            files x.py y.py
        "#]],
    );
}

#[test]
fn a_package_shows_what_its_own_file_brings_in() {
    check_files(
        &[
            (
                "pkg/__init__.py",
                r##""""All in one."""
from .core import Upper, helper
from .errors import Bad
"##,
            ),
            (
                "pkg/core.py",
                r##"class Upper:
    def __init__(self, width=3): ...
    def run(self): ...
def helper(): ...
"##,
            ),
            (
                "pkg/errors.py",
                r##"class Bad(Exception): ...
"##,
            ),
            ("pkg/extra.py", r##""##),
        ],
        "pkg",
        expect![[r#"
            pkg: Class("Upper")
            doc "All in one."
            new (width = 3)
            def run() @3
            files pkg/__init__.py pkg/core.py pkg/errors.py pkg/extra.py
        "#]],
    );
    check_files(
        &[
            (
                "pkg/__init__.py",
                r##"from .core import upper
from .core import *
"##,
            ),
            (
                "pkg/core.py",
                r##"def upper(text: str): ...
def lower(text: str): ...
limit = 3
"##,
            ),
        ],
        "pkg/",
        expect![[r#"
            pkg: Module, open
            new ?
            def upper(text: text) @1
            def lower(text: text) @2
            attr limit = 3
            files pkg/__init__.py pkg/core.py
        "#]],
    );
}

#[test]
fn an_importable_name_is_looked_up_and_taken_as_it_is() {
    check_files(
        &[
            ("lib/__init__.py", r##""##),
            (
                "lib/tools.py",
                r##"class Tool:
    def run(self): ...
def cut(text: str): ...
"##,
            ),
        ],
        "python:lib.tools",
        expect![[r#"
            lib.tools: Module
            new ?
            def cut(text: text) @3
            class Tool()
        "#]],
    );
    check_files(
        &[
            ("lib/__init__.py", r##""##),
            (
                "lib/tools.py",
                r##"class Tool:
    def run(self): ...
"##,
            ),
        ],
        "python:lib.tools:Tool",
        expect![[r#"
            lib.tools: Class("Tool")
            new ()
            def run() @2
            class Tool()
        "#]],
    );
    check_files(
        &[
            ("lib/__init__.py", r##""##),
            (
                "lib/tools.py",
                r##"class Tool:
    def run(self): ...
"##,
            ),
        ],
        "python:lib.tools:Tol",
        expect![[r#"
            M0303: `lib/tools.py` has no `Tol`
            at lib/tools.py
            hint: Did you mean `Tool`?
        "#]],
    );
    check_files(
        &[],
        "python:math",
        expect![[r#"
        math: Module, open
        new ?
    "#]],
    );
    check_files(
        &[],
        "python:os:path.join",
        expect![[r#"
        os: Unknown, open
        new ?
    "#]],
    );
}

/// What a module asks for, whether it is there or not.
fn asked(files: &[(&str, &str)], text: &str) -> Vec<String> {
    let folder = folder(files);
    let root = folder.path();
    let reader = Reader { root: root.to_owned(), path: vec![root.join("libs")] };
    let asked = reader.asks_for(&origin(root, text));
    asked.iter().map(|path| path.strip_prefix(root).expect("it is below").display().to_string()).collect()
}

#[test]
fn what_is_asked_for_is_known_before_it_is_there() {
    // A file and a helper that is not written yet; what the standard library has is nobody's.
    let file = [("x.py", "import os, later\nfrom known import y\n"), ("known.py", "import = 1\n")];
    let libs = ["libs/later/__init__.py", "libs/later.py"];
    assert_eq!(
        asked(&file, "x.py"),
        [&["x.py", "later/__init__.py", "later.py"], &libs[..], &["known/__init__.py", "known.py"]].concat()
    );
    // A package, what its files ask for, and what is imported from a folder of it.
    let package = [
        ("pkg/__init__.py", "from .sub import a\nfrom . import part\n"),
        ("pkg/sub.py", "try:\n    from .deep.newest import v\nexcept ImportError:\n    v = 1\n"),
    ];
    let sub = ["pkg/sub.py", "pkg/sub/__init__.py"];
    let part = ["pkg/part/__init__.py", "pkg/part.py"];
    let deep = ["pkg/deep/__init__.py", "pkg/deep.py", "pkg/deep/newest/__init__.py", "pkg/deep/newest.py"];
    let mut found = asked(&package, "pkg");
    assert_eq!(found.remove(0), "pkg/__init__.py");
    for wanted in sub.iter().chain(&part).chain(&deep) {
        assert!(found.iter().any(|path| path == wanted), "{wanted} of {found:?}");
    }
    // What is not there may come as a file or as a package; so may what is imported.
    assert_eq!(asked(&[], "gone.py"), ["gone.py", "gone.py/__init__.py"]);
    assert_eq!(asked(&[], "python:gone.mod"), ["libs/gone/mod/__init__.py", "libs/gone/mod.py"]);
}
