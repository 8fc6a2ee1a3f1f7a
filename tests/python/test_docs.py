"""Every command in README.md and docs/ is run, and what it prints is compared with what stands there.

A page is worked through from top to bottom in a folder of its own, as its reader would. A fenced block whose info
string has a second word (```python price.py) writes that file. In a `console` block each line after `$ ` is run by
the shell, and the lines that follow must be what is printed, on both streams. A line `...` stands for any lines.
A page under docs/errors must show its own code. `UPDATE_EXPECT=1` writes what is printed into the page.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import HANGS_AFTER, ROOT, UPDATE, Modrack, command, steady

pytestmark = pytest.mark.once

PAGES = sorted(
    [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/README.md")],
    key=lambda page: page.as_posix(),
)

# Run by whoever runs this test, not by it; any other command of cargo is run as it stands.
CARGO = {
    "cargo xtask demo",
    "cargo xtask test",
    "cargo xtask bench",
    "cargo xtask tidy",
    "cargo xtask codegen",
    "cargo xtask guests",
    "cargo xtask guests --all",
    "cargo xtask flights-data",
    "cargo build --release -p modrack-cli -p modrack-py -p modrack-py-lean",
}

# Seconds that a build on a page may take on a machine that is busy with the other tests.
BUILDS_WITHIN = 900


@dataclass
class Block:
    """A fenced block: what its info string says, its lines, and which lines of the page they are."""

    language: str
    file: str | None
    lines: list[str]
    first: int

    @property
    def end(self) -> int:
        """The index of the line that closes the block."""
        return self.first + len(self.lines)


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found: list[Block] = []
    opened: Block | None = None
    for number, line in enumerate(text.splitlines()):
        if opened is not None and line == "```":
            found.append(opened)
            opened = None
        elif opened is not None:
            opened.lines.append(line)
        elif line.startswith("```"):
            words = line[3:].split()
            opened = Block(words[0] if words else "", words[1] if len(words) > 1 else None, [], number + 1)
    assert opened is None, f"a block that opens in line {opened.first} is not closed" if opened else ""
    return found


@pytest.fixture(autouse=True)
def _servers_end(modrack: Modrack) -> Iterator[None]:
    """No server of a page whose test failed is left."""
    yield
    for about in modrack.folder.rglob("serve.json"):
        os.kill(json.loads(about.read_text(encoding="utf-8"))["pid"], signal.SIGKILL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page(page: Path, modrack: Modrack) -> None:
    """What stands on the page happens."""
    if page.is_relative_to(ROOT / "examples"):
        shutil.copytree(page.parent, modrack.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("out", "full"))
    text = page.read_text(encoding="utf-8")
    lines = text.splitlines()
    printed: list[str] = []
    # From the last to the first would be right for line numbers, but commands build on each other.
    moved = 0
    for block in blocks(text):
        if block.file is not None:
            modrack.write(block.file, "\n".join(block.lines) + "\n")
        elif block.language == "console":
            got = session(block.lines, modrack)
            printed += got
            if UPDATE and not agrees(block.lines, got):
                lines[block.first + moved : block.end + moved] = got
                moved += len(got) - len(block.lines)
            elif not UPDATE:
                assert agrees(block.lines, got), "\n".join(["got", *got, "expected", *block.lines])
    if UPDATE:
        page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    code = re.fullmatch(r"M\d{4}", page.stem)
    if code and printed:
        assert f"[{page.stem}]" in "\n".join(printed), "\n".join(printed)


def session(lines: list[str], modrack: Modrack) -> list[str]:
    """The block as a terminal would show it now: each command and what it prints."""
    shown: list[str] = []
    for line in lines:
        if not line.startswith("$ "):
            continue
        shown.append(line)
        if line[2:] in CARGO:
            continue
        shown += shell(line[2:], modrack).splitlines()
    return shown


def shell(line: str, modrack: Modrack) -> str:
    """Runs one line in the page's folder and gives both streams as one text."""
    env = {"PATH": f"{command().parent}{os.pathsep}{os.environ['PATH']}"}
    if line.startswith("cargo "):
        # Cargo keeps what it fetched, and its toolchain, in the home of whoever runs the tests.
        home = Path.home()
        env["CARGO_HOME"] = os.environ.get("CARGO_HOME", str(home / ".cargo"))
        env["RUSTUP_HOME"] = os.environ.get("RUSTUP_HOME", str(home / ".rustup"))
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=modrack.folder,
        env=modrack.environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=BUILDS_WITHIN if line.startswith("cargo ") else HANGS_AFTER,
        check=False,
    )
    text = done.stdout.decode()
    text = text.replace(sys.executable, "/usr/bin/python3")
    text = text.replace(str(modrack.folder), "/srv/rack").replace(str(modrack.home), "/srv/home")
    return steady(text, {})


def agrees(wanted: list[str], got: list[str]) -> bool:
    """Whether the lines are the wanted ones, where `...` stands for any."""
    pattern = "".join("(?:.*\n)*" if line.strip() == "..." else re.escape(line) + "\n" for line in wanted)
    return re.fullmatch(pattern, "".join(line + "\n" for line in got)) is not None
