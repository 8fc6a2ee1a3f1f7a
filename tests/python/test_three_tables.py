"""Tables between languages: never copied between Python and native modules, once each way for components.

Where a table lies is told by the address of its first buffer, by stages before and behind.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import Modrack
from languages import COLUMNS, LANGUAGES, language_of, module

ROWS = 2500

# Adds a column that says where the numbers lie.
WHERE = """
    import pyarrow as pa

    def transform(table: pa.RecordBatch) -> pa.RecordBatch:
        place = table.column("n").buffers()[1].address
        return table.append_column(NAME, pa.array([place] * table.num_rows, pa.int64()))
"""


def pipeline(modrack: Modrack, stages: list[str], more: str = "") -> None:
    """A rack with a pipeline from a Parquet file through these stages, a thousand rows at a time."""
    numbers = pa.array(range(ROWS), pa.int32())
    words = pa.array(["x", None] * (ROWS // 2)).dictionary_encode()
    pq.write_table(pa.table({"n": numbers, "w": words}), modrack.folder / "in.parquet")
    modrack.write(
        "rack.yaml",
        f"rack: 1\npipelines:\n  p:\n    source: {{ parquet: in.parquet, batch-rows: 1000 }}\n"
        f"    stages: [{', '.join(stages)}]\n    sink: {{ parquet: out.parquet }}\n{more}",
    )


def ran(modrack: Modrack, stages: list[str]) -> tuple[pa.Table, str]:
    """What comes out of the stages, and what is said of copies."""
    pipeline(modrack, stages)
    told = modrack("run", "p", "--stats").stderr
    return pq.read_table(modrack.folder / "out.parquet"), told


def between(modrack: Modrack, stages: list[str]) -> tuple[bool, str]:
    """Whether the numbers lie behind the stages where they lay before, and what is said of copies."""
    for name in ("before", "behind"):
        modrack.write(f"{name}.py", WHERE.replace("NAME", f'"{name}"'))
    table, told = ran(modrack, ["./before.py", *stages, "./behind.py"])
    assert table["n"].to_pylist() == list(range(ROWS))
    same = [a == b for a, b in zip(table["before"].to_pylist(), table["behind"].to_pylist(), strict=True)]
    assert len(set(same)) == 1
    return same[0], told


@pytest.mark.parametrize(
    ("languages", "copies"),
    [
        (["python"], 0),
        (["native"], 0),
        (["native", "python", "native"], 0),
        (["wasm"], 1),
        (["native", "wasm", "native"], 1),
        (["wasm", "python", "wasm"], 2),
        pytest.param(["kit-native"], 0, marks=pytest.mark.once),
        pytest.param(["kit-wasm"], 1, marks=pytest.mark.once),
        pytest.param(["kit-native", "native", "kit-native", "wasm", "kit-wasm"], 2, marks=pytest.mark.once),
    ],
    ids=[
        "python",
        "native",
        "native-python-native",
        "wasm",
        "native-wasm-native",
        "wasm-python-wasm",
        "kit-native",
        "kit-wasm",
        "both-native-both-wasm",
    ],
)
def test_where_a_table_lies(modrack: Modrack, languages: list[str], copies: int) -> None:
    """From Python through others and back to Python: the same memory, unless a component stands between."""
    same, told = between(modrack, [module(modrack, language, "batch") for language in languages])
    assert same == (copies == 0)
    if copies == 0:
        assert "no table was copied between modules" in told, told
    else:
        # Three batches, once on the way in and once on the way out of each component.
        tables = [int(many) for many in re.findall(r"copied into and out of `[^`]+`: (\d+) tables", told)]
        assert sum(tables) == 6 * copies, told


@pytest.mark.parametrize("language", COLUMNS)
def test_batches_are_not_made_rows(modrack: Modrack, language: str) -> None:
    """Types that rows do not have come out as they went in."""
    table, _ = ran(modrack, [module(modrack, language, "batch")])
    assert table.num_rows == ROWS
    assert (table.schema.field("n").type, table.schema.field("w").type) == (
        pa.int32(),
        pa.dictionary(pa.int32(), pa.string()),
    )


@pytest.mark.parametrize("language", COLUMNS[1:])
def test_no_interpreter_is_needed(modrack: Modrack, language: str) -> None:
    """A pipeline without Python modules runs where there is no Python."""
    pipeline(modrack, [module(modrack, language, "batch")])
    nowhere = {"VIRTUAL_ENV": str(modrack.folder / "nowhere"), "PATH": ""}
    modrack("run", "p", env=nowhere)
    assert pq.read_table(modrack.folder / "out.parquet")["n"].to_pylist() == list(range(ROWS))


@pytest.mark.parametrize("language", COLUMNS)
def test_inspect_says_how_often_a_table_is_copied(modrack: Modrack, language: str) -> None:
    """Before anything runs."""
    about: dict[str, Any] = modrack("inspect", module(modrack, language, "batch"), "--json").json
    assert about["table_copies"] == ("one each way" if language_of(language) == "wasm" else "none")


CALLER = """
    import pyarrow as pa

    class Caller:
        def __init__(self, batch):
            self.batch = batch

        def go(self) -> list:
            given = pa.RecordBatch.from_pydict({"n": [1, 2, 3], "w": ["a", None, "c"]})
            got = pa.record_batch(self.batch.transform(given))
            where = [batch.column(0).buffers()[1].address for batch in (given, got)]
            return [got.equals(given), where[0] == where[1]]
"""


@pytest.mark.parametrize("language", COLUMNS)
def test_a_table_in_a_call(modrack: Modrack, language: str) -> None:
    """It goes from Python to a module and back: where it lay, unless the module is a component."""
    modrack.write("caller.py", CALLER)
    modrack.write(
        "rack.yaml",
        f"""\
        rack: 1
        slots:
          batch: {{ use: {module(modrack, language, "batch")} }}
          caller: {{ use: ./caller.py, needs: {{ batch: batch }} }}
        """,
    )
    assert modrack("call", "caller", "go").json == [True, language_of(language) != "wasm"]


@pytest.mark.parametrize(
    ("outer", "inner"), [pair for pair in itertools.product(LANGUAGES, LANGUAGES) if "wasm" in pair]
)
def test_stages_of_two_languages(modrack: Modrack, outer: str, inner: str) -> None:
    """Rows and batches, one after the other, come out as they should."""
    modrack.write("double.py", "def transform(row: dict) -> dict:\n    return {**row, 'n': row['n'] * 2}\n")
    stages = [module(modrack, outer, "batch"), "./double.py", module(modrack, inner, "batch")]
    table, _ = ran(modrack, stages)
    assert table["n"].to_pylist() == [2 * n for n in range(ROWS)]
