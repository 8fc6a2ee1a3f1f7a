//! What a module says of itself, in its source and beside it.

use expect_test::expect;

use crate::show::{check, check_files};

#[test]
fn a_module_says_what_it_is() {
    check(
        r##"
"""Doc."""
__version__ = "1.2rc1"
__author__ = "Ann"
plugin_name = "upper-case"
requires = ["pyarrow>=14"]
def run(): ...
"##,
        expect![[r#"
            upper-case: Module
            version 1.2.0-rc.1
            doc "Doc."
            new ?
            def run() @7
            attr plugin_name = "upper-case"
            attr requires = ["pyarrow>=14"]
            author Ann
            requires pyarrow>=14
        "#]],
    );
    check(
        r##"
__version__ = "banana"
version = 3
name = "not the module's"
class Plugin:
    name = "upper"
    version = "2.0"
    author = "Ann"
    description = "Makes capitals"
    def execute(self): ...
"##,
        expect![[r#"
            upper: Class("Plugin")
            version 2.0.0
            new ()
            def execute() @10
            attr name = "upper"
            attr version = "2.0"
            attr author = "Ann"
            attr description = "Makes capitals"
            class Plugin()
            author Ann
            about Makes capitals
        "#]],
    );
    check(
        r##"
from dataclasses import dataclass

@dataclass
class Tag:
    name: str = "b"
    version: str = "1"
    author = "Ann"
    def run(self): ...
"##,
        expect![[r#"
            x: Class("Tag")
            new (name: text = "b", version: text = "1")
            def run() @9
            attr name: str = "b"
            attr version: str = "1"
            attr author = "Ann"
            class Tag()
            author Ann
        "#]],
    );
    check(
        r##"
plugin_version = "banana"
def run(): ...
"##,
        expect![[r#"
            M0308: `plugin_version`: `banana` is not a version
            at x.py:2
            hint: Write it as numbers: `1.2.0`, or `1.2.0rc1` before a release
        "#]],
    );
}

#[test]
fn a_manifest_stands_beside_a_module() {
    check_files(
        &[
            (
                "x.py",
                r##"version = '1.0'
def run(): ...
def walk(): ..."##,
            ),
            (
                "x.modrack.toml",
                r##"name = "ex"
version = "2.1"
author = "Ann"
contract = "transform@1"
function = "run"
requires = "pyarrow>=14"
instances = "pool(4)"
takes = "batch"
formats = ["csv"]
icon = "star"
[limits]
size = 0x10
"##,
            ),
        ],
        "x.py",
        expect![[r#"
            ex: Module
            version 2.1.0
            new ?
            def run() @2
            def walk() @3
            attr version = '1.0'
            author Ann
            contract transform@1
            function run
            requires pyarrow>=14
            instances Pool(4)
            takes Batch
            formats csv
            other {"icon": Text("star"), "limits": Map({"size": Int(16)})}
            files x.py x.modrack.toml
        "#]],
    );
    check_files(
        &[
            ("x.py", r##"def run(): ..."##),
            (
                "modrack.toml",
                r##"author = "Ann"
[modules.x]
name = "ex"
[modules.y]
name = "why"
"##,
            ),
        ],
        "x.py",
        expect![[r#"
            ex: Module
            new ?
            def run() @1
            author Ann
            files x.py modrack.toml
        "#]],
    );
    check_files(
        &[
            ("pkg/__init__.py", r##"def run(): ..."##),
            (
                "pkg/modrack.toml",
                r##"name = "pack"
instances = "one""##,
            ),
        ],
        "pkg",
        expect![[r#"
            pack: Module
            new ?
            def run() @1
            instances One
            files pkg/__init__.py pkg/modrack.toml
        "#]],
    );
    check_files(
        &[
            ("pkg/__init__.py", r##"def run(): ..."##),
            (
                "pyproject.toml",
                r##"[project]
name = "p"
[tool.modrack]
name = "pack"
instances = "per-call""##,
            ),
        ],
        "pkg",
        expect![[r#"
            pack: Module
            new ?
            def run() @1
            instances PerCall
            files pkg/__init__.py pyproject.toml
        "#]],
    );
    check_files(
        &[
            ("x.py", r##"def run(): ..."##),
            (
                "x.modrack.toml",
                r##"name = "x
"##,
            ),
        ],
        "x.py",
        expect![[r#"
            M0308: `x.modrack.toml` is not valid TOML: invalid basic string, expected `"`
            at x.modrack.toml:1:10
            hint: Mend it; keys are `name = "value"`, one a line
        "#]],
    );
    check_files(
        &[
            ("x.py", r##"def run(): ..."##),
            (
                "x.modrack.toml",
                r##"version = "banana"
"##,
            ),
        ],
        "x.py",
        expect![[r#"
            M0308: `version`: `banana` is not a version
            at x.modrack.toml:1:11 version
            hint: Write it as numbers: `1.2.0`, or `1.2.0rc1` before a release
        "#]],
    );
    check_files(
        &[
            ("x.py", r##"def run(): ..."##),
            (
                "x.modrack.toml",
                r##"verison = "1"
"##,
            ),
        ],
        "x.py",
        expect![[r#"
            M0308: No manifest has a key `verison`
            at x.modrack.toml:1:1 verison
            hint: Did you mean `version`?
        "#]],
    );
    check_files(
        &[
            ("x.py", r##"def run(): ..."##),
            (
                "x.modrack.toml",
                r##"instances = "many"
"##,
            ),
        ],
        "x.py",
        expect![[r#"
            M0308: `instances` cannot be `many`
            at x.modrack.toml:1:13 instances
            hint: It is one of `shared`, `one`, `pool(4)` and `per-call`
        "#]],
    );
    check_files(
        &[
            ("x.py", r##"def run(): ..."##),
            (
                "modrack.toml",
                r##"[modules.x]
takes = 3
"##,
            ),
        ],
        "x.py",
        expect![[r#"
            M0308: `modules.x.takes` must be text in quotes, but is integer
            at modrack.toml:2:9 modules.x.takes
            hint: Give `modules.x.takes` text in quotes
        "#]],
    );
    check_files(
        &[
            ("x.py", r##"def run(): ..."##),
            (
                "x.modrack.toml",
                r##"contract = "transform@banana"
"##,
            ),
        ],
        "x.py",
        expect![[r#"
            M0308: `contract`: `transform@banana` is not a contract
            at x.modrack.toml:1:12 contract
            hint: Write its name, or its name and version: `transform@1`
        "#]],
    );
}
