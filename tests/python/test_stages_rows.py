"""Stages that take a row: what they may give, what becomes of it, and what is done about rows that fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness import Modrack
from stages import Rows, fails, rack, run

FRUIT: Rows = [{"name": "apple", "price": 3}, {"name": "pear", "price": 4}, {"name": "plum", "price": 1}]


@pytest.mark.parametrize(
    ("body", "out"),
    [
        ("return row", FRUIT),
        ("return None if row['price'] > 3 else row", [FRUIT[0], FRUIT[2]]),
        ("return {'n': len(row['name'])}", [{"n": 5}, {"n": 4}, {"n": 4}]),
        ("return [row, row] if row['price'] == 4 else []", [FRUIT[1], FRUIT[1]]),
        ("return ({'i': i} for i in range(row['price'] - 2))", [{"i": 0}, {"i": 0}, {"i": 1}]),
        ("return (row, None)", FRUIT),
        ("import types; return types.MappingProxyType({'n': row['price']})", [{"n": 3}, {"n": 4}, {"n": 1}]),
        ("import collections; return collections.OrderedDict(n=1)", [{"n": 1}] * 3),
    ],
)
def test_what_a_row_function_gives(modrack: Modrack, body: str, out: Rows) -> None:
    """A dict replaces the row, nothing drops it, several multiply it."""
    assert run(modrack, FRUIT, f"def transform(row: dict):\n    {body}\n") == out


@pytest.mark.parametrize(
    "stage",
    [
        "def transform(row: dict):\n    yield row\n    yield row\n",
        "async def transform(row: dict):\n    import asyncio\n    await asyncio.sleep(0)\n    return [row, row]\n",
        "async def transform(row: dict):\n    yield row\n    yield row\n",
        "class Twice:\n    n = 2\n    def transform(self, row):\n        return [row] * self.n\n",
    ],
)
def test_every_sort_of_function_serves(modrack: Modrack, stage: str) -> None:
    """Generators, coroutines, asynchronous generators and methods."""
    assert run(modrack, FRUIT, stage) == [row for row in FRUIT for _ in range(2)]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("7", "the int `7`"),
        ("'text'", "the str `'text'`"),
        ("[row, 7]", "the int `7` among its rows"),
        ("{1, 2}", "the set `{1, 2}`"),
        ("b''", "the bytes `b''`"),
    ],
)
def test_what_is_no_row(modrack: Modrack, given: str, shown: str) -> None:
    """Anything else is told, with what came and where the row was."""
    failure = fails(modrack, "M0505", FRUIT, f"def transform(row):\n    return {given}\n")
    assert shown in failure.message
    assert "`transform` gave" in failure.message
    assert failure.place == "in.jsonl:1"
    assert "dict" in failure.hint


def test_objects_go_from_stage_to_stage_as_they_are(modrack: Modrack) -> None:
    """What no table can hold goes through, as long as it does not have to come out."""
    out = run(
        modrack,
        FRUIT,
        "def transform(row):\n    row['what'] = object\n    row['set'] = {row['price']}\n    return row\n",
        "def transform(row):\n    row['price'] = max(row.pop('set'))\n    return row if row.pop('what') else 1\n",
    )
    assert out == FRUIT


TYPES: list[tuple[str, Any]] = [
    ("True", True),
    ("2**62", 2**62),
    ("1.5", 1.5),
    ("'é'", "é"),
    ("None", None),
    ("[1, None]", [1, None]),
    ("(1, 2)", [1, 2]),
    ("{'a': {'b': 1}}", {"a": {"b": 1}}),
    ("[{'a': 1}, {'b': 'x'}]", [{"a": 1, "b": None}, {"a": None, "b": "x"}]),
    ("datetime.date(2020, 2, 29)", "2020-02-29"),
    ("datetime.datetime(2020, 1, 2, 3, 4, 5)", "2020-01-02T03:04:05"),
    ("datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc)", "2020-01-02T00:00:00Z"),
    ("datetime.time(1, 2, 3)", "01:02:03"),
    ("Colour.RED", "red"),
    ("enum.IntEnum('Level', 'LOW').LOW", 1),
]


@pytest.mark.parametrize(("value", "out"), TYPES)
def test_values_of_every_type(modrack: Modrack, value: str, out: Any) -> None:
    """A value becomes the column that holds it."""
    stage = f"""
import datetime, enum
class Colour(str, enum.Enum):
    RED = "red"
def transform(row):
    return {{"x": 1, "v": {value}}}
"""
    got = run(modrack, FRUIT[:1], stage, options=["function: transform"])
    assert [row.get("v") for row in got] == [out]


def test_the_first_batch_settles_the_columns(modrack: Modrack) -> None:
    """Keys in the order first seen, int and float become float, a missing key is nothing."""
    out = run(
        modrack,
        [{"i": i} for i in range(4)],
        "def transform(row):\n    return [{'a': 1}, {'b': 'x', 'a': 2.5}, {'c': None}, {'a': 4}][row['i']]\n",
    )
    nothing = {"a": None, "b": None, "c": None}
    assert [{**nothing, **row} for row in out] == [
        {"a": 1.0, "b": None, "c": None},
        {"a": 2.5, "b": "x", "c": None},
        nothing,
        {"a": 4.0, "b": None, "c": None},
    ]


@pytest.mark.parametrize(
    ("second", "column", "message"),
    [
        ("{'a': 'x'}", "a", "The str `'x'` does not fit the column `a`, which is int"),
        ("{'a': 1.5}", "a", "The float `1.5` does not fit the column `a`, which is int"),
        ("{'a': True}", "a", "The bool `True` does not fit the column `a`, which is int"),
        ("{'a': 2**70}", "a", "does not fit the column `a`, which is int"),
        ("{'a': 1, 'z': 1}", "z", "The row has the key `z`, which is not one of the output's columns"),
        ("{1: 1}", "1", "The row has the key `1`, which is not text"),
        ("{'f': 2**53 + 1}", "f", "does not fit the column `f`, which is float"),
        ("{'t': 1}", "t", "The int `1` does not fit the column `t`, which is text"),
        ("{'t': '\\ud800'}", "t", "does not fit the column `t`, which is text"),
    ],
)
def test_a_later_row_that_does_not_fit(modrack: Modrack, second: str, column: str, message: str) -> None:
    """What does not fit the columns of the first batch is an error of that row, with the column."""
    stage = f"def transform(row):\n    return {{'a': 1, 'f': 1.5, 't': 'x'}} if row['i'] == 0 else {second}\n"
    failure = fails(modrack, "M0607", [{"i": 0}, {"i": 1}], stage, more="batch-rows: 1")
    assert message in failure.message
    assert failure.place == "in.jsonl:2"
    assert failure.key == column
    assert "schema:" in failure.hint


def test_schema_says_the_columns(modrack: Modrack) -> None:
    """`schema:` holds from the first row on, also for what the first batch cannot know."""
    stage = "def transform(row):\n    return {'a': None, 'b': 1} if row['i'] == 0 else {'a': 1.5}\n"
    out = run(
        modrack,
        [{"i": 0}, {"i": 1}],
        stage,
        more="batch-rows: 1",
        options=["schema: { b: float, a: float, c: text }"],
    )
    assert [row.get("a") for row in out] == [None, 1.5]
    assert [row.get("b") for row in out] == [1.0, None]


def test_a_column_of_nothing_keeps_the_type_of_the_input(modrack: Modrack) -> None:
    """A batch in which a column has no value says nothing against its type."""
    rows: Rows = [{"i": 1, "t": "x"}, {"i": 2, "t": "y"}]
    stage = "def transform(row):\n    return {'t': None if row['i'] == 1 else row['t']}\n"
    out = run(modrack, rows, stage, more="batch-rows: 1")
    assert [row.get("t") for row in out] == [None, "y"]


FAILS = """
class Dear(ValueError):
    pass

def transform(row):
    price = row.pop("price")
    row["seen"] = True
    if price > 3:
        raise Dear(f"{price} is dear")
    return {"name": row["name"], "price": price}
"""


def test_a_row_that_raises_stops_the_run(modrack: Modrack) -> None:
    """By default the run ends with the row's place and the module's own traceback."""
    failure = fails(modrack, "M0504", FRUIT, FAILS)
    assert "4 is dear" in failure.message
    assert failure.place == "in.jsonl:2"
    assert 'File "stage0.py", line 8' in failure.text


@pytest.mark.parametrize("decision", ["skip", "quarantine"])
@pytest.mark.parametrize("kind", ["default", "Dear", "ValueError", "raised"])
def test_a_row_that_raises_is_decided_about(modrack: Modrack, decision: str, kind: str) -> None:
    """By class, base or kind; what is put aside is the row as it came, although the stage had changed it."""
    decided = decision if decision == "skip" else "{ quarantine: bad.jsonl }"
    out = run(modrack, FRUIT, FAILS, more=f"errors: {{ {kind}: {decided} }}")
    assert out == [FRUIT[0], FRUIT[2]]
    bad = modrack.folder / "bad.jsonl"
    assert bad.exists() == (decision == "quarantine")
    if bad.exists():
        (line,) = bad.read_text().splitlines()
        assert json.loads(line)["row"] == FRUIT[1]
        assert "4 is dear" in line


def test_a_row_is_put_aside_as_it_came_into_its_stage(modrack: Modrack) -> None:
    """A later stage gets objects that nobody else has; they are kept before it can change them."""
    rename = "def transform(row):\n    return {'title': row['name'], 'price': row['price']}\n"
    second = FAILS.replace('row["name"]', 'row["title"]')
    out = run(modrack, FRUIT, rename, second, more="errors: { default: { quarantine: bad.jsonl } }")
    assert [row["price"] for row in out] == [3, 1]
    (line,) = (modrack.folder / "bad.jsonl").read_text().splitlines()
    assert json.loads(line)["row"] == {"title": "pear", "price": 4}


def test_a_row_that_does_not_fit_is_decided_about(modrack: Modrack) -> None:
    """A row that does not fit the columns fails in the stage that gave it."""
    stage = "def transform(row):\n    row['price'] = 'dear' if row['price'] > 3 else row['price']\n    return row\n"
    out = run(modrack, FRUIT, stage, more="errors: { default: { quarantine: bad.jsonl } }")
    assert out == [FRUIT[0], FRUIT[2]]
    (line,) = (modrack.folder / "bad.jsonl").read_text().splitlines()
    assert json.loads(line)["row"] == FRUIT[1]
    assert "M0607" in line


def test_a_generator_that_raises_midway(modrack: Modrack) -> None:
    """What it gave before has gone out; the row is decided about."""
    stage = "def transform(row):\n    yield row\n    if row['price'] > 3:\n        raise ValueError\n    yield row\n"
    out = run(modrack, FRUIT, stage, more="errors: { default: skip }")
    assert [row["name"] for row in out] == ["apple", "apple", "pear", "plum", "plum"]


def test_an_interrupt_always_stops(modrack: Modrack) -> None:
    """Whatever is decided about failures."""
    rack(
        modrack,
        FRUIT,
        ["def transform(row):\n    raise KeyboardInterrupt\n"],
        "errors: { default: skip }",
    )
    modrack("run", code=130)


SUM = """
class Sum:
    def __init__(self):
        self.sum = 0

    def transform(self, row):
        self.sum += row["price"]

    def finish(self):
        {finish}
"""


@pytest.mark.parametrize(
    ("finish", "out"),
    [
        ("return {'sum': self.sum}", [{"sum": 8}]),
        ("return [{'sum': self.sum}, {'sum': 0}]", [{"sum": 8}, {"sum": 0}]),
        ("yield {'sum': self.sum}", [{"sum": 8}]),
        ("return None", []),
    ],
)
def test_what_aggregates_gives_its_rows_at_the_end(modrack: Modrack, finish: str, out: Rows) -> None:
    """`finish` is called once, and what it gives goes through the stages that follow."""
    follow = "def transform(row):\n    return row\n"
    assert run(modrack, FRUIT, SUM.format(finish=finish), follow, more="batch-rows: 1") == out


def test_a_module_may_have_finish_too(modrack: Modrack) -> None:
    """A file's own function `finish`, beside its `transform`."""
    stage = """
SEEN = []
def transform(row):
    SEEN.append(row)
    return row
def finish():
    return {"name": "all", "price": len(SEEN)}
"""
    out = run(modrack, FRUIT, stage, options=["function: transform"])
    assert out == [*FRUIT, {"name": "all", "price": 3}]


def test_finish_that_fails_stops(modrack: Modrack) -> None:
    """No row is at fault, so there is nothing to decide."""
    failure = fails(
        modrack, "M0504", FRUIT, SUM.format(finish="raise ValueError('broken')"), more="errors: { default: skip }"
    )
    assert "broken" in failure.message


def test_a_dropped_input_leaves_an_empty_output(modrack: Modrack) -> None:
    """Nothing came out, and that is no failure."""
    assert run(modrack, FRUIT, "def transform(row):\n    return None\n") == []


def test_one_row_that_becomes_very_many(modrack: Modrack) -> None:
    """A generator is handed on while it runs."""
    stage = "def transform(row):\n    return ({'i': i} for i in range(50_000))\n"
    count = "N = 0\ndef transform(row):\n    global N\n    N += 1\ndef finish():\n    return {'n': N}\n"
    assert run(modrack, FRUIT, stage, count, options=["", "function: transform"]) == [{"n": 150_000}]


def test_a_column_that_has_no_value_yet(modrack: Modrack) -> None:
    """It takes the type of its first value, in whatever batch that comes; what it gets then must fit."""
    rows: Rows = [{"i": i} for i in range(4)]
    stage = "def transform(row):\n    return {'i': row['i'], 'late': [None, None, 2.5, 3][row['i']]}\n"
    for size in (1, 2, 3, 100):
        out = run(modrack, rows, stage, more=f"batch-rows: {size}")
        assert [row["late"] for row in out] == [None, None, 2.5, 3.0], size
    stage = stage.replace("3]", "'x']")
    assert fails(modrack, "M0607", rows, stage, more="batch-rows: 1").key == "late"


@pytest.mark.parametrize(
    "give",
    [
        "return ONE",
        "return [ONE]",
        "yield ONE",
        "KEPT.append(ONE)\n    return KEPT[-1:]",
        "KEPT[:] = [ONE]\n    return KEPT",
    ],
)
def test_a_dict_that_the_module_uses_again(modrack: Modrack, give: str) -> None:
    """What a row was when it was given is what is written, whatever becomes of the dict afterwards."""
    stage = f"ONE, KEPT = {{}}, []\ndef transform(row: dict):\n    ONE['n'] = row['price']\n    {give}\n"
    same = "def transform(row):\n    return row\n"
    for stages in ([stage], [stage, same]):
        options = ["function: transform"] * len(stages)
        assert run(modrack, FRUIT, *stages, options=options) == [{"n": 3}, {"n": 4}, {"n": 1}]
    late = """
ONE, ROWS = {}, []
def transform(row):
    ROWS.append(row["price"])
def finish():
    for n in ROWS:
        ONE["n"] = n
        yield ONE
"""
    assert run(modrack, FRUIT, late, options=["function: transform"]) == [{"n": 3}, {"n": 4}, {"n": 1}]


CHANGES = "def transform(row):\n    row['tags'].append(9)\n    row['more']['x'].append(9)\n    raise ValueError\n"
NESTED: Rows = [{"tags": [1], "more": {"x": [2]}}]


def test_what_is_put_aside_does_not_change_with_its_lists(modrack: Modrack) -> None:
    """Also what stands in a list or dict of a row is as it came."""
    same = "def transform(row):\n    return row\n"
    assert run(modrack, NESTED, same, CHANGES, more="errors: { default: { quarantine: bad.jsonl } }") == []
    (line,) = (modrack.folder / "bad.jsonl").read_text().splitlines()
    assert json.loads(line)["row"] == NESTED[0]


@pytest.mark.parametrize(
    "stage",
    [
        "def transform(row):\n    return [row, row]\n",
        "def transform(row):\n    yield row\n    yield row\n",
        "def transform(row):\n    tags = row['tags']\n    return [{'tags': tags}, {'tags': tags}]\n",
        "kept = []\ndef transform(row):\n    kept.append(row['tags'])\n    return [dict(row), dict(row)]\n",
        "kept = ([1],)\ndef transform(row):\n    return [{'tags': kept[0]}, {'tags': kept[0]}]\n",
    ],
)
def test_rows_share_no_lists(modrack: Modrack, stage: str) -> None:
    """What a later stage does to a list of one row happens to that row alone."""
    changes = "def transform(row):\n    row['tags'].append(len(row['tags']))\n    return {'tags': row['tags']}\n"
    assert run(modrack, NESTED, stage, changes) == [{"tags": [1, 1]}, {"tags": [1, 1]}]


@pytest.mark.parametrize(
    ("value", "shown"), [("Decimal('1e999999999')", "999999999"), ("Decimal('1e-999999999')", "999999999")]
)
def test_a_decimal_that_is_out_of_all_bounds(modrack: Modrack, value: str, shown: str) -> None:
    """It is refused at once, without being written out."""
    stage = f"from decimal import Decimal\ndef transform(row):\n    return {{'d': {value}}}\n"
    failure = fails(modrack, "M0607" if "-" not in value else "M0506", FRUIT, stage)
    assert failure.key == "d"
    assert shown in failure.message


def test_whole_numbers_among_decimals(modrack: Modrack) -> None:
    """They keep every digit."""
    stage = """
    from decimal import Decimal
    def transform(row):
        yield {'d': Decimal('0.5')}
        yield {'d': 2**60 + 1}
    """
    run(modrack, FRUIT[:1], stage)
    assert str(2**60 + 1) in (modrack.folder / "out.jsonl").read_text()


def test_an_interrupt_while_a_result_is_looked_at(modrack: Modrack) -> None:
    """An object that answers for its attributes itself may be interrupted while it does."""
    modrack.write(
        "odd.py",
        """
        class Odd:
            def __getattr__(self, name):
                raise KeyboardInterrupt

        def give():
            return Odd()
        """,
    )
    modrack("call", "./odd.py", "give", code=130)
