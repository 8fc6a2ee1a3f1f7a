"""Runs one case by `importlib.reload` or by jurigged, in a process of its own: `inside.py TOOL CASE FOLDER`.

Prints what the table is to say, as JSON. The modules lie in FOLDER and are imported as any program imports them;
`reload` is called for the modules whose file was saved, in their order, and jurigged watches the folder.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from case import Case
from cases import CASES
from saving import save

# How long jurigged is waited for. It looks 50 ms after a save.
PATIENCE = 3.0
# How long nothing more must come of it.
QUIET = 0.5


class Reload:
    """Calls `importlib.reload`, as a program does that knows what was saved."""

    watches = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, files: list[str]) -> str | None:
        """What it says that went wrong, if anything did."""
        for file in files:
            name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            try:
                importlib.reload(sys.modules[name])
            except Exception as why:
                return type(why).__name__
        return None


class Jurigged:
    """Has jurigged watch the folder."""

    watches = True

    def __init__(self, folder: Path) -> None:
        import jurigged

        self.registry = jurigged.registry
        self.told: queue.Queue[object] = queue.Queue()
        prefix = str(folder)
        self.watcher = jurigged.watch(pattern=lambda file: file.startswith(prefix), logger=self.told.put)
        self.watcher.postrun.register(lambda path, file: self.told.put(path))

    def read(self, modules: list[ModuleType]) -> None:
        """Has it read them before anything is saved: what it does at first use does not bear two threads at once."""
        for module in modules:
            self.registry.find(module)

    def drop(self) -> None:
        """Forgets what it told until now."""
        while not self.told.empty():
            self.told.get_nowait()

    def take(self, files: list[str]) -> str | None:
        """Waits until it has looked; what it says that went wrong, if anything did."""
        failed = None
        until = time.monotonic() + PATIENCE
        while True:
            try:
                event = self.told.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return failed
            until = time.monotonic() + QUIET
            if isinstance(event, Exception):
                failed = type(event).__name__


def asked(program: Any) -> str:
    """What the program answers; an exception is an answer too."""
    try:
        return str(program.ask())
    except Exception as why:
        return type(why).__name__


def reader(program: Any, done: threading.Event, seen: set[str]) -> None:
    """Asks until it is done."""
    while not done.is_set():
        seen.add(asked(program))


def run(tool: Reload | Jurigged, case: Case, folder: Path) -> str:
    """The words of the table for one case."""
    modules: dict[str, ModuleType] = {}
    for name, file in case.modules.items():
        modules[name] = importlib.import_module(file.removesuffix("/").removesuffix(".py"))
    if isinstance(tool, Jurigged):
        tool.read(list(modules.values()))
    names: dict[str, Any] = {}
    exec(compile(case.program, "program.py", "exec"), names)
    program = names["Program"](**modules)
    program.begin()
    if case.reads:
        # The thread that looks is to have its turn often.
        sys.setswitchinterval(1e-5)
    done, seen = threading.Event(), set[str]()
    threads = [threading.Thread(target=reader, args=[program, done, seen])] if case.reads else []
    for thread in threads:
        thread.start()
    failed = None
    between = None

    def look() -> None:
        nonlocal between
        between = asked(program)

    for edit in case.edits:
        if isinstance(tool, Jurigged):
            tool.drop()
        if case.between and not tool.watches:
            return "not watched"
        halfway: Callable[[], None] | None = look if case.between else None
        save(folder, edit, halfway)
        failed = tool.take(list(edit.files)) or failed
    if case.back:
        return "none"
    done.set()
    for thread in threads:
        thread.join()
    if case.between:
        return str(between)
    if case.reads:
        ended = asked(program)
        if "mixture" in seen | {ended}:
            return "a mixture"
        return "never a mixture" if ended == "new" else ended
    answer = asked(program)
    if any(edit.broken for edit in case.edits):
        return f"{answer}, {'told' if failed else 'not told'}"
    return f"{answer}, and {failed}" if failed else answer


def main() -> None:
    """Runs what the words name."""
    tool, name, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    case = next(case for case in CASES if case.name == name)
    # Where the modules lie, and not beside this file.
    sys.path.insert(0, str(folder))
    way = Reload(folder) if tool == "reload" else Jurigged(folder)
    print(json.dumps(run(way, case, folder)), flush=True)
    # Threads of the case may go on for good.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
