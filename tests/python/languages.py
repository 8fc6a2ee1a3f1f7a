"""One module in three languages: the sources under `tests/modules/`, built where that is needed.

A library stands there twice, in C and by the kit for authors in Rust, and so does a component, in the text form and by
the kit: what is asserted of the language is asserted of both.
"""

from __future__ import annotations

import functools
import itertools
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from guests import guest, keep_compiled
from guests import library as built_library
from harness import ROOT, Modrack

MODULES = ROOT / "tests" / "modules"
LANGUAGES = ("python", "native", "wasm")
COMPILER = shutil.which("cc")

# By the kit for authors, whose answers depend on no interpreter.
KIT = ("kit-native", "kit-wasm")
COLUMNS = [*LANGUAGES, *(pytest.param(column, marks=pytest.mark.once) for column in KIT)]
PAIRS = [
    pytest.param(outer, inner, marks=pytest.mark.once if {outer, inner} & {*KIT} else ())
    for outer, inner in itertools.product([*LANGUAGES, *KIT], repeat=2)
]


def language_of(column: str) -> str:
    """What the host sees in a column of the suite: it cannot tell who wrote a module."""
    return column.removeprefix("kit-")


def module(modrack: Modrack, column: str, name: str = "lab") -> str:
    """Puts the module into the folder of the test, and gives the text of `use` that names it."""
    if column in KIT:
        file = built_library(f"lib{name}") if column == "kit-native" else guest(name)
        shutil.copyfile(file, modrack.folder / f"kit-{file.name}")
        # Compiled once for all tests, not once for each.
        keep_compiled(modrack)
        return f"./kit-{file.name}"
    language = column
    if language == "native":
        shutil.copyfile(library(MODULES / f"{name}.c"), modrack.folder / f"lib{name}.so")
        return f"./lib{name}.so"
    if language == "wasm":
        modrack.write(f"{name}.wat", component((MODULES / f"{name}.wat").read_text(encoding="utf-8")))
        return f"./{name}.wat"
    shutil.copyfile(MODULES / f"{name}.py", modrack.folder / f"{name}.py")
    return f"./{name}.py"


@functools.cache
def component(parts: str) -> str:
    """A component of these parts, as text, with what all of the tests' components begin with."""
    begin = (MODULES / "begin.wat").read_text(encoding="utf-8")
    return f"(component\n{begin}\n{parts})\n"


@functools.cache
def library(source: Path) -> Path:
    """The shared library of a source in C, built once in a run of the tests."""
    return compiled(source.read_text(encoding="utf-8"))


@functools.cache
def compiled(source: str, *more: str) -> Path:
    """The shared library of this text in C, with `more` flags; without a compiler the test is skipped."""
    if COMPILER is None:
        pytest.skip("there is no C compiler")
    folder = built_in()
    file = folder / f"{len(list(folder.iterdir()))}.c"
    file.write_text(source, encoding="utf-8")
    library = file.with_suffix(".so")
    flags = [
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-shared",
        "-fPIC",
        "-I",
        str(ROOT / "include"),
        "-I",
        str(MODULES),
    ]
    subprocess.run([COMPILER, *flags, "-o", str(library), str(file), *more], check=True)
    return library


@functools.cache
def folder_of_run() -> tempfile.TemporaryDirectory[str]:
    """A folder that goes when the run ends."""
    return tempfile.TemporaryDirectory(prefix="modrack-tests-")


def built_in() -> Path:
    """Where libraries are built."""
    return Path(folder_of_run().name)
