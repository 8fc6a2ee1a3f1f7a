"""Every contract that comes with modrack, filled by the smallest module in each of the three languages.

What is asserted is that the module is found to fit, that the main function is the contract's, and that the answer is
the same.
"""

from __future__ import annotations

import json
import shutil
import textwrap
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness import Modrack
from languages import LANGUAGES, compiled, component


@dataclass(frozen=True)
class Case:
    """A contract, the smallest module that fits it, and a call of its main function."""

    name: str
    main: str
    args: list[Any]
    answer: Any
    python: str
    native: str
    wasm: str
    # What is exported, where that is not the contract's own interface.
    world: str = field(default="")


# A function of one value in WebAssembly that gives it back: `same` for what may fail.
SAME = """
(core module $m
  (import "room" "memory" (memory 1))
  (func (export "same") (param i32 i32) (result i32)
    (i32.store (i32.const 256) (i32.const 0))
    (i32.store (i32.const 260) (local.get 0))
    (i32.store (i32.const 264) (local.get 1))
    (i32.const 256)))
(core instance $i (instantiate $m (with "room" (instance $room))))
"""

# The first of a list of values.
FIRST = SAME.replace("(local.get 0)", "(i32.load (local.get 0))").replace(
    "(local.get 1)", "(i32.load offset=4 (local.get 0))"
)


def exported(contract: str, function: str, param: str, core: str = "same") -> str:
    """A function of one parameter, exported as a contract's interface has it."""
    return f"""
(func $f (param {param}) (result (result $value (error $error)))
  (canon lift (core func $i "{core}") (memory $memory) (realloc $realloc)))
(instance $contract (export "{function}" (func $f)))
(export "modrack:{contract}/{contract}@1.0.0" (instance $contract))
"""


SOURCE_FILE = """
(type $file' (record (field "path" string) (field "text" string)))
(import "source-file" (type $file (eq $file')))
"""

FILE = {"path": "a.py", "text": "ä = 1"}
FINDING = {"message": "ä = 1", "line": 7, "column": None, "severity": None, "code": None}
CALL = {"slot": "price", "function": "total", "args": [1], "named": {}}
FAILED = {
    "kind": "raised",
    "code": "M0504",
    "class": "acme.TooLate",
    "message": "the train has gone",
    "slot": "price",
    "function": "total",
    "args": [1],
    "attempt": 1,
}
MEASURED = {"result": 3, "args": [1], "error": None, "seconds": 0.25}

CASES = [
    Case(
        "plugin",
        "execute",
        [{"a": [1, None]}, 2],
        {"a": [1, None]},
        "def execute(*args):\n    return args[0]\n",
        "FUNCTION(execute) { UNUSED; GIVE(args[0].payload.items[0]); }",
        FIRST + exported("plugin", "execute", '"args" (list $value)'),
    ),
    Case(
        "transform",
        "transform",
        [{"b": 1, "a": "x"}],
        {"b": 1, "a": "x"},
        "def transform(input):\n    return input\n",
        "FUNCTION(transform) { UNUSED; GIVE(args[0]); }",
        SAME + exported("transform", "transform", '"input" $value'),
    ),
    Case(
        "runnable",
        "run",
        ["x"],
        "x",
        "def run(*args):\n    return args[0]\n",
        "FUNCTION(run) { UNUSED; GIVE(args[0].payload.items[0]); }",
        FIRST + exported("runnable", "run", '"args" (list $value)'),
    ),
    Case(
        "formatter",
        "format",
        [[{"a": 1}]],
        [{"a": 1}],
        "def format(data):\n    return data\n",
        "FUNCTION(format) { UNUSED; GIVE(args[0]); }",
        SAME + exported("formatter", "format", '"data" $value'),
    ),
    Case(
        "analyzer",
        "analyze",
        [FILE],
        [FINDING],
        """
        def analyze(file):
            return [{"message": file["text"], "line": 7, "column": None, "severity": None, "code": None}]
        """,
        """
        FUNCTION(analyze) {
            UNUSED;
            static modrack_entry finding[] = {
                {MODRACK_STR("message"), NOTHING}, {MODRACK_STR("line"), INT(7)}, {MODRACK_STR("column"), NOTHING},
                {MODRACK_STR("severity"), NOTHING}, {MODRACK_STR("code"), NOTHING},
            };
            static const modrack_value findings[] = {MAP(finding)};
            finding[0].value = field(&args[0], "text");
            GIVE(modrack_list(findings, 1));
        }
        """,
        """
        (core module $m
          (import "room" "memory" (memory 1))
          (func (export "analyze") (param i32 i32 i32 i32) (result i32)
            (i32.store (i32.const 260) (i32.const 320))
            (i32.store (i32.const 264) (i32.const 1))
            (i32.store (i32.const 320) (local.get 2))
            (i32.store (i32.const 324) (local.get 3))
            (i32.store (i32.const 328) (i32.const 1))
            (i32.store (i32.const 332) (i32.const 7))
            (i32.const 256)))
        (core instance $i (instantiate $m (with "room" (instance $room))))
        """
        + SOURCE_FILE
        + """
        (type $finding' (record (field "message" string) (field "line" (option u32)) (field "column" (option u32))
          (field "severity" (option string)) (field "code" (option string))))
        (import "finding" (type $finding (eq $finding')))
        (func (export "analyze") (param "file" $file) (result (result (list $finding) (error $error)))
          (canon lift (core func $i "analyze") (memory $memory) (realloc $realloc)))
        """,
    ),
    Case(
        "error-handler",
        "handle",
        [FAILED],
        "skip",
        'def handle(error):\n    return "skip" if error["attempt"] == 1 else "stop"\n',
        """
        FUNCTION(handle) {
            UNUSED;
            GIVE(field(&args[0], "attempt").payload.integer == 1 ? modrack_text("skip", 4) : modrack_text("stop", 4));
        }
        """,
        """
        (core module $m
          (import "room" "memory" (memory 1))
          (data (i32.const 64) "skip")
          (func (export "handle") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
            (i32.store8 (i32.const 320) (i32.const 4))
            (i32.store (i32.const 328) (i32.const 64))
            (i32.store (i32.const 332) (i32.const 4))
            (i32.store (i32.const 260) (i32.const 320))
            (i32.store (i32.const 264) (local.get 15))
            (i32.const 256)))
        (core instance $i (instantiate $m (with "room" (instance $room))))
        (type $failure' (record (field "kind" string) (field "code" string) (field "class" (option string))
          (field "message" string) (field "slot" string) (field "function" string) (field "args" (list $value))
          (field "attempt" u32)))
        (import "failure" (type $failure (eq $failure')))
        (func (export "handle") (param "error" $failure) (result (result $value (error $error)))
          (canon lift (core func $i "handle") (memory $memory) (realloc $realloc)))
        """,
    ),
    Case(
        "metric",
        "metric",
        [MEASURED],
        0.25,
        'def metric(call):\n    return call["seconds"]\n',
        'FUNCTION(metric) { UNUSED; GIVE(field(&args[0], "seconds")); }',
        """
        (core module $m
          (import "room" "memory" (memory 1))
          (func (export "metric") (param i32 i32 i32 i32 i32 i32 i32 f64) (result i32)
            (i32.store8 (i32.const 264) (i32.const 1))
            (f64.store (i32.const 272) (local.get 7))
            (i32.const 256)))
        (core instance $i (instantiate $m (with "room" (instance $room))))
        (type $measured' (record (field "result" $value) (field "args" (list $value)) (field "error" (option string))
          (field "seconds" f64)))
        (import "measured" (type $measured (eq $measured')))
        (func (export "metric") (param "call" $measured) (result (result (option f64) (error $error)))
          (canon lift (core func $i "metric") (memory $memory) (realloc $realloc)))
        """,
    ),
    Case(
        "source",
        "read",
        [],
        [{"n": 1}, {"n": 2}],
        'def read():\n    yield {"n": 1}\n    yield {"n": 2}\n',
        """
        static const modrack_entry one[] = {{MODRACK_STR("n"), INT(1)}}, two[] = {{MODRACK_STR("n"), INT(2)}};
        static const modrack_value rows[] = {MAP(one), MAP(two)};
        FUNCTION(read) { UNUSED; GIVE(modrack_list(rows, 2)); }
        """,
        """
        (type $rows' (resource (rep i32)))
        (core func $new (canon resource.new $rows'))
        (core module $m
          (import "room" "memory" (memory 1))
          (import "rows" "new" (func $new (param i32) (result i32)))
          (global $given (mut i64) (i64.const 0))
          ;; A row: its two parts, a map whose entry names the second, and the number.
          (data (i32.const 64) "n")
          (data (i32.const 128) "\\07\\00\\00\\00\\00\\00\\00\\00\\a0\\00\\00\\00\\01\\00\\00\\00\\02")
          (data (i32.const 160) "\\40\\00\\00\\00\\01\\00\\00\\00\\01\\00\\00\\00")
          (func (export "read") (result i32)
            (global.set $given (i64.const 0))
            (i32.store8 (i32.const 256) (i32.const 0))
            (i32.store (i32.const 260) (call $new (i32.const 1)))
            (i32.const 256))
          (func (export "next") (param i32) (result i32)
            (global.set $given (i64.add (global.get $given) (i64.const 1)))
            (i64.store (i32.const 152) (global.get $given))
            (i32.store8 (i32.const 256) (i32.const 0))
            (i32.store (i32.const 260) (i64.le_u (global.get $given) (i64.const 2)))
            (i32.store (i32.const 264) (i32.const 128))
            (i32.store (i32.const 268) (i32.const 2))
            (i32.const 256)))
        (core instance $i (instantiate $m (with "room" (instance $room))
          (with "rows" (instance (export "new" (func $new))))))
        (func $read (result (result (own $rows') (error $error)))
          (canon lift (core func $i "read") (memory $memory) (realloc $realloc)))
        (func $next (param "self" (borrow $rows')) (result (result (option $value) (error $error)))
          (canon lift (core func $i "next") (memory $memory) (realloc $realloc)))
        (component $source
          (alias outer 1 $shared (type $shared))
          (import "modrack:types/values@1.0.0" (instance $values (type $shared)))
          (alias export $values "value" (type $v))
          (alias export $values "error" (type $e))
          (import "rows-in" (type $r (sub resource)))
          (import "read-in" (func $read (result (result (own $r) (error $e)))))
          (import "next-in" (func $next (param "self" (borrow $r)) (result (result (option $v) (error $e)))))
          (export $rows "rows" (type $r))
          (export "read" (func $read) (func (result (result (own $rows) (error $e)))))
          (export "[method]rows.next" (func $next)
            (func (param "self" (borrow $rows)) (result (result (option $v) (error $e))))))
        (instance $contract (instantiate $source
          (with "modrack:types/values@1.0.0" (instance $values)) (with "rows-in" (type $rows'))
          (with "read-in" (func $read)) (with "next-in" (func $next))))
        (export "modrack:source/source@1.0.0" (instance $contract))
        """,
    ),
    Case(
        "sink",
        "write",
        [[{"n": 1}]],
        None,
        "def write(rows):\n    return None\n",
        "FUNCTION(write) { UNUSED; GIVE(modrack_null()); }",
        """
        (core module $m (func (export "write") (param i32 i32) (result i32) (i32.const 256)))
        (core instance $i (instantiate $m))
        (func $f (param "rows" $value) (result (result (error $error)))
          (canon lift (core func $i "write") (memory $memory) (realloc $realloc)))
        (instance $contract (export "write" (func $f)))
        (export "modrack:sink/sink@1.0.0" (instance $contract))
        """,
    ),
    Case(
        "layer",
        "before",
        [CALL],
        None,
        "def before(call):\n    return None\n",
        "FUNCTION(before) { UNUSED; GIVE(modrack_null()); }",
        """
        (core module $m (func (export "before") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 256)))
        (core instance $i (instantiate $m))
        (type $call' (record (field "slot" string) (field "function" string) (field "args" (list $value))
          (field "named" (list (tuple string $value)))))
        (import "call" (type $given (eq $call')))
        (func (export "before") (param "call" $given) (result (result (option (list $value)) (error $error)))
          (canon lift (core func $i "before") (memory $memory) (realloc $realloc)))
        """,
        "export modrack:layer/before@1.0.0;",
    ),
    Case(
        "source-transform",
        "rewrite",
        [FILE],
        "ä = 1",
        'def rewrite(file):\n    return file["text"]\n',
        'FUNCTION(rewrite) { UNUSED; GIVE(field(&args[0], "text")); }',
        """
        (core module $m
          (import "room" "memory" (memory 1))
          (func (export "rewrite") (param i32 i32 i32 i32) (result i32)
            (i32.store (i32.const 260) (local.get 2))
            (i32.store (i32.const 264) (local.get 3))
            (i32.const 256)))
        (core instance $i (instantiate $m (with "room" (instance $room))))
        """
        + SOURCE_FILE
        + """
        (func (export "rewrite") (param "file" $file) (result (result string (error $error)))
          (canon lift (core func $i "rewrite") (memory $memory) (realloc $realloc)))
        """,
    ),
]

# The parts of the component that the check above needs no more of.
NATIVE = """
#include "short.h"
MODRACK_NOTE("wit = '''\\npackage suite:{name};\\nworld module {{ {world} }}\\n'''\\n");
{source}
static const modrack_function functions[] = {{{{MODRACK_STR("{main}"), {main}}}}};
MODULE();
"""


def put(modrack: Modrack, case: Case, language: str) -> str:
    """Puts the module of a contract into the folder of the test, and gives the text of `use` that names it."""
    if language == "python":
        return f"./{modrack.write('filled.py', case.python).name}"
    if language == "wasm":
        return f"./{modrack.write('filled.wat', component(textwrap.dedent(case.wasm))).name}"
    world = case.world or f"export modrack:{case.name}/{case.name}@1.0.0;"
    source = textwrap.dedent(case.native)
    text = NATIVE.format(name=case.name, world=world, source=source, main=case.main)
    shutil.copyfile(compiled(text), modrack.folder / "filled.so")
    return "./filled.so"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_contract_is_filled(modrack: Modrack, case: Case, language: str) -> None:
    """The module fits, by name and by shape, and answers as any other that fits."""
    use = put(modrack, case, language)
    modrack.write("rack.yaml", f"rack: 1\nslots:\n  it: {{ use: {use}, contract: {case.name}@1 }}\n")
    modrack("check", "--load")
    function = case.main if case.name == "layer" else "_"
    assert modrack("call", "it", function, *map(json.dumps, case.args)).json == case.answer
    modrack.write("rack.yaml", f"rack: 1\nslots:\n  it: {{ use: {use} }}\n")
    assert modrack("inspect", "it", "--json").json["contract"] == f"{case.name}@1.0.0"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_module_of_another_contract(modrack: Modrack, language: str) -> None:
    """It is refused before anything of it runs, with what is expected and what is there."""
    use = put(modrack, CASES[1], language)
    modrack.write("rack.yaml", f"rack: 1\nslots:\n  it: {{ use: {use}, contract: metric@1 }}\n")
    failure = modrack.fails("M0305", "check")
    assert "metric" in failure.message
    assert failure.hint
    modrack.write("rack.yaml", f"rack: 1\nslots:\n  it: {{ use: {use}, contract: transform@2 }}\n")
    assert "transform" in modrack.fails("M0311", "check", status=2).text
