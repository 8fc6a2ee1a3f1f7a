"""Fixtures for every test here: the command in a folder of the test's own, and golden runs of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import ROOT, Modrack, Ran, check_text, command, steady

CheckCli = Callable[..., Ran]


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    """Says what to build when there is no command, once and not for every test."""
    if not command().exists():
        pytest.exit(f"{command()} is not built: run `cargo build -p modrack-cli -p modrack-py -p modrack-py-lean`", 2)


@pytest.fixture
def modrack(tmp_path: Path) -> Modrack:
    """The command, run in an empty folder with a home of its own and the interpreter under test."""
    folder, home = tmp_path / "work", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    return Modrack(folder, home)


@pytest.fixture
def check_cli(modrack: Modrack) -> CheckCli:
    """A golden run: `check_cli(NAME, ARG...)` compares status, stdout and stderr with `expect/NAME.txt`."""

    def check(name: str, *args: str | Path, stdin: str | None = None) -> Ran:
        ran = modrack(*args, code=None, stdin=stdin)
        names: dict[str, Path | str] = {
            "HERE": modrack.folder,
            "HOME": modrack.home,
            "ROOT": ROOT,
            "PYTHON": sys.executable,
        }
        check_text(f"{name}.txt", steady(ran.show(), names))
        return ran

    return check
