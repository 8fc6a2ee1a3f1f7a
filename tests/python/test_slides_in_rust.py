"""The slides with a module in Rust in place of the one in Python, as a library and as a component of one source.

One line of the rack is another, and nothing else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from test_docs import BUILDS_WITHIN, agrees, blocks, session

from guests import guest, keep_compiled
from harness import ROOT, Modrack

pytestmark = pytest.mark.once

SLIDES = ROOT / "examples" / "slides"

# The slide, what of its rack is replaced and by which module, and how the commands of its README begin that are run
# again. Left out are those whose output names the file, and those that call the file itself.
CASES = [
    ("methods", {"./greeter.py:Greeter": "greeter"}, "call greeter greet"),
    ("state", {"./counter.py": "counter"}, "call counter"),
    ("normalise", {"./stages.py:Clip": "clip", "./stages.py:Scale": "scale"}, "run"),
    ("lifecycle", {"./plugins/shout.py": "shout"}, "call shout"),
]


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the modules of `examples/slides/rust` are built."""
    target = tmp_path_factory.mktemp("slides")
    cargo = shutil.which(os.environ.get("CARGO", "cargo"))
    if cargo is None:
        pytest.skip("there is no cargo")
    manifest = SLIDES / "rust" / "Cargo.toml"
    subprocess.run(
        [cargo, "build", "--quiet", "--locked", "--examples", "--manifest-path", manifest, "--target-dir", target],
        check=True,
        timeout=BUILDS_WITHIN,
    )
    return target / "debug" / "examples"


@pytest.fixture(params=["library", "component"])
def built(request: pytest.FixtureRequest, modrack: Modrack) -> Callable[[str], Path]:
    """Gives the file that a module in Rust was built as."""
    if request.param == "component":
        keep_compiled(modrack)
        return guest
    libraries: Path = request.getfixturevalue("libraries")
    return lambda name: libraries / f"lib{name}.so"


@pytest.mark.parametrize(("slide", "uses", "begins"), CASES, ids=[case[0] for case in CASES])
def test_a_slide_gives_the_same(
    slide: str, uses: dict[str, str], begins: str, built: Callable[[str], Path], modrack: Modrack
) -> None:
    """What the slide's README shows is what its rack gives with these in place of Python files."""
    shutil.copytree(SLIDES / slide, modrack.folder, dirs_exist_ok=True)
    rack = modrack.folder / "rack.yaml"
    text = rack.read_text(encoding="utf-8")
    for python, module in uses.items():
        assert python in text
        file = built(module)
        shutil.copyfile(file, modrack.folder / file.name)
        text = text.replace(python, f"./{file.name}")
    rack.write_text(text, encoding="utf-8")
    page = blocks((SLIDES / slide / "README.md").read_text(encoding="utf-8"))
    shown = [lines for block in page if block.language == "console" for lines in chapters(block.lines)]
    chosen = [lines for lines in shown if lines[0].startswith(f"$ modrack {begins}")]
    assert chosen
    for wanted in chosen:
        got = session(wanted, modrack)
        assert agrees(wanted, got), "\n".join(["got", *got, "expected", *wanted])


@pytest.mark.parametrize(
    ("use", "function", "argument", "answer"),
    [
        ("as_text", "process", '{"name": "Ada", "born": 1815}', "born is 1815, name is Ada"),
        ("reverse", "_", "hello", "olleh"),
    ],
)
def test_a_loose_file_gives_the_same(
    use: str, function: str, argument: str, answer: str, built: Callable[[str], Path], modrack: Modrack
) -> None:
    """Modules of slides whose racks look for files by name answer as the files do."""
    assert modrack("call", built(use), function, argument).json == answer


def chapters(lines: list[str]) -> list[list[str]]:
    """The commands of a block, each with what it prints."""
    starts = [i for i, line in enumerate(lines) if line.startswith("$ ")]
    return [lines[a:b] for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]
