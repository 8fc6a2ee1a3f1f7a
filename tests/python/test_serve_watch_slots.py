"""What becomes of a slot whose files are saved while it is served: not of half a file, and of all of a whole one."""

from __future__ import annotations

import itertools
import time

import pytest

from harness import Modrack
from saves import edit, mount, nothing, save, touch
from served import hearing, serving
from watched import FILES, MOUNTED, TOLD, Step, Watching, gives, rack, watching

# The first part of a file, the rest of it, and whether the first part alone is a module.
HALVES = {
    "that-parses": ("def f():\n    return {}\n", "\ndef g():\n    return f()\n"),
    "that-does-not": ("def f():\n    return [{}\n", "    ][0]\n"),
}
# Half of the time after which a file that is left open is taken as it is.
SOON = 0.25


@pytest.mark.parametrize("half", HALVES)
def test_half_a_file_is_not_taken_while_it_is_written(modrack: Modrack, half: str) -> None:
    """Whoever writes has it open: other files are seen meanwhile, and this one when it is closed."""
    first, rest = HALVES[half]
    with watching(modrack, {}) as watched:
        for value in itertools.count(2):
            began = time.monotonic()
            with (modrack.folder / "two.py").open("w", encoding="utf-8") as file:
                file.write(first.format(value))
                file.flush()
                save("other.py", gives(value))(modrack.folder)
                told = watched.told()
                answer = watched.server.call("two", "f").json["result"]
                in_time = time.monotonic() - began < SOON
                file.write(rest)
            if in_time:
                break
            # Too slow to say anything: what was left open was looked at.
            watched.forgets(value)
            assert value < 10, "this machine is too slow for anything"
        assert (told, answer) == ("swapped other", value - 1)
        watched.tells("swapped two")
        assert watched.server.call("two", "f").json["result"] == value
        watched.tells_nothing_else()


def test_what_does_not_parse_is_waited_for(modrack: Modrack) -> None:
    """Saved in two halves, one shortly after the other, it is whole when it is taken, and nothing has failed."""
    first, rest = HALVES["that-does-not"]
    with watching(modrack, {}) as watched:
        for value in itertools.count(2):
            began = time.monotonic()
            save("two.py", first.format(value))(modrack.folder)
            answers = []
            # Longer than files have to be left alone before they are looked at.
            while time.monotonic() - began < SOON / 4:
                answers.append(watched.server.call("two", "f").json["result"])
            in_time = time.monotonic() - began < SOON
            save("two.py", first.format(value) + rest)(modrack.folder)
            if in_time:
                break
            watched.forgets(value)
            assert value < 10, "this machine is too slow for anything"
        assert set(answers) == {value - 1}
        watched.tells("swapped two")
        assert watched.server.call("two", "f").json["result"] == value
        watched.tells_nothing_else()


# A module with all that is known to be held on to by an edit that is less than a new load.
BEFORE = """
import dataclasses
import enum
import pickle

import helper

LIMIT = 1

class _Cache(dict):
    def __del__(self):
        open("freed", "a").close()

CACHE = _Cache(v=helper.v)

class Gone:
    pass

class Color(enum.Enum):
    RED = 1
    OLD = 2

@dataclasses.dataclass
class Point:
    x: int = LIMIT

def gone():
    return 1

def scaled(x, by=LIMIT):
    return x * by

def counter():
    limit = LIMIT
    return lambda: limit

up = counter()

def show():
    point, red = pickle.loads(pickle.dumps((Point(), Color.RED)))
    return {
        "names": sorted({"CACHE", "Gone", "gone", "LIMIT", "OTHER"} & set(globals())),
        "colors": [color.name for color in Color],
        "point": dataclasses.asdict(point),
        "are new": type(point) is Point and red is Color.RED and isinstance(Point(), Point),
        "scaled": scaled(2),
        "up": up(),
        "helper": helper.v,
    }
"""
AFTER = (
    BEFORE.replace("LIMIT = 1", "LIMIT = 3")
    .replace("OLD = 2", "NEW = 2")
    .replace("x: int = LIMIT", "x: int = LIMIT\n    y: int = 0")
    .replace("CACHE = _Cache(v=helper.v)", "OTHER = helper.more")
    .replace("class Gone:\n    pass\n", "")
    .replace("def gone():\n    return 1\n", "")
)


def test_an_edit_that_is_seen_is_a_new_load(modrack: Modrack) -> None:
    """Names that went are gone, all kinds of things are the new ones, and what the old code held is let go."""
    files = {"one.py": BEFORE, "rack.yaml": rack("one: { use: ./one.py, swap: { trial: { for: 0s } } }")}
    shown = {
        "names": ["CACHE", "Gone", "LIMIT", "gone"],
        "colors": ["RED", "OLD"],
        "point": {"x": 1},
        "are new": True,
        "scaled": 2,
        "up": 1,
        "helper": 1,
    }
    new = {
        "names": ["LIMIT", "OTHER"],
        "colors": ["RED", "NEW"],
        "point": {"x": 3, "y": 0},
        "are new": True,
        "scaled": 6,
        "up": 3,
        "helper": 2,
    }
    before = {**MOUNTED, **files}
    after = {**before, "helper.py": "v = 2\nmore = 1\n", "one.py": AFTER}
    with watching(modrack, files) as watched:
        watched.take(Step(mount(1, before), [], {("one", "show"): shown}))
        with hearing(watched.server, "swap.retired,swap.held") as ends:
            watched.take(Step(mount(2, after), ["swapped one"], {("one", "show"): new}))
            ended = ends.next()
            while ended["slot"] != "one":
                ended = ends.next()
            assert ended["event"] == "swap.retired"
        assert watched.server.call("one", "gone").status == 404
        watched.server.until((modrack.folder / "freed").exists)
        assert watched.server.ask("GET", "/v1/status").json["held"] == []


def test_what_was_gone_back_to_stays_until_its_files_are_saved(modrack: Modrack) -> None:
    """Saves of other files, and of the rack's text, do not bring back what somebody went back from."""
    with watching(modrack, {}) as watched:
        watched.take(Step(save("helper.py", "v = 2\n"), ["swapped one"], {"one": 2}))
        assert watched.server.change("/v1/slots/one/rollback").status == 200
        watched.tells("swap.rolled-back one")
        for step in [
            Step(save("two.py", gives(2)), ["swapped two"], {"one": 1, "two": 2}),
            Step(touch("helper.py"), [], {"one": 1}),
            Step(
                edit("rack.yaml", "  other", "  new: ./two.py\n  other"),
                ["swapped new", "changed +[new] ~[] -[]"],
                {"one": 1},
            ),
            Step(save("helper.py", "v = 3\n"), ["swapped one"], {"one": 3}),
        ]:
            watched.take(step)


def test_what_was_unloaded_is_not_loaded_by_a_save(modrack: Modrack) -> None:
    """The next call has what is there by then."""
    with watching(modrack, {}) as watched:
        assert watched.server.change("/v1/slots/two/unload").status == 200
        watched.tells("module.unloaded two")
        save("two.py", gives(2))(modrack.folder)
        watched.tells_nothing_else()
        assert watched.status()["two"] == (None, None)
        watched.take(Step(nothing, [], {"two": 2}))
        watched.take(Step(save("two.py", gives(3)), ["swapped two"], {"two": 3}))


def test_a_slot_that_did_not_start_starts_when_what_it_includes_is_mended(modrack: Modrack) -> None:
    """The server is ready then."""
    for name, text in {**FILES, "helper.py": "v = = 1\n"}.items():
        save(name, text)(modrack.folder)
    with serving(modrack, "--watch") as server, hearing(server, TOLD) as events:
        assert (server.started["event"], server.started["failed"]) == ("not-ready", ["one"])
        watched = Watching(server, events, modrack.folder)
        assert server.ask("GET", "/readyz").status == 503
        watched.take(Step(save("helper.py", "v = = = 2\n"), ["failed one match M0302 helper.py:1:5"], {"two": 1}))
        assert server.ask("GET", "/readyz").status == 503
        watched.take(Step(save("helper.py", "v = 2\n"), ["swapped one"], {"one": 2}))
        assert server.ask("GET", "/readyz").status == 200
        assert server.stop()[0] == 0
