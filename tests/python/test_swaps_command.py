"""Swapping, going back and asking from the command: with a server of the rack and without one, in three languages.

A case is the same commands in the same order; what they print is compared between who is served and who is not,
and between the languages.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import HANGS_AFTER, Modrack, Ran, command
from languages import LANGUAGES, MODULES, compiled, component, module

RACK = """
    rack: 1
    slots:
      lab: {{ use: {use}, function: add, swap: {{ probe: {{ call: [add, 1, 2], expect: 3 }} }} }}
      other: {{ use: {use}, function: add }}
    """

# How `add` of each language comes to give a hundred more, and what the file is called then.
HUNDRED = {
    "python": ("return a + b", "return a + b + 100", "two.py"),
    "native": (
        "args[0].payload.integer + args[1].payload.integer",
        "args[0].payload.integer + args[1].payload.integer + 100",
        "libtwo.so",
    ),
    "wasm": (
        "(i64.add (local.get 0) (local.get 1))",
        "(i64.add (i64.const 100) (i64.add (local.get 0) (local.get 1)))",
        "two.wat",
    ),
}
ENDINGS = {"python": "py", "native": "c", "wasm": "wat"}


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    """A language of modules."""
    return str(request.param)


@pytest.fixture
def rack(modrack: Modrack, language: str) -> Modrack:
    """A rack with two slots of the module of the suite, and beside it one whose `add` gives a hundred more."""
    modrack.write("rack.yaml", RACK.format(use=module(modrack, language)))
    hundred(modrack, language)
    modrack.env["USER"] = "ada"
    return modrack


def hundred(modrack: Modrack, language: str) -> str:
    """Puts the module whose `add` gives a hundred more into the folder, and gives its `use`."""
    before, after, name = HUNDRED[language]
    source = (MODULES / f"lab.{ENDINGS[language]}").read_text(encoding="utf-8")
    assert before in source
    changed = source.replace(before, after)
    if language == "native":
        shutil.copyfile(compiled(changed), modrack.folder / name)
    else:
        modrack.write(name, component(changed) if language == "wasm" else changed)
    return f"./{name}"


def two(language: str) -> str:
    """The `use` of the module whose `add` gives a hundred more."""
    return f"./{HUNDRED[language][2]}"


@contextlib.contextmanager
def served(modrack: Modrack) -> Iterator[subprocess.Popen[str]]:
    """A server of the rack, ready; it is stopped as a supervisor stops it."""
    child = modrack.start("serve", "--port", "0", "--json")
    try:
        assert child.stdout is not None
        said = []
        for line in child.stdout:
            said.append(line)
            if json.loads(line)["event"] in {"ready", "not-ready"}:
                break
        else:
            raise AssertionError(f"it did not serve\n{said}\n{child.stderr.read() if child.stderr else ''}")
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        child.communicate(timeout=HANGS_AFTER)


@contextlib.contextmanager
def maybe(modrack: Modrack, is_served: bool) -> Iterator[None]:
    """A server where one is wanted."""
    with served(modrack) if is_served else contextlib.nullcontext():
        yield


WITH_AND_WITHOUT = pytest.mark.parametrize("is_served", [False, True], ids=["alone", "served"])


def add(modrack: Modrack, slot: str = "lab") -> int:
    """What 1 and 2 make in a slot."""
    return int(modrack("call", slot, "_", "1", "2").stdout)


def shown(ran: Ran) -> tuple[int, str, str]:
    """A run as it is compared: without what differs from one process to the next."""
    words = re.sub(r"  generation: \d+|generation: \d+   ", "", ran.stderr)
    return ran.code, ran.stdout, re.sub(r"^ *\n", "", words, flags=re.MULTILINE)


def on_terminal(modrack: Modrack, *words: str) -> str:
    """What a command prints where its standard output is a terminal."""
    ours, theirs = pty.openpty()
    try:
        child = subprocess.Popen(
            [command(), *words],
            cwd=modrack.folder,
            env=modrack.environment(),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
        )
        os.close(theirs)
        printed = b""
        # A terminal that nobody has any more is an error to read from.
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 4096):
                printed += piece
        _, stderr = child.communicate(timeout=HANGS_AFTER)
        assert (child.returncode, stderr) == (0, b"")
        return printed.decode().replace("\r\n", "\n")
    finally:
        os.close(ours)


@WITH_AND_WITHOUT
def test_a_swap_outlives_the_process_and_is_gone_back_from(rack: Modrack, language: str, is_served: bool) -> None:
    """What is swapped in is what every later process calls, until somebody goes back."""
    use = two(language)
    assert add(rack) == 3
    rack.write("rack.yaml", (rack.folder / "rack.yaml").read_text(encoding="utf-8").replace("expect: 3", "expect: 103"))
    rack("swap", "lab", use, "--why", "more", "--local")
    assert add(rack) == 103
    with maybe(rack, is_served):
        assert add(rack) == 103
        assert add(rack, "other") == 3
        status = {slot["slot"]: slot for slot in rack("status", "--json").json["slots"]}
        assert status["lab"]["use"] == use
        assert status["lab"]["override"]["use"] == use
        assert status["other"]["override"] is None
        assert use in rack("list").stdout
    entry = rack("history", "lab", "--json").json["entries"][-1]
    assert (entry["who"], entry["why"], entry["action"], entry["outcome"]) == ("ada", "more", "swap", "done")
    # What the probe wants does not fit what was there before, and that has to be said of going back too.
    failed = rack("rollback", "lab", code=1)
    assert "Nothing was changed: step `probe` of `lab` failed" in failed.stderr
    assert add(rack) == 103
    # Its text changed: what was swapped in over the text before has lapsed.
    rack.write("rack.yaml", RACK.format(use=module(rack, language)))
    assert add(rack) == 3


@WITH_AND_WITHOUT
def test_a_slot_goes_back_to_what_it_was(rack: Modrack, language: str, is_served: bool) -> None:
    """To what served before, to what the rack says, and to any hash that is kept."""
    with maybe(rack, is_served):
        swapped = rack("swap", "other", two(language), "--json").json
        hashes = [swapped["slots"][0]["hash"]]
        assert add(rack, "other") == 103
        rack("rollback", "other")
        assert add(rack, "other") == 3
        rack("rollback", "other", hashes[0][:12], "--why", "it was better")
        assert add(rack, "other") == 103
        newest = rack("history", "other", "--json", "--most", "1").json["entries"][0]
        assert (newest["action"], newest["why"], newest["slots"][0]["hash"]) == ("rollback", "it was better", hashes[0])
        unknown = rack.fails("M0817", "rollback", "other", "ffff")
        assert hashes[0][:12] in unknown.hint
    assert add(rack, "other") == 103


@WITH_AND_WITHOUT
@pytest.mark.parametrize(
    ("step", "code", "status", "words"),
    [
        ("fetch", "M0201", 1, ["./none.{ending}"]),
        ("match", "M0307", 1, ["--set", "none=1"]),
        ("probe", "M0409", 1, ["{two}"]),
    ],
    ids=["fetch", "match", "probe"],
)
def test_a_step_that_fails_is_told_and_changes_nothing(
    rack: Modrack, language: str, is_served: bool, step: str, code: str, status: int, words: list[str]
) -> None:
    """Which step of which slot, why, and that all is as it was."""
    ending = {"python": "py", "native": "so", "wasm": "wat"}[language]
    asked = [word.format(ending=ending, two=two(language)) for word in words]
    with maybe(rack, is_served):
        failed = rack("swap", "lab", *asked, code=status)
        assert f"error[{code}]" in failed.stderr
        assert f"Nothing was changed: step `{step}` of `lab` failed" in failed.stderr
        assert failed.stdout == ""
        document = rack("swap", "lab", *asked, "--json", code=status).json
        assert (document["error"]["code"], document["slot"], document["step"]) == (code, "lab", step)
        assert add(rack) == 3
        assert add(rack, "other") == 3
    newest = rack("history", "lab", "--json").json["entries"][0]
    assert newest["failed"]["step"] == step
    assert newest["failed"]["code"] == code
    assert f"failed at {step} [{code}]" in rack("history").stdout


@pytest.mark.once
def test_a_start_that_fails_is_told(modrack: Modrack) -> None:
    """Its own words come through."""
    modrack.write("a.py", "class A:\n    def f(self): return 1\n")
    modrack.write("b.py", "class B:\n    def __init__(self): raise OSError('no port')\n    def f(self): return 2\n")
    modrack.write("rack.yaml", "rack: 1\nslots: { a: ./a.py }\n")
    failed = modrack("swap", "a", "./b.py", code=1)
    assert "no port" in failed.stderr
    assert "Nothing was changed: step `start` of `a` failed" in failed.stderr
    assert modrack("call", "a", "f").stdout == "1\n"


@pytest.mark.once
def test_several_slots_are_swapped_together(modrack: Modrack) -> None:
    """All of them, or none."""
    for name in ("a", "b", "c", "d"):
        modrack.write(f"{name}.py", f"def f(): return '{name}'\n")
    modrack.write("rack.yaml", "rack: 1\nslots: { one: ./a.py, two: ./b.py }\n")
    said = modrack("swap", "one", "./c.py", "--with", "two=./d.py")
    assert [line.split()[:2] for line in said.stdout.splitlines()[1:]] == [["one", "c"], ["two", "d"]]
    assert [modrack("call", slot, "f").json for slot in ("one", "two")] == ["c", "d"]
    modrack("swap", "one", "./a.py", "--with", "two=./none.py", code=1)
    assert [modrack("call", slot, "f").json for slot in ("one", "two")] == ["c", "d"]


# What is asked, and its standard input; each is asked of a server and of nobody.
CALLS: list[tuple[list[str], str]] = [
    (["call", "lab", "_", "1", "2"], ""),
    (["call", "lab", "add", "a=1", "b=@two"], ""),
    (["call", "lab", "same_text", "@-"], "größer\n"),
    (["call", "lab", "same_float", "0.1"], ""),
    (["call", "lab", "same_float", "2"], ""),
    (["call", "lab", "same_float", "1e300"], ""),
    (["call", "lab", "same_int", "9223372036854775807"], ""),
    (["call", "lab", "same_int", "9223372036854775808"], ""),
    (["call", "lab", "same_bytes", "@bytes"], ""),
    (["call", "lab", "same_bytes", "@none"], ""),
    (["call", "lab", "same_text", "x=@none"], ""),
    (["call", "lab", "same_list", "[1, 2, 3]"], ""),
    (["call", "lab", "add", "1"], ""),
    (["call", "lab", "add", "1", "x"], ""),
    (["call", "lab", "add", "a=1", "a=2"], ""),
    (["call", "lab", "ad", "1", "2"], ""),
    (["call", "lab", "fail"], ""),
    (["--json", "call", "lab", "fail"], ""),
    (["get", "lab", "none"], ""),
    (["call", "./{file}", "add", "1", "2"], ""),
    (["call", "none", "add", "1", "2"], ""),
]


def test_a_call_is_the_same_whoever_makes_it(rack: Modrack, language: str) -> None:
    """Results byte for byte, failures word for word, and the same exit status."""
    rack.write("two", "2")
    rack.write("bytes", bytes(range(256)))
    file = Path(module(rack, language)).name

    def ask(words: list[str], stdin: str) -> tuple[int, str, str]:
        code, stdout, stderr = shown(rack(*(word.format(file=file) for word in words), code=None, stdin=stdin))
        return code, re.sub(r'"generation":\d+', '"generation":0', stdout), stderr

    alone = [ask(words, stdin) for words, stdin in CALLS]
    assert {code for code, _, _ in alone} == {0, 1, 2}
    with served(rack):
        for (words, stdin), wanted in zip(CALLS, alone, strict=True):
            assert ask(words, stdin) == wanted, words
            assert ask(["--local", *words], stdin) == wanted, words


# What is asked of a slot that the rack does not have; the last is a module of its catalog.
CHANGES = [
    ["swap", "none"],
    ["swap", "lad", "./lab.py"],
    ["swap", "lab", "--with", "none=./lab.py"],
    ["swap", "lab", "--set", "none=1", "--with", "none"],
    ["swap", "none", "--set", "start=1", "--save"],
    ["swap", "no such"],
    ["rollback", "none"],
    ["rollback", "lad", "ffff"],
    ["unload", "none"],
    ["unload", "lad"],
    *([verb, "more"] for verb in ("swap", "rollback", "unload")),
]


@pytest.mark.once
def test_a_change_of_no_slot_is_refused_the_same_whoever_makes_it(modrack: Modrack) -> None:
    """Failures byte for byte, as words and as JSON, and the same exit status; nothing is remembered of it."""
    modrack.write("rack.yaml", RACK.format(use=module(modrack, "python")).rstrip() + "\n    catalog: [./modules]\n")
    modrack.write("modules/more.py", "def add(a: int, b: int) -> int:\n    return a + b\n")
    asked = [words + more for words in CHANGES for more in ([], ["--json"])]
    alone = [shown(modrack(*words, code=None)) for words in asked]
    for words, (code, stdout, stderr) in zip(asked, alone, strict=True):
        assert code == 2, (words, stderr)
        assert ("M0106" in stdout + stderr) == ("no such" not in words), (words, stdout, stderr)
    with served(modrack):
        assert [shown(modrack(*words, code=None)) for words in asked] == alone
        assert modrack("call", "more", "add", "1", "2").json == 3
    assert {slot["slot"] for entry in modrack("history", "--json").json["entries"] for slot in entry["slots"]} <= {
        "lab",
        "other",
    }


@pytest.mark.once
def test_what_is_yielded_looks_the_same_on_a_terminal(modrack: Modrack) -> None:
    """A value on each line, as they come; a list is a list all the same."""
    modrack.write(
        "many.py",
        """
        def numbers(count: int):
            for number in range(count):
                yield {"number": number}

        def listed(count: int) -> list[int]:
            return list(range(count))
        """,
    )
    modrack.write("rack.yaml", "rack: 1\nslots: { many: ./many.py }\n")
    asked = [["call", "many", function, count] for function in ("numbers", "listed") for count in ("0", "2", "100")]
    alone = [(on_terminal(modrack, *words), modrack(*words).stdout) for words in asked]
    assert alone[:2] == [
        ("[]\n", "[]\n"),
        ('[{"number":0},\n {"number":1}]\n', '[{"number":0},{"number":1}]\n'),
    ]
    with served(modrack):
        assert [(on_terminal(modrack, *words), modrack(*words).stdout) for words in asked] == alone


@pytest.mark.once
def test_who_serves_is_asked_and_who_left_is_not(modrack: Modrack) -> None:
    """A server keeps what is in memory; one that is gone is no server, and that is said."""
    modrack.write("count.py", "class Count:\n    n = 0\n    def up(self): self.n += 1; return self.n\n")
    modrack.write("rack.yaml", "rack: 1\nslots: { count: ./count.py }\n")
    with served(modrack) as server:
        assert [modrack("call", "count", "up").json for _ in range(3)] == [1, 2, 3]
        assert modrack("call", "count", "up", "--local").json == 1
        # With a value set for this once it is another rack than the one that is served.
        assert modrack("--set", "slots.count.use=./count.py", "call", "count", "up").json == 1
        # Somebody breaks the rack: what is served goes on.
        whole = (modrack.folder / "rack.yaml").read_text(encoding="utf-8")
        modrack.write("rack.yaml", "rack: [\n")
        assert modrack("call", "count", "up").json == 4
        modrack.fails("M0101", "call", "count", "up", "--local", status=2)
        modrack.write("rack.yaml", whole)
        assert f"pid={server.pid}" in modrack("-v", "call", "count", "up").stderr
        server.kill()
        server.wait(HANGS_AFTER)
    assert modrack("call", "count", "up").json == 1
    assert "The rack's server does not answer" in modrack("call", "count", "up").stderr
    assert modrack("-q", "call", "count", "up").stderr == ""
    assert modrack("--local", "call", "count", "up").stderr == ""


@pytest.mark.once
def test_a_server_that_dies_midway_is_an_error(modrack: Modrack) -> None:
    """Nothing is done twice: what was asked for may have been done."""
    modrack.write("leave.py", "import os\ndef now(): os._exit(7)\n")
    modrack.write("rack.yaml", "rack: 1\nslots: { leave: ./leave.py }\n")
    with served(modrack):
        failure = modrack.fails("M0836", "call", "leave", "now")
    assert "went away" in failure.message
    assert "modrack history" in failure.hint


@pytest.mark.once
def test_another_rack_of_the_same_state_is_not_asked(modrack: Modrack) -> None:
    """One state folder for two racks: a server of the one is none of the other."""
    for name in ("a", "b"):
        modrack.write(f"{name}/m.py", f"def f(): return '{name}'\n")
        modrack.write(f"{name}/rack.yaml", "rack: 1\nslots: { s: ./m.py }\n")
    modrack.env["MODRACK_STATE"] = str(modrack.folder / "state")
    server = modrack.start("-r", "a", "serve", "--port", "0", "--json")
    try:
        assert server.stdout is not None
        assert any(json.loads(line)["event"] == "ready" for line in server.stdout)
        assert modrack("-r", "a", "call", "s", "f").json == "a"
        assert modrack("-r", "b", "call", "s", "f").json == "b"
        assert "another rack" in modrack("-v", "-r", "b", "call", "s", "f").stderr
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=HANGS_AFTER)


@pytest.mark.once
@pytest.mark.parametrize("words", [["stats"], ["events"], ["unload", "s"]], ids=["stats", "events", "unload"])
def test_what_only_a_server_has_is_not_made_up(modrack: Modrack, words: list[str]) -> None:
    """Nothing serves, and that is said."""
    modrack.write("m.py", "def f(): return 1\n")
    modrack.write("rack.yaml", "rack: 1\nslots: { s: ./m.py }\n")
    failure = modrack.fails("M0835", *words)
    assert failure.message == "Nothing serves the rack `rack.yaml`"
    (modrack.folder / ".modrack").mkdir(exist_ok=True)
    (modrack.folder / ".modrack" / "serve.json").write_text("{}", encoding="utf-8")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(modrack.folder / ".modrack" / "serve.sock"))
    modrack.fails("M0835", *words)


# Two versions of a slot that call what they count by other names, and what turns the state of one into the other's.
COUNTS = """
    __version__ = "{version}"

    class C:
        def __init__(self): self.state = {{"{key}": 0}}
        def up(self, by): self.state["{key}"] += int(by); return self.state["{key}"]
        def export_state(self): return self.state
        def import_state(self, state, from_version): self.state = {{"{key}": state["{key}"]}}
    """
MIGRATES = """
    NAMES = {"1.0.0": "seen", "2.0.0": "rows"}

    def migrate(state, before: str, after: str):
        return {NAMES[after]: state[NAMES[before]]}
    """
ONE_WAY = """
    def migrate(state, before: str, after: str):
        return {"rows": state["seen"]}
    """
MIGRATING = """
    rack: 1
    slots:
      c:
        use: ./v1.py:C
        swap: {{ state: {state}, migrate: ./migrate.py, trial: {{ for: 1h, min-calls: 4, errors: 5% }} }}
    """


def migrating(modrack: Modrack, state: str, migrates: str) -> None:
    """A rack with a slot whose state has another form in its second version."""
    modrack.write("v1.py", COUNTS.format(version="1.0.0", key="seen"))
    modrack.write("v2.py", COUNTS.format(version="2.0.0", key="rows"))
    modrack.write("migrate.py", migrates)
    modrack.write("rack.yaml", MIGRATING.format(state=state))


BOTH_STATES = pytest.mark.parametrize("state", ["copy", "exclusive"])


@pytest.mark.once
@BOTH_STATES
def test_state_is_migrated_on_the_way_back(modrack: Modrack, state: str) -> None:
    """By who goes back to the version that is kept, and by a trial that was not stood."""
    migrating(modrack, state, MIGRATES)
    with served(modrack):
        assert modrack("call", "c", "up", "1").json == 1
        modrack("swap", "c", "./v2.py:C")
        assert modrack("call", "c", "up", "10").json == 11
        modrack("rollback", "c")
        assert modrack("call", "c", "up", "100").json == 111
        events = modrack.start("events", "swap.failed,swap.rolled-back", "--json", "-v")
        assert events.stdout is not None
        assert events.stderr is not None
        assert any("listening" in line for line in events.stderr)
        modrack("swap", "c", "./v2.py:C")
        for _ in range(4):
            modrack.fails("M0504", "call", "c", "up", "many")
        assert json.loads(events.stdout.readline())["event"] == "swap.rolled-back"
        assert modrack("call", "c", "up", "1000").json == 1111
        newest = modrack("history", "c", "--json", "--most", "1").json["entries"][0]
        assert (newest["action"], newest["outcome"], newest["who"]) == ("rollback", "done", "modrack")
        assert newest["why"] == "100.0% of its calls failed, 0.0% before"
        events.send_signal(signal.SIGINT)
        events.communicate(timeout=HANGS_AFTER)


@pytest.mark.once
@BOTH_STATES
def test_a_trial_that_failed_with_state_that_nobody_converts_back(modrack: Modrack, state: str) -> None:
    """Where some may be lost it is left behind; where none may be, somebody decides that."""
    migrating(modrack, state, ONE_WAY)
    with served(modrack):
        assert modrack("call", "c", "up", "1").json == 1
        modrack("swap", "c", "./v2.py:C")
        failed = modrack.fails("M0504", "rollback", "c")
        assert "modrack rollback --force" in failed.hint
        events = modrack.start("events", "swap.failed,swap.rolled-back", "--json", "-v")
        assert events.stdout is not None
        assert events.stderr is not None
        assert any("listening" in line for line in events.stderr)
        for _ in range(4):
            modrack.fails("M0504", "call", "c", "up", "many")
        told = json.loads(events.stdout.readline())
        newest = modrack("history", "c", "--json", "--most", "1").json["entries"][0]
        assert (newest["action"], newest["who"]) == ("rollback", "modrack")
        assert newest["why"].startswith("100.0% of its calls failed, 0.0% before")
        if state == "copy":
            assert told["event"] == "swap.rolled-back"
            assert "the state of `c` was left behind" in newest["why"]
        else:
            assert (told["event"], newest["failed"]["step"]) == ("swap.failed", "carry")
            assert [kept["state"] for kept in modrack("status", "--json").json["kept"]] == ["parked"]
            modrack("rollback", "c", "--force", "--why", "the count is not worth it")
        assert modrack("call", "c", "up", "100").json == 101
        events.send_signal(signal.SIGINT)
        events.communicate(timeout=HANGS_AFTER)


@pytest.mark.once
def test_state_is_left_behind_by_force(modrack: Modrack) -> None:
    """What is parked has what it had, and what the history knows begins anew."""
    migrating(modrack, "copy", MIGRATES)
    with served(modrack):
        assert modrack("call", "c", "up", "1").json == 1
        second = modrack("swap", "c", "./v2.py:C", "--json").json["slots"][0]["hash"]
        assert modrack("call", "c", "up", "10").json == 11
        modrack("rollback", "c", "--force")
        assert modrack("call", "c", "up", "100").json == 101
        modrack("rollback", "c", second[:12], "--force")
        assert modrack("call", "c", "up", "1000").json == 1000


@pytest.mark.once
@WITH_AND_WITHOUT
def test_what_is_asked_for_stands_in_no_file(modrack: Modrack, is_served: bool) -> None:
    """What is wrong with it has no place in one."""
    modrack.write("m.py", "def f(x): return 1 / x\n")
    modrack.write("rack.yaml", "rack: 1\nslots: { s: ./m.py }\n")
    with maybe(modrack, is_served):
        failed = modrack("swap", "s", "./none.py", "--json", code=1).json["error"]
        assert failed["place"]["file"] == "<command line or request>"
        assert failed["place"]["key"] == "slots.s.use"


@pytest.mark.once
def test_what_fails_in_kept_content_names_files_that_are_there(modrack: Modrack) -> None:
    """In the place and in the traceback: the content lies under the whole path that it had."""
    modrack.write("m.py", "def f(x): return 1 / x\n")
    modrack.write("rack.yaml", "rack: 1\nslots: { s: { use: ./m.py, swap: { trial: { for: 0s } } } }\n")
    with served(modrack):
        first = modrack("status", "--json").json["slots"][0]["hash"]
        modrack.write("m.py", "def f(x): return 2 / x\n")
        modrack("swap", "s")
        modrack("rollback", "s", first[:12])
        said = modrack("call", "s", "f", "0", code=1).stderr
        named = re.findall(r"--> (.*?):\d|File \"(.*?)\"", said)
        files = [modrack.folder / (place or file) for place, file in named]
        assert len(files) >= 2, said
        assert all(".modrack" in file.parts and file.is_file() for file in files), said


@pytest.mark.once
def test_what_is_asked_of_a_server_is_answered(modrack: Modrack) -> None:
    """Figures, events, and that a slot was unloaded."""
    modrack.write("m.py", "class M:\n    n = 0\n    def up(self): self.n += 1; return self.n\n")
    modrack.write("rack.yaml", "rack: 1\nslots: { s: ./m.py }\n")
    with served(modrack):
        events = modrack.start("events", "swap.*,module.unloaded", "--json", "-v")
        assert events.stdout is not None
        assert events.stderr is not None
        assert any("listening" in line for line in events.stderr)
        assert modrack("call", "s", "up").json == 1
        assert modrack("call", "s", "up").json == 2
        row = next(line.split() for line in modrack("stats").stdout.splitlines() if " call " in line)
        assert row[:2] == ["call", "2"]
        assert "Nothing fills `s`, until it is called" in modrack("unload", "s").stderr
        heard = [json.loads(events.stdout.readline()) for _ in range(2)]
        assert [(told["event"], told["slot"]) for told in heard] == [("swap.retired", "s"), ("module.unloaded", "s")]
        assert modrack("call", "s", "up").json == 1
        events.send_signal(signal.SIGINT)
        assert events.wait(HANGS_AFTER) == 130
        events.communicate()


@pytest.mark.once
@pytest.mark.parametrize("is_cut", [False, True], ids=["garbage", "cut short"])
def test_a_damaged_state_keeps_no_rack_from_serving(modrack: Modrack, is_cut: bool) -> None:
    """Who calls gets the rack as its text says; who serves puts the state aside."""
    modrack.write("m.py", "def f(): return 1\n")
    modrack.write("rack.yaml", "rack: 1\nslots: { s: ./m.py }\n")
    modrack("swap", "s")
    database = modrack.folder / ".modrack" / "state.db"
    for rest in database.parent.glob("state.db-*"):
        rest.unlink()
    database.write_bytes(database.read_bytes()[:20_000] if is_cut else b"no database" * 300)
    called = modrack("call", "s", "f")
    assert (called.json, "M0814" in called.stderr) == (1, True)
    gone_back = modrack("rollback", "s", code=None)
    assert "puts it aside" not in gone_back.stderr or "was put aside" in gone_back.stderr, gone_back.show()
    assert list(database.parent.glob("state.db.damaged-*"))
    with served(modrack):
        assert modrack("call", "s", "f").json == 1
    assert list(database.parent.glob("state.db.damaged-*"))
    assert "M0814" not in modrack("call", "s", "f").stderr


@pytest.mark.once
def test_what_was_set_over_a_slot_is_shown(modrack: Modrack) -> None:
    """Also when what was gone back to is of a text that the rack has no more."""
    modrack.write(
        "m.py", "class M:\n    def __init__(self, step: int = 1): self.step = step\n    def f(self): return self.step\n"
    )
    modrack.write("rack.yaml", "rack: 1\nslots: { s: { use: './m.py:M', params: { step: 7 } } }\n")
    with served(modrack):
        modrack("swap", "s", "--set", "step=5", "--set", "limits.time=1s")
        assert "swapped in, with params.step=5, limits.time=1s" in modrack("status").stdout
        over = json.loads(modrack("status", "--json").stdout)["slots"][0]["override"]
        assert (over["set"], over["earlier"]) == (["params.step=5", "limits.time=1s"], False)
        assert "params.step=5, limits.time=1s" in modrack("history", "--most", "1").stdout
    assert "with params.step=5, limits.time=1s" in modrack("status").stdout


@pytest.mark.once
def test_who_reads_no_more_events_ends_the_command(modrack: Modrack) -> None:
    """Also where nothing happens any longer, as behind `| head -1`."""
    modrack.write("m.py", "def f(): return 1\n")
    modrack.write("rack.yaml", "rack: 1\nslots: { s: ./m.py }\n")
    with served(modrack):
        events = modrack.start("-v", "events", "swap.*")
        assert events.stdout is not None
        assert events.stderr is not None
        assert any("listening" in line for line in events.stderr)
        modrack("swap", "s")
        assert "swap." in events.stdout.readline()
        events.stdout.close()
        assert events.wait(timeout=HANGS_AFTER) == 0
        events.stderr.close()


def test_the_slots_keep_what_was_set(rack: Modrack) -> None:
    """`--set` is for params and other keys of the slot, and stays."""
    assert rack("call", "other", "count").json == 1
    rack("swap", "other", "--set", "start=10", "--set", "limits.time=5s")
    assert rack("call", "other", "count").json == 11
    rack("swap", "other", "--set", "start=20")
    assert rack("call", "other", "count").json == 21
    assert "swapped in" in rack("status").stdout
    rack("rollback", "other")
    assert rack("call", "other", "count").json in {1, 11}


@WITH_AND_WITHOUT
@pytest.mark.once
def test_a_configuration_that_served_is_gone_back_to(modrack: Modrack, is_served: bool) -> None:
    """Its text is the rack's again, whatever is in its place, and what it has no more is gone."""
    modrack.env["USER"] = "ada"
    modrack.write("m.py", "def f(): return 1\n")
    before = "rack: 1\nslots:\n  a: ./m.py  # the first\n"
    rack = modrack.write("rack.yaml", before)
    with served(modrack):
        first = modrack("config", "list", "--json").json["configurations"][0]["hash"]
    rack.write_text(before + "  b: ./m.py\n", encoding="utf-8")
    with served(modrack):
        assert modrack("call", "b", "f").json == 1
    with maybe(modrack, is_served):
        modrack.fails("M0817", "config", "restore", "ffff")
        said = modrack("config", "restore", first[:12], "--why", "b was wrong", "--json").json
        assert (said["added"], said["changed"], said["removed"]) == ([], [], ["b"])
        assert rack.read_text(encoding="utf-8") == before
        assert modrack("call", "a", "f").json == 1
        modrack.fails("M0106", "call", "b", "f", status=2)
        newest = modrack("history", "--json", "--most", "1").json["entries"][0]
        assert (newest["action"], newest["who"], newest["why"]) == ("configure", "ada", "b was wrong")
        assert modrack("config", "list", "--json").json["configurations"][0]["hash"] == first
        rack.write_text("slotz: {}\n", encoding="utf-8")
        modrack("config", "restore", first[:12])
        assert rack.read_text(encoding="utf-8") == before
        assert modrack("call", "a", "f").json == 1
