//! Which files belong to a module, and which are looked into.

use expect_test::expect;

use crate::show::check_files;

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
