//! What is read of Python modules: small sources in, descriptions out.

use crate::show::{describe, folder, show, show_error};
use expect_test::{Expect, expect};

/// Describes one file.
fn check(source: &str, expected: Expect) {
    check_files(&[("x.py", source)], "x.py", expected);
}

/// Describes what `text` means in a folder with these files.
fn check_files(files: &[(&str, &str)], text: &str, expected: Expect) {
    let folder = folder(files);
    let root = folder.path();
    let shown = match describe(root, text) {
        Ok(described) => show(root, &described),
        Err(error) => show_error(root, &error),
    };
    expected.assert_eq(&shown);
}

#[test]
fn a_file_of_functions_is_the_module_itself() {
    check(
        r##"
"""Text in many ways.

    Indented once.
"""
import os
from typing import Any
LIMIT = 10
names: list[str] = ["a", 'b']
_hidden = 1

def upper(text: str) -> str:
    """In capitals."""
    return text.upper()

async def fetch(url: str, *, timeout: float = 1.5) -> bytes: ...

def rows(path, /, n: int | None = None, *rest: int, **more: Any):
    yield path

double = lambda x, y=2: x * y
again = upper

def _private(): ...

if __name__ == "__main__":
    def main(): ...
"##,
        expect![[r#"
            x: Module
            doc "Text in many ways.\n\nIndented once."
            new ?
            def upper(text: text) -> text @12
            async def fetch(url: text, timeout: float = 1.5) -> bytes @16
            gen def rows(path, n: option<int> = None, *rest: int, **more) -> stream<any> @18
            def double(x, y = 2) @21
            def again(text: text) -> text @12
            attr LIMIT = 10
            attr names: list[str] = ["a", 'b']
        "#]],
    );
}

#[test]
fn one_concrete_public_class_is_meant() {
    check(
        r##"
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol, TypedDict

class TooLong(ValueError): ...
class Colour(Enum):
    RED = 1
class Point(NamedTuple):
    x: int
class Row(TypedDict):
    price: float
class Names(Protocol):
    def name(self, code: str) -> str: ...
@dataclass
class Sum:
    total: int = 0
    def add(self, n: int) -> None: ...
class Base(ABC):
    @abstractmethod
    def transform(self, row): ...
    def helper(self): ...
class _Cache:
    def get(self, key): ...
class Meta(type):
    def make(cls): ...
class Clean(Base):
    """Cleans rows."""
    currency = "EUR"
    def __init__(self, currency: str = "EUR", *, strict: bool = False):
        self.currency = currency
        self.strict: bool = strict
        self._seen = set()
    def transform(self, row: Row) -> Row | None: ...
    @property
    def size(self) -> int: ...
    @size.setter
    def size(self, value): ...
    @staticmethod
    def parse(text: str) -> int: ...
    @classmethod
    def default(cls, n=1) -> "Clean": ...
    def _inner(self): ...

def helper(): ...
"##,
        expect![[r#"
            x: Class("Clean")
            doc "Cleans rows."
            new (currency: text = "EUR", strict: bool = False)
            def transform(row: map<any>) -> option<map<any>> @35
            def parse(text: text) -> int @41
            def default(n = 1) -> Clean @43
            def helper() @23
            attr currency = "EUR"
            attr size: int
            attr strict: bool
            class TooLong(ValueError)
            class Colour(Enum)
            class Point(NamedTuple)
            class Row(TypedDict)
            class Names(Protocol) abstract
            class Sum()
            class Base(ABC) abstract
            class Meta(type)
            class Clean(Base)
        "#]],
    );
}

#[test]
fn a_class_without_anything_to_call_is_not_meant() {
    check(
        r##"
from dataclasses import dataclass

@dataclass
class Row:
    price: float

class Empty:
    pass

def transform(row: dict) -> dict: ...
"##,
        expect![[r#"
            x: Module
            new ?
            def transform(row: map<any>) -> map<any> @11
            class Row()
            class Empty()
            takes Row
        "#]],
    );
    check(
        r##"
class Only:
    def __call__(self, row: dict) -> dict: ...
"##,
        expect![[r#"
            x: Class("Only")
            new ()
            def __call__(row: map<any>) -> map<any> @3
            class Only()
            takes Row
        "#]],
    );
}

#[test]
fn a_dataclass_with_methods_is_meant_when_it_stands_alone() {
    check(
        r##"
from dataclasses import dataclass, field, KW_ONLY, InitVar
from typing import ClassVar

@dataclass
class Settings:
    currency: str
    rates: dict[str, float] = field(default_factory=dict)

@dataclass
class Clean(Settings):
    kind: ClassVar[str] = "clean"
    seen: set = field(init=False, default_factory=set)
    width: "int" = 3
    start_at: InitVar[int] = 0
    _: KW_ONLY
    strict: bool = False

    def transform(self, row): ...
"##,
        expect![[r#"
            x: Class("Clean")
            new (currency: text, rates: map<float> = dict(), width: int = 3, start_at: int = 0, strict: bool = False)
            def transform(row) @19
            attr kind: ClassVar[str] = "clean"
            attr seen: set
            attr width: int = 3
            attr start_at: InitVar[int] = 0
            attr strict: bool = False
            attr currency: str
            attr rates: dict[str, float]
            class Settings()
            class Clean(Settings)
        "#]],
    );
    check(
        r##"
from typing import NamedTuple

class Scale(NamedTuple):
    low: float
    high: float = 1.0
    def transform(self, row): ...
"##,
        expect![[r#"
            x: Class("Scale")
            new (low: float, high: float = 1.0)
            def transform(row) @7
            attr low: float
            attr high: float = 1.0
            class Scale(NamedTuple)
        "#]],
    );
    check(
        r##"
import attrs

@attrs.define(kw_only=True)
class Scale:
    _low: float
    high: float = attrs.field(factory=list)
    def transform(self, row): ...
"##,
        expect![[r#"
            x: Class("Scale")
            new (low: float, high: float = list())
            def transform(row) @8
            attr high: float
            class Scale()
        "#]],
    );
    check(
        r##"
from pydantic import BaseModel

class Scale(BaseModel):
    low: float
    def transform(self, row): ...
"##,
        expect![[r#"
            x: Class("Scale"), open
            new ?
            def transform(row) @6
            attr low: float
            class Scale(BaseModel)
        "#]],
    );
}

#[test]
fn several_classes_are_an_error_that_lists_them() {
    check(
        r##"
class Upper:
    def run(self): ...

class Lower:
    def run(self): ...
"##,
        expect![[r#"
            M0304: `x.py` has several classes that could fill the slot: `Upper` (x.py:2), `Lower` (x.py:5)
            at x.py:2
            hint: Say which: `./x.py:Upper`; or list the one that is meant in `__all__`, or begin the others' names with `_`
        "#]],
    );
}

#[test]
fn all_says_what_is_public() {
    check(
        r##"
__all__ = ["Upper"]
__all__ += ["limit"]
limit = 3
class Upper:
    def run(self): ...
class Lower:
    def run(self): ...
"##,
        expect![[r#"
            x: Class("Upper")
            new ()
            def run() @6
            class Upper()
        "#]],
    );
    check(
        r##"
__all__ = ("transform",)
class Cache:
    def get(self): ...
def transform(row): ...
def create(params): ...
"##,
        expect![[r#"
            x: Module
            new ?
            def transform(row) @5
        "#]],
    );
}

#[test]
fn create_comes_before_everything_but_what_is_named() {
    check(
        r##"
class Worker:
    """Does the work."""
    def run(self) -> int: ...
class Other:
    def run(self): ...

def create(params: dict):
    if params:
        return Worker(params)
    return Worker({})
"##,
        expect![[r#"
            x: Factory("create")
            doc "Does the work."
            new (params: map<any>)
            def run() -> int @4
            class Worker()
            class Other()
        "#]],
    );
    check(
        r##"
class Worker:
    def run(self) -> int: ...

def create(config) -> Worker:
    """Makes a worker."""
    made = Worker()
    return made
"##,
        expect![[r#"
            x: Factory("create"), open
            doc "Makes a worker."
            new (config) -> Worker
            def run() -> int @3
            class Worker()
        "#]],
    );
    check(
        r##"
def create(state):
    """Remembers."""
    global memory
    memory = state

def run():
    return memory
"##,
        expect![[r#"
            x: Factory("create")
            doc "Remembers."
            new (state)
            def run() @7
        "#]],
    );
    check(
        r##"
def create(state):
    return build(state)

def run(): ...
"##,
        expect![[r#"
            x: Factory("create"), open
            new (state)
        "#]],
    );
}

#[test]
fn what_is_named_is_meant() {
    check_files(
        &[(
            "x.py",
            r##"class Upper:
    """Capitals."""
    def run(self): ...
class Lower:
    def run(self): ...
"##,
        )],
        "x.py:Lower",
        expect![[r#"
            x: Class("Lower")
            new ()
            def run() @5
            class Upper()
            class Lower()
        "#]],
    );
    check_files(
        &[(
            "x.py",
            r##"def run(row: "dict[str, int]") -> int:
    """Runs."""
class Lower:
    def run(self): ...
"##,
        )],
        "x.py:run",
        expect![[r#"
            x: Function("run")
            doc "Runs."
            new (row: map<int>) -> int
            def run(row: map<int>) -> int @1
            class Lower()
            takes Row
        "#]],
    );
    check_files(
        &[(
            "x.py",
            r##"class Lower:
    def run(self): ...
def make(width: int = 3) -> Lower: ...
"##,
        )],
        "x.py:make()",
        expect![[r#"
            x: Factory("make"), open
            new (width: int = 3) -> Lower
            def run() @2
            class Lower()
        "#]],
    );
    check_files(
        &[(
            "x.py",
            r##"class Lower:
    def __init__(self, width): ...
    def run(self): ...
Alias = Lower
"##,
        )],
        "x.py:Alias",
        expect![[r#"
            x: Class("Alias")
            new (width)
            def run() @3
            class Lower()
        "#]],
    );
    check_files(
        &[(
            "x.py",
            r##"class Lower:
    def __init__(self, width): ...
    def run(self): ...
lower = Lower(3)
"##,
        )],
        "x.py:lower",
        expect![[r#"
            x: Object("lower")
            new ()
            def run() @3
            class Lower()
        "#]],
    );
    check_files(
        &[(
            "x.py",
            r##"class Lower:
    @classmethod
    def make(cls, width: int): ...
    @staticmethod
    def run(row: dict): ...
"##,
        )],
        "x.py:Lower.run",
        expect![[r#"
            x: Function("Lower.run")
            new (row: map<any>)
            def run(row: map<any>) @5
            class Lower()
            takes Row
        "#]],
    );
    check_files(
        &[(
            "x.py",
            r##"class Lower:
    @classmethod
    def make(cls, width: int): ...
"##,
        )],
        "x.py:Lower.make",
        expect![[r#"
            x: Function("Lower.make")
            new (width: int)
            def make(width: int) @3
            class Lower()
        "#]],
    );
    check_files(
        &[(
            "x.py",
            r##"from somewhere import thing
"##,
        )],
        "x.py:thing",
        expect![[r#"
            x: Unknown, open
            new ?
        "#]],
    );
    check_files(
        &[(
            "x.py",
            r##"from somewhere import *
"##,
        )],
        "x.py:make()",
        expect![[r#"
            x: Factory("make"), open
            new ?
        "#]],
    );
    check_files(
        &[(
            "x.py",
            r##"class Lower:
    class Inner: ...
"##,
        )],
        "x.py:Lower.Inner",
        expect![[r#"
            x: Unknown, open
            new ?
            class Lower()
        "#]],
    );
}

#[test]
fn a_name_that_is_not_there_is_an_error() {
    check_files(
        &[(
            "x.py",
            r##"class Upper:
    def run(self): ...
"##,
        )],
        "x.py:Uper",
        expect![[r#"
            M0303: `x.py` has no `Uper`
            at x.py
            hint: Did you mean `Upper`?
        "#]],
    );
    check_files(
        &[(
            "x.py",
            r##"def run(): ...
def walk(): ...
"##,
        )],
        "x.py:Banana",
        expect![[r#"
            M0303: `x.py` has no `Banana`
            at x.py
            hint: It has `run`, `walk`
        "#]],
    );
    check_files(
        &[(
            "x.py",
            r##"class Upper:
    def run(self): ...
"##,
        )],
        "x.py:Upper.rum",
        expect![[r#"
            M0303: `x.py` has no `Upper.rum`
            at x.py
            hint: Did you mean `Upper.run`?
        "#]],
    );
}

#[test]
fn signatures_are_read_with_the_names_of_the_file() {
    check(
        r##"
from __future__ import annotations
import typing as t
import pyarrow as pa
import datetime
from collections.abc import Mapping, Sequence, Iterator
from decimal import Decimal

Row = dict[str, t.Any]
T = t.TypeVar("T")
type Rows = list[Row]
UserId = t.NewType("UserId", int)

def a(row: Row, rows: Rows, user: UserId, thing: T) -> T: ...
def b(x: t.Optional[int], y: t.Union[int, str, None], z: int | str | None = None) -> None: ...
def c(m: Mapping[str, Sequence[float]], s: "list['int']", n: None, o: object) -> Iterator[Row]: ...
def d(k: t.Literal["a", "b"], l: t.Literal[1, "x"], p: tuple[int, str], q: tuple[int, ...]) -> pa.Table: ...
def e(when: datetime.date, money: Decimal, b: pa.RecordBatch, raw: bytearray) -> t.Annotated[int, "x"]: ...
async def f() -> t.AsyncIterator[int]:
    yield 1
def g(f: t.Callable[[int], str], w: weird[1](2)) -> t.Awaitable[dict]: ...
def h():
    def inner():
        yield 1
    return [inner, lambda: (yield)]
def i(text="a\"b", many=(
        1,
        2,
    ), neg=-1.5, call=os.environ.get("X")): ...
"##,
        expect![[r#"
            x: Module
            new ?
            def a(row: map<any>, rows: list<map<any>>, user: int, thing) @14
            def b(x: option<int>, y: option<int | text>, z: option<int | text> = None) -> null @15
            def c(m: map<list<float>>, s: list<int>, n: null, o) -> stream<map<any>> @16
            def d(k: enum { a, b }, l: int | text, p: tuple<int, text>, q: list<int>) -> table @17
            def e(when: datetime.date, money: decimal.Decimal, b: table, raw: bytes) -> int @18
            async gen def f() -> stream<int> @19
            def g(f: typing.Callable, w) -> map<any> @21
            def h() @22
            def i(text = "a\"b", many = ( 1, 2, ), neg = -1.5, call = os.environ.get("X")) @26
        "#]],
    );
}

#[test]
fn decorators_are_seen_through_or_make_a_signature_advice() {
    check(
        r##"
import functools
from typing import overload
from contextlib import contextmanager
from somewhere import task

@functools.lru_cache(maxsize=None)
def kept(n: int) -> int: ...

@task(retries=3)
def changed(db, row: dict, *, strict: bool) -> dict: ...

@contextmanager
def opened(path: str): yield

@overload
def many(x: int) -> int: ...
@overload
def many(x: str) -> str: ...
def many(x): ...
"##,
        expect![[r#"
            x: Module, open
            new ?
            def kept(n: int) -> int @8
            def changed(db = ..., row: map<any> = ..., *args, strict: bool = ..., **kwargs) @11
            gen def opened(path: text = ..., *args, **kwargs) @14
            def many(x) @20
        "#]],
    );
}

#[test]
fn what_may_not_be_seen_makes_a_module_open() {
    check(
        r##"
from somewhere import Base
class Plugin(Base):
    def run(self): ...
"##,
        expect![[r#"
            x: Class("Plugin"), open
            new ?
            def run() @4
            class Plugin(Base)
        "#]],
    );
    check(
        r##"
class Plugin:
    def run(self): ...
    def __getattr__(self, name): ...
"##,
        expect![[r#"
            x: Class("Plugin"), open
            new ()
            def run() @3
            class Plugin()
        "#]],
    );
    check(
        r##"
from somewhere import transform
"##,
        expect![[r#"
            x: Module, open
            new ?
        "#]],
    );
    check(
        r##"
from math import sqrt
def run(x): ...
"##,
        expect![[r#"
            x: Module
            new ?
            def run(x) @3
        "#]],
    );
    check(
        r##"
def __getattr__(name): ...
"##,
        expect![[r#"
            x: Module, open
            new ?
        "#]],
    );
    check(
        r##"
run = make_runner()
"##,
        expect![[r#"
            x: Module, open
            new ?
            attr run
        "#]],
    );
}

#[test]
fn branches_count_the_first_time() {
    check(
        r##"
import sys
try:
    import fast
    def parse(text, quick=True): ...
except ImportError:
    def parse(text): ...
if sys.platform == "win32":
    def where() -> str: ...
else:
    def where(): ...
    def posix(): ...
"##,
        expect![[r#"
            x: Module
            new ?
            def parse(text, quick = True) @5
            def where() -> text @9
            def posix() @12
        "#]],
    );
}

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

#[test]
fn a_transform_says_what_it_takes_by_annotation() {
    check(
        r##"
def transform(row: dict): ..."##,
        expect![[r#"
            x: Module
            new ?
            def transform(row: map<any>) @2
            takes Row
        "#]],
    );
    check(
        r##"
import pyarrow
def transform(b: 'pyarrow.RecordBatch | None'): ..."##,
        expect![[r#"
            x: Module
            new ?
            def transform(b: option<table>) @3
            takes Batch
        "#]],
    );
    check(
        r##"
import pyarrow as arrow
def transform(t: arrow.Table): ..."##,
        expect![[r#"
            x: Module
            new ?
            def transform(t: table) @3
            takes Table
        "#]],
    );
    check(
        r##"
import pandas
def run(df: pandas.DataFrame): ..."##,
        expect![[r#"
            x: Module
            new ?
            def run(df: table) @3
            takes Pandas
        "#]],
    );
    check(
        r##"
import polars as pl
def run(df: pl.DataFrame): ..."##,
        expect![[r#"
            x: Module
            new ?
            def run(df: table) @3
            takes Polars
        "#]],
    );
    check(
        r##"
def run(values: list[float]): ..."##,
        expect![[r#"
            x: Module
            new ?
            def run(values: list<float>) @2
            takes Column
        "#]],
    );
    check(
        r##"
def run(rows: list): ..."##,
        expect![[r#"
            x: Module
            new ?
            def run(rows: list<any>) @2
            takes Rows
        "#]],
    );
    check(
        r##"
def run(rows: list[dict]): ..."##,
        expect![[r#"
            x: Module
            new ?
            def run(rows: list<map<any>>) @2
            takes Rows
        "#]],
    );
    check(
        r##"
def run(x): ..."##,
        expect![[r#"
            x: Module
            new ?
            def run(x) @2
        "#]],
    );
    check(
        r##"
from pyarrow import RecordBatch
class A:
    def transform(self, batch: RecordBatch): ...
    def helper(self): ..."##,
        expect![[r#"
            x: Class("A")
            new ()
            def transform(batch: table) @4
            def helper() @5
            class A()
        "#]],
    );
}

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
