"""What serves is the content that was read of it, whatever stands in its files by now.

Further instances have it, what is imported late is of it, and it is what is gone back to.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import Modrack
from served import Server, serving

RACK = "rack: 1\nslots:\n  lab: {{ use: {use}, instances: {instances} }}\n"

# Two calls at once are in two instances: neither ends before the other has begun.
MODULE = """
import threading
from rates import RATE

def version() -> str:
    return f"one, {RATE}"

def both() -> str:
    vars(threading).setdefault("of_the_test", threading.Barrier(2)).wait(30)
    return f"one, {RATE}"
"""
OTHER = MODULE.replace("one", "two")


def rack(modrack: Modrack, instances: str, use: str = "./m.py") -> Modrack:
    """A rack with one slot."""
    modrack.write("rack.yaml", RACK.format(use=use, instances=instances))
    return modrack


def answer(server: Server, function: str = "version") -> str:
    """What a function of the slot gives."""
    answered = server.call("lab", function)
    assert answered.status == 200, answered.text
    return str(answered.json["result"])


@pytest.mark.parametrize("instances", ["per-call", "pool(2)"])
def test_every_instance_of_a_generation_has_its_content(modrack: Modrack, instances: str) -> None:
    """No edit that nobody swapped in reaches a slot, be it whole, broken, or that the files are gone."""
    modrack.write("m.py", MODULE)
    modrack.write("rates.py", "RATE = 1\n")

    def calls(server: Server) -> set[str]:
        with ThreadPoolExecutor(2) as two:
            return {*two.map(lambda _: answer(server, "both"), range(2)), answer(server), answer(server)}

    with serving(rack(modrack, instances)) as server:
        assert answer(server) == "one, 1"
        modrack.write("m.py", OTHER)
        modrack.write("rates.py", "RATE = 2\n")
        assert calls(server) == {"one, 1"}
        modrack.write("m.py", "def version(:\n")
        assert calls(server) == {"one, 1"}
        assert server.change("/v1/slots/lab/swap").code == "M0302"
        assert calls(server) == {"one, 1"}
        for name in ("m.py", "rates.py"):
            (modrack.folder / name).unlink()
        assert calls(server) == {"one, 1"}
        modrack.write("m.py", OTHER)
        modrack.write("rates.py", "RATE = 2\n")
        assert server.change("/v1/slots/lab/swap").status == 200
        assert calls(server) == {"two, 2"}
        modrack.write("rates.py", "RATE = 3\n")
        assert server.change("/v1/slots/lab/rollback").status == 200
        assert calls(server) == {"one, 1"}


LATE = """
def version() -> str:
    return "one"

def late() -> str:
    {late}
    return rate()
"""
INIT = "from .rates import rate\n"
RATE = "def rate() -> str:\n    return {!r}\n"


def edited(folder: Path) -> None:
    """The neighbour is edited."""
    (folder / "tax.py").write_text(RATE.format("new"))


def gone(folder: Path) -> None:
    """The neighbour is gone."""
    (folder / "tax.py").unlink()


def package_now(folder: Path) -> None:
    """The neighbour is a package by now, which comes before a file."""
    (folder / "tax").mkdir()
    (folder / "tax" / "__init__.py").write_text(RATE.format("new"))


def edited_inside(folder: Path) -> None:
    """What stands in a folder is edited, and the folder is a package by now."""
    (folder / "tax" / "rates.py").write_text(RATE.format("new"))
    (folder / "tax" / "__init__.py").write_text("raise RuntimeError('this is of the new one')\n")


def gone_inside(folder: Path) -> None:
    """The folder is gone."""
    shutil.rmtree(folder / "tax")


# How the module is named, the files beside it, how it imports, and what is done to its files.
CASES: dict[str, tuple[str, dict[str, str], str, Callable[[Path], None]]] = {
    "edited": ("m.py", {"tax.py": ""}, "from tax import rate", edited),
    "gone": ("m.py", {"tax.py": ""}, "from tax import rate", gone),
    "package by now": ("m.py", {"tax.py": ""}, "import tax; rate = tax.rate", package_now),
    "folder": ("m.py", {"tax/rates.py": ""}, "from tax.rates import rate", edited_inside),
    "folder gone": ("m.py", {"tax/rates.py": ""}, "import tax.rates; rate = tax.rates.rate", gone_inside),
    "package": (
        "m.py",
        {"tax/__init__.py": "from .rates import rate\n", "tax/rates.py": ""},
        "from tax import rate",
        edited_inside,
    ),
    "by name": ("pkg/", {"pkg/tax.py": ""}, "import importlib; rate = importlib.import_module('pkg.tax').rate", edited),
    "relative": ("pkg/", {"pkg/tax.py": ""}, "from .tax import rate", gone),
    "of a package": ("pkg/m.py", {"pkg/__init__.py": "", "pkg/tax.py": ""}, "from . import tax; rate = tax.rate", gone),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("goes_back", [False, True], ids=["not swapped", "gone back to"])
def test_what_is_imported_late_is_of_the_same_content(modrack: Modrack, case: str, goes_back: bool) -> None:
    """A generation that imports a file of its own only when it is called has the one that it was read with."""
    use, files, late, change = CASES[case]
    own = "pkg/__init__.py" if use == "pkg/" else use
    modrack.write(own, LATE.format(late=late))
    for name, text in files.items():
        modrack.write(name, text or RATE.format("old"))
    with serving(rack(modrack, "shared", f"./{use}")) as server:
        assert answer(server) == "one"
        change((modrack.folder / own).parent)
        if goes_back:
            modrack.write(own, "def version() -> str:\n    return 'two'\n")
            assert server.change("/v1/slots/lab/swap").status == 200
            assert answer(server) == "two"
            assert server.change("/v1/slots/lab/rollback").status == 200
        assert answer(server) == "one"
        assert answer(server, "late") == "old"


def test_a_process_of_a_pool_imports_late_what_its_parent_was_read_with(modrack: Modrack) -> None:
    """What a child process has of a generation is of the same content."""
    modrack.write(
        "m.py",
        """
        import multiprocessing

        def _work(number: int) -> str:
            from tax import rate
            return rate() * number

        def ready() -> str:
            return "ready"

        def version() -> str:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                return pool.map(_work, [2])[0]
        """,
    )
    modrack.write("tax.py", RATE.format("old"))
    with serving(rack(modrack, "shared")) as server:
        assert answer(server, "ready") == "ready"
        edited(modrack.folder)
        assert answer(server) == "oldold"


def test_what_has_not_started_is_as_it_is_when_it_starts(modrack: Modrack) -> None:
    """That a slot was read does not keep an edit out that came before its first call."""
    modrack.write("m.py", MODULE)
    modrack.write("rates.py", "RATE = 1\n")
    modrack.write("rack.yaml", "rack: 1\nslots:\n  lab: { use: ./m.py, lazy: true }\n")
    with serving(modrack) as server:
        assert server.ask("GET", "/v1/slots/lab").json["state"] == "empty"
        modrack.write("rates.py", "RATE = 2\n")
        assert answer(server) == "one, 2"


def test_a_file_that_belongs_to_nobody_is_as_it_is_now(modrack: Modrack) -> None:
    """What a module names only when it runs, and what it opens, is no content of it."""
    modrack.write(
        "m.py",
        "import importlib, pathlib\n"
        "def version() -> str:\n"
        "    return importlib.import_module('pl' + 'ug').NAME + pathlib.Path(__file__).with_name('data').read_text()\n",
    )
    with serving(rack(modrack, "per-call")) as server:
        for word in ("one", "two"):
            modrack.write("plug.py", f"NAME = {word!r}\n")
            modrack.write("data", word)
            assert answer(server) == word * 2


def test_a_traceback_has_the_lines_that_were_run(modrack: Modrack) -> None:
    """The place of a failure is told by the old source, as long as that is what runs."""
    modrack.write("m.py", "def version() -> str:\n    raise ValueError('old')  # as it was\n")
    with serving(rack(modrack, "shared")) as server:
        assert "# as it was" in server.call("lab", "version").json["error"]["traceback"]
        modrack.write("m.py", "# A line more.\n\ndef version() -> str:\n    raise ValueError('new')  # as it is\n")
        failed = server.call("lab", "version").json["error"]
        assert "    raise ValueError('old')  # as it was\n" in failed["traceback"]
        assert server.change("/v1/slots/lab/swap").status == 200
        assert "    raise ValueError('new')  # as it is\n" in server.call("lab", "version").json["error"]["traceback"]
