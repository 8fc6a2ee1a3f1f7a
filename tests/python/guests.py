"""Modules that `cargo xtask guests` builds from source; a test of one that is not built is skipped by its name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness import ROOT, Modrack

GUESTS = Path(os.environ.get("MODRACK_GUESTS") or Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "guests")


def keep_compiled(modrack: Modrack) -> None:
    """Lets code that is compiled be kept from test to test: with the key of one user, whatever the home is."""
    modrack.env["MODRACK_STATE"] = str(GUESTS / "compiled")
    modrack.env["XDG_STATE_HOME"] = str(GUESTS / "user")


def guest(name: str) -> Path:
    """The component, if it is built."""
    return built(name, f"{name}.wasm")


def library(name: str) -> Path:
    """The native library, if it is built."""
    return built(name, f"{name}.so")


def built(name: str, file: str) -> Path:
    """The file that a guest becomes."""
    path = GUESTS / file
    if not path.exists():
        pytest.skip(f"the guest `{name}` is not built: `cargo xtask guests --all` says why")
    return path
