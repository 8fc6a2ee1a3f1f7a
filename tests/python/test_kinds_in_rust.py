"""Every type of the kit for authors in Rust, in and out of a module in both of its forms.

The source is `guests/kit/examples/kinds.rs`: each function gives back what it is given.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_guests import written

from guests import keep_compiled
from harness import Modrack
from kit import FORMS, module

pytestmark = pytest.mark.once

PLACE = {"city": "Oslo", "zip-code": 150, "days": 3}

KINDS: list[tuple[str, list[Any]]] = [
    ("same_bool", [True, False]),
    ("same_i8", [-128, 127]),
    ("same_i16", [-(2**15), 2**15 - 1]),
    ("same_i32", [-(2**31), 2**31 - 1]),
    ("same_i64", [-(2**63), 2**63 - 1]),
    ("same_isize", [-(2**31), 2**31 - 1]),
    ("same_u8", [0, 255]),
    ("same_u16", [2**16 - 1]),
    ("same_u32", [2**32 - 1]),
    ("same_u64", [2**63 - 1]),
    ("same_usize", [2**32 - 1]),
    ("same_f32", [0.5]),
    ("same_f64", [0.1, 1e300]),
    ("same_char", ["ß"]),
    ("same_string", ["", "añb"]),
    ("same_str", ["", "añb"]),
    ("same_bytes", [{"base64": ""}, {"base64": "AAH/"}]),
    ("same_slice", [{"base64": ""}, {"base64": "AAH/"}]),
    ("same_list", [[], [1, -2]]),
    ("same_texts", [[], ["a", ""]]),
    ("same_nested", [[[1.5, None], []]]),
    ("same_option", [None, 3]),
    ("same_box", [5]),
    ("same_boxed_row", [{"b": 1, "a": 2}]),
    ("same_pair", [[1, "a"]]),
    ("same_six", [[True, 1, -2, 0.5, "x", "text"]]),
    ("same_btree_map", [{}, {"a": 1, "b": 2}]),
    ("same_hash_map", [{"a": [0.5], "b": []}]),
    ("same_index_map", [{"b": True, "a": False}]),
    ("same_row", [{}, {"b": 1, "a": [None, {"c": "x"}]}]),
    ("same_rows", [[{"a": 1}, {}]]),
    ("same_value", [None, True, 1, 0.5, "x", [1, "a"], {"b": 1, "a": 2}]),
    ("same_borrowed", [{"b": 1, "a": 2}]),
    ("same_lent", [[1, {"a": None}]]),
    ("same_place", [PLACE]),
    ("same_word", ["word"]),
    ("same_fare", ["free", {"flat_rate": 2.5}, {"distance": {"rate": 0.5, "from": 3}}]),
    ("same_fares", [["free", {"flat_rate": 2.5}]]),
]

# What is given, and what comes back in its place.
OTHERS: list[tuple[str, list[Any], Any]] = [
    ("same_option", [], None),
    ("same_f64", [3], 3.0),
    ("same_place", [{"city": "Oslo"}], {"city": "Oslo", "zip-code": None, "days": 1}),
    ("same_fare", [{"distance": {"rate": 0.5}}], {"distance": {"rate": 0.5, "from": 0}}),
    ("same_places", [[PLACE, PLACE]], 2),
    ("same_rest", [1, "a", None], [1, "a", None]),
    ("same_rest", [1], [1]),
    ("nothing", [], None),
]

# What does not fit: not the type of WIT, or what the kit itself looks into.
MISFITS: list[tuple[str, list[Any]]] = [
    ("same_bool", [1]),
    ("same_i64", ["x"]),
    ("same_i64", [0.5]),
    ("same_char", ["ab"]),
    ("same_list", [[1, "x"]]),
    ("same_pair", [[1]]),
    ("same_i64", []),
    ("same_i64", [1, 2]),
    ("same_i8", [128]),
    ("same_u8", [-1]),
    ("same_u64", [-1]),
    ("same_f64", ["x"]),
]

# What a module looks into by the kit, in both forms: there the words are the same too.
BY_THE_KIT: list[tuple[str, list[Any], str]] = [
    ("same_row", [[1]], "`it` must be a mapping, but is a list"),
    ("same_place", [{"days": 1}], "`it` has no `city`"),
    ("same_place", [{"city": "Oslo", "days": 256}], "`it.days` must be a whole number from 0 to 255, but is 256"),
    ("same_fare", ["dear"], "`it` must be one of `free`, `flat_rate`, `distance`, but is `dear`"),
    ("same_fare", [{"flat_rate": "much"}], "`it.flat_rate` must be a number, but is text"),
    ("same_fares", [["free", {"flat_rate": "much"}]], "`it[1].flat_rate` must be a number, but is text"),
    ("same_places", [[PLACE, {"city": 1}]], "`it[1].city` must be text, but is 1"),
]


@pytest.fixture
def modrack(modrack: Modrack) -> Modrack:
    """The command, with compiled code kept from test to test."""
    keep_compiled(modrack)
    modrack.hangs_after = 600.0
    return modrack


def call(path: Path, function: str, args: list[Any]) -> list[str | Path]:
    """The words of a call."""
    return ["call", path, function, *written(args)]


@pytest.mark.parametrize("form", FORMS)
def test_each_type_comes_back(modrack: Modrack, form: str) -> None:
    """What is given is what comes back, to the last bit and in its order."""
    path = module("kinds", form)
    for function, values in KINDS:
        for value in values:
            got = modrack(*call(path, function, [value]))
            assert json.dumps(got.json) == json.dumps(value), function


@pytest.mark.parametrize("form", FORMS)
def test_what_is_left_out_or_takes_another_form(modrack: Modrack, form: str) -> None:
    """Defaults, whole numbers for others, and however many arguments there are."""
    path = module("kinds", form)
    for function, args, wanted in OTHERS:
        assert modrack(*call(path, function, args)).json == wanted, function


@pytest.mark.parametrize("form", FORMS)
def test_failures_of_every_kind_say_what_is_wrong(modrack: Modrack, form: str) -> None:
    """Texts, and errors in a box, fail a call as those of the kit do."""
    path = module("kinds", form)
    for function, arg, message in [
        ("fails_with_text", 0, "0 is too little"),
        ("fails_with_any", "", "There is nothing"),
        ("fails_with_any", "x", "invalid digit found in string"),
    ]:
        assert message in modrack.fails("M0504", *call(path, function, [arg])).message
        assert modrack(*call(path, function, [3])).json == 3


def refused(modrack: Modrack, form: str, function: str, args: list[Any]) -> dict[str, Any]:
    """What a call that does not fit is refused with."""
    ran = modrack("--json", *call(module("kinds", form), function, args), code=1)
    error: dict[str, Any] = json.loads(ran.stdout or ran.stderr)["error"]
    return error


def test_what_does_not_fit_is_refused_alike(modrack: Modrack) -> None:
    """In both forms, by the same code; nothing of it is a crash."""
    for function, args in MISFITS:
        assert {refused(modrack, form, function, args)["code"] for form in FORMS} == {"M0503"}, (function, args)


def test_what_the_kit_refuses_is_refused_in_the_same_words(modrack: Modrack) -> None:
    """In both forms, with the signature that says what would fit."""
    for function, args, message in BY_THE_KIT:
        library, component = (refused(modrack, form, function, args) for form in FORMS)
        assert (library["code"], library["message"], library["classes"]) == ("M0503", message, []), library
        assert f"`{function}(" in library["hint"], library
        for key in ("code", "kind", "message", "hint", "classes", "causes", "phase"):
            assert component[key] == library[key], (function, key)
