"""A server that is killed while clients swap, and what the next one serves: the last good set, and no mixture.

`MODRACK_SEED` chooses what is swapped and when the server dies. It is printed, and stands in every failure's message;
with it the same moments are chosen again.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from test_swaps_command import hundred

from harness import HANGS_AFTER, Modrack, Ran
from languages import module
from served import Server, serving

KILLS = 30

RACK = """
    rack: 1
    slots:
      a: {{ use: ./m1.py, swap: {{ trial: {{ for: 0s }} }} }}
      b: {{ use: ./m1.py }}
      lab: {{ use: {use} }}
    """

# What is wrong with a module in Python, if anything: `swap` finds it at the step `match`, at `start`, or not at all.
FAULTS = ["", "", "", "x = = 1\n", "raise OSError('no port')\n"]


@dataclass
class Swap:
    """A swap that a client asks for."""

    number: int
    slots: tuple[str, ...]
    words: list[str]
    is_broken: bool
    gives: int
    hashes: dict[str, str] = field(default_factory=dict)

    @property
    def why(self) -> str:
        """By what it is found in the history."""
        return f"swap {self.number}"


@dataclass
class World:
    """The rack, and what is known to serve in it."""

    modrack: Modrack
    random: Random
    uses: tuple[str, str]
    number: int = 1
    serves: dict[str, int] = field(default_factory=lambda: {"a": 1, "b": 1, "lab": 3})
    hashes: dict[str, str] = field(default_factory=dict)
    # How each swap was answered, by its `why`: `done`, `failed`, or nothing.
    answered: dict[str, str] = field(default_factory=dict)
    # How many swaps were cut off, by what became of them.
    cut_off: Counter[str] = field(default_factory=Counter)

    def next(self) -> Swap:
        """Another swap: of two slots together to a module in Python, or of one to a library or a component."""
        self.number += 1
        number = self.number
        if self.random.random() < 0.3:
            is_broken = self.random.random() < 0.3
            is_first = self.serves["lab"] == 3
            use = "./broken" + self.uses[0][self.uses[0].rindex(".") :] if is_broken else self.uses[is_first]
            return Swap(number, ("lab",), ["lab", use], is_broken, 103 if is_first else 3)
        fault = self.random.choice(FAULTS)
        self.modrack.write(f"m{number}.py", f"{fault}def f():\n    return {number}\n")
        use = f"./m{number}.py"
        return Swap(number, ("a", "b"), ["a", use, "--with", f"b={use}"], bool(fault), number)

    def words(self, swap: Swap) -> list[str]:
        """What the client is called with."""
        return ["swap", *swap.words, "--why", swap.why, "--json"]

    def ended(self, swap: Swap, ran: Ran) -> None:
        """Notes how a client was answered."""
        if ran.code == 0:
            assert not swap.is_broken, ran.show()
            self.came(swap, {slot["slot"]: slot["hash"] for slot in ran.json["slots"]})
            self.answered[swap.why] = "done"
        elif ran.json["error"]["code"] in {"M0812", "M0836"}:
            # The server died before it answered; or both clients found nobody, and one had the state.
            self.answered[swap.why] = ""
        else:
            assert swap.is_broken, ran.show()
            self.answered[swap.why] = "failed"

    def came(self, swap: Swap, hashes: dict[str, str]) -> None:
        """From now on it serves."""
        self.serves.update(dict.fromkeys(swap.slots, swap.gives))
        self.hashes.update(hashes)


def found(server: Server) -> dict[str, int]:
    """What each slot answers."""
    asked: dict[str, tuple[Any, ...]] = {"a": ("f",), "b": ("f",), "lab": ("add", 1, 2)}
    answers = {slot: server.call(slot, *words) for slot, words in asked.items()}
    assert {answer.status for answer in answers.values()} == {200}, answers
    return {slot: answer.json["result"] for slot, answer in answers.items()}


def check(world: World, server: Server, under_way: list[Swap]) -> None:
    """What serves after a kill is what was answered last, or what was under way; and the history says the same."""
    assert server.started["event"] == "ready", server.started
    serves = found(server)
    hashes = {slot["slot"]: slot["hash"] for slot in server.ask("GET", "/v1/status").json["slots"]}
    for swap in under_way:
        now = {serves[slot] for slot in swap.slots}
        assert len(now) == 1, f"a mixture: {serves}"
        is_new = now == {swap.gives}
        assert not (is_new and swap.is_broken), serves
        assert is_new or self_or(world, swap) == now, serves
        if is_new:
            world.came(swap, {slot: hashes[slot] for slot in swap.slots})
    assert serves == world.serves
    assert {slot: hashes[slot] for slot in world.hashes} == world.hashes
    entries = server.ask("GET", "/v1/history?most=1000").json["entries"]
    outcomes = {entry["why"]: entry["outcome"] for entry in entries if entry["why"].startswith("swap ")}
    assert {entry["outcome"] for entry in entries} <= {"done", "failed", "interrupted"}, entries
    for why, answer in world.answered.items():
        if answer:
            assert outcomes[why] == answer, (why, outcomes)
    for swap in under_way:
        if not world.answered[swap.why]:
            # What was not begun is not there; what was begun and not done is marked.
            outcome = outcomes.get(swap.why, "interrupted")
            world.cut_off[outcomes.get(swap.why, "not begun")] += 1
            is_new = {serves[slot] for slot in swap.slots} == {swap.gives}
            assert (outcome == "done") == is_new, (swap, outcome, serves)
            assert outcome != "failed" or swap.is_broken, swap


def self_or(world: World, swap: Swap) -> set[int]:
    """What served before a swap."""
    return {world.serves[slot] for slot in swap.slots}


@pytest.mark.once
@pytest.mark.parametrize("language", ["native", "wasm"])
def test_a_server_that_is_killed_is_followed_by_one_that_serves_the_last_good_set(
    modrack: Modrack, language: str
) -> None:
    """Whatever it was doing: swaps that were answered hold, what was under way is done or is not, and all of it."""
    seed = int(os.environ.get("MODRACK_SEED", "7"))
    print(f"MODRACK_SEED={seed}")
    use = module(modrack, language)
    modrack.write("rack.yaml", RACK.format(use=use))
    modrack.write("m1.py", "def f():\n    return 1\n")
    world = World(modrack, Random(seed), (use, hundred(modrack, language)))
    modrack.write("broken" + use[use.rindex(".") :], b"\x7fELF(component")
    under_way: list[Swap] = []
    took = 0.2
    for kill in range(KILLS + 1):
        with serving(modrack) as server:
            try:
                check(world, server, under_way)
                if kill == KILLS:
                    print(f"{world.number} swaps; cut off were {dict(world.cut_off)}")
                    assert server.stop()[0] == 0
                    break
                for _ in range(world.random.randrange(4)):
                    swap, began = world.next(), time.monotonic()
                    world.ended(swap, modrack(*world.words(swap), code=None))
                    took = time.monotonic() - began
                    assert world.answered[swap.why], "it was answered by nobody"
                assert found(server) == world.serves
                under_way = one_of_each(world)
                clients = [modrack.start(*world.words(swap)) for swap in under_way]
                until = time.monotonic() + (0.2 + 1.3 * world.random.random()) * took * len(clients)
                while time.monotonic() < until:
                    pass
                server.process.kill()
                server.process.wait(HANGS_AFTER)
                for swap, client in zip(under_way, clients, strict=True):
                    world.ended(swap, ran(client))
            except AssertionError as why:
                raise AssertionError(f"MODRACK_SEED={seed}, kill {kill}: {world.answered}") from why


def one_of_each(world: World) -> list[Swap]:
    """One swap, or two of different slots, which are done beside each other."""
    swaps = [world.next()]
    if world.random.random() < 0.5:
        other = world.next()
        swaps += [other] if other.slots != swaps[0].slots else []
    return swaps


def ran(client: subprocess.Popen[str]) -> Ran:
    """How a client ended."""
    stdout, stderr = client.communicate(timeout=HANGS_AFTER)
    return Ran(("swap",), client.returncode, stdout, stderr)
