"""The flights example does what its README says, and what it sums up is true."""

from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from guests import guest, library
from harness import ROOT, Modrack

SOURCE = ROOT / "examples" / "flights"


@pytest.fixture
def flights(modrack: Modrack) -> Modrack:
    """The command in a copy of the example."""
    leave = shutil.ignore_patterns("out", "full", "__pycache__", ".modrack")
    shutil.copytree(SOURCE, modrack.folder, dirs_exist_ok=True, ignore=leave)
    return modrack


def rows() -> list[dict[str, str]]:
    """The rows of the sample, read without modrack."""
    with (SOURCE / "data" / "flights.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def known_airports() -> set[str]:
    """The codes that the list of airports has."""
    with (SOURCE / "data" / "airports.csv").open(newline="") as lines:
        return {row["faa"] for row in csv.DictReader(lines)}


def test_check_finds_nothing(flights: Modrack) -> None:
    """The rack fits its modules, without any of them being run."""
    flights("check")


def test_delays(flights: Modrack) -> None:
    """The sums are those that a plain loop over the same rows gives."""
    flights("run", "delays")
    airports = known_airports()
    wanted: dict[tuple[str, int], list[int]] = defaultdict(list)
    aside = 0
    for row in rows():
        if row["dep_time"] == "NA" or row["arr_delay"] == "NA":
            continue
        if row["dest"] in airports:
            wanted[row["carrier"], int(row["month"])].append(int(row["arr_delay"]))
        else:
            aside += 1
    got = pq.read_table(flights.folder / "out" / "delays.parquet").to_pylist()
    assert [(row["carrier"], row["month"]) for row in got] == sorted(wanted)
    for row in got:
        delays = wanted[row["carrier"], row["month"]]
        assert row["flights"] == len(delays)
        assert row["mean_delay"] == round(sum(delays) / len(delays), 1)
        assert row["late_share"] == round(sum(delay >= 15 for delay in delays) / len(delays), 3)
    put_aside = (flights.folder / "out" / "unknown.jsonl").read_text().splitlines()
    assert len(put_aside) == aside > 0


def test_what_is_put_aside_keeps_the_row_the_reason_and_the_place(flights: Modrack) -> None:
    """A quarantined row can be found again in its source."""
    flights("run", "flights")
    first = json.loads((flights.folder / "out" / "unknown.jsonl").read_text().splitlines()[0])
    text = json.dumps(first)
    assert "UnknownCode" in text
    assert "airports.csv has no" in text
    assert "flights.csv" in text


def test_flights(flights: Modrack) -> None:
    """Every flight that arrived at a known airport, with names in place of codes."""
    ran = flights("run", "flights")
    table = pq.read_table(flights.folder / "out" / "flights.parquet")
    airports = known_airports()
    wanted = [row for row in rows() if row["dep_time"] != "NA" and row["arr_delay"] != "NA" and row["dest"] in airports]
    assert table.num_rows == len(wanted), ran.show()
    first = table.slice(0, 1).to_pylist()[0]
    assert first["carrier"] == wanted[0]["carrier"]
    assert first["airline"] == "United Air Lines Inc."
    clock = int(wanted[0]["sched_dep_time"])
    assert first["departure"] == clock // 100 * 60 + clock % 100


def test_convert_needs_no_python(flights: Modrack, tmp_path: Path) -> None:
    """CSV to Parquet without a stage runs where there is no interpreter at all."""
    empty = tmp_path / "no-python-here"
    empty.mkdir()
    flights("run", "convert", env={"PATH": str(empty), "VIRTUAL_ENV": ""})
    table = pq.read_table(flights.folder / "out" / "all.parquet")
    wanted = rows()
    assert table.num_rows == len(wanted)
    assert table.column_names == list(wanted[0])
    assert table["dep_time"].null_count == sum(row["dep_time"] == "NA" for row in wanted)


# What fills the slot `speed`, in each form.
FORMS: dict[str, Callable[[], str]] = {
    "batches": lambda: "./modules/speed.py",
    "rows": lambda: "./modules/speed_rows.py",
    "native": lambda: str(library("libspeed")),
    "component": lambda: str(guest("speed")),
}


@pytest.mark.parametrize("form", FORMS)
def test_speed_is_the_same_in_every_form(flights: Modrack, form: str) -> None:
    """The stage gives the same table in Python and in Rust, to the last bit, where one line of the rack is another."""
    rack = flights.folder / "rack.yaml"
    text = rack.read_text(encoding="utf-8")
    line = "    use: ./modules/speed.py\n"
    assert text.count(line) == 1
    rack.write_text(text.replace(line, f"    use: {FORMS[form]()}\n"), encoding="utf-8")
    flights("check")
    told = flights("run", "speed", "--stats").stderr
    got = pq.read_table(flights.folder / "out" / "speed.parquet")
    flown = [row for row in rows() if row["air_time"] != "NA"]
    assert got.column_names == [*flown[0], "mph"]
    assert [str(number) for number in got["flight"].to_pylist()] == [row["flight"] for row in flown]
    assert got["mph"].to_pylist() == [
        round(int(row["distance"]) / (int(row["air_time"]) / 60) * 10) / 10 for row in flown
    ]
    if form == "component":
        assert "copied into and out of `speed`: 2 tables" in told, told
    else:
        assert "no table was copied between modules" in told, told
    copies = "one each way" if form == "component" else "none"
    assert flights("inspect", "speed", "--json").json["table_copies"] == copies


def test_a_dry_run_writes_nothing(flights: Modrack) -> None:
    """Rows go through the stages, and no file appears."""
    flights("run", "delays", "--dry-run")
    assert not (flights.folder / "out").exists()
