"""One module in three languages: the sources under `tests/modules/`, built where that is needed."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import ROOT, Modrack

MODULES = ROOT / "tests" / "modules"
LANGUAGES = ("python", "native", "wasm")
COMPILER = shutil.which("cc")


def module(modrack: Modrack, language: str, name: str = "lab") -> str:
    """Puts the module into the folder of the test, and gives the text of `use` that names it."""
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
def compiled(source: str) -> Path:
    """The shared library of this text in C; without a compiler the test that wants it is skipped."""
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
    subprocess.run([COMPILER, *flags, "-o", str(library), str(file)], check=True)
    return library


@functools.cache
def folder_of_run() -> tempfile.TemporaryDirectory[str]:
    """A folder that goes when the run ends."""
    return tempfile.TemporaryDirectory(prefix="modrack-tests-")


def built_in() -> Path:
    """Where libraries are built."""
    return Path(folder_of_run().name)
