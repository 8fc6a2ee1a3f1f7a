"""Components of several toolchains, built from `guests/` by `cargo xtask guests` and called by the command.

One that is not built is skipped by its name. None of it needs an interpreter, so one is enough.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from guests import guest, keep_compiled
from harness import Modrack

pytestmark = pytest.mark.once

# The same module, written in three languages.
PRICES = ["price", "price-javascript", "price-python"]


@pytest.fixture
def modrack(modrack: Modrack) -> Modrack:
    """The command, with compiled code kept from test to test: an engine of 18 MB is compiled once, not ten times."""
    keep_compiled(modrack)
    # Longer than the compiler takes for that in a debug build, on a slow machine that has other things to do.
    modrack.hangs_after = 600.0
    return modrack


def written(args: list[Any]) -> list[str]:
    """Arguments as they are typed: text as it is, all else as JSON."""
    return [arg if isinstance(arg, str) else json.dumps(arg) for arg in args]


def answer(modrack: Modrack, name: str, function: str, *args: Any) -> Any:
    """What a function of a guest gives."""
    return modrack("call", guest(name), function, *written(list(args))).json


@pytest.mark.parametrize("name", PRICES)
def test_a_transform_of_any_toolchain(modrack: Modrack, name: str) -> None:
    """It answers the same as the others, in a call and in a pipeline, and its errors are decided about by class."""
    assert answer(modrack, name, "transform", {"price": 2.5, "quantity": 4}) == {
        "price": 2.5,
        "quantity": 4,
        "total": 10.0,
    }
    assert answer(modrack, name, "transform", {"price": 2.5, "quantity": 0}) is None
    told = modrack("call", "--json", guest(name), "transform", '{"price": 2.5}', code=1)
    error = json.loads(told.stdout or told.stderr)["error"]
    assert (error["code"], error["classes"]) == ("M0504", ["KeyError"])
    assert error["message"] == "`transform` raised `KeyError`: quantity"
    orders = [
        {"item": "apple", "price": 0.5, "quantity": 12},
        {"item": "pear", "price": 0.8, "quantity": 0},
        {"item": "fig", "price": 1.0, "quantity": None},
        {"item": "plum", "price": 0.3, "quantity": 40},
    ]
    modrack.write("orders.jsonl", "".join(json.dumps(order) + "\n" for order in orders))
    modrack.write(
        "rack.yaml",
        f"""\
        rack: 1
        slots:
          price: {{ use: {guest(name)}, params: {{ tax: 0.2 }}, errors: {{ TypeError: skip }} }}
        pipelines:
          orders: {{ source: {{ json: orders.jsonl }}, stages: [price], sink: {{ json: priced.jsonl }} }}
        """,
    )
    modrack("check")
    modrack("-q", "run", "orders")
    rows = [json.loads(line) for line in (modrack.folder / "priced.jsonl").read_text().splitlines()]
    assert [(row["item"], row["total"]) for row in rows] == [("apple", 7.2), ("plum", 14.4)]


@pytest.mark.parametrize("name", PRICES)
def test_what_a_component_says_of_itself(modrack: Modrack, name: str) -> None:
    """Its manifest is read from the file, whichever tool made it."""
    told = modrack("inspect", guest(name), "--json").json
    assert (told["version"], told["backend"]) == ("1.0.0", "wasm")
    assert "transform@1" in json.dumps(told)


POINT = {"x": 3, "y": 4}


@pytest.mark.parametrize(
    ("function", "args", "result"),
    [
        ("add", [2, 3], 5),
        ("not", [True], False),
        ("same_u8", [255], 255),
        ("same_s8", [-128], -128),
        ("same_u64", [2**63 - 1], 2**63 - 1),
        ("same_s64", [-(2**63)], -(2**63)),
        ("same_f64", [0.1], 0.1),
        ("same_char", ["ß"], "ß"),
        ("same_text", [""], ""),
        ("reversed", ["añb"], "bña"),
        ("same", [None], None),
        ("same", [[1, "a", {"b": [True, None, 2.5]}]], [1, "a", {"b": [True, None, 2.5]}]),
        ("nothing", [], None),
        ("add_points", [POINT, {"x": 1, "y": -1}], {"x": 4, "y": 3}),
        (
            "older",
            [{"first_name": "Ada", "age": 36, "tags": ["a"], "home": POINT}, 1],
            {"first_name": "Ada", "age": 37, "tags": ["a"], "home": POINT},
        ),
        (
            "older",
            [{"first_name": "Ada", "age": None, "tags": [], "home": POINT}, 1],
            {"first_name": "Ada", "age": None, "tags": [], "home": POINT},
        ),
        ("next_colour", ["green"], "dark-blue"),
        ("swap", [[1, "a"]], ["a", 1]),
        ("half", [4], 2),
        ("distance", [POINT], 5.0),
        ("maybe_fail", [False], None),
        ("present", [[1, None, 3]], [1, 3]),
        ("joined", [[[1], [], [2, 3]]], [1, 2, 3]),
    ],
)
def test_each_kind_of_value(modrack: Modrack, function: str, args: list[Any], result: Any) -> None:
    """Values go in and come out as JSON."""
    assert answer(modrack, "values", function, *args) == result


@pytest.mark.parametrize(
    ("function", "args", "code"),
    [
        ("half", [3], "M0504"),
        ("distance", [{"x": 0, "y": 0}], "M0504"),
        ("maybe_fail", [True], "M0504"),
        ("same_u8", [256], "M0503"),
        ("add_points", [POINT, {"x": 1}], "M0503"),
    ],
)
def test_a_call_that_cannot_be_answered(modrack: Modrack, function: str, args: list[Any], code: str) -> None:
    """What a function fails with, and what does not fit its types, are failures of the call."""
    modrack.fails(code, "call", guest("values"), function, *written(args))


def test_a_life_and_a_state(modrack: Modrack) -> None:
    """A plugin starts with the slot's params and fails with a class of its own."""
    modrack.write("rack.yaml", f"rack: 1\nslots:\n  tally: {{ use: {guest('tally')}, params: {{ start: 10 }} }}\n")
    assert modrack("call", "tally", "_", "1", "2").json == 13
    said = "`execute` raised `TypeError`: It adds up whole numbers"
    assert modrack.fails("M0504", "call", "tally", "execute", "three").message == said


@pytest.mark.parametrize(
    ("function", "args", "limits", "code", "says"),
    [
        ("trap", [], "", "M0504", ""),
        ("panic", ["the glass is empty"], "", "M0504", "the glass is empty"),
        ("fail", ["acme.TooLate", "It is too late"], "", "M0504", "It is too late"),
        ("fail_text", ["no more"], "", "M0504", "no more"),
        ("spin", [], "time: 300ms", "M0508", ""),
        ("spin_asking", [], "time: 300ms", "M0508", ""),
        ("hog", [64], "memory: 16MiB", "M0513", ""),
        ("flood", [4_000_000], "output: 1MiB", "M0512", ""),
        ("ask", ["tally", None, []], "", "M0504", "needs"),
    ],
)
def test_a_component_in_trouble(
    modrack: Modrack, function: str, args: list[Any], limits: str, code: str, says: str
) -> None:
    """Whatever it does is an error of the call, with a code, and the command ends as it should."""
    trouble = guest("trouble")
    modrack.write("rack.yaml", f"rack: 1\nslots:\n  trouble: {{ use: {trouble}, limits: {{ {limits} }} }}\n")
    failure = modrack.fails(code, "call", "trouble", function, *written(args))
    assert says in failure.text, failure.text


def test_a_component_asks_the_host(modrack: Modrack) -> None:
    """It reads a parameter, writes to the log and calls a slot that it needs."""
    modrack.write(
        "rack.yaml",
        f"""\
        rack: 1
        slots:
          tally: {{ use: {guest("tally")} }}
          trouble: {{ use: {guest("trouble")}, params: {{ depth: [1, 2] }}, needs: {{ sums: tally }} }}
        """,
    )
    assert modrack("call", "trouble", "param", "depth").json == [1, 2]
    assert modrack("call", "trouble", "param", "width").json is None
    assert modrack("call", "trouble", "ask", "sums", "null", "1", "2").json == 3
    assert "it rains" in modrack("call", "trouble", "say", "warn", "it rains").stderr


def test_a_module_written_with_the_kit(modrack: Modrack) -> None:
    """The example of the kit, built as a component, is listed with its functions."""
    told = modrack("inspect", guest("everything"), "--json").json
    assert told["backend"] == "wasm"
    assert told["functions"]
