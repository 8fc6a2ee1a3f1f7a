"""How Python modules serve calls by `instances`, and what comes back through several slots."""

from __future__ import annotations

import pytest

from harness import Modrack

COUNTER = """
class Counter:
    def __init__(self):
        self.count = 0

    def next(self) -> int:
        self.count += 1
        return self.count
"""

CALLER = """
class Caller:
    def __init__(self, counter):
        self.counter = counter

    def thrice(self) -> list:
        return [self.counter.next() for _ in range(3)]
"""


@pytest.mark.parametrize(
    ("instances", "counts"),
    [("shared", [1, 2, 3]), ("one", [1, 2, 3]), ("pool(2)", [1, 2, 3]), ("per-call", [1, 1, 1])],
)
def test_instances(modrack: Modrack, instances: str, counts: list[int]) -> None:
    """State lives as long as its instance."""
    (modrack.folder / "counter.py").write_text(COUNTER)
    (modrack.folder / "caller.py").write_text(CALLER)
    (modrack.folder / "rack.yaml").write_text(
        "rack: 1\nslots:\n"
        f"  counter: {{ use: ./counter.py, instances: {instances} }}\n"
        "  caller: { use: ./caller.py, needs: { counter: counter } }\n"
    )
    assert modrack("--json", "call", "caller", "thrice").json == counts
    assert modrack("--json", "inspect", "counter").json["instances"] == instances


def test_attributes_are_of_one_instance(modrack: Modrack) -> None:
    """A pool has no attributes."""
    (modrack.folder / "counter.py").write_text(COUNTER)
    (modrack.folder / "rack.yaml").write_text("rack: 1\nslots:\n  counter: { use: ./counter.py, instances: pool(2) }\n")
    modrack.fails("M0110", "get", "counter", "count", status=2)


def test_stages_of_a_pool_run(modrack: Modrack) -> None:
    """A stage whose instances take one call at a time gives what a shared one gives."""
    (modrack.folder / "double.py").write_text("def double(row: dict) -> dict:\n    return {**row, 'a': row['a'] * 2}\n")
    (modrack.folder / "in.csv").write_text("a\n1\n2\n")
    (modrack.folder / "rack.yaml").write_text(
        "rack: 1\nslots:\n  double: { use: ./double.py, instances: pool(2) }\n"
        "pipelines:\n  p:\n    source: { csv: in.csv }\n"
        "    stages:\n      - double\n      - { use: ./double.py, name: again }\n"
        "      - { use: ./double.py, name: less, limits: { output: 1MiB } }\n"
        "    sink: { csv: out.csv }\n"
    )
    ran = modrack("run", "p", "--stats")
    assert (modrack.folder / "out.csv").read_text() == "a\n8\n16\n"
    assert "no table was copied between modules" in ran.stderr


LIMITED = """
def give() -> str:
    return "x" * 100
"""

ASKS = """
class Asks:
    def __init__(self, inner):
        self.inner = inner

    def plainly(self):
        return self.inner.give()

    def wrapped(self):
        try:
            return self.inner.give()
        except Exception as why:
            raise ValueError("no answer") from why
"""


def test_a_failure_keeps_what_each_slot_said(modrack: Modrack) -> None:
    """What a slot failed with comes through the module that called it, code, slot and causes."""
    (modrack.folder / "limited.py").write_text(LIMITED)
    (modrack.folder / "asks.py").write_text(ASKS)
    (modrack.folder / "rack.yaml").write_text(
        "rack: 1\nslots:\n  inner: { use: ./limited.py, limits: { output: 10B } }\n"
        "  outer: { use: ./asks.py, needs: { inner: inner } }\n"
    )
    plainly = modrack("--json", "call", "outer", "plainly", code=None)
    error = plainly.json["error"]
    # A limit that was reached inside was reached by the whole call.
    assert (error["code"], error["slot"]) == ("M0512", "outer")
    assert [(cause["slot"], cause["message"]) for cause in error["causes"]] == [
        ("inner", "`give` gave 100 bytes, and 10 are allowed")
    ]
    assert "plainly" in error["traceback"]
    wrapped = modrack("--json", "call", "outer", "wrapped", code=None).json["error"]
    assert (wrapped["code"], wrapped["slot"]) == ("M0504", "outer")
    assert [cause["slot"] for cause in wrapped["causes"]] == [None, "inner"]


def test_calls_too_deep_are_refused_and_the_stack_survives(modrack: Modrack) -> None:
    """A module that comes back to itself through a slot ends by the limit, not by the stack."""
    (modrack.folder / "deep.py").write_text(
        "class Deep:\n"
        "    def __init__(self, via=None):\n        self.via = via\n"
        "    def go(self, via, left: int):\n        return via.go(via, left + 1)\n"
        "    def begin(self):\n        return self.via.go(self.via, 0)\n"
    )
    (modrack.folder / "rack.yaml").write_text(
        "rack: 1\nslots:\n  inner: { use: ./deep.py }\n  outer: { use: ./deep.py, needs: { via: inner } }\n"
    )
    modrack.fails("M0514", "call", "outer", "begin")


def test_a_coroutine_does_not_wait_for_the_instance_it_is_in(modrack: Modrack) -> None:
    """A call goes on as one chain on the thread that runs coroutines, and on threads with their context."""
    (modrack.folder / "one.py").write_text(
        "import asyncio\n"
        "class One:\n"
        "    async def here(self, back):\n        return back.again()\n"
        "    async def there(self, back):\n        return await asyncio.to_thread(back.again)\n"
        "    def again(self) -> int:\n        return 1\n"
    )
    (modrack.folder / "begin.py").write_text(
        "class Begin:\n"
        "    def __init__(self, one):\n        self.one = one\n"
        "    def here(self):\n        return self.one.here(self.one)\n"
        "    def there(self):\n        return self.one.there(self.one)\n"
    )
    for instances, code in [("one", "M0511"), ("pool(2)", None)]:
        (modrack.folder / "rack.yaml").write_text(
            f"rack: 1\nslots:\n  one: {{ use: ./one.py, instances: {instances} }}\n"
            "  begin: { use: ./begin.py, needs: { one: one } }\n"
        )
        for function in ("here", "there"):
            if code is None:
                assert modrack("--json", "call", "begin", function).json == 1
            else:
                ran = modrack("--json", "call", "begin", function, code=1).json["error"]
                assert "M0511" in ran["message"]


READING = """
class Reading:
    def __init__(self):
        self.open = True

    def numbers(self):
        for number in range(3):
            assert self.open, "it is shut down"
            got = yield number
            if got:
                yield got

    def mapped(self):
        return map(self.number, range(3))

    def other(self):
        return Other(self)

    async def later(self):
        for number in range(3):
            yield self.number(number)

    def number(self, number):
        assert self.open, "it is shut down"
        return number

    def consume(self, numbers):
        return [self.number(number) for number in numbers]

    def shutdown(self):
        self.open = False


class Other:
    def __init__(self, reading):
        self.numbers = iter(range(3))
        self.reading = reading

    def __iter__(self):
        return self

    def __next__(self):
        return self.reading.number(next(self.numbers))
"""

READER = """
import types


class Reader:
    def __init__(self, reading):
        self.reading = reading

    def numbers(self):
        numbers = self.reading.numbers()
        assert isinstance(numbers, types.GeneratorType)
        return list(numbers)

    def mapped(self):
        return list(self.reading.mapped())

    def other(self):
        return list(self.reading.other())

    async def later(self):
        return [number async for number in self.reading.later()]

    def sent(self):
        numbers = self.reading.numbers()
        return [next(numbers), numbers.send(7), next(numbers)]

    def thrown(self):
        numbers = self.reading.numbers()
        next(numbers)
        try:
            numbers.throw(KeyError("mine"))
        except KeyError as error:
            numbers.close()
            return [*error.args, *numbers]

    def back(self):
        return self.reading.consume(self.reading.numbers())

    def between(self):
        given = []
        for number in self.reading.numbers():
            given.append(self.reading.number(number))
        return given
"""


@pytest.mark.parametrize("instances", ["shared", "one", "pool(2)", "per-call"])
@pytest.mark.parametrize(
    ("how", "given"),
    [
        ("numbers", [0, 1, 2]),
        ("mapped", [0, 1, 2]),
        ("other", [0, 1, 2]),
        ("later", [0, 1, 2]),
        ("sent", [0, 7, 1]),
        ("thrown", ["mine"]),
        ("back", [0, 1, 2]),
        ("between", [0, 1, 2]),
    ],
)
def test_a_stream_is_read_while_its_instance_is_there(
    modrack: Modrack, instances: str, how: str, given: list[object]
) -> None:
    """What yields gives its values to another module as it would within its own, however it is asked."""
    (modrack.folder / "reading.py").write_text(READING)
    (modrack.folder / "reader.py").write_text(READER)
    (modrack.folder / "rack.yaml").write_text(
        f"rack: 1\nslots:\n  reading: {{ use: ./reading.py:Reading, instances: {instances} }}\n"
        "  reader: { use: ./reader.py, needs: { reading: reading } }\n"
    )
    assert modrack("--json", "call", "reader", how).json == given
    if how in ("numbers", "mapped", "other", "later"):
        assert modrack("--json", "call", "reading", how).json == given


TURNS = """
import threading


class Turns:
    def __init__(self):
        self.inside = 0
        self.most = 0

    def step(self):
        self.inside += 1
        self.most = max(self.most, self.inside)
        total = sum(range(2000))
        self.inside -= 1
        return total

    def steps(self):
        for _ in range(300):
            yield self.step()

    def seen(self) -> int:
        return self.most
"""

AT_ONCE = """
import sys
import threading


class AtOnce:
    def __init__(self, turns):
        self.turns = turns

    def run(self) -> int:
        sys.setswitchinterval(1e-5)
        threads = [threading.Thread(target=lambda: list(self.turns.steps())) for _ in range(3)]
        threads.append(threading.Thread(target=lambda: [self.turns.step() for _ in range(300)]))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.turns.seen()
"""


def test_what_generators_are_asked_for_is_one_call_at_a_time(modrack: Modrack) -> None:
    """An instance that takes one call at a time runs nothing of its generators meanwhile."""
    (modrack.folder / "turns.py").write_text(TURNS)
    (modrack.folder / "at_once.py").write_text(AT_ONCE)
    (modrack.folder / "rack.yaml").write_text(
        "rack: 1\nslots:\n  turns: { use: ./turns.py, instances: one }\n"
        "  at_once: { use: ./at_once.py, needs: { turns: turns } }\n"
    )
    assert modrack("--json", "call", "at_once", "run").json == 1
