"""Modules that are broken before they are called: for each way the smallest file that is broken in just that way.

What is asserted is what a user needs: the code, the file, a hint, and that nothing is left behind.
"""

from __future__ import annotations

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


def written(source: str | bytes) -> Make:
    """A file of this content."""
    return lambda: source if isinstance(source, bytes) else source.encode()


def table(text: str, before: str = HEAD) -> Make:
    """A library with this table in C."""
    return lambda: compiled(before + text).read_bytes()


def changed(change: Callable[[bytes], bytes]) -> Make:
    """A sound library, changed."""
    return lambda: change(compiled(f"{HEAD}MODULE();").read_bytes())


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
    for args in [
        ("call", "it", "run"),
        ("check", "--load"),
        ("check", "--load", f"./{name}"),
        ("call", f"./{name}", "run"),
    ]:
        failure = modrack.fails(code, *args)
        assert name in failure.text, failure.text
        assert failure.hint, failure.text
        assert "panicked" not in modrack(*args, code=None).stderr
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
