"""Waits on the thread of the event loop for what only the event loop can end: refused, and never a hang."""

from __future__ import annotations

import pytest

from harness import Modrack

# What both modules see: they are loaded apart, but `threading` is one.
EVENTS = """
import asyncio
import threading

begun, asked = threading.__dict__.setdefault("events", (threading.Event(), threading.Event()))
"""

CALLER = """
class Caller:
    def __init__(self, slow):
        self.slow, self.answers = slow, []

    def first(self):
        self.answers.append(self.slow.run())

    async def go(self) -> list:
        thread = threading.Thread(target=self.first)
        thread.start()
        while not begun.is_set():
            await asyncio.sleep(0)
        asked.set()
        try:
            self.answers.append(self.slow.run())
        except Exception as error:
            self.answers.append(str(error))
        await asyncio.to_thread(thread.join)
        return [*self.answers, self.slow.run()]
"""

# The load goes on only once the loop is asked to wait for it.
LOADS = {
    "the load waits for the loop first": """
class Slow:
    async def initialize(self, config):
        begun.set()
        while not asked.is_set():
            await asyncio.sleep(0)
        await asyncio.sleep(0)

    def run(self) -> int:
        return 1
""",
    "the loop is held up first, or the load waits first": """
class Slow:
    def __init__(self):
        begun.set()
        asked.wait()

    async def initialize(self, config):
        await asyncio.sleep(0)

    def run(self) -> int:
        return 1
""",
}


@pytest.mark.parametrize("source", LOADS.values(), ids=LOADS.keys())
def test_a_load_that_waits_for_the_loop_that_waits_for_it(modrack: Modrack, source: str) -> None:
    """Who holds up the loop is refused, so that the load goes on and everybody else is answered."""
    modrack.write("slow.py", EVENTS + source)
    modrack.write("caller.py", EVENTS + CALLER)
    modrack.write(
        "rack.yaml",
        "rack: 1\nslots:\n  slow: { use: ./slow.py }\n  caller: { use: ./caller.py, needs: { slow: slow } }\n",
    )
    refused, loaded, again = modrack("call", "caller", "go").json
    assert "wait for each other to load: `slow`" in refused
    assert (loaded, again) == (1, 1)


@pytest.mark.parametrize("asks", ["self.slow.plain()", "await self.slow.run()"])
def test_an_instance_that_waits_for_the_loop_that_waits_for_it(modrack: Modrack, asks: str) -> None:
    """The one instance is in a call that awaits: who wants it from a coroutine awaits it as well, or is refused."""
    slow = """
class Slow:
    async def run(self) -> int:
        begun.set()
        while not asked.is_set():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        return 1

    def plain(self) -> int:
        return 1
"""
    modrack.write("slow.py", EVENTS + slow)
    modrack.write(
        "rack.yaml",
        "rack: 1\nslots:\n  slow: { use: ./slow.py, instances: one }\n"
        "  caller: { use: ./caller.py, needs: { slow: slow } }\n",
    )
    caller = CALLER.replace("[*self.answers, self.slow.run()]", "self.answers")
    modrack.write(
        "caller.py",
        EVENTS + caller.replace("append(self.slow.run())\n        except", f"append({asks})\n        except"),
    )
    first, second = modrack("call", "caller", "go").json
    if asks.startswith("await"):
        assert (first, second) == (1, 1)
    else:
        assert "slow" in first
        assert second == 1
