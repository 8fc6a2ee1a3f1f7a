"""Native modules that break when they are called: for each way the smallest one that breaks in just that way.

A library runs in the process, so what is asserted here is what a host can find out: the code, the slot, the phase and a
hint; that nothing else is said, and that the slot goes on where it can.
"""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from harness import Modrack
from languages import compiled

PANIC = 'return modrack_fail(output, MODRACK_PANICKED, "the list is empty");'

# Text of the module's own that it lends to the host, with a word that marks it as released and one that does not.
LENT = """
static char held[4096];
MODRACK_UNUSED static void marks(modrack_output *output) { output->release = NULL; }
MODRACK_UNUSED static void forgets(modrack_output *output) { (void)output; }
static int32_t lend(modrack_output *output, modrack_value value, void (*release)(modrack_output *)) {
    output->value = value;
    output->owner = held;
    output->release = release;
    return MODRACK_OK;
}
MODRACK_UNUSED static modrack_value text(size_t len) { memset(held, 'x', sizeof held); return modrack_text(held, len); }
"""

# A table of one column of numbers, broken by `change` before it is given.
TABLE = """
static void schema_done(struct ArrowSchema *schema) { schema->release = NULL; }
static void array_done(struct ArrowArray *array) { array->release = NULL; }
static int64_t numbers[3] = {1, 2, 3};
static const void *none[1], *buffers[2] = {NULL, numbers};
static struct ArrowSchema schemas[2], *schema_parts[1] = {&schemas[1]};
static struct ArrowArray arrays[2], *array_parts[1] = {&arrays[1]};
static modrack_table table = {&schemas[0], &arrays[0]};
FUNCTION(run) {
    UNUSED;
    schemas[0] = (struct ArrowSchema){.format = "+s", .name = "", .n_children = 1, .children = schema_parts,
                                      .release = schema_done};
    schemas[1] = (struct ArrowSchema){.format = "l", .name = "n", .release = schema_done};
    arrays[0] = (struct ArrowArray){.length = 3, .n_buffers = 1, .n_children = 1, .buffers = none,
                                    .children = array_parts, .release = array_done};
    arrays[1] = (struct ArrowArray){.length = 3, .n_buffers = 2, .buffers = buffers, .release = array_done};
    modrack_value value = {MODRACK_TAG_TABLE, 0, 1, {0}};
    value.payload.table = &table;
    CHANGE;
    GIVE(value);
}
"""


def library(modrack: Modrack, source: str, functions: list[str], more: str = "") -> None:
    """A rack with one slot `it`, filled by a library of these functions."""
    entries = ", ".join(f'{{MODRACK_STR("{name}"), {name}}}' for name in functions)
    text = f'#include "short.h"\n{source}\n'
    text += f"static const modrack_function functions[] = {{{entries}}};\nMODULE({more});\n"
    shutil.copyfile(compiled(text), modrack.folder / "it.so")
    modrack.write("rack.yaml", "rack: 1\nslots:\n  it: { use: ./it.so }\n")


def failure(modrack: Modrack, *args: str) -> dict[str, Any]:
    """What a run fails with."""
    ran = modrack("--json", *args, code=1)
    found: dict[str, Any] = ran.json["error"]
    assert found["slot"] == "it", ran.show()
    assert "SIG" not in ran.stderr
    return found


RUN = "FUNCTION(run) { UNUSED; GIVE(modrack_int(1)); }\n"

CREATE = """
static int32_t create(const modrack_context *context, const modrack_value *params, void **instance,
                      modrack_output *output) {
    (void)context; (void)params; (void)instance;
    CREATED
}
"""

PANICS: list[tuple[str, str, list[str], str, list[str], str, str]] = [
    # Where: source, functions, the rest of the table; what is run, code, phase.
    (
        "create",
        CREATE.replace("CREATED", PANIC) + RUN,
        ["run"],
        ".create = create",
        ["call", "it", "run"],
        "M0403",
        "start",
    ),
    (
        "initialize",
        f"FUNCTION(initialize) {{ UNUSED; {PANIC} }}\n{RUN}",
        ["run", "initialize"],
        "",
        ["call", "it", "run"],
        "M0404",
        "start",
    ),
    ("call", f"FUNCTION(run) {{ UNUSED; {PANIC} }}\n", ["run"], "", ["call", "it", "run"], "M0504", "call"),
    (
        "attribute",
        "static int32_t unit(void *self, const modrack_context *context, modrack_output *output) {\n"
        f"    (void)self; (void)context; {PANIC}\n}}\n"
        f'static const modrack_attribute attributes[] = {{{{MODRACK_STR("unit"), unit}}}};\n{RUN}',
        ["run"],
        "MODRACK_ATTRIBUTES(attributes)",
        ["get", "it", "unit"],
        "M0504",
        "call",
    ),
    *(
        (name, f"FUNCTION({name}) {{ UNUSED; {PANIC} }}\n", [name], "", ["call", "it", name], "M0504", "call")
        for name in ["export_state", "import_state", "finish"]
    ),
]


@pytest.mark.parametrize(
    ("source", "functions", "more", "args", "code", "phase"),
    [case[1:] for case in PANICS],
    ids=[case[0] for case in PANICS],
)
def test_a_panic_in_an_entry(
    modrack: Modrack, source: str, functions: list[str], more: str, args: list[str], code: str, phase: str
) -> None:
    """It is a failure of that entry, in the module's own words."""
    library(modrack, source, functions, more)
    found = failure(modrack, *args)
    assert (found["code"], found["phase"]) == (code, phase), found
    assert "the list is empty" in found["message"]
    assert found["classes"] == ["panic"]
    assert found["hint"]


def test_a_panic_in_the_shutdown(modrack: Modrack) -> None:
    """The call has its answer; the end of the run tells of the rest."""
    library(modrack, f"{RUN}FUNCTION(shutdown) {{ UNUSED; {PANIC} }}\n", ["run", "shutdown"])
    ran = modrack("call", "it", "run", code=None)
    assert ran.stdout == "1\n", ran.show()
    assert "M0407" in ran.stderr, ran.show()
    assert "the list is empty" in ran.stderr, ran.show()


def test_a_panic_at_the_end_of_a_sink(modrack: Modrack) -> None:
    """The pipeline has failed, though every row was taken."""
    source = f"FUNCTION(write) {{ UNUSED; GIVE(modrack_null()); }}\nFUNCTION(finish) {{ UNUSED; {PANIC} }}\n"
    library(modrack, source, ["write", "finish"])
    modrack.write("in.csv", "n\n1\n2\n")
    modrack.write(
        "rack.yaml",
        "rack: 1\nslots:\n  it: { use: ./it.so, contract: sink@1 }\n"
        "pipelines: { p: { source: in.csv, sink: { slot: it } } }\n",
    )
    ran = modrack("run", "p", code=1)
    assert ("M0504" in ran.stderr, "the list is empty" in ran.stderr) == (True, True), ran.show()


BROKEN: list[tuple[str, str, str, str]] = [
    # What is broken, the module, its code, part of what is said.
    ("an error that is none", "FUNCTION(run) { UNUSED; return 77; }", "M0515", "the status 77"),
    ("a kind that there is not", "FUNCTION(run) { UNUSED; output->value.tag = 99; return 0; }", "M0506", "the kind 99"),
    (
        "a bool that is neither",
        "FUNCTION(run) { UNUSED; output->value = modrack_int(2); output->value.tag = MODRACK_TAG_BOOL; return 0; }",
        "M0506",
        "a bool that is 2",
    ),
    ("text that is not UTF-8", 'FUNCTION(run) { UNUSED; GIVE(modrack_text("a\\xff", 2)); }', "M0506", "byte 1 of 2"),
    ("text without a place", "FUNCTION(run) { UNUSED; GIVE(modrack_text(NULL, 7)); }", "M0506", "length 7"),
    (
        "text without an end",
        'FUNCTION(run) { UNUSED; GIVE(modrack_text("x", (size_t)1 << 45)); }',
        "M0506",
        "not there",
    ),
    (
        "a list of a negative length",
        "FUNCTION(run) { UNUSED; GIVE(modrack_list(args, (size_t)-1)); }",
        "M0506",
        "not there",
    ),
    (
        "a list in itself",
        "FUNCTION(run) { UNUSED; static modrack_value own; own = modrack_list(&own, 1); GIVE(own); }",
        "M0506",
        "64 levels",
    ),
    (
        "a result that is not marked as released",
        f"{LENT}FUNCTION(run) {{ UNUSED; return lend(output, text(3), forgets); }}",
        "M0515",
        "did not mark it as released",
    ),
    (
        "an argument that is lent out",
        f"{LENT}FUNCTION(run) {{ UNUSED; return lend(output, args[0], marks); }}",
        "M0515",
        "in one of its arguments",
    ),
    (
        "part of an argument that is lent out",
        f"{LENT}FUNCTION(run) {{ UNUSED; return lend(output, args[1].payload.items[0], marks); }}",
        "M0515",
        "in one of its arguments",
    ),
    (
        "an output that is released twice",
        """
        FUNCTION(run) {
            UNUSED;
            modrack_str key = MODRACK_STR("key");
            modrack_output got;
            context->host->config(context, key, &got);
            modrack_output copy = got;
            got.release(&got);
            copy.release(&copy);
            GIVE(modrack_null());
        }
        """,
        "M0515",
        "released before",
    ),
    (
        "an output of its own that is released as the host's",
        """
        FUNCTION(run) {
            UNUSED;
            modrack_str key = MODRACK_STR("key");
            modrack_output got, own = {modrack_int(1), NULL, &got};
            context->host->config(context, key, &got);
            got.release(&own);
            got.release(&got);
            GIVE(modrack_null());
        }
        """,
        "M0515",
        "not the host's",
    ),
    ("a table without a schema", TABLE.replace("CHANGE", "table.schema = NULL"), "M0613", "no schema"),
    ("a table of no type", TABLE.replace("CHANGE", 'schemas[1].format = "nonsense"'), "M0613", "cannot be taken"),
    ("a type without its parts", TABLE.replace("CHANGE", "schemas[0].children = NULL"), "M0613", "1 parts"),
    ("a name that is nowhere", TABLE.replace("CHANGE", "schemas[1].name = (const char *)16"), "M0613", "a name"),
    (
        "metadata that is nowhere",
        TABLE.replace("CHANGE", "schemas[1].metadata = (const char *)16"),
        "M0613",
        "metadata",
    ),
    ("a negative length", TABLE.replace("CHANGE", "arrays[0].length = -1"), "M0613", "its length is -1"),
    ("a negative offset", TABLE.replace("CHANGE", "arrays[1].offset = -5"), "M0613", "its offset -5"),
    (
        "a length beyond its buffer",
        TABLE.replace("CHANGE", "arrays[0].length = arrays[1].length = (int64_t)1 << 40"),
        "M0613",
        "bytes that are not there",
    ),
    ("a buffer that is nowhere", TABLE.replace("CHANGE", "buffers[1] = (const void *)16"), "M0613", "not there"),
    ("columns of two lengths", TABLE.replace("CHANGE", "arrays[1].length = 2"), "M0613", "it claims 3 values"),
    ("a table that was released", TABLE.replace("CHANGE", "arrays[0].release = NULL"), "M0613", "it was released"),
]


@pytest.mark.parametrize(("source", "code", "says"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_module_that_breaks_its_rules(modrack: Modrack, source: str, code: str, says: str) -> None:
    """It is told, with the slot and with what to do, and nothing is freed for it."""
    library(modrack, source, ["run"])
    long = "y" * 1000
    found = failure(modrack, "call", "it", "run", long, json.dumps([long]))
    assert (found["code"], found["phase"]) == (code, "call"), found
    assert says in found["message"], found
    assert found["hint"]
    assert "`run`" in found["message"]


def test_a_result_that_is_given_twice(modrack: Modrack) -> None:
    """The first is held while the second is given: the second is refused, and the slot goes on."""
    source = """
    FUNCTION(go) {
        UNUSED;
        modrack_str slot = MODRACK_STR("it"), name = MODRACK_STR("run");
        modrack_output first, second;
        int32_t status = context->host->call(context, slot, name, NULL, 0, &first);
        if (status != MODRACK_OK || context->host->call(context, slot, name, NULL, 0, &second) == MODRACK_OK) {
            return modrack_fail(output, MODRACK_FAILED, "nobody found it out");
        }
        first.release(&first);
        second.release(&second);
        return context->host->call(context, slot, name, NULL, 0, output);
    }
    """
    library(modrack, source, ["go"])
    (modrack.folder / "it.so").rename(modrack.folder / "outer.so")
    library(modrack, f"{LENT}FUNCTION(run) {{ UNUSED; return lend(output, text(4000), marks); }}", ["run"])
    modrack.write(
        "rack.yaml",
        "rack: 1\nslots:\n  it: { use: ./it.so }\n  outer: { use: ./outer.so, needs: { it: it } }\n",
    )
    assert modrack("call", "outer", "go").json == "x" * 4000
