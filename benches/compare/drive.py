"""Compares modrack with `importlib.reload`, jurigged and hot-lib-reloader on the same edits, in docs/compare.md.

`drive.py` runs everything and writes; with `--check` it says whether the page still holds; words are names of cases,
which are run and printed alone. Cargo, rustc, pip's index and crates.io must be there. Nothing here measures time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from case import Case
from cases import CASES
from natives import NATIVES, Native
from rack import Rack
from reloader import Reloader
from saving import lay

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "compare.md"
BEGIN, END = "<!-- tables: written by benches/compare/drive.py -->", "<!-- end of tables -->"
# How long one case may take.
PATIENCE = 60.0


def installed(scratch: Path) -> Path:
    """An interpreter that has what stands in requirements.txt."""
    folder = scratch / "venv"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(HERE / "requirements.txt")]
    subprocess.run(install, check=True)
    return python


def inside(python: Path, tool: str, case: Case) -> str:
    """The words for a case by `importlib.reload` or jurigged."""
    with tempfile.TemporaryDirectory() as folder:
        lay(Path(folder), case)
        command = [str(python), str(HERE / "inside.py"), tool, case.name, folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode != 0 or not done.stdout:
            raise SystemExit(f"{tool}, {case.name}:\n{done.stderr}")
        return str(json.loads(done.stdout.splitlines()[-1]))


def cell(words: str, wanted: str) -> str:
    """What a cell says: bold where it is not what is wanted."""
    return words if words == wanted else f"**{words}**"


def line(cells: list[str]) -> str:
    """A line of a table."""
    return "| " + " | ".join(cells) + " |\n"


def table(head: list[str], rows: list[tuple[Case | Native, list[str]]]) -> str:
    """A table: the edit, what is wanted, and what each tool makes of it."""
    text = line(["edit", "wanted", *head]) + line(["---"] * (len(head) + 2))
    for case, found in rows:
        text += line([case.about, case.wanted, *(cell(words, case.wanted) for words in found)])
    held = [sum(found[at] == case.wanted for case, found in rows) for at in range(len(head))]
    return text + line(["**as wanted**", f"of {len(rows)}", *map(str, held)])


def main() -> int:
    """Runs the cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", type=Path, default=HERE / "target", help="where everything is built")
    parser.add_argument("--target", type=Path, help="where the program that holds a rack is built")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="the interpreter that is embedded")
    parser.add_argument("--check", action="store_true", help="say whether the page holds, and write nothing")
    parser.add_argument("names", nargs="*", help="cases that are run alone")
    words = parser.parse_args()
    # An interpreter that keeps no compiled code meets other edits.
    for name in [name for name in os.environ if name.startswith("PYTHON")]:
        del os.environ[name]
    words.scratch.mkdir(parents=True, exist_ok=True)
    python = installed(words.scratch.resolve())
    rack = Rack(words.scratch.resolve(), words.python, words.target)
    reloader = Reloader(words.scratch.resolve())
    edits: list[tuple[Case | Native, list[str]]] = []
    for case in [case for case in CASES if not words.names or case.name in words.names]:
        with tempfile.TemporaryDirectory() as folder:
            found = [inside(python, "reload", case), inside(python, "jurigged", case), rack.run(case, Path(folder))]
        edits.append((case, found))
        print(case.name, *found, sep=" | ", flush=True)
    libraries: list[tuple[Case | Native, list[str]]] = []
    for native in [native for native in NATIVES if not words.names or native.name in words.names]:
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            found = [reloader.run(native, Path(one)), rack.run_native(native, Path(other))]
        libraries.append((native, found))
        print(native.name, *found, sep=" | ", flush=True)
    if words.names:
        return 0
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    version = ".".join(platform.python_version_tuple()[:2])
    written = (
        f"{before}{BEGIN}\n\n## Python, on CPython {version}\n\n"
        + table(["`importlib.reload`", "jurigged 0.6.0", "modrack"], edits)
        + "\n## Libraries in Rust\n\n"
        + table(["hot-lib-reloader 0.8.2", "modrack"], libraries)
        + f"\n{END}{after}"
    )
    if written == text:
        return 0
    if words.check:
        print("docs/compare.md is out of date", file=sys.stderr)
        return 1
    PAGE.write_text(written)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
