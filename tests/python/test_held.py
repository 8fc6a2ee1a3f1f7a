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
LOGGERS = FINDS.with_name("loggers.py")
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


# Runs a module that hangs handlers on loggers, and tells how many the extension has noted.
NOTES = """
import json, logging, sys

glue = {"__name__": "_modrack_loggers", "__builtins__": __builtins__}
with open(sys.argv[1]) as file:
    exec(compile(file.read(), "<modrack loggers>", "exec", dont_inherit=True), glue)
glue["install"](logging)


class Mark:
    def __init__(self, prefix):
        self.prefix = prefix


def run(number, code):
    prefix = f"_modrack.0.{number}"
    names = {"__name__": f"{prefix}.m", "__modrack__": Mark(prefix), "logging": logging}
    exec(code, names)
    return names


def noted():
    return sum(map(len, glue["_added"].values()))


log = logging.getLogger("m")
old = run(1, '''
log, kept = logging.getLogger("m"), [logging.NullHandler() for _ in range(100)]
for handler in kept:
    log.addHandler(handler)
    log.removeHandler(handler)
for _ in range(100):
    log.addHandler(logging.NullHandler())
    log.handlers.clear()
for _ in range(100):
    log.addHandler(kept[0])
''')
notes = [noted()]
new = run(2, '''
log, own = logging.getLogger("m"), logging.NullHandler()
log.addHandler(own)
''')
notes.append(noted())
glue["forget"]("_modrack.0.1")
notes.append(noted())
print(json.dumps([notes, log.handlers == [new["own"]]]))
"""


def test_handlers_that_were_taken_off_are_not_remembered(tmp_path: Path) -> None:
    """However often a module hangs one on and takes it off; what hangs there still goes with its generation."""
    command = [sys.executable, "-B", "-c", NOTES, str(LOGGERS)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [[1, 2, 1], True]
