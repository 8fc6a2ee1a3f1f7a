"""What a module does that would take the process, the event loop or the run with it, were it not guarded."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from harness import HANGS_AFTER, Modrack
from stages import Rows, came_out, fails, rack, run

COUNT: Rows = [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(("ends", "code"), [("sys.exit(3)", "M0507"), ("raise SystemExit", "M0507")])
def test_a_coroutine_that_asks_to_exit(modrack: Modrack, ends: str, code: str) -> None:
    """It is told as any other exit, and the event loop goes on for whoever comes next."""
    modrack.write("module.py", f"import sys\n\nasync def leave():\n    {ends}\n")
    modrack.fails(code, "call", "./module.py", "leave")
    stage = f"import sys\nasync def transform(row):\n    if row['n'] == 1:\n        {ends}\n    return row\n"
    assert run(modrack, COUNT, stage, more="errors: { default: skip }") == [{"n": 2}]


def test_an_interrupt_in_a_coroutine(modrack: Modrack) -> None:
    """It ends the call as an interrupt in any function does."""
    modrack.write("module.py", "async def leave():\n    raise KeyboardInterrupt\n")
    assert modrack("call", "./module.py", "leave", code=130).stdout == ""


@pytest.mark.parametrize(
    "given",
    [
        "endless = []; endless.append(endless); return {'x': endless}",
        "endless = {}; endless['more'] = endless; return {'x': endless}",
        "deep = []\n    for _ in range(100_000): deep = [deep]\n    return {'x': deep}",
    ],
)
def test_a_row_without_a_bottom(modrack: Modrack, given: str) -> None:
    """What contains itself is a value that does not fit, and no end of the process."""
    failure = fails(modrack, "M0506", COUNT, f"def transform(row):\n    {given}\n")
    assert failure.key == "x"


def test_an_iterator_that_begins_anew(modrack: Modrack) -> None:
    """`__iter__` is asked once, however many values follow."""
    modrack.write(
        "module.py",
        """\
        class Count:
            def __iter__(self):
                self.n = 0
                return self

            def __next__(self):
                self.n += 1
                if self.n > 3:
                    raise StopIteration
                return self.n

        def count():
            return Count()
        """,
    )
    assert modrack("call", "./module.py", "count").json == [1, 2, 3]


SPIN = "while True:\n            pass"
SLEEP = "import asyncio\n        await asyncio.sleep(60)"


@pytest.mark.parametrize(("kind", "body"), [("def", SPIN), ("async def", SLEEP)], ids=["a function", "a coroutine"])
def test_a_stage_that_takes_too_long(modrack: Modrack, kind: str, body: str) -> None:
    """`limits.time` of a slot bounds each call of its stage, and `errors:` decides about the row."""
    stage = f"{kind} transform(row):\n    if row['n'] == 1:\n        {body}\n    return row\n"
    limits = ["limits: { time: 500ms }"]
    assert fails(modrack, "M0508", COUNT, stage, options=limits).place.endswith("in.jsonl:1")
    rack(modrack, COUNT, [stage], "errors: { default: skip }", limits)
    modrack("run")
    assert came_out(modrack) == [{"n": 2}]


@pytest.mark.parametrize("takes", ["dict", "list"])
def test_a_generator_that_takes_too_long(modrack: Modrack, takes: str) -> None:
    """What a call yields is part of the call."""
    stage = f"def transform(given: {takes}):\n    yield {{'n': 1}}\n    while True:\n        pass\n"
    fails(modrack, "M0508", COUNT, stage, options=["limits: { time: 500ms }"])


def test_a_finish_that_takes_too_long(modrack: Modrack) -> None:
    """It is bounded as the other calls are."""
    stage = f"def transform(row):\n    return row\ndef finish():\n        {SPIN}\n"
    fails(modrack, "M0508", COUNT, stage, options=["limits: { time: 200ms }"])


def test_an_async_generator_that_changes_what_it_gave(modrack: Modrack) -> None:
    """Each row stays as it was given."""
    stage = "async def transform(row):\n    for i in range(2):\n        row['i'] = i\n        yield row\n"
    assert [row["i"] for row in run(modrack, COUNT, stage)] == [0, 1, 0, 1]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
@pytest.mark.parametrize("args", [("run",), ("call", "./stage0.py", "transform", '{"n": 1}')], ids=["run", "call"])
def test_a_module_that_puts_things_in_order_when_interrupted(
    modrack: Modrack, args: tuple[str, ...], sent: signal.Signals
) -> None:
    """One signal is one interrupt: it does not come again while the module sees to the first."""
    stage = """\
    import time

    def transform(row):
        try:
            open("begun", "w").close()
            while True:
                pass
        finally:
            until = time.monotonic() + 0.3
            while time.monotonic() < until:
                pass
            open("in-order", "w").close()
    """
    rack(modrack, COUNT, [stage])
    run = modrack.start(*args)
    until = time.monotonic() + HANGS_AFTER
    while not (modrack.folder / "begun").exists() and run.poll() is None and time.monotonic() < until:
        os.sched_yield()
    run.send_signal(sent)
    _, stderr = run.communicate(timeout=HANGS_AFTER)
    assert run.returncode == 130, stderr
    assert (modrack.folder / "in-order").exists(), stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_a_call_that_goes_on_when_interrupted(modrack: Modrack, sent: signal.Signals) -> None:
    """One signal ends it all the same: a call that is not wanted any more is told again, in another way."""
    modrack.write(
        "module.py",
        """\
        def stay():
            open("begun", "w").close()
            while True:
                try:
                    while True:
                        pass
                except KeyboardInterrupt:
                    pass
        """,
    )
    run = modrack.start("call", "./module.py", "stay")
    until = time.monotonic() + HANGS_AFTER
    while not (modrack.folder / "begun").exists() and run.poll() is None and time.monotonic() < until:
        os.sched_yield()
    run.send_signal(sent)
    stdout, stderr = run.communicate(timeout=HANGS_AFTER)
    assert (run.returncode, stdout) == (130, ""), stderr
    assert "[M0801]" in stderr


def test_a_call_that_nothing_ends_is_left_when_the_process_is_to_terminate(modrack: Modrack) -> None:
    """Who ends a service, or bounds its time, sends one signal and waits."""
    modrack.write(
        "module.py",
        """\
        import collections
        import itertools

        def stay():
            open("begun", "w").close()
            collections.deque(itertools.repeat(0), maxlen=0)
        """,
    )
    run = modrack.start("call", "./module.py", "stay")
    until = time.monotonic() + HANGS_AFTER
    while not (modrack.folder / "begun").exists() and run.poll() is None and time.monotonic() < until:
        os.sched_yield()
    run.terminate()
    stdout, stderr = run.communicate(timeout=HANGS_AFTER)
    assert (run.returncode, stdout) == (130, ""), stderr
    assert "Stopping" in stderr


def test_a_thread_that_holds_the_process_up(modrack: Modrack) -> None:
    """Whoever waits for a thread that a module left behind can still end the process."""
    modrack.write(
        "module.py",
        f"""\
        import threading
        import time

        def leave():
            threading.Thread(target=time.sleep, args=({HANGS_AFTER},)).start()
            return 1
        """,
    )
    run = modrack.start("call", "./module.py", "leave")
    try:
        assert run.stdout
        assert run.stdout.readline() == "1\n"
        begun = time.monotonic()
        while run.poll() is None and time.monotonic() - begun < HANGS_AFTER / 2:
            run.terminate()
            os.sched_yield()
        assert run.returncode in (-signal.SIGTERM, 130)
    finally:
        run.kill()
        run.communicate()


@pytest.mark.parametrize("links", [1_500, 16_000])
@pytest.mark.parametrize("how", ["error.__context__ = last", "error.__cause__ = last"], ids=["context", "cause"])
def test_a_very_long_chain_of_causes(modrack: Modrack, links: int, how: str) -> None:
    """The nearest are told, and how many more there are."""
    modrack.write(
        "module.py",
        f"""\
        def fail():
            last = None
            for n in range({links}):
                error = ValueError(n)
                {how}
                last = error
            raise last
        """,
    )
    begun = time.monotonic()
    failure = modrack.fails("M0504", "call", "./module.py", "fail")
    assert time.monotonic() - begun < HANGS_AFTER / 4
    assert f"{links - 33} more causes are left out" in failure.text, failure.text
    told = modrack("call", "./module.py", "fail", "--json", code=1)
    traceback = json.loads(told.stdout or told.stderr)["error"]["traceback"]
    assert traceback.startswith(f"({links - 32} more exceptions came before and are left out)"), traceback[:400]
    assert traceback.endswith(f"ValueError: {links - 1}\n"), traceback[-400:]
