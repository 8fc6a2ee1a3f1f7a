"""A server that watches, and steps that it is taken through: what is done to its files, and all that it tells.

That nothing else is told is seen by a save of a slot of its own, whose event has to be the next.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import Modrack
from saves import Do, save
from served import Events, Server, hearing, serving

TOLD = "swap.swapped,swap.failed,swap.rolled-back,configuration.*,module.unloaded,module.mended,module.lost,warning"


@dataclass(frozen=True)
class Step:
    """Something that is done in the rack's folder, what is told of it, and what the slots answer then.

    Who answers is a slot, whose `f` is called, or a slot, a function and what that is given.
    """

    do: Do
    told: Sequence[str]
    answers: Mapping[str | tuple[Any, ...], Any] = field(default_factory=dict)


def gives(value: object) -> str:
    """A module whose `f` gives this."""
    return f"def f():\n    return {value!r}\n"


def rack(*slots: str, more: str = "") -> str:
    """A rack with these slots, and the one that shows that nothing else is told."""
    lines = [f"  {slot}\n" for slot in (*slots, "other: ./other.py")]
    return f"rack: 1\nslots:\n{''.join(lines)}{more}"


ONE = "import helper\n\ndef f():\n    return helper.v\n"
TWO = rack("one: ./one.py", "two: ./two.py")
FILES = {"rack.yaml": TWO, "one.py": ONE, "helper.py": "v = 1\n", "two.py": gives(1), "other.py": gives(0)}
# What can be saved at one moment.
MOUNTED = {name: text for name, text in FILES.items() if name != "other.py"}


@dataclass
class Watching:
    """A server that watches, and what it tells."""

    server: Server
    events: Events
    folder: Path
    others: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def told(self) -> str:
        """The next event, in a line."""
        return line(self.events.next(), self.folder)

    def take(self, step: Step) -> None:
        """Does it, and asserts what is told of it, and that nothing else is."""
        before = self.status()
        step.do(self.folder)
        for wanted in step.told:
            self.tells(wanted)
        self.tells_nothing_else(is_looked_at=bool(step.told))
        swapped = {slot for told in step.told if told.startswith("swapped ") for slot in told.split()[1:]}
        after = self.status()
        stay = (before.keys() & after.keys()) - swapped - {"other"}
        lazy = {slot for slot in stay if before[slot][0] is None}
        assert not [slot for slot in stay - lazy if after[slot] != before[slot]], f"{before}\n{after}"
        assert not [slot for slot in swapped & before.keys() if after[slot][0] == before[slot][0]], f"{before}\n{after}"
        for who, wanted in step.answers.items():
            asked = (who, "f") if isinstance(who, str) else who
            answer = self.server.call(*asked)
            assert answer.status == 200, f"{who}: {answer.text}"
            assert answer.json["result"] == wanted, f"{who}: {answer.text}, not {wanted}"

    def tells_nothing_else(self, is_looked_at: bool = True) -> None:
        """The slot of its own is saved, and what is told next is of it."""
        save("other.py", gives(next(self.others)))(self.folder)
        self.tells("swapped other")
        if not is_looked_at:
            # What was saved just before may have been looked at together with it, the rack's text as well.
            save("other.py", gives(next(self.others)))(self.folder)
            told = self.told()
            if told == "changed +[] ~[other] -[]":
                told = self.told()
            assert told == "swapped other", told

    def tells(self, wanted: str) -> None:
        """The next event is this one."""
        told = self.told()
        assert told == wanted, f"{told!r}, not {wanted!r}"

    def forgets(self, value: int) -> None:
        """Hears of nothing that was told until `two` gives this."""
        self.server.until(lambda: self.server.call("two", "f").json["result"] == value)
        save("other.py", gives(-value))(self.folder)
        self.server.until(lambda: self.server.call("other", "f").json["result"] == -value)
        generation = self.status()["other"][0]
        while not any(
            slot["generation"] == generation for slot in self.events.next()["fields"].get("slots", []) if "hash" in slot
        ):
            pass

    def status(self) -> dict[str, tuple[Any, Any]]:
        """The generation and the content of each slot."""
        slots = self.server.ask("GET", "/v1/status").json["slots"]
        return {slot["slot"]: (slot["generation"], slot["hash"]) for slot in slots}


def line(told: dict[str, Any], folder: Path) -> str:
    """What is told, in a line."""
    fields, slot = told["fields"], told["slot"]

    def failure() -> str:
        place = fields["error"].get("place", {})
        file = Path(place["file"]).relative_to(folder.resolve()) if place else ""
        at = [str(part) for part in (file, place.get("line"), place.get("column")) if part]
        return " ".join([fields["error"]["code"], ":".join(at)]).strip()

    match told["event"]:
        case "swap.swapped":
            return "swapped " + " ".join(each["slot"] for each in fields["slots"])
        case "swap.failed":
            return f"failed {slot} {fields['step']} {failure()}"
        case "configuration.changed":
            added, changed, removed = (",".join(fields[key]) for key in ("added", "changed", "removed"))
            return f"changed +[{added}] ~[{changed}] -[{removed}]"
        case "configuration.refused":
            return f"refused {failure()}"
        case "warning":
            return f"warning {failure()}"
        case event:
            return f"{event} {slot}" if slot else str(event)


@contextmanager
def watching(modrack: Modrack, files: Mapping[str, str]) -> Iterator[Watching]:
    """A server that watches these files, and those that all have."""
    for name, text in {**FILES, **files}.items():
        save(name, text)(modrack.folder)
    with serving(modrack, "--watch") as server, hearing(server, TOLD) as events:
        assert server.started["event"] == "ready", server.started
        yield Watching(server, events, modrack.folder)
        assert server.stop()[0] == 0
