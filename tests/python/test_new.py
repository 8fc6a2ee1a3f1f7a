"""What `modrack new` makes, used as it says: each command that it prints, and each of a README, is run as it stands.

What is made builds, passes its own test and `check`, and can be called. Packages in Rust are built without the network,
by the versions that the workspace has chosen; components by the compiler that builds the guests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs import blocks

from harness import ROOT, Modrack, command
from kit import BUILDS_WITHIN

pytestmark = pytest.mark.once

ANSWER = '{"text":"Hello"}'


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that cargo builds into, so that the kit is built once."""
    return tmp_path_factory.mktemp("target")


def printed(modrack: Modrack, *args: str) -> list[str]:
    """The commands that `modrack new` says to try, without the one that changes the folder."""
    lines = modrack("new", *args).stderr.splitlines()
    tried = [line.strip() for line in lines[lines.index("Try:") + 1 :]]
    assert tried
    return [line for line in tried if not line.startswith("cd ")]


def run(modrack: Modrack, folder: Path, line: str) -> str:
    """Runs a line by the shell, in a folder, and gives what it prints; it must succeed."""
    env = modrack.environment()
    env["PATH"] = os.pathsep.join([str(command().parent), str(Path(sys.prefix) / "bin"), env["PATH"]])
    home = Path.home()
    env["CARGO_HOME"] = os.environ.get("CARGO_HOME", str(home / ".cargo"))
    env["RUSTUP_HOME"] = os.environ.get("RUSTUP_HOME", str(home / ".rustup"))
    env["CARGO_NET_OFFLINE"] = "true"
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=env, capture_output=True, text=True, timeout=BUILDS_WITHIN, check=False
    )
    assert done.returncode == 0, f"$ {line}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def made_in_rust(modrack: Modrack, name: str, target: Path, *flags: str) -> tuple[Path, list[str]]:
    """Makes a package, and has cargo choose the versions of the workspace and build where others are built."""
    if shutil.which("cargo") is None:
        pytest.skip("there is no cargo")
    lines = printed(modrack, "rust", name, *flags)
    folder = modrack.folder / name
    shutil.copyfile(ROOT / "Cargo.lock", folder / "Cargo.lock")
    (folder / "target").symlink_to(target)
    return folder, lines


def in_rack(modrack: Modrack, use: Path) -> None:
    """The module fills a slot of its contract, with a parameter."""
    rack = f"rack: 1\nslots:\n  words: {{ use: {use}, contract: transform@1, params: {{ column: word }} }}\n"
    modrack.write("rack.yaml", rack)
    modrack("check", "--load")
    assert modrack("call", "words", "_", '{"word": " a "}').stdout.strip() == '{"word":"a"}'
    assert modrack("call", "words", "_", '{"word": " "}').stdout.strip() == "null"


def test_a_package_in_rust(modrack: Modrack, target: Path) -> None:
    """It is tested, built and called by the commands that are printed, and by those of its README."""
    folder, lines = made_in_rust(modrack, "word-count", target)
    answers = [run(modrack, folder, line) for line in lines]
    assert answers[-1] == ANSWER
    readme = blocks((folder / "README.md").read_text(encoding="utf-8"))[0]
    answers = [run(modrack, folder, line) for line in readme.lines]
    assert answers[-1] == ANSWER
    in_rack(modrack, folder / "target" / "debug" / "libword_count.so")


def test_a_package_in_rust_as_a_component(modrack: Modrack, target: Path) -> None:
    """Its test runs here, and what is built for WebAssembly answers as the library does."""
    folder, lines = made_in_rust(modrack, "counts", target, "--wasm")
    assert [line.split()[0] for line in lines] == ["cargo", "rustup", "cargo", "modrack"]
    run(modrack, folder, lines[0])
    component = built(folder)
    last = lines[-1].replace("./target/wasm32-wasip2/component/counts.wasm", str(component))
    assert str(component) in last
    assert run(modrack, folder, last) == ANSWER
    in_rack(modrack, component)


def built(folder: Path) -> Path:
    """The package as a component, built by the chore that builds the guests."""
    beside = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "xtask"
    xtask = Path(os.environ.get("MODRACK_XTASK", beside))
    if not xtask.exists():
        pytest.skip("the chore that builds components is not built: `cargo xtask guests` builds it")
    done = subprocess.run(
        [xtask, "guests", "--package", folder],
        env={**os.environ, "CARGO_NET_OFFLINE": "true"},
        capture_output=True,
        text=True,
        timeout=BUILDS_WITHIN,
        check=False,
    )
    if "was skipped" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("where", ["words.py", "word_count", "modules/words.py"])
def test_a_module_in_python(modrack: Modrack, where: str) -> None:
    """Its examples hold, and it is called by the commands that are printed."""
    lines = printed(modrack, "python", where)
    answers = [run(modrack, modrack.folder, line) for line in lines]
    assert ANSWER in answers
    file = next(modrack.folder.rglob("*.py"))
    in_rack(modrack, file)


def test_a_rack(modrack: Modrack) -> None:
    """It is checked, run and called by the commands that are printed, and by those of its README."""
    lines = printed(modrack, "rack", "shop")
    folder = modrack.folder / "shop"
    answers = [run(modrack, folder, line) for line in lines]
    assert answers[-1] == '{"price":2.5,"quantity":4,"total":12.0}'
    for line in blocks((folder / "README.md").read_text(encoding="utf-8"))[0].lines:
        run(modrack, folder, line)
    assert list((folder / "out").iterdir())
