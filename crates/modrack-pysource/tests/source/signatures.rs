//! What is read of functions: signatures, decorators, what may not be seen.

use expect_test::expect;

use crate::show::check;

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
