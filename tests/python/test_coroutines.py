"""What coroutines of modules await of other slots while those are swapped: each is one call, from beginning to end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import Modrack
from served import Server, serving

WAITS = """
import asyncio
import pathlib

VERSION = 1


class Waits:
    def __init__(self, other=None):
        self.other = other

    async def version(self) -> int:
        return VERSION

    async def go(self, name: str) -> list:
        pathlib.Path(f"{name}.begun").touch()
        while not pathlib.Path(f"{name}.end").exists():
            await asyncio.sleep(0)
        return [VERSION, await self.other.version()]

    async def through(self, name: str) -> list:
        return await self.other.go(name)
"""


def begun(server: Server, modrack: Modrack, name: str) -> None:
    """Waits until the call of that name is suspended."""
    server.until(lambda: (modrack.folder / f"{name}.begun").exists())


def swap(server: Server, *slots: str) -> None:
    """Replaces what fills the slots, all at once."""
    swapped = server.change("/v1/swap", {"slots": [{"slot": slot} for slot in slots]})
    assert swapped.status == 200, swapped.text


@pytest.mark.parametrize("function", ["go", "through"])
def test_a_call_that_is_suspended_sees_no_mixture(modrack: Modrack, function: str) -> None:
    """What it awaits when it goes on is what it would have awaited before the swap."""
    modrack.write("one.py", WAITS)
    modrack.write("two.py", WAITS)
    modrack.write("three.py", WAITS)
    modrack.write(
        "rack.yaml",
        "rack: 1\nslots:\n  one: { use: ./one.py, needs: { other: two }, swap: { watch: false } }\n"
        "  two: { use: ./two.py, needs: { other: three }, swap: { watch: false } }\n"
        "  three: { use: ./three.py, swap: { watch: false } }\n",
    )
    with serving(modrack) as server, ThreadPoolExecutor() as threads:
        old = threads.submit(server.call, "one", function, "first")
        begun(server, modrack, "first")
        for name in ("one", "two", "three"):
            modrack.write(f"{name}.py", WAITS.replace("VERSION = 1", "VERSION = 2"))
        swap(server, "one", "two", "three")
        modrack.write("first.end", "")
        assert old.result().json["result"] == [1, 1]
        modrack.write("second.end", "")
        assert server.call("one", function, "second").json["result"] == [2, 2]


COUNTER = """
import asyncio


class Counter:
    def __init__(self):
        self.count = 0

    async def inc(self) -> None:
        # Of one caller at a time.
        count = self.count
        for _ in range(5):
            await asyncio.sleep(0)
        self.count = count + 1

    async def late(self) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            for _ in range(500):
                await asyncio.sleep(0)
            self.count += 1

    async def add(self) -> None:
        await asyncio.sleep(0)
        self.count += 1

    def get(self) -> int:
        return self.count

    def export_state(self) -> int:
        return self.count

    def import_state(self, state: int, version: str | None = None) -> None:
        self.count = state
"""

COUNTS = """
import asyncio


class Counts:
    def __init__(self, counter):
        self.counter, self.rest = counter, 2000

    async def initialize(self, config):
        self.task = asyncio.get_running_loop().create_task(self.run())

    async def run(self) -> None:
        while self.rest:
            await self.counter.inc()
            self.rest -= 1

    def left(self) -> int:
        return self.rest

    async def add(self, times: int) -> int:
        for _ in range(times):
            await self.counter.add()
        return times
"""

LOSES_NOTHING = """
    rack: 1
    slots:
      counter: {{ use: ./counter.py, swap: {{ {way}, drain: 1m }} }}
      counts: {{ use: ./counts.py, needs: {{ counter: counter }} }}
    """


@pytest.mark.parametrize("way", ["state: exclusive", "overlap: false"])
def test_a_background_task_loses_no_write(modrack: Modrack, way: str) -> None:
    """What it awaits of a slot is waited for by the swap, and waits for it in turn without holding up the loop."""
    modrack.write("counter.py", COUNTER)
    modrack.write("counts.py", COUNTS)
    modrack.write("rack.yaml", LOSES_NOTHING.format(way=way))
    with serving(modrack) as server:
        assert server.call("counts", "left").status == 200
        for _ in range(20):
            swap(server, "counter")
        server.until(lambda: server.call("counts", "left").json["result"] == 0)
        assert server.call("counter", "get").json["result"] == 2000


def test_callers_that_await_go_on_through_swaps_that_lose_nothing(modrack: Modrack) -> None:
    """No call fails, no swap gives up, and every write is there: nobody waits for who waits for them."""
    modrack.write("counter.py", COUNTER)
    modrack.write("counts.py", COUNTS.replace("2000", "0"))
    modrack.write("rack.yaml", LOSES_NOTHING.format(way="state: exclusive"))
    with serving(modrack) as server, ThreadPoolExecutor(4) as threads:
        ended = threading.Event()

        def calls() -> int:
            added = 0
            while not ended.is_set():
                answer = server.call("counts", "add", 20)
                assert answer.status == 200, answer.text
                added += answer.json["result"]
            return added

        calling = [threads.submit(calls) for _ in range(4)]
        for _ in range(20):
            swap(server, "counter")
        ended.set()
        added = sum(one.result() for one in calling)
        assert server.call("counter", "get").json["result"] == added


def test_a_coroutine_that_is_late_is_waited_for(modrack: Modrack) -> None:
    """What it puts in order when it is cancelled is done when its caller is told."""
    modrack.write("counter.py", COUNTER)
    modrack.write("rack.yaml", "rack: 1\nslots:\n  counter: { use: ./counter.py, limits: { time: 100ms } }\n")
    with serving(modrack) as server:
        assert server.call("counter", "late").code == "M0508"
        assert server.call("counter", "get").json["result"] == 1


ONE = """
import asyncio


class One:
    def __init__(self):
        self.inside, self.most = 0, 0

    async def run(self) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        for _ in range(5):
            await asyncio.sleep(0)
        self.inside -= 1
        return self.most

    async def back(self, one) -> int:
        return await one.run()

    async def slow(self) -> None:
        await asyncio.get_running_loop().create_future()
"""

ASKS = """
import asyncio


class Asks:
    def __init__(self, one):
        self.one = one

    async def at_once(self) -> int:
        return max(await asyncio.gather(*(self.one.run() for _ in range(10))))

    async def there_and_back(self) -> int:
        return await self.one.back(self.one)

    async def late(self) -> list:
        try:
            await self.one.slow()
        except Exception as error:
            return [error.code, error.slot, await self.one.run()]
"""


@pytest.mark.parametrize(("instances", "most"), [("one", 1), ("pool(2)", 1), ("per-call", 1), ("shared", 10)])
def test_an_instance_takes_as_many_awaited_calls_as_it_may(modrack: Modrack, instances: str, most: int) -> None:
    """An instance that takes one call at a time is in it until that was awaited; others wait, and hold nothing up."""
    modrack.write("one.py", ONE)
    modrack.write("asks.py", ASKS)
    modrack.write(
        "rack.yaml",
        f"rack: 1\nslots:\n  one: {{ use: ./one.py, instances: {instances} }}\n"
        "  asks: { use: ./asks.py, needs: { one: one } }\n",
    )
    assert modrack("--json", "call", "asks", "at_once").json == most
    if instances == "one":
        refused = modrack("--json", "call", "asks", "there_and_back", code=1).json["error"]
        assert "M0511" in refused["message"]
    else:
        assert modrack("--json", "call", "asks", "there_and_back").json == 1


def test_an_awaited_call_is_held_to_its_slots_time(modrack: Modrack) -> None:
    """It fails as its slot's, and who awaited it goes on."""
    modrack.write("one.py", ONE)
    modrack.write("asks.py", ASKS)
    modrack.write(
        "rack.yaml",
        "rack: 1\nslots:\n  one: { use: ./one.py, instances: one, limits: { time: 200ms } }\n"
        "  asks: { use: ./asks.py, needs: { one: one } }\n",
    )
    assert modrack("--json", "call", "asks", "late").json == ["M0508", "one", 1]


def test_what_is_awaitable_and_more_is_handed_on_as_it_is(modrack: Modrack) -> None:
    """A pool of connections can be awaited, and is asked for more than that; a task that runs holds nobody up."""
    modrack.write(
        "pool.py",
        "import asyncio\n\n\nclass Pool:\n    name = 'a pool'\n\n    def __await__(self):\n        yield\n\n\n"
        "tasks = []\n\n\ndef pool():\n    return Pool()\n\n\n"
        "def task():\n    loop = asyncio.get_running_loop()\n    tasks.append(loop.create_task(asyncio.sleep(3600)))\n"
        "    return tasks[-1]\n",
    )
    modrack.write(
        "one.py",
        "class One:\n    def __init__(self, pool):\n        self.pool = pool\n\n"
        "    async def names(self) -> list:\n"
        "        task = self.pool.task()\n        names = [self.pool.pool().name, hasattr(task, 'cancel')]\n"
        "        task.cancel()\n        return names\n",
    )
    modrack.write(
        "rack.yaml",
        "rack: 1\nslots:\n  one: { use: ./one.py, needs: { pool: pool } }\n"
        "  pool: { use: ./pool.py, instances: one }\n",
    )
    assert modrack("call", "one", "names").json == ["a pool", True]
