"""What failed is tried again by each save of what serves, of what failed and of what that asked for, and else not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness import Modrack
from saves import each, edit, remove, save, touch
from served import hearing, serving
from watched import FILES, TOLD, Step, Watching, gives, rack, watching

Case = tuple[dict[str, str], list[Step]]

PACKAGE = {
    "rack.yaml": rack("one: ./pkg", "two: ./two.py"),
    "pkg/__init__.py": "from .part import v\n\ndef f():\n    return v\n",
    "pkg/part.py": "v = 1\n",
}
# It starts when there is a file that nobody watches.
OUTSIDE = "import pathlib\n\nif not pathlib.Path(__file__).with_name('up').exists():\n    raise OSError('down')\n\n"
# Each time that it is loaded it writes what it includes.
WRITES = (
    "import pathlib\n\npathlib.Path(__file__).with_name('made.py').write_text('v = 1\\n')\n\nimport made\n\n1 / 0\n"
)
DOWN = "failed two start M0401 two.py:4"
SAME = OUTSIDE + gives(2)

CASES: dict[str, Case] = {
    "a submodule that goes and comes back": (
        PACKAGE,
        [
            Step(remove("pkg/part.py"), ["failed one start M0401 pkg/__init__.py:1"], {"one": 1}),
            Step(save("pkg/part.py", "v = 2\n"), ["swapped one"], {"one": 2}),
            Step(save("pkg/part.py", "v = 3\n"), ["swapped one"], {"one": 3}),
            # As it was.
            Step(remove("pkg/part.py"), ["failed one start M0401 pkg/__init__.py:1"], {"one": 3}),
            Step(save("pkg/part.py", "v = 3\n"), ["module.mended one"], {"one": 3}),
            Step(save("pkg/part.py", "v = 4\n"), ["swapped one"], {"one": 4}),
        ],
    ),
    "a submodule that is imported first and written then": (
        PACKAGE,
        [
            Step(edit("pkg/__init__.py", ".part", ".newer"), ["failed one start M0401 pkg/__init__.py:1"], {"one": 1}),
            # What it asked for once it is there is asked for what that asks for.
            Step(
                save("pkg/newer.py", "from .deep.newest import v\n"),
                ["failed one start M0401 pkg/newer.py:1"],
                {"one": 1},
            ),
            Step(save("pkg/deep/newest.py", "v = 2\n"), ["swapped one"], {"one": 2}),
            Step(save("pkg/newer.py", "v = 3\n"), ["swapped one"], {"one": 3}),
        ],
    ),
    "a helper that is imported first and written then": (
        {},
        [
            Step(edit("one.py", "import helper", "import later as helper"), ["failed one start M0704 one.py:1"]),
            # What serves is watched as it was: so it is tried again, and has nothing of it.
            Step(save("helper.py", "v = 1\n"), ["failed one start M0704 one.py:1"], {"one": 1}),
            Step(save("later/__init__.py", "v = 2\n"), ["swapped one"], {"one": 2}),
            Step(save("later/__init__.py", "v = 3\n"), ["swapped one"], {"one": 3}),
            # It belongs to nobody any more.
            Step(save("helper.py", "v = 4\n"), [], {"one": 3}),
        ],
    ),
    "a slot that is declared first and written then": (
        {},
        [
            Step(
                edit("rack.yaml", "  other", "  new: ./new/\n  other"),
                ["failed new fetch M0201 rack.yaml:5:8", "refused M0201 rack.yaml:5:8"],
            ),
            Step(save("two.py", gives(2)), ["swapped two"], {"two": 2}),
            Step(
                edit("rack.yaml", "rack: 1", "rack: 1"),
                ["failed new fetch M0201 rack.yaml:5:8", "refused M0201 rack.yaml:5:8"],
            ),
            Step(
                save("new/__init__.py", "from .part import v\n\ndef f():\n    return v\n"),
                ["failed new start M0401 new/__init__.py:1", "refused M0401 new/__init__.py:1"],
            ),
            Step(save("new/part.py", "v = 5\n"), ["swapped new", "changed +[new] ~[] -[]"], {"new": 5}),
            Step(save("new/part.py", "v = 6\n"), ["swapped new"], {"new": 6}),
            Step(touch("new/part.py"), [], {"new": 6}),
            Step(touch("rack.yaml"), [], {"new": 6}),
        ],
    ),
    "a failure of the moment": (
        {},
        [
            Step(save("two.py", SAME), [DOWN], {"two": 1}),
            Step(save("two.py", SAME), [DOWN], {"two": 1}),
            # Nobody watches it: nothing is tried by itself.
            Step(save("up", ""), [], {"two": 1}),
            Step(save("two.py", SAME), ["swapped two"], {"two": 2}),
            Step(each(remove("up"), save("two.py", SAME)), [], {"two": 2}),
        ],
    ),
    "what is broken in the same way again": (
        {},
        [
            Step(save("two.py", "x = = 1\n"), ["failed two match M0302 two.py:1:5"], {"two": 1}),
            Step(save("two.py", gives(1)), ["module.mended two"], {"two": 1}),
            Step(save("two.py", "x = = 1\n"), ["failed two match M0302 two.py:1:5"], {"two": 1}),
            Step(save("two.py", "x = = 1\n"), ["failed two match M0302 two.py:1:5"], {"two": 1}),
            Step(save("two.py", gives(2)), ["swapped two"], {"two": 2}),
        ],
    ),
    "a module that writes what it includes": (
        {"made.py": "v = 1\n"},
        [
            Step(save("two.py", WRITES), ["failed two start M0401 two.py:7"], {"two": 1}),
            Step(save("two.py", gives(2)), ["swapped two"], {"two": 2}),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.replace(" ", "-"))
def test_what_failed_is_tried_again_by_a_save_and_by_nothing_else(modrack: Modrack, case: str) -> None:
    """In each step exactly that is told, and the slots answer with what serves."""
    files, steps = CASES[case]
    with watching(modrack, files) as watched:
        for step in steps:
            watched.take(step)


def test_a_slot_whose_file_is_missing_starts_when_it_comes(modrack: Modrack) -> None:
    """And the server, which was not ready, says that it is."""
    for name, text in FILES.items():
        if name != "two.py":
            save(name, text)(modrack.folder)
    with serving(modrack, "--watch") as server, hearing(server, TOLD + ",rack.ready") as events:
        assert (server.started["event"], server.started["failed"]) == ("not-ready", ["two"])
        watched = Watching(server, events, modrack.folder)
        watched.take(Step(save("two.py", "x = = 1\n"), ["failed two match M0302 two.py:1:5"], {"one": 1}))
        assert server.ask("GET", "/readyz").status == 503
        watched.take(Step(save("two.py", gives(2)), ["swapped two", "rack.ready"], {"one": 1, "two": 2}))
        assert server.ask("GET", "/readyz").status == 200
        assert server.process.stdout is not None
        assert json.loads(server.process.stdout.readline()) == {"event": "ready"}
        assert server.stop()[0] == 0


def standing(watched: Watching) -> dict[str, Any]:
    """What was refused, of the rack and of its slots: where it is and why."""

    def why(refused: Any) -> Any:
        if refused is None:
            return None
        assert refused["at"], refused
        place = refused["error"]["place"] or {"file": "", "line": None}
        return refused["error"]["code"], place["file"].rsplit("/", 1)[-1], place["line"]

    status = watched.server.ask("GET", "/v1/status").json
    refused = {slot["slot"]: why(slot["refused"]) for slot in status["slots"]}
    return {name: said for name, said in {**refused, "": why(status["refused"])}.items() if said}


def test_status_says_what_was_refused_until_it_is_mended_or_put_back(modrack: Modrack) -> None:
    """Of the rack's text and of each slot: in JSON, and in the words of the command."""
    with watching(modrack, {}) as watched:
        assert standing(watched) == {}
        watched.take(Step(save("two.py", "x = = 1\n"), ["failed two match M0302 two.py:1:5"]))
        assert standing(watched) == {"two": ("M0302", "two.py", 1)}
        watched.take(
            Step(edit("rack.yaml", "one: ./one.py", "one: { uze: ./one.py }"), ["refused M0104 rack.yaml:3:10"])
        )
        assert standing(watched) == {"two": ("M0302", "two.py", 1), "": ("M0104", "rack.yaml", 3)}
        said = modrack("status").stdout
        assert "[M0104] rack.yaml:3:10: " in said, said
        assert "refused: [M0302] two.py:1:5: " in said, said
        watched.take(Step(save("two.py", gives(1)), ["module.mended two"]))
        watched.take(Step(save("rack.yaml", FILES["rack.yaml"]), ["configuration.mended"]))
        assert standing(watched) == {}
        assert "refused" not in modrack("status").stdout
        # Mended to something else.
        watched.take(Step(save("two.py", "1 / 0\n"), ["failed two start M0401 two.py:1"]))
        assert standing(watched) == {"two": ("M0401", "two.py", 1)}
        watched.take(Step(save("two.py", gives(3)), ["swapped two"], {"two": 3}))
        assert standing(watched) == {}


def test_status_knows_what_was_refused_where_nobody_watches(modrack: Modrack) -> None:
    """It was asked for; that it is put back is seen when it is asked how the rack stands."""
    for name, text in FILES.items():
        save(name, text)(modrack.folder)
    with serving(modrack) as server, hearing(server, TOLD) as events:
        watched = Watching(server, events, modrack.folder)
        save("two.py", "x = = 1\n")(modrack.folder)
        assert server.change("/v1/slots/two/swap").status == 409
        assert standing(watched) == {"two": ("M0302", "two.py", 1)}
        save("two.py", gives(1))(modrack.folder)
        assert standing(watched) == {}
        # Something else that somebody asked for is none of the slot's.
        assert server.change("/v1/slots/two/swap", {"use": "./none.py"}).status == 409
        assert standing(watched) == {}
        save("rack.yaml", "rack: [")(modrack.folder)
        assert server.change("/v1/reload").status == 409
        assert list(standing(watched)) == [""]
        save("rack.yaml", FILES["rack.yaml"])(modrack.folder)
        assert standing(watched) == {}
        assert server.change("/v1/reload").status == 200
        assert server.stop()[0] == 0


def test_a_failure_is_told_with_its_place_its_hint_and_the_end_of_its_traceback(modrack: Modrack) -> None:
    """In the fields of its event, and below its line."""
    for name, text in FILES.items():
        save(name, text)(modrack.folder)
    with serving(modrack, "--watch") as server, hearing(server, TOLD) as events:
        save("two.py", "def g():\n    1 / 0\n\ng()\n")(modrack.folder)
        started = events.next()["fields"]["error"]
        edit("rack.yaml", "one: ./one.py", "one: { uze: ./one.py }")(modrack.folder)
        text = events.next()["fields"]["error"]
        status, _, said = server.stop()
    assert status == 0
    assert (started["place"]["line"], started["place"]["file"]) == (2, str(modrack.folder.resolve() / "two.py"))
    assert "ZeroDivisionError" in started["traceback"]
    assert "line 4" in started["traceback"]
    assert (text["place"]["line"], text["place"]["column"], text["place"]["key"]) == (3, 10, "slots.one.uze")
    lines = said.splitlines()
    below = lines[next(at for at, line in enumerate(lines) if "swap.failed" in line) :]
    assert "two.py:2: " in below[0], said
    assert any(line.startswith("    ") and "line 4" in line for line in below), said
    assert f"  hint: {started['hint']}" in below, said
    assert f"  hint: {text['hint']}" in below, said
