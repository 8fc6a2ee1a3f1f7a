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
