"""Components in a rack: from the catalog, as stages, replaced when they trapped, compiled once for all runs.

What they have in common with modules in other languages is in `test_three_*.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import Modrack
from languages import component, module

# None of it needs an interpreter, so one is enough.
pytestmark = pytest.mark.once

# Rows: one is given back as it came, counted by its instance; one with a word of more than five letters traps.
ROWS = """
(@custom "modrack" "name = 'rows'\\nversion = '1.4.0'\\ntakes = 'row'\\n")
(core module $m
  (import "room" "memory" (memory 1))
  (func $check (param i32) (if (i32.gt_u (local.get 0) (i32.const 5)) (then unreachable)))
  (func (export "transform") (param $parts i32) (param $many i32) (result i32)
    ;; The second part is the row's only field, a text: its length lies in its last four bytes.
    (call $check (i32.load (i32.add (local.get $parts) (i32.const 28))))
    (i32.store8 (i32.const 256) (i32.const 0))
    (i32.store (i32.const 260) (local.get $parts))
    (i32.store (i32.const 264) (local.get $many))
    (i32.const 256)))
(core instance $i (instantiate $m (with "room" (instance $room))))
(func $f (param "input" $value) (result (result $value (error $error)))
  (canon lift (core func $i "transform") (memory $memory) (realloc $realloc)))
(instance $contract (export "transform" (func $f)))
(export "modrack:transform/transform@1.0.0" (instance $contract))
"""

WORDS = ["apple", "pear", "tangerine", "fig"]


def rows(modrack: Modrack) -> list[str]:
    """The words of the rows that came out."""
    return [json.loads(line)["word"] for line in (modrack.folder / "out.jsonl").read_text().splitlines()]


def pipeline(modrack: Modrack, use: str, options: str = "", words: list[str] = WORDS) -> None:
    """A rack with a pipeline of words through one stage."""
    modrack.write("in.jsonl", "".join(json.dumps({"word": word}) + "\n" for word in words))
    modrack.write(
        "rack.yaml",
        f"""\
        rack: 1
        catalog: [./modules]
        slots:
          rows: {{ use: {use}{options} }}
        pipelines:
          words: {{ source: {{ json: in.jsonl }}, stages: [rows], sink: {{ json: out.jsonl }} }}
        """,
    )


def test_a_component_of_the_catalog(modrack: Modrack) -> None:
    """It is found by its name and its version, and listed without being run."""
    modrack.write("modules/rows.wat", component(ROWS))
    for use in ("rows", "rows@^1.2", "rows@1.4.0"):
        pipeline(modrack, f'"{use}"', words=["apple", "fig"])
        modrack("check")
        modrack("-q", "run", "words")
        assert rows(modrack) == ["apple", "fig"]
    assert "rows" in modrack("list", "--long").stdout
    told = modrack("inspect", "rows", "--json").json
    assert (told["version"], told["backend"], told["contract"]) == ("1.4.0", "wasm", "transform@1.0.0")
    pipeline(modrack, '"rows@^2"')
    assert "1.4.0" in modrack.fails("M0203", "check").text
    modrack.write("modules/rows.wat", "(component (core module")
    pipeline(modrack, "rows")
    assert "rows.wat" in modrack.fails("M0314", "check").text


def test_a_row_that_traps(modrack: Modrack) -> None:
    """The run ends there, or goes on with another instance, as `errors` says; that one was lost is said."""
    modrack.write("rows.wat", component(ROWS))
    pipeline(modrack, "./rows.wat")
    failure = modrack.fails("M0504", "run", "words")
    assert failure.place == "in.jsonl:3"
    assert "check" in failure.text, "the backtrace names the function"
    for errors in ("{ trap: skip }", "{ raised: skip }", "{ trap: { quarantine: bad.jsonl } }"):
        pipeline(modrack, "./rows.wat", f", errors: {errors}")
        told = modrack("run", "words", "--stats").stderr
        assert rows(modrack) == ["apple", "pear", "fig"]
        assert "1 instance" in told, told
    bad = json.loads((modrack.folder / "bad.jsonl").read_text())
    assert (bad["row"], bad["class"]) == ({"word": "tangerine"}, "trap")


def test_a_component_is_compiled_once(modrack: Modrack) -> None:
    """By the first run; others take the code that was kept, whatever the file is called, until it changes."""

    def compiled(use: str) -> bool:
        ran = modrack("-vv", "call", use, "add", "1", "2")
        assert ran.json == 3
        return "Compiled `" in ran.stderr

    use = module(modrack, "wasm")
    assert compiled(use)
    assert not compiled(use)
    text = (modrack.folder / use).read_text(encoding="utf-8")
    modrack.write("other.wat", text)
    assert not compiled("./other.wat")
    modrack.write("other.wat", text.replace("(@custom", '(@custom "x" "")\n(@custom', 1))
    assert compiled("./other.wat")
    # Without a rack, code is kept with what is the user's.
    kept = list(modrack.home.rglob("*.code"))
    assert len(kept) == 2
    assert {path.suffix for path in kept[0].parent.iterdir()} == {".code"}
    # What another user compiled is not taken, wherever it lies.
    stranger = {"HOME": str(modrack.home / "stranger")}
    assert "Compiled `" in modrack("-vv", "call", use, "add", "1", "2", env=stranger).stderr
    for file in kept:
        spoil(file)
    ran = modrack("call", use, "add", "1", "2")
    assert (ran.json, "was damaged, or is not modrack's own" in ran.stderr) == (3, True)


def spoil(file: Path) -> None:
    """Changes a bit in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


STUCK = """
(core module $m (func $f (loop $l (br $l))) (start $f) (func (export "f")))
(core instance $i (instantiate $m))
(func $f (canon lift (core func $i "f")))
(export "f" (func $f))
"""


def test_a_component_that_never_starts_is_given_up_with_its_caller(modrack: Modrack) -> None:
    """What is loaded on the way has no longer than who waits for it."""
    modrack.write("stuck.wat", component(STUCK))
    modrack.write(
        "rack.yaml",
        f"""\
        rack: 1
        slots:
          outer: {{ use: {module(modrack, "wasm")}, needs: {{ other: stuck }}, limits: {{ time: 300ms }} }}
          stuck: {{ use: ./stuck.wat }}
        """,
    )
    failed = modrack("--json", "call", "outer", "ask", "f", "[]", code=1)
    assert failed.json["error"]["code"] == "M0508", failed.show()
