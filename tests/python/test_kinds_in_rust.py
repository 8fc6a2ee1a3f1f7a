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

# What does not fit.
MISFITS: list[tuple[str, list[Any]]] = [
    ("same_bool", [1]),
    ("same_i64", ["x"]),
    ("same_i64", [0.5]),
    ("same_char", ["ab"]),
    ("same_list", [[1, "x"]]),
    ("same_pair", [[1]]),
    ("same_i64", []),
    ("same_i64", [1, 2]),
]


@pytest.fixture
def modrack(modrack: Modrack) -> Modrack:
    """The command, with compiled code kept from test to test."""
    keep_compiled(modrack)
    modrack.hangs_after = 600.0
    return modrack


# Whole numbers that are beyond their type. A library says that the argument does not fit, a component's host that the
# number cannot cross.
BEYOND: list[tuple[str, list[Any]]] = [
    ("same_i8", [128]),
    ("same_u8", [-1]),
    ("same_u64", [-1]),
]


# These are any value to a component's own types: there the kit refuses them, and it has no way yet to say that the
# arguments are to blame. A library says M0503, a component M0504: they should be the same, and are not.
BY_THE_KIT: list[tuple[str, list[Any]]] = [
    ("same_row", [[1]]),
    ("same_place", [{"days": 1}]),
    ("same_place", [{"city": "Oslo", "days": 256}]),
    ("same_fare", ["dear"]),
    ("same_fare", [{"flat_rate": "much"}]),
]


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


def code_of(modrack: Modrack, form: str, function: str, args: list[Any]) -> str:
    """What a call that does not fit is refused with."""
    ran = modrack("--json", *call(module("kinds", form), function, args), code=1)
    return str(json.loads(ran.stdout or ran.stderr)["error"]["code"])


def test_what_does_not_fit_is_refused_alike(modrack: Modrack) -> None:
    """In both forms, by the same code; nothing of it is a crash."""
    for function, args in MISFITS:
        assert {code_of(modrack, form, function, args) for form in FORMS} == {"M0503"}, (function, args)
    for function, args in BEYOND:
        assert {code_of(modrack, form, function, args) for form in FORMS} <= {"M0503", "M0506"}, (function, args)


@pytest.mark.parametrize("form", FORMS)
def test_what_the_kit_refuses_itself(modrack: Modrack, form: str) -> None:
    """Each form by one code of its own, until components can say whose fault it is."""
    wanted = "M0504" if form == FORMS[1] else "M0503"
    for function, args in BY_THE_KIT:
        assert code_of(modrack, form, function, args) == wanted, (function, args)
