"""Modules that are broken before they are called: for each way the smallest file that is broken in just that way.

What is asserted is what a user needs: the code, the file, a hint, and that nothing is left behind.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from harness import Modrack
from languages import LANGUAGES, compiled, component, module

# What makes the content of a file, when it is wanted.
Make = Callable[[], bytes]

HEAD = """
#include "short.h"
FUNCTION(run) { UNUSED; GIVE(modrack_null()); }
static const modrack_function functions[] = {{MODRACK_STR("run"), run}};
"""


# How a note of the module begins: the sizes of owner and text, the type, the owner.
NOTE = struct.pack("<III", 8, 11, 1) + b"modrack\0"


def written(source: str | bytes) -> Make:
    """A file of this content."""
    return lambda: source if isinstance(source, bytes) else source.encode()


def table(text: str, before: str = HEAD) -> Make:
    """A library with this table in C."""
    return lambda: compiled(before + text).read_bytes()


def changed(change: Callable[[bytes], bytes]) -> Make:
    """A sound library, changed."""
    return lambda: change(compiled(f"{HEAD}MODRACK_NOTE(\"name = 'it'\");\nMODULE();").read_bytes())


def lacking(source: str, helper: str, *flags: str) -> Make:
    """A library that was linked with another one, which is nowhere any more."""

    def make() -> bytes:
        gone = compiled(helper, "-Wl,-soname,libgone-with-the-tests.so")
        return compiled(source, *flags, "-Wl,--no-as-needed", str(gone)).read_bytes()

    return make


def of_version(major: int) -> Make:
    """A library that was written for this major version of the interface."""
    return table(
        "MODRACK_EXPORT const modrack_module modrack_module_v1 = {\n"
        f"    .head = {{sizeof(modrack_module), {major}, 0}}, MODRACK_FUNCTIONS(functions)}};\n"
    )


CASES: list[tuple[str, str, str, Make]] = [
    ("a core module", "it.wat", "M0313", written("(module)")),
    ("a core module, as bytes", "it.wasm", "M0313", written(b"\0asm\x01\0\0\0")),
    ("a component of nothing but its head and noise", "it.wasm", "M0314", written(b"\0asm\x0d\0\x01\0\x07\xff")),
    ("text that ends in the middle", "it.wat", "M0314", written("(component (core module")),
    (
        "an import that is not given",
        "it.wat",
        "M0315",
        written('(component (import "a:x/y" (instance (export "z" (func)))))'),
    ),
    ("an import that no WIT can say", "it.wat", "M0314", written('(component (import "a:x/y" (func)))')),
    ("text named as a library", "it.so", "M0316", written("hello\n")),
    ("a library cut short", "it.so", "M0316", changed(lambda library: library[:2000])),
    ("a library for another machine", "it.so", "M0316", changed(lambda lib: lib[:18] + b"\xb7\0" + lib[20:])),
    ("a library that is no module", "it.so", "M0317", table("int here(void);\nint here(void) { return 1; }\n", "")),
    ("a library of an older version", "it.so", "M0318", of_version(0)),
    ("a library of a newer version", "it.so", "M0318", of_version(2)),
    ("a library of a nonsense version", "it.so", "M0318", of_version(65535)),
    (
        "a library whose note is cut short",
        "it.so",
        "M0316",
        changed(lambda lib: lib.replace(NOTE, NOTE[:4] + b"\xff\xff\0\0" + NOTE[8:])),
    ),
    (
        "a library whose note is no TOML",
        "it.so",
        "M0308",
        table("MODULE();", f'{HEAD}MODRACK_NOTE("name = ");\n'),
    ),
    (
        "a library that needs one that is not there",
        "it.so",
        "M0321",
        lacking(f"{HEAD}MODULE();", "int gone(void);\nint gone(void) { return 1; }\n"),
    ),
    (
        "a function that the table lacks",
        "it.so",
        "M0319",
        table(
            "MODULE();",
            f"{HEAD}MODRACK_NOTE(\"wit = 'package a:b; world module {{ export walk: func(); }}'\");\n",
        ),
    ),
    (
        "a function without a name",
        "it.so",
        "M0319",
        table(
            "static const modrack_function unnamed[] = {{{NULL, 0}, run}};\n"
            "MODRACK_EXPORT const modrack_module modrack_module_v1 = {.head = MODRACK_HEAD(modrack_module),\n"
            "    MODRACK_FUNCTIONS(unnamed), .flags = sizeof functions > 0};\n"
        ),
    ),
    (
        "a table that is larger than it is",
        "it.so",
        "M0319",
        table(
            "MODRACK_EXPORT const modrack_module modrack_module_v1 = {\n"
            "    .head = {1 << 20, 1, 0}, MODRACK_FUNCTIONS(functions)};\n"
        ),
    ),
    (
        "a null function",
        "it.so",
        "M0319",
        table(
            'static const modrack_function functions[] = {{MODRACK_STR("run"), NULL}};\nMODULE();\n',
            '#include "short.h"\n',
        ),
    ),
]


@pytest.mark.once
@pytest.mark.parametrize(("name", "code", "make"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_module_that_is_broken(modrack: Modrack, name: str, code: str, make: Make) -> None:
    """It is told before anything of it runs, by a check and by a call, and nothing is left behind."""
    modrack.write(name, make())
    modrack.write("rack.yaml", f"rack: 1\nslots:\n  it: {{ use: ./{name} }}\n")
    empty = modrack.home / "temporary"
    empty.mkdir()
    for args in [
        ("check",),
        ("call", "it", "run"),
        ("check", "--load"),
        ("check", "--load", f"./{name}"),
        ("call", f"./{name}", "run"),
    ]:
        failure = modrack.fails(code, *args, env={"TMPDIR": str(empty)})
        assert name in failure.text, failure.text
        assert failure.hint, failure.text
        assert "panicked" not in modrack(*args, code=None).stderr
        assert not list(empty.iterdir())
    assert sorted(path.name for path in modrack.folder.iterdir() if path.name != ".modrack") == [name, "rack.yaml"]
    # No compiled code is kept of it, and no copy.
    assert not list((modrack.folder / ".modrack").glob("native/*/*"))
    assert not list((modrack.folder / ".modrack").rglob("*.code"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_module_that_is_not_there(modrack: Modrack, language: str) -> None:
    """It is missed by its name, and nothing else is taken instead."""
    use = module(modrack, language)
    (modrack.folder / use).unlink()
    assert modrack.fails("M0201", "call", use, "add", "1", "2").hint


@pytest.mark.once
def test_a_component_for_a_newer_contract(modrack: Modrack) -> None:
    """The version that it exports is held against those that there are."""
    parts = """
    (core module $m (func (export "run") (param i32 i32) (result i32) (i32.const 256)))
    (core instance $i (instantiate $m))
    (func $f (param "args" (list $value)) (result (result $value (error $error)))
      (canon lift (core func $i "run") (memory $memory) (realloc $realloc)))
    (instance $contract (export "run" (func $f)))
    (export "modrack:runnable/runnable@2.0.0" (instance $contract))
    """
    modrack.write("it.wat", component(parts))
    modrack.write("rack.yaml", "rack: 1\nslots:\n  it: { use: ./it.wat, contract: runnable@1 }\n")
    ran = modrack("check", code=None)
    assert ran.code in (1, 2), ran.show()
    assert "runnable@2" in ran.stderr, ran.show()


def test_two_libraries_that_cannot_be_in_one_process(modrack: Modrack) -> None:
    """A check tells it of the two slots; each of them can be called alone."""
    for name, answer in [("one", 1), ("two", 2)]:
        helper = compiled(f"int here(void);\nint here(void) {{ return {answer}; }}\n", "-Wl,-soname,libhere.so")
        source = """
        #include "short.h"
        int here(void);
        FUNCTION(run) { UNUSED; GIVE(modrack_int(here())); }
        static const modrack_function functions[] = {{MODRACK_STR("run"), run}};
        MODULE();
        """
        library = compiled(source, str(helper), "-Wl,-rpath,$ORIGIN")
        modrack.write(f"{name}/libhere.so", helper.read_bytes())
        modrack.write(f"{name}/it.so", library.read_bytes())
    modrack.write("rack.yaml", "rack: 1\nslots:\n  one: { use: ./one/it.so }\n  two: { use: ./two/it.so }\n")
    assert [modrack("call", name, "run").json for name in ("one", "two")] == [1, 2]
    failure = modrack.fails("M0320", "check")
    assert ("two/it.so" in failure.message, "libhere.so" in failure.message) == (True, True), failure.text
    assert "isolation" in failure.hint
    modrack.write("rack.yaml", "rack: 1\nslots:\n  one: { use: ./one/it.so }\n  two: { use: ./one/it.so }\n")
    modrack("check", "--load")
