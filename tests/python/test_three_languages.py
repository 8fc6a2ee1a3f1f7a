"""One suite for modules in three languages: what is asked, and what is answered or said to be wrong, is the same.

Where a language cannot be held to something, asking for it is the error that it should be, and that is asserted too.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from typing import Any

import pytest

from harness import HANGS_AFTER, Modrack
from languages import COLUMNS, KIT, LANGUAGES, PAIRS, compiled, language_of, module

each = pytest.mark.parametrize("language", COLUMNS)
pairs = pytest.mark.parametrize(("outer", "inner"), PAIRS)

# Calls what it is told to, one after the other, in one process: what came of each, in order.
CALLER = """
    class Caller:
        def __init__(self, lab):
            self.lab = lab

        def all(self, calls: list) -> list:
            return [self.one(name, args) for name, args in calls]

        def one(self, name, args):
            try:
                return getattr(self.lab, name)(*args)
            except Exception as why:
                return f"{type(why).__name__}: {why}"
"""


def rack(modrack: Modrack, language: str, options: str = "", more: str = "") -> None:
    """A rack whose slot `lab` is filled by the module in this language."""
    use = module(modrack, language)
    modrack.write("rack.yaml", f"rack: 1\nslots:\n  lab: {{ use: {use}{options} }}\n{more}")


def calls(modrack: Modrack, language: str, wanted: list[tuple[str, list[Any]]], options: str = "") -> list[Any]:
    """What the calls come to, made by a Python module in one process."""
    modrack.write("caller.py", CALLER)
    rack(modrack, language, options, "  caller: { use: ./caller.py, needs: { lab: lab } }\n")
    answers: list[Any] = modrack("call", "caller", "all", json.dumps(wanted)).json
    return answers


def error(modrack: Modrack, *args: str) -> dict[str, Any]:
    """The failure of a call, with every field."""
    ran = modrack("--json", "call", *args, code=1)
    found: dict[str, Any] = ran.json["error"]
    return found


# Values: each kind goes in as it is, and comes back as it went.

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -(2**63),
    2**63 - 1,
    0.5,
    -2.0,
    "",
    "größer\u0000\U0001f680",
    {"base64": ""},
    {"base64": "AAH/"},
    [],
    [1, [2.5, [None, "x"]], {"a": [True]}],
    {},
    {"b": 1, "a": {"c": [{"base64": "/w=="}]}},
    "x" * 100_000,
]

TYPED: list[tuple[str, Any]] = [
    ("same_bool", True),
    ("same_int", -(2**63)),
    ("same_float", 0.25),
    ("same_text", "größer"),
    ("same_bytes", {"base64": "AAH/"}),
    ("same_list", [1, -2, 3]),
    ("same_option", "x"),
    ("same_option", None),
    ("same_pair", [7, "seven"]),
    ("same_map", {"b": 1, "a": 2}),
]


@each
def test_any_value_comes_back_as_it_went(modrack: Modrack, language: str) -> None:
    """From the command, and from Python: order, types and bits are kept."""
    rack(modrack, language)
    ran = modrack("call", "lab", "same", json.dumps(VALUES))
    assert ran.stdout.strip() == modrack("call", "lab", "same", ran.stdout.strip()).stdout.strip()
    assert (ran.json, [type(value) for value in ran.json]) == (VALUES, [type(value) for value in VALUES])
    assert calls(modrack, language, [("same", [value]) for value in VALUES]) == VALUES


@each
def test_values_of_each_type_come_back_as_they_went(modrack: Modrack, language: str) -> None:
    """What a function says that it takes and gives, it takes and gives."""
    assert calls(modrack, language, [(name, [value]) for name, value in TYPED]) == [value for _, value in TYPED]
    functions = modrack("inspect", "lab", "--json").json["functions"]
    types = {function["name"]: function for function in functions if function["name"].startswith("same_")}
    assert {name: (about["params"][0]["type"], about["result"]) for name, about in types.items()} == {
        "same_bool": ("bool", "bool"),
        "same_int": ("int", "int"),
        "same_float": ("float", "float"),
        "same_text": ("text", "text"),
        "same_bytes": ("bytes", "bytes"),
        "same_list": ("list<int>", "list<int>"),
        "same_option": ("option<text>", "option<text>"),
        "same_pair": ("tuple<int, text>", "tuple<int, text>"),
        "same_map": ("map<int>", "map<int>"),
        "same_small": ("int", "int"),
    }


@each
def test_a_loose_file_is_looked_at(modrack: Modrack, language: str) -> None:
    """No rack is needed, and what a file is tells its content, whatever its name."""
    use = module(modrack, language)
    names = [use]
    if language != "python":
        shutil.copyfile(modrack.folder / use, modrack.folder / "any.thing")
        names.append("./any.thing")
    for name in names:
        assert modrack("check", name).stderr == f"Checked {name}; no errors\n"
        assert modrack("check", "--load", name).stderr == f"Checked and started {name}; no errors\n"
        about = modrack("inspect", name, "--json").json
        assert (about["backend"], about["misfits"]) == (language_of(language), [])
        assert {"add", "same", "down"} <= {function["name"] for function in about["functions"]}


# What is refused before a module is called.

# Python holds nobody to annotations: there it is the function that refuses, or does not.
REFUSED = [
    ("add 1", "M0503", "M0503", "b"),
    ("add 1 2 3", "M0503", "M0503", ""),
    ("add 1 c=2", "M0503", "M0504", ""),
    ("add 1 x", "M0503", "M0504", ""),
    ("same_list [1,true]", "M0503", "", ""),
    ("same_pair [1]", "M0503", "", ""),
    ("same_small 300", "M0503", "", "u8"),
    ('total_of {"x":1}', "M0503", "M0504", "y"),
    ('total_of {"x":1,"y":"2"}', "M0503", "M0504", ""),
    ("aad 1 2", "M0501", "M0501", "add"),
]


@each
@pytest.mark.parametrize(("words", "code", "in_python", "says"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_call_that_does_not_fit(
    modrack: Modrack, language: str, words: str, code: str, in_python: str, says: str
) -> None:
    """It is refused, with what is wrong and what would do."""
    rack(modrack, language)
    wanted = in_python if language == "python" else code
    if not wanted:
        modrack("call", "lab", *words.split(" "))
        return
    failure = modrack.fails(wanted, "call", "lab", *words.split(" "))
    # The kit says it in the words of those who never saw WIT.
    assert (says.replace("u8", "from 0 to 255") if language == "kit-native" else says) in failure.text
    assert failure.hint


@each
def test_an_attribute_that_is_not_there(modrack: Modrack, language: str) -> None:
    """Functions are not attributes, and what is no attribute is told."""
    rack(modrack, language)
    assert modrack.fails("M0510", "get", "lab", "nothing").hint


# Failures: what a module fails with, however its language says it.

FAILURES: list[tuple[str, list[str], str, str, str]] = [
    # Function and arguments, options of the slot, code, part of what is said.
    ("fail", [], "", "M0504", "the train has gone"),
    ("crash", [], "", "M0504", ""),
    ("garbled", [], "", "M0506", ""),
    ("linger", [], ", limits: { time: 100ms }", "M0508", "`linger` took longer than 100ms"),
    ("swell", ["1001"], ", limits: { output: 1000B }", "M0512", "1000"),
]


# The class of what breaks down. The kit tells the host of a panic before it traps.
CRASHES = {"python": "IndexError", "native": "panic", "wasm": "trap", "kit-native": "panic", "kit-wasm": "panic"}


@each
@pytest.mark.parametrize(("function", "args", "options", "code", "says"), FAILURES, ids=[f[0] for f in FAILURES])
def test_a_call_that_fails(
    modrack: Modrack, language: str, function: str, args: list[str], options: str, code: str, says: str
) -> None:
    """It has the code that it has in every language, the slot, the module and the phase."""
    rack(modrack, language, options)
    if language in KIT and function == "garbled":
        # Text of Rust is never garbled.
        modrack.fails("M0501", "call", "lab", function)
        return
    found = error(modrack, "lab", function, *args)
    assert (found["code"], found["slot"], found["phase"]) == (code, "lab", "call"), found
    assert says in found["message"]
    assert found["hint"]
    if function == "fail":
        assert found["classes"][0].rsplit(".")[-1] == "TooLate"
        # Which function, of which class, and what it says: in every language in these words.
        assert found["message"] == f"`fail` raised `{found['classes'][0]}`: the train has gone"
        assert [(cause["class"], "timetable" in cause["message"]) for cause in found["causes"]] == [("KeyError", True)]
    if function == "crash":
        assert found["classes"][0] == CRASHES[language]


@each
def test_a_slot_goes_on_after_a_call_that_failed(modrack: Modrack, language: str) -> None:
    """Its state too, unless its instance trapped: then there is another one, and that is said."""
    first, crashed, second = calls(modrack, language, [("count", []), ("crash", []), ("count", [])])
    assert (first, second) == (1, 1 if language_of(language) == "wasm" else 2)
    assert "Error" in crashed
    first, failed, second = calls(modrack, language, [("count", []), ("fail", []), ("count", [])])
    assert (first, second) == (1, 2)
    assert "the train has gone" in failed


# Limits and guards: the table of the documentation, each of its lines.

TOLD = {
    "exceptions": ("yes", "yes", "yes"),
    "exits": ("Python's own exits", "no", "yes"),
    "time": ("best effort, at the next bytecode", "no, reported late", "yes"),
    "memory": ("no", "no", "yes"),
    "tables": ("lengths checked", "lengths checked", "yes"),
    "access": ("no", "no", "denied unless allowed"),
}


@each
def test_what_is_guarded_is_told(modrack: Modrack, language: str) -> None:
    """Before anything runs, of a slot and of a file; what is told is held by the tests below and above."""
    told = modrack("inspect", module(modrack, language), "--json").json["guards"]
    column = LANGUAGES.index(language_of(language))
    assert told == {what: words[column] for what, words in TOLD.items()}


GUARDS = [
    # What a slot asks for; who can be held to it.
    ("limits: { time: 1s }", LANGUAGES),
    ("limits: { output: 1MiB }", LANGUAGES),
    ("limits: { memory: 8MiB }", ("wasm",)),
    ("allow: { read: . }", ("wasm",)),
    ("allow: { write: . }", ("wasm",)),
    ("allow: { net: [] }", ("wasm",)),
    ("allow: { env: [TZ] }", ("wasm",)),
]


@each
@pytest.mark.parametrize(("asked", "held"), GUARDS, ids=[asked for asked, _ in GUARDS])
def test_a_guard_is_held_or_refused(modrack: Modrack, language: str, asked: str, held: tuple[str, ...]) -> None:
    """What a language cannot be held to is an error before anything runs, unless the slot does without."""
    rack(modrack, language, f", {asked}")
    if language_of(language) in held:
        modrack("check", "--load")
        assert modrack("call", "lab", "add", "1", "2").json == 3
        return
    key = asked.replace(": {", ".").partition(":")[0].replace(" ", "")
    for args in [("check",), ("call", "lab", "add", "1", "2")]:
        ran = modrack(*args, code=None)
        assert ran.code in (1, 2)
        assert "[M0110]" in ran.stderr, ran.show()
        assert f"`{key}`" in ran.stderr, ran.show()
        assert "enforce: best-effort" in ran.stderr, ran.show()
    rack(modrack, language, f", {asked}, enforce: best-effort")
    assert modrack("call", "lab", "add", "1", "2").json == 3


@pytest.mark.parametrize("language", ["wasm", pytest.param("kit-wasm", marks=pytest.mark.once)])
def test_memory_beyond_its_limit(modrack: Modrack, language: str) -> None:
    """Only a component can be held to it; its slot goes on with another instance."""
    answers = calls(
        modrack, language, [("swell", [1000]), ("swell", [1 << 22]), ("count", [])], ", limits: { memory: 2MiB }"
    )
    assert len(answers[0]["base64"]) == 1336
    assert "memory" in answers[1]
    assert answers[2] == 1
    assert error(modrack, "lab", "swell", str(1 << 22))["code"] == "M0513"
    # One that it is beyond before it does anything is told by a check.
    rack(modrack, language, ", limits: { memory: 1KiB }")
    for args in [("check",), ("call", "lab", "add", "1", "2")]:
        ran = modrack(*args, code=None)
        said = r"\[M0513\]: The module begins with \d+ bytes of memory, and may have 1024"
        assert re.search(said, ran.stderr), ran.show()
        assert "rack.yaml:3" in ran.stderr, ran.show()


def test_what_an_exit_takes_with_it(modrack: Modrack) -> None:
    """Python asks to exit, and is refused; a library ends the process, and nobody can keep it from that."""
    modrack.write("leave.py", "import sys\n\ndef leave():\n    sys.exit(3)\n")
    modrack.fails("M0507", "call", "./leave.py", "leave")
    source = """
    #include "short.h"
    #include <stdlib.h>
    FUNCTION(leave) { UNUSED; exit(3); }
    static const modrack_function functions[] = {{MODRACK_STR("leave"), leave}};
    MODULE();
    """
    shutil.copyfile(compiled(source), modrack.folder / "leave.so")
    assert modrack("call", "./leave.so", "leave", code=3).stdout == ""
    shown = modrack("inspect", "./leave.so").stdout
    assert re.search(r"exit, abort, segfault +no\n", shown)


def test_time_is_told_late_by_a_library_that_does_not_look(modrack: Modrack) -> None:
    """Nobody can stop it: its call ends when it ends, and is an error then."""
    source = """
    #include "short.h"
    #include <time.h>
    static void wait_long(void) {
        clock_t until = clock() + CLOCKS_PER_SEC / 2;
        while (clock() < until) {
        }
    }
    FUNCTION(spin) {
        UNUSED;
        wait_long();
        GIVE(modrack_int(1));
    }
    FUNCTION(transform) {
        UNUSED;
        wait_long();
        GIVE(args[0]);
    }
    static const modrack_function functions[] = {{MODRACK_STR("spin"), spin}, {MODRACK_STR("transform"), transform}};
    MODULE();
    """
    shutil.copyfile(compiled(source), modrack.folder / "spin.so")
    modrack.write(
        "rack.yaml",
        """
        rack: 1
        slots:
          it: { use: ./spin.so, function: transform, limits: { time: 50ms } }
        pipelines:
          all: { source: { csv: in.csv }, stages: [it], sink: { csv: out.csv } }
        """,
    )
    began = time.monotonic()
    found = error(modrack, "it", "spin")
    assert (found["code"], time.monotonic() - began >= 0.5) == ("M0508", True), found
    assert found["message"] == "`spin` took longer than 50ms"
    # As a stage it has no more of it.
    modrack.write("in.csv", "a\n1\n")
    assert "`transform` took longer than 50ms" in modrack.fails("M0508", "run", "all").message
    assert not (modrack.folder / "out.csv").exists()


# Instances: how they serve calls is the runtime's, and the same for each language.

POLICIES = [
    ("one", [1, 2, 3]),
    ("pool(2)", [1, 2, 3]),
    ("per-call", [1, 1, 1]),
]


@each
@pytest.mark.parametrize(("policy", "counts"), POLICIES, ids=[policy for policy, _ in POLICIES])
def test_instances(modrack: Modrack, language: str, policy: str, counts: list[int]) -> None:
    """State lives as long as its instance, whatever the language."""
    options = f", instances: {policy}, params: {{ start: 10 }}"
    assert calls(modrack, language, [("count", [])] * 3, options) == [10 + count for count in counts]
    assert modrack("inspect", "lab", "--json").json["instances"] == policy


@each
def test_one_instance_for_many_calls_at_once(modrack: Modrack, language: str) -> None:
    """Python may be called by several at once; a module that may not be is not shared."""
    rack(modrack, language, ", instances: shared")
    if language == "python":
        assert modrack("call", "lab", "count").json == 1
    else:
        assert "instances: one" in modrack.fails("M0110", "check", status=2).message


@each
def test_a_pool_has_no_attributes(modrack: Modrack, language: str) -> None:
    """Nobody could say whose."""
    rack(modrack, language, ", instances: pool(2)")
    modrack.fails("M0110", "get", "lab", "counted", status=2)


@each
def test_threads_that_call_at_once(modrack: Modrack, language: str) -> None:
    """Each call is answered, one after the other where there is one instance.

    An interpreter makes these calls, and holds on to itself in those of other languages: truly at the same time they
    are called by `crates/modrack/tests/threads.rs`.
    """
    modrack.write(
        "caller.py",
        """
        import threading

        class Caller:
            def __init__(self, lab):
                self.lab = lab

            def together(self, threads: int) -> list:
                counts = []
                gate = threading.Barrier(threads)
                def call():
                    gate.wait()
                    for _ in range(5):
                        counts.append(self.lab.count())
                all = [threading.Thread(target=call) for _ in range(threads)]
                [thread.start() for thread in all]
                [thread.join() for thread in all]
                return sorted(counts)
        """,
    )
    rack(modrack, language, ", instances: one", "  caller: { use: ./caller.py, needs: { lab: lab } }\n")
    assert modrack("call", "caller", "together", "4").json == list(range(1, 21))


# Calls from slot to slot: all nine pairs.


def two(modrack: Modrack, outer: str, inner: str, options: str = "", inner_options: str = "") -> None:
    """A rack in which `outer` may call `inner`."""
    modrack.write(
        "rack.yaml",
        f"""\
        rack: 1
        slots:
          outer: {{ use: {module(modrack, outer)}, needs: {{ other: inner }}{options} }}
          inner: {{ use: {module(modrack, inner)}{inner_options} }}
        """,
    )


@pairs
def test_a_module_calls_another_slot(modrack: Modrack, outer: str, inner: str) -> None:
    """Whatever the language of either: values go in and come back."""
    two(modrack, outer, inner)
    assert modrack("call", "outer", "ask", "add", "2", "3").json == 5
    assert modrack("call", "outer", "ask", "same", json.dumps(VALUES)).json == VALUES
    assert modrack("call", "outer", "down", "1").json == 0


def named(found: dict[str, Any], outer: str, inner: str) -> None:
    """The slot inside is named; between two modules in Python an exception goes as the object that it is."""
    if (outer, inner) == ("python", "python"):
        assert ("in ask" in found["traceback"], found["traceback"].count('lab.py"') > 1) == (True, True), found
    else:
        assert "inner" in [cause["slot"] for cause in found["causes"]], found


@pairs
def test_a_failure_of_another_slot(modrack: Modrack, outer: str, inner: str) -> None:
    """It comes through with its code, its class, and what both languages say of it."""
    two(modrack, outer, inner)
    found = error(modrack, "outer", "ask", "fail")
    assert (found["code"], found["slot"]) == ("M0504", "outer"), found
    said = [found, *found["causes"]]
    named(found, outer, inner)
    assert any("TooLate" in json.dumps(one) and "the train has gone" in one["message"] for one in said), found
    assert any("timetable" in cause["message"] for cause in found["causes"]), found
    tracebacks = [one["traceback"] or "" for one in said]
    if inner == "python":
        assert any("in fail" in text for text in tracebacks), found
    if outer == "python":
        assert any("in ask" in text for text in tracebacks), found


@pairs
def test_a_crash_of_another_slot(modrack: Modrack, outer: str, inner: str) -> None:
    """It is a failure for who called it, not its end."""
    two(modrack, outer, inner)
    found = error(modrack, "outer", "ask", "crash")
    assert (found["code"], found["slot"]) == ("M0504", "outer"), found
    named(found, outer, inner)
    if language_of(inner) == "wasm":
        said = [one["traceback"] or "" for one in [found, *found["causes"]]]
        assert any("broken" in text for text in said), found


@pairs
def test_the_time_that_is_left_goes_along(modrack: Modrack, outer: str, inner: str) -> None:
    """A call within a call has no longer than who made it."""
    two(modrack, outer, inner, ", limits: { time: 300ms }")
    began = time.monotonic()
    assert error(modrack, "outer", "ask", "linger")["code"] == "M0508"
    assert time.monotonic() - began < HANGS_AFTER / 4


@pairs
def test_the_time_of_another_slot(modrack: Modrack, outer: str, inner: str) -> None:
    """A slot keeps its own limit, however much time its caller has left."""
    two(modrack, outer, inner, f", limits: {{ time: {HANGS_AFTER}s }}", ", limits: { time: 200ms }")
    began = time.monotonic()
    found = error(modrack, "outer", "ask", "linger")
    assert found["code"] == "M0508", found
    assert "inner" in [found["slot"], *(cause["slot"] for cause in found["causes"])]
    assert time.monotonic() - began < HANGS_AFTER / 4


@pairs
def test_a_limit_of_another_slot(modrack: Modrack, outer: str, inner: str) -> None:
    """It holds for its calls alone, and says so."""
    two(modrack, outer, inner, "", ", limits: { output: 10B }")
    found = error(modrack, "outer", "ask", "swell", "11")
    assert found["code"] == "M0512", found
    assert "inner" in [found["slot"], *(cause["slot"] for cause in found["causes"])]


@each
def test_a_slot_that_is_not_needed_cannot_be_called(modrack: Modrack, language: str) -> None:
    """What a module may call stands in its slot."""
    rack(modrack, language, "", f"  other: {{ use: {module(modrack, 'python')} }}\n")
    found = error(modrack, "lab", "ask", "add", "1", "2")
    if language == "python":
        # It was given nothing, so that there is nothing to call.
        assert found["code"] == "M0504"
    else:
        assert (found["code"], "needs" in found["hint"]) == ("M0504", True), found


@each
def test_a_needed_slot_goes_by_its_name_in_needs_alone(modrack: Modrack, language: str) -> None:
    """What fills it may be called otherwise, and its own name is none to the module."""
    use, inner = module(modrack, language), module(modrack, "python")

    def needing(needs: str) -> None:
        slots = f"  lab: {{ use: {use}, needs: {{ {needs} }} }}\n  other: {{ use: {inner} }}\n"
        modrack.write("rack.yaml", f"rack: 1\nslots:\n{slots}  rates: {{ use: {inner} }}\n")

    needing("other: rates")
    assert modrack("call", "lab", "ask", "add", "2", "3").json == 5
    needing("othr: other")
    found = error(modrack, "lab", "ask", "add", "2", "3")
    assert found["code"] == "M0504", found
    # A module in Python is given what it needs, and asks nobody for it by a name.
    if language != "python":
        assert "`lab` needs no slot `other`" in found["message"], found
        assert found["hint"] == "Did you mean `othr`?", found


def chain(modrack: Modrack, columns: tuple[str, ...], many: int) -> None:
    """A rack of so many slots of all languages in turn, each of which needs the next."""
    uses = [module(modrack, language) for language in columns]
    slots = [
        f"  s{i}: {{ use: {uses[i % len(uses)]}{f', needs: {{ other: s{i + 1} }}' if i + 1 < many else ''} }}\n"
        for i in range(many)
    ]
    modrack.write("rack.yaml", "rack: 1\nslots:\n" + "".join(slots))


@pytest.mark.parametrize("columns", [LANGUAGES, pytest.param((*LANGUAGES, *KIT), marks=pytest.mark.once)])
def test_calls_nested_too_deep(modrack: Modrack, columns: tuple[str, ...]) -> None:
    """Through slots of all languages, the stack survives and the limit is said."""
    chain(modrack, columns, 70)
    assert modrack("call", "s0", "down", "60").json == 0
    assert error(modrack, "s0", "down", "69")["code"] == "M0514"


@each
def test_a_module_that_is_called_back(modrack: Modrack, language: str) -> None:
    """A calls B, and B calls A: an error where A takes one call at a time, and never a wait."""
    modrack.write(
        "back.py",
        """
        kept = []

        def keep(lab):
            kept.append(lab)

        def back():
            return kept[0].count()
        """,
    )
    modrack.write(
        "begin.py",
        """
        class Begin:
            def __init__(self, a, b):
                self.a, self.b = a, b

            def go(self):
                self.b.keep(self.a)
                return self.a.ask("back")
        """,
    )

    def answered(instances: str) -> dict[str, Any]:
        modrack.write(
            "rack.yaml",
            f"""\
            rack: 1
            slots:
              a: {{ use: {module(modrack, language)}, instances: {instances}, needs: {{ other: b }} }}
              b: {{ use: ./back.py }}
              begin: {{ use: ./begin.py, needs: {{ a: a, b: b }} }}
            """,
        )
        ran = modrack("--json", "call", "begin", "go", code=None)
        return {"value": ran.json} if ran.code == 0 else ran.json["error"]

    refused = answered("one")
    assert "M0511" in json.dumps(refused), refused
    assert answered("pool(2)") == {"value": 1}
    assert answered("per-call") == {"value": 1}
    if language == "python":
        assert answered("shared") == {"value": 1}


@pairs
def test_slots_that_need_each_other(modrack: Modrack, outer: str, inner: str) -> None:
    """Neither could be started first: told before anything runs."""
    two(modrack, outer, inner, "", ", needs: { other: outer }")
    modrack.fails("M0108", "list", status=2)
