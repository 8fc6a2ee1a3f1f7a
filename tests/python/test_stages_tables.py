"""Stages that take a batch, a column's values or the whole input, with and without the packages for tables."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest

from harness import Modrack
from stages import Rows, fails, rack, run

FRUIT: Rows = [{"name": "apple", "price": 3}, {"name": "pear", "price": 4}, {"name": "plum", "price": 1}]
DOUBLED: Rows = [{"name": row["name"], "price": row["price"] * 2} for row in FRUIT]


def needs(package: str) -> pytest.MarkDecorator:
    """A test that is left out where `package` is not installed."""
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


BATCH = """
import pyarrow as pa
import pyarrow.compute as pc

def transform(batch: pa.RecordBatch):
    assert type(batch) is pa.RecordBatch
    price = pc.multiply(batch.column("price"), 2)
    {give}
"""


@needs("pyarrow")
@pytest.mark.parametrize(
    "give",
    [
        "return pa.record_batch({'name': batch.column('name'), 'price': price})",
        "return pa.table({'name': batch.column('name'), 'price': price})",
        "return pa.table({'name': batch.column('name'), 'price': price}).to_reader()",
        "return pa.table({'name': batch.column('name'), 'price': price}).to_pylist()",
        "yield pa.record_batch({'name': batch.column('name'), 'price': price})",
    ],
)
def test_a_batch_as_pyarrow(modrack: Modrack, give: str) -> None:
    """Whatever has the interface is taken back, and rows are as well."""
    assert run(modrack, FRUIT, BATCH.format(give=give)) == DOUBLED
    assert run(modrack, FRUIT, BATCH.format(give=give), more="batch-rows: 2") == DOUBLED


OWN = """
def transform(batch):
    rows = batch.to_pylist()
    for row in rows:
        row["price"] *= 2
    return {give}
"""


@pytest.mark.parametrize("give", ["rows", "type(batch).from_pylist(rows)", "None"])
def test_a_batch_without_any_package(modrack: Modrack, give: str) -> None:
    """modrack's own table serves where pyarrow is not installed."""
    modrack.write("none/pyarrow.py", "raise ModuleNotFoundError('hidden', name='pyarrow')")
    rack(modrack, FRUIT, [OWN.format(give=give)], options=["takes: batch"])
    modrack("run", env={"PYTHONPATH": str(modrack.folder / "none")})
    got = [json.loads(line) for line in (modrack.folder / "out.jsonl").read_text().splitlines()]
    assert got == ([] if give == "None" else DOUBLED)


def test_the_table_of_modrack(modrack: Modrack) -> None:
    """What it says of itself."""
    stage = """
def transform(table):
    assert len(table) == table.num_rows == 3
    assert table.num_columns == 2
    assert table.column_names == ["name", "price"]
    assert table["price"] == table.column("price") == [3, 4, 1]
    assert repr(table) == "<modrack.Table of 3 rows: name: Utf8, price: Int64>"
    assert type(table)(table).to_pylist() == table.to_pylist()
    try:
        table["nothing"]
    except KeyError as error:
        assert error.args == ("nothing",)
    return table
"""
    modrack.write("none/pyarrow.py", "raise ModuleNotFoundError('hidden', name='pyarrow')")
    rack(modrack, FRUIT, [stage], options=["takes: table"])
    modrack("run", env={"PYTHONPATH": str(modrack.folder / "none")})


@needs("pyarrow")
@pytest.mark.parametrize("annotation", ["pa.Table", "'pa.Table'", "pyarrow.Table"])
def test_the_whole_input_as_a_table(modrack: Modrack, annotation: str) -> None:
    """All batches in one table, which is sorted as a whole."""
    stage = f"""
import pyarrow
import pyarrow as pa
def transform(table: {annotation}):
    return table.sort_by("price")
"""
    assert run(modrack, FRUIT, stage, more="batch-rows: 1") == sorted(FRUIT, key=lambda row: row["price"])


@needs("pandas")
@needs("pyarrow")
def test_the_whole_input_as_pandas(modrack: Modrack) -> None:
    """An index with a name is a column, one that numbers the rows is not."""
    stage = "import pandas as pd\ndef transform(frame: pd.DataFrame):\n    return frame[frame.price > 1]\n"
    assert run(modrack, FRUIT, stage, more="batch-rows: 1") == FRUIT[:2]
    stage = """
import pandas as pd
def transform(frame: pd.DataFrame):
    frame["long"] = frame["name"].str.len() > 4
    return frame.groupby("long")[["price"]].sum()
"""
    assert run(modrack, FRUIT, stage) == [{"long": False, "price": 5}, {"long": True, "price": 3}]


@needs("polars")
def test_the_whole_input_as_polars(modrack: Modrack) -> None:
    """Polars needs no pyarrow."""
    stage = """
import polars as pl
def transform(frame: pl.DataFrame):
    return frame.filter(pl.col("price") > 1).with_columns(pl.col("price") * 2)
"""
    assert run(modrack, FRUIT, stage, more="batch-rows: 1") == DOUBLED[:2]


@pytest.mark.parametrize("package", ["pandas", "polars", "pyarrow"])
def test_a_package_that_is_not_there(modrack: Modrack, package: str) -> None:
    """It is named, with how to install it."""
    takes = {"pandas": "pandas", "polars": "polars", "pyarrow": "pandas"}[package]
    modrack.write(f"none/{package}.py", f"raise ModuleNotFoundError('hidden', name='{package}')")
    if package == "pyarrow":
        modrack.write("none/pandas.py", "")
    rack(modrack, FRUIT, ["def transform(frame):\n    return frame\n"], options=[f"takes: {takes}"])
    failure = modrack.fails("M0704", "run", env={"PYTHONPATH": str(modrack.folder / "none")})
    assert f"the package `{package}`" in failure.message
    assert f"pip install {package}" in failure.hint


@pytest.mark.parametrize(
    ("stage", "out"),
    [
        ("def transform(rows: list):\n    return sorted(rows, key=lambda row: row['price'])\n", [2, 0, 1]),
        ("def transform(rows: list[dict]):\n    return rows[:1]\n", [0]),
        ("from typing import List\ndef transform(rows: List[dict]):\n    yield from reversed(rows)\n", [2, 1, 0]),
        ("from __future__ import annotations\ndef transform(rows: list[dict]):\n    return rows[-1]\n", [2]),
        ("def transform(rows: list):\n    return None\n", []),
    ],
)
def test_the_whole_input_as_a_list(modrack: Modrack, stage: str, out: list[int]) -> None:
    """All rows at once, without any package."""
    assert run(modrack, FRUIT, stage, more="batch-rows: 2") == [FRUIT[at] for at in out]


def test_rows_go_into_a_list_as_they_are(modrack: Modrack) -> None:
    """From a row stage to a list of rows, nothing is converted."""
    mark = "def transform(row):\n    row['mark'] = object\n    return row\n"
    take = "def transform(rows: list):\n    assert all(row.pop('mark') is object for row in rows)\n    return rows\n"
    assert run(modrack, FRUIT, mark, take) == FRUIT


def test_a_list_of_so_many_rows(modrack: Modrack) -> None:
    """`batch: N` cuts the input at every N rows, wherever its batches end."""
    rows: Rows = [{"i": i} for i in range(10)]
    stage = "def transform(rows: list):\n    return {'n': len(rows), 'first': rows[0]['i']}\n"
    for size in (1, 3, 100):
        out = run(modrack, rows, stage, more=f"batch-rows: {size}", options=["batch: 4"])
        assert out == [{"n": 4, "first": 0}, {"n": 4, "first": 4}, {"n": 2, "first": 8}], size


NORMALISE = "def transform(values):\n    top = max(values)\n    return [value / top for value in values]\n"


@pytest.mark.parametrize("size", [1, 2, 100])
def test_the_values_of_a_column(modrack: Modrack, size: int) -> None:
    """All values of the input at once; nothing else of the rows changes."""
    out = run(modrack, FRUIT, NORMALISE, more=f"batch-rows: {size}", options=["column: price"])
    assert out == [{**row, "price": row["price"] / 4} for row in FRUIT]


def test_the_values_of_a_column_after_a_row_stage(modrack: Modrack) -> None:
    """Rows are packed for it, and go on as rows."""
    plus = "def transform(row):\n    row['price'] += 1\n    return row\n"
    out = run(modrack, FRUIT, plus, NORMALISE, plus, options=["", "column: price", ""])
    assert [row["price"] for row in out] == [1.8, 2.0, 1.4]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("values[1:]", "`transform` took 3 values of `price` and gave 2 values"),
        ("7", "`transform` gave the int `7` for the values of `price`"),
        ("None", "`transform` gave the NoneType `None` for the values of `price`"),
    ],
)
def test_another_number_of_values(modrack: Modrack, given: str, message: str) -> None:
    """As many must come back."""
    stage = f"def transform(values):\n    return {given}\n"
    failure = fails(modrack, "M0505", FRUIT, stage, options=["column: price"])
    assert failure.message == message
    assert "as many values" in failure.hint


def test_a_value_that_does_not_fit_its_column(modrack: Modrack) -> None:
    """The row of a value that does not go with the others is decided about; the others go on."""
    stage = "def transform(values):\n    return [1, 'x', 3]\n"
    out = run(modrack, FRUIT, stage, more="errors: { default: { quarantine: bad.jsonl } }", options=["column: price"])
    assert out == [{"name": "apple", "price": 1}, {"name": "plum", "price": 3}]
    (line,) = (modrack.folder / "bad.jsonl").read_text().splitlines()
    assert json.loads(line)["row"] == FRUIT[1]


def test_a_column_that_is_not_there(modrack: Modrack) -> None:
    """Named, with what there is."""
    failure = fails(modrack, "M0614", FRUIT, NORMALISE, options=["column: Price"])
    assert "no column `Price`" in failure.message
    assert "`price`" in failure.hint


def test_a_batch_that_fails_is_decided_about_as_a_whole(modrack: Modrack) -> None:
    """All of its rows go to quarantine, each with its number."""
    stage = "def transform(rows: list):\n    if rows[0]['i'] == 2:\n        raise ValueError('no')\n    return rows\n"
    rows: Rows = [{"i": i} for i in range(6)]
    out = run(modrack, rows, stage, more="errors: { default: { quarantine: bad.jsonl } }", options=["batch: 2"])
    assert [row["i"] for row in out] == [0, 1, 4, 5]
    bad = [json.loads(line)["row"] for line in (modrack.folder / "bad.jsonl").read_text().splitlines()]
    assert bad == rows[2:4]


@needs("pyarrow")
def test_a_batch_with_other_columns_than_the_first(modrack: Modrack) -> None:
    """The same values in another type are taken; others are an error that names the column."""
    stage = """
import pyarrow as pa
GIVE = [pa.array([1], pa.int64()), pa.array([2], pa.int8()), pa.array([3.0]), {third}]
def transform(batch: pa.RecordBatch):
    return pa.record_batch({{"a": GIVE[batch.column("i")[0].as_py()]}})
"""
    rows: Rows = [{"i": i} for i in range(4)]
    out = run(modrack, rows, stage.format(third="pa.nulls(1)"), more="batch-rows: 1")
    assert [row.get("a") for row in out] == [1, 2, 3, None]
    for third in ("pa.array([1.5])", "pa.array(['x'])"):
        failure = fails(modrack, "M0607", rows, stage.format(third=third), more="batch-rows: 1")
        assert failure.key == "a"
        assert failure.place == "in.jsonl:4"


@needs("pyarrow")
def test_a_table_whose_parts_contradict_each_other(modrack: Modrack) -> None:
    """An array of three that claims 2^40 values is found out before anything reads it."""
    stage = """
import ctypes
import pyarrow as pa

get = ctypes.pythonapi.PyCapsule_GetPointer
get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]

class Liar:
    def __init__(self, batch):
        self.pair = batch.__arrow_c_array__()
        length = ctypes.cast(get(self.pair[1], b"arrow_array"), ctypes.POINTER(ctypes.c_int64))
        length[0] = 1 << 40
    def __arrow_c_array__(self, requested_schema=None):
        return self.pair

def transform(batch: pa.RecordBatch):
    return Liar(batch)
"""
    failure = fails(modrack, "M0613", FRUIT, stage, options=["function: transform"])
    assert "claims 1099511627776 values" in failure.message
    assert failure.place == "in.jsonl:1"


def test_a_column_without_a_use(modrack: Modrack) -> None:
    """`column:` on a stage that takes rows is a contradiction, and so is its absence."""
    stage = "def transform(row: dict):\n    return row\n"
    rack(modrack, FRUIT, [stage], options=["column: price"])
    assert "does not take a list" in modrack.fails("M0112", "run", status=2).message


@needs("pyarrow")
def test_a_dictionary_with_nothing_among_its_values(modrack: Modrack) -> None:
    """A cell whose value is nothing comes out as nothing, wherever the column says so."""
    stage = """
import pyarrow as pa
def transform(batch: pa.RecordBatch):
    return pa.table({"x": pa.DictionaryArray.from_arrays([0, 1, None], ["a", None])})
"""
    assert run(modrack, FRUIT, stage) == [{"x": "a"}, {"x": None}, {"x": None}]


def quarantined(modrack: Modrack) -> list[Any]:
    """What was put aside."""
    return [json.loads(line) for line in (modrack.folder / "bad.jsonl").read_text().splitlines()]


ASIDE = "errors: { default: { quarantine: bad.jsonl } }"


@needs("pyarrow")
def test_rows_that_a_batch_stage_dropped_leave_no_wrong_numbers(modrack: Modrack) -> None:
    """Behind a stage that gives another number of rows, nobody claims to know which row it was."""
    drops = "import pyarrow as pa\ndef transform(batch: pa.RecordBatch):\n    return batch.slice(3)\n"
    raises = "def transform(row):\n    if row['i'] == 4:\n        raise ValueError('no')\n    return row\n"
    rows: Rows = [{"i": i} for i in range(6)]
    assert run(modrack, rows, drops, raises, more=ASIDE) == [{"i": 3}, {"i": 5}]
    (bad,) = quarantined(modrack)
    assert bad["row"] == {"i": 4}
    assert (bad["row_number"], bad["line"]) == (None, None)
    failure = fails(modrack, "M0504", rows, drops, raises)
    assert failure.place == "in.jsonl"
    assert "from row 1 on" in failure.hint
    keeps = "import pyarrow as pa\ndef transform(batch: pa.RecordBatch):\n    yield batch[:2]\n    yield batch[2:]\n"
    assert fails(modrack, "M0504", rows, keeps, raises).place == "in.jsonl:5"


@needs("pyarrow")
def test_rows_put_aside_together_keep_their_numbers(modrack: Modrack) -> None:
    """Also where rows between them are gone."""
    drops = "def transform(row):\n    return row if row['i'] % 3 else None\n"
    raises = "import pyarrow as pa\ndef transform(batch: pa.RecordBatch):\n    raise ValueError\n"
    assert run(modrack, [{"i": i} for i in range(7)], drops, raises, more=ASIDE) == []
    assert [(bad["row"]["i"], bad["row_number"]) for bad in quarantined(modrack)] == [(1, 2), (2, 3), (4, 5), (5, 6)]


@needs("pyarrow")
@pytest.mark.parametrize("takes", ["pa.RecordBatch", "pa.Table", "list"])
@pytest.mark.parametrize("end", ["raise ValueError", "yield pa.table({'i': ['x']})"], ids=["raises", "misfits"])
def test_what_fails_midway_is_all_or_nothing(modrack: Modrack, takes: str, end: str) -> None:
    """Rows that are put aside have not gone out as well."""
    stage = f"import pyarrow as pa\ndef transform(given: {takes}):\n    yield pa.table({{'i': [1]}})\n    {end}\n"
    rows: Rows = [{"i": 1}, {"i": 2}]
    assert run(modrack, rows, stage, more=ASIDE) == []
    assert [bad["row"] for bad in quarantined(modrack)] == rows


def test_a_schema_is_held_before_a_row_stage(modrack: Modrack) -> None:
    """The columns that a stage says are held against its rows, whoever takes these next."""
    bad = "def transform(row):\n    return {'i': 'text' if row['i'] == 1 else row['i']}\n"
    same = "def transform(row):\n    return row\n"
    rows: Rows = [{"i": 0}, {"i": 1}]
    failure = fails(modrack, "M0607", rows, bad, same, options=["schema: { i: int }", ""])
    assert (failure.key, failure.place) == ("i", "in.jsonl:2")
    out = run(modrack, rows, bad, same, more="errors: { default: skip }", options=["schema: { i: int }", ""])
    assert out == [{"i": 0}]


@needs("pyarrow")
@pytest.mark.parametrize(
    ("column", "out"),
    [
        ("pa.StructArray.from_arrays([words], names=['w'])", [{"w": "a"}, {"w": None}, {"w": None}]),
        ("pa.ListArray.from_arrays([0, 1, 2, 3], words)", [["a"], [None], [None]]),
        (
            "pa.ListArray.from_arrays([0, 1, 3, 3], pa.StructArray.from_arrays([words], names=['w']))",
            [[{"w": "a"}], [{"w": None}, {"w": None}], []],
        ),
    ],
    ids=["struct", "list", "list of structs"],
)
def test_a_dictionary_with_nothing_among_its_values_within_a_column(
    modrack: Modrack, column: str, out: list[Any]
) -> None:
    """As deep as it may stand."""
    stage = f"""
import pyarrow as pa
def transform(batch: pa.RecordBatch):
    words = pa.DictionaryArray.from_arrays([0, 1, None], ["a", None])
    return pa.table({{"x": {column}}})
"""
    assert [row["x"] for row in run(modrack, FRUIT, stage)] == out


@needs("pyarrow")
def test_a_map_without_a_key(modrack: Modrack) -> None:
    """It is a value that does not fit, and no failure of modrack."""
    maps = """
import pyarrow as pa
def transform(batch: pa.RecordBatch):
    kind = pa.map_(pa.string(), pa.int64())
    return pa.table({"m": pa.array([[("a", 1)]] * batch.num_rows, kind)})
"""
    row = "def transform(row):\n    row['m'] = {None: 1} if row['i'] == 99 else row['m']\n    return row\n"
    maps = maps.replace('{"m"', '{"i": batch["i"], "m"')
    failure = fails(modrack, "M0506", [{"i": i} for i in range(100)], maps, row)
    assert (failure.key, failure.place) == ("m", "in.jsonl:100")
