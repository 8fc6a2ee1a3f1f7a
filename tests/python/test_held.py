"""Who holds a module that was stopped, as it is named: each module of `held/` says what it leaves behind.

The part of the extension that finds out is Python, and is run here by itself under each interpreter. `examples/embed`
swaps the same modules.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness import HERE, ROOT

MODULES = HERE / "held"
FINDS = ROOT / "crates" / "modrack-python" / "src" / "glue" / "held.py"
OTHERS = ("keeper", "outside")
CASES = sorted(path.stem for path in MODULES.glob("*.py") if path.stem not in OTHERS)

# Runs a module as a generation, lets go of it, and tells who holds it then.
RUN = """
import asyncio, gc, importlib.machinery, json, os, sys, threading, types

finds, folder, name = sys.argv[1:]
sys.path.insert(0, folder)


class Mark:
    def __init__(self, prefix):
        self.prefix = prefix


def run(name, number):
    prefix = f"_modrack.0.{number}"
    module = types.ModuleType(f"{prefix}.{name}")
    path = f"{folder}/{name}.py"
    module.__file__, module.__modrack__ = path, Mark(prefix)
    sys.modules[module.__name__] = module
    with open(path) as file:
        exec(compile(file.read(), path, "exec", dont_inherit=True), module.__dict__)
    return module


keeper = run("keeper", 1)
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, name="loop", daemon=True).start()
module = run(name, 2)
if hasattr(module, "create"):
    asyncio.run_coroutine_threadsafe(module.create(), loop).result()
del sys.modules[module.__name__], module
gc.collect()
held = {"__name__": "_modrack_held", "__builtins__": __builtins__}
with open(finds) as file:
    exec(compile(file.read(), "<modrack held>", "exec", dont_inherit=True), held)
held["forget_types"]()
gc.collect()
print(json.dumps(held["holders"]("_modrack.0.2")))
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.parametrize("name", CASES)
def test_who_holds_a_module_is_named(name: str, tmp_path: Path) -> None:
    """Whoever it is, in the words of the module."""
    told = (MODULES / f"{name}.py").read_text(encoding="utf-8").split('"""')[1]
    ran = subprocess.run(
        [sys.executable, "-B", "-c", RUN, FINDS, MODULES, name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    holders = json.loads(ran.stdout)
    if told.startswith("Nothing"):
        assert holders is None
        return
    lines = sorted(re.sub(r"_modrack\.0\.\d+\.", "", line) for line in holders)
    expected = [re.escape(line).replace(r"\.\.\.", ".*") for line in sorted(told.splitlines())]
    assert re.fullmatch("\n".join(expected), "\n".join(lines)), "\n".join(lines)
