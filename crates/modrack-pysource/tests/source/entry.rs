//! What of a file fills the slot: what is named, `create`, the one class, the file itself.

use expect_test::expect;

use crate::show::{check, check_files};

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
