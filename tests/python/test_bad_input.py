"""Every kind of bad input: each has its own smallest broken rack, module or file under `broken/`.

What is asserted is what a user needs: the code, the place, a hint, the exit status, and that nothing half-written
is left behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import BROKEN, HANGS_AFTER, Failure, Modrack


@dataclass(frozen=True)
class Case:
    """A folder under `broken/`, what is done in it, and what must be said."""

    name: str
    args: tuple[str, ...]
    code: str
    place: str
    status: int = 1
    says: str = ""
    hint: str = ""


CALL = ("call", "it", "execute", "hello")
CHECK = ("check",)
LIST = ("list",)
RUN = ("run",)

CASES = [
    # Modules.
    Case("missing-file", CALL, "M0201", "rack.yaml:3", says="nowhere.py"),
    Case("not-python", CALL, "M0301", "module.py"),
    Case("syntax-error", CALL, "M0302", "module.py:2", says="never closed"),
    Case("import-error", CALL, "M0704", "module.py:3", says="no_such_package_anywhere", hint="pip install"),
    Case("import-name", CALL, "M0401", "module.py:1", says="square"),
    Case("circular-import", CALL, "M0402", "sibling.py:1"),
    Case("contract-function-missing", CHECK, "M0305", "module.py:1", says="transform"),
    Case("wrong-parameter-names", CHECK, "M0307", "rack.yaml:3", says="widht", hint="width"),
    Case("wrong-parameter-names", CALL, "M0307", "rack.yaml:3", says="widht", hint="width"),
    Case("wrong-result", RUN, "M0505", "in.csv", says="int"),
    Case("constructor-fails", CALL, "M0403", "module.py:3", says="the server does not answer"),
    Case("initialize-fails", CALL, "M0404", "module.py:3", says="the server does not answer"),
    Case("exception-with-cause", CALL, "M0504", "module.py:5", says="no number"),
    Case("str-raises", CALL, "M0504", "module.py:7", says="Unprintable"),
    Case("exit-in-call", CALL, "M0507", "module.py:5"),
    Case("exit-while-loading", CALL, "M0406", "module.py:8"),
    # Names.
    Case("unknown-slot", ("call", "prise", "execute", "x"), "M0106", "", status=2, says="prise", hint="price"),
    Case("unknown-slot", RUN, "M0106", "rack.yaml:7:14", status=2, says="prise", hint="price"),
    Case("unknown-key", LIST, "M0104", "rack.yaml:3", status=2, says="parms", hint="params"),
    Case("unknown-backend", CALL, "M0202", "rack.yaml:3", status=2, says="module.xyz"),
    Case("unknown-function", ("call", "it", "uper", "x"), "M0501", "module.py", hint="upper"),
    Case("unknown-pipeline", ("run", "delay"), "M0114", "rack.yaml", status=2, hint="delays"),
    Case("duplicate-names", LIST, "M0107", "rack.yaml:4:3", status=2),
    Case("cyclic-needs", LIST, "M0108", "rack.yaml", status=2),
    Case("cyclic-text", LIST, "M0109|M0108", "rack.yaml:3", status=2),
    # The rack's text.
    Case("invalid-yaml", LIST, "M0101", "rack.yaml", status=2),
    Case("not-utf-8", LIST, "M0102", "rack.yaml:3", status=2),
    Case("tabs", LIST, "M0101", "rack.yaml:3", status=2, hint="space"),
    Case("exploding-anchors", LIST, "M0103", "rack.yaml", status=2),
    # Data.
    Case("ragged-rows", RUN, "M0603", "in.csv:3"),
    Case("wrong-types", RUN, "M0604", "in.csv:3", says="cheap"),
    Case("empty-file", RUN, "M0605", "in.csv"),
    Case("no-header", RUN, "M0605", "in.csv:1"),
    Case("header-twice", RUN, "M0605", "in.csv:3"),
    Case("column-twice", RUN, "M0605", "in.csv:1", says="name"),
    Case("missing-source", RUN, "M0601", "rack.yaml:4"),
    Case("schema-changes", RUN, "M0607", "in.csv", says="dear"),
    Case("stage-raises", RUN, "M0504", "in.csv:3", says="pear is too dear"),
    Case("sink-in-the-way", RUN, "M0608", "", says="in.csv/out.csv"),
    Case("sink-is-folder", RUN, "M0608", "", says="out"),
    Case("sink-refused", RUN, "M0608", "", says="/proc/modrack-out.csv"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.args[0]}")
def test_says_what_is_wrong(case: Case, modrack: Modrack) -> None:
    """Code, place, hint and exit status, and the folder as it was."""
    shutil.copytree(BROKEN / case.name, modrack.folder, dirs_exist_ok=True)
    before = contents(modrack.folder)
    ran = modrack(*case.args, code=case.status)
    failures = [failure for failure in Failure.all(ran.stderr) if failure.code in case.code.split("|")]
    assert failures, ran.show()
    failure = failures[0]
    assert case.place in failure.text, ran.show()
    assert case.says in failure.text, ran.show()
    assert failure.hint, f"there is no hint\n{ran.show()}"
    assert case.hint in failure.hint, ran.show()
    assert ran.stdout == "" or case.args == CHECK, ran.show()
    assert contents(modrack.folder) == before


def test_a_cause_is_shown_with_its_own_traceback(modrack: Modrack) -> None:
    """What an exception was raised from is part of the message."""
    shutil.copytree(BROKEN / "exception-with-cause", modrack.folder, dirs_exist_ok=True)
    failure = modrack.fails("M0504", *CALL)
    assert "caused by: ValueError: invalid literal for int()" in failure.text, failure.text
    assert "module.py" in failure.text


def test_a_value_of_50_mb_is_refused_or_read(modrack: Modrack) -> None:
    """A rack that is too large is refused at once, with its size."""
    modrack.write("rack.yaml", b"rack: 1\nslots:\n  it: { use: ./m.py, params: { x: '" + b"x" * 50_000_000 + b"' } }\n")
    failure = modrack.fails("M0103", "list", status=2)
    assert failure.place.startswith("rack.yaml"), failure.text
    assert failure.hint
    assert len(failure.text) < 2_000


@pytest.mark.parametrize("verb", [("inspect",), ("check",), ("call",)], ids=" ".join)
def test_a_pipe_is_no_module(modrack: Modrack, verb: tuple[str, ...]) -> None:
    """Nobody waits for somebody to write into it."""
    os.mkfifo(modrack.folder / "pipe.py")
    more = ("f",) if verb == ("call",) else ()
    assert "pipe" in modrack.fails("M0202", *verb, "./pipe.py", *more, status=2).hint


def test_a_file_that_is_named_like_a_slot(modrack: Modrack) -> None:
    """What to write for it is said."""
    modrack.write("notes.txt", "Buy milk.\n")
    assert "`./notes.txt`" in modrack.fails("M0106", "inspect", "notes.txt", status=2).hint


def test_every_mistake_of_a_rack_is_reported_at_once(modrack: Modrack) -> None:
    """Three mistakes, three reports, in the order of the text."""
    modrack.write(
        "rack.yaml",
        """
        rack: 1
        slots:
          a: { use: ./a.py, parms: {} }
          b: { params: {} }
          c: { use: ./c.py, lazy: perhaps }
        """,
    )
    ran = modrack("list", code=2)
    assert [(f.code, f.place.split(":")[1]) for f in Failure.all(ran.stderr)] == [
        ("M0104", "3"),
        ("M0111", "4"),
        ("M0105", "5"),
    ], ran.show()


def test_a_parquet_file_that_is_cut_short(modrack: Modrack) -> None:
    """The first half of a good file is no Parquet file."""
    shutil.copytree(BROKEN / "cut-parquet", modrack.folder, dirs_exist_ok=True)
    modrack.write("in.csv", "name,price\n" + "apple,3\n" * 1000)
    modrack(
        "run",
        "--set",
        "pipelines.main.source={csv: in.csv}",
        "--set",
        "pipelines.main.sink={parquet: whole.parquet}",
    )
    whole = (modrack.folder / "whole.parquet").read_bytes()
    modrack.write("in.parquet", whole[: len(whole) // 2])
    failure = modrack.fails("M0606", "run")
    assert failure.place.startswith("in.parquet"), failure.text
    assert failure.hint
    assert not (modrack.folder / "out.csv").exists()


def test_a_source_that_vanishes(modrack: Modrack) -> None:
    """The last file of a glob is taken away while the first is being read."""
    shutil.copytree(BROKEN / "vanishing-source", modrack.folder, dirs_exist_ok=True)
    for number in range(40):
        modrack.write(f"in/{number:02}.csv", "name,price\n" + "apple,3\n" * 50)
    failure = modrack.fails("M0610", "run", "--set", "pipelines.main.source.batch-rows=1")
    assert "in/39.csv" in failure.text, failure.text
    assert failure.hint
    assert not (modrack.folder / "out.csv").exists()


@pytest.fixture
def small_disk(modrack: Modrack) -> Iterator[Path]:
    """A file system of 64 KiB in the folder of the test."""
    disk = modrack.folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small tmpfs cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.once
def test_a_full_disk(modrack: Modrack, small_disk: Path) -> None:
    """What was written so far is taken away again, what was there is untouched."""
    shutil.copytree(BROKEN / "full-disk", modrack.folder, dirs_exist_ok=True)
    modrack.write("in.csv", "name,price\n" + "apple,3\n" * 100_000)
    (small_disk / "out.csv").write_text("old\n")
    failure = modrack.fails("M0609", "run")
    assert "disk/out.csv" in failure.text, failure.text
    assert failure.hint
    assert [path.name for path in small_disk.iterdir()] == ["out.csv"]
    assert (small_disk / "out.csv").read_text() == "old\n"


@pytest.mark.parametrize("in_background", [False, True], ids=["", "in-background"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_interrupt_in_mid_run(modrack: Modrack, sent: signal.Signals, in_background: bool) -> None:
    """A run that is interrupted while a module is at work ends with 130 and leaves no output."""
    shutil.copytree(BROKEN / "interrupt", modrack.folder, dirs_exist_ok=True)
    run = modrack.start("run", in_background=in_background)
    begun = modrack.folder / "begun"
    until = time.monotonic() + HANGS_AFTER
    while not begun.exists() and run.poll() is None and time.monotonic() < until:
        os.sched_yield()
    run.send_signal(sent)
    stdout, stderr = run.communicate(timeout=HANGS_AFTER)
    assert run.returncode == 130, stderr
    assert stdout == ""
    assert "[M0801]" in stderr
    begun.unlink()
    assert contents(modrack.folder) == contents(BROKEN / "interrupt")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, less what modrack keeps for itself."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {".modrack", "__pycache__"} & set(path.relative_to(folder).parts)
    }
