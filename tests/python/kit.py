"""Modules written with the kit for authors in Rust: the examples of `guests/kit`, in both of their forms."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from guests import guest
from harness import ROOT

FORMS = ("library", "component")

# Seconds that a build may take on a machine that is busy with the other tests.
BUILDS_WITHIN = 900


def module(name: str, form: str) -> Path:
    """The file of the example `name`; the test is skipped where it cannot be built."""
    return guest(name) if form == "component" else libraries() / f"lib{name.replace('-', '_')}.so"


@functools.cache
def libraries() -> Path:
    """The folder in which the examples are built as libraries, once in a run of the tests."""
    cargo = shutil.which(os.environ.get("CARGO", "cargo"))
    if cargo is None:
        pytest.skip("there is no cargo")
    target = Path(folder_of_run().name)
    build = [cargo, "build", "--quiet", "--locked", "--examples", "--package", "kit", "--target-dir", str(target)]
    subprocess.run([*build, "--manifest-path", ROOT / "guests" / "Cargo.toml"], check=True, timeout=BUILDS_WITHIN)
    return target / "debug" / "examples"


@functools.cache
def folder_of_run() -> tempfile.TemporaryDirectory[str]:
    """A folder that goes when the run ends."""
    return tempfile.TemporaryDirectory(prefix="modrack-kit-")
