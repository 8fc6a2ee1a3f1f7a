"""Native modules and extensions of Python through the command: inspected, checked, called, and told apart."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from harness import ROOT, Modrack

COMPILER = shutil.which("cc")
HEADERS = Path(sysconfig.get_path("include"))

MODULE = """
#include "modrack.h"

MODRACK_NOTE(
    "name = 'calc'\\nversion = '1.0.0'\\n"
    "wit = '''\\n"
    "package acme:calc;\\n"
    "world module {\\n"
    "    /// Adds two numbers.\\n"
    "    export add: func(a: s64, b: s64) -> s64;\\n"
    "}\\n"
    "'''\\n");

static int32_t add(void *self, const modrack_context *context, const modrack_value *args,
                   size_t count, modrack_output *output) {
    (void)self; (void)context; (void)count;
    output->value = modrack_int(args[0].payload.integer + args[1].payload.integer);
    return MODRACK_OK;
}

static const modrack_function functions[] = { {MODRACK_STR("add"), add} };
MODRACK_EXPORT const modrack_module modrack_module_v1 = {
    .head = MODRACK_HEAD(modrack_module),
    .flags = MODRACK_THREAD_SAFE,
    MODRACK_FUNCTIONS(functions),
};
"""

EXTENSION = """
#include <Python.h>

static PyObject *twice(PyObject *self, PyObject *number) { return PyNumber_Add(number, number); }
static PyMethodDef methods[] = {{"twice", twice, METH_O, "Doubles."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef about = {PyModuleDef_HEAD_INIT, "doubles", NULL, 0, methods};
PyMODINIT_FUNC PyInit_doubles(void) { return PyModuleDef_Init(&about); }
"""


needs_headers = pytest.mark.skipif(
    COMPILER is None or not (HEADERS / "Python.h").exists(),
    reason="there is no C compiler, or this interpreter has no headers",
)


def build(modrack: Modrack, name: str, source: str, include: Path) -> Path:
    """A shared library of this source."""
    file = modrack.write(f"{name}.c", source)
    library = modrack.folder / name
    library.parent.mkdir(parents=True, exist_ok=True)
    command = [COMPILER or "cc", "-shared", "-fPIC", "-I", str(include), "-o", str(library), str(file)]
    subprocess.run(command, check=True)
    return library


def test_a_library_is_a_module_wherever_one_is_named(modrack: Modrack) -> None:
    """By its path, by `native:`, from the catalog and by a slot."""
    build(modrack, "libcalc.so", MODULE, ROOT / "include")
    build(modrack, "modules/libcalc.so", MODULE, ROOT / "include")
    assert modrack("call", "./libcalc.so", "add", "1", "2").json == 3
    assert modrack("call", "native:./calc", "add", "1", "2").json == 3
    modrack.write("rack.yaml", "rack: 1\ncatalog: [./modules]\nslots: { sum: { use: calc } }\n")
    assert modrack("call", "sum", "_", "3", "4").json == 7
    modrack("check", "--load")
    about = modrack("inspect", "sum", "--json").json
    assert (about["backend"], about["version"], about["functions"][0]["doc"]) == (
        "native",
        "1.0.0",
        "Adds two numbers.",
    )
    # What is loaded is a copy that stands in the state folder.
    copies = list((modrack.folder / ".modrack" / "native").glob("*/libcalc.so"))
    assert [copy.parent.name for copy in copies] == [about["hash"]]


def test_a_library_needs_no_python(modrack: Modrack) -> None:
    """A rack without Python modules is run by the plain command."""
    build(modrack, "libcalc.so", MODULE, ROOT / "include")
    nowhere = {"VIRTUAL_ENV": str(modrack.folder / "nowhere"), "PATH": ""}
    assert modrack("call", "./libcalc.so", "add", "1", "2", env=nowhere).json == 3


def test_what_is_wrong_with_a_library(modrack: Modrack) -> None:
    """It is told before anything of it runs, and beside healthy modules in a catalog."""
    whole = build(modrack, "libcalc.so", MODULE, ROOT / "include").read_bytes()
    modrack.write("modules/cut.so", whole[:2000])
    modrack.write("modules/text.so", "hello\n")
    modrack.write("modules/good.so", whole)
    assert modrack.fails("M0316", "inspect", "./modules/cut.so").code == "M0316"
    modrack.fails("M0316", "call", "./modules/text.so", "f")
    modrack.write("rack.yaml", "rack: 1\ncatalog: [./modules]\nslots: { sum: { use: calc } }\n")
    assert modrack("call", "sum", "add", "1", "2").json == 3
    modrack.fails("M0316", "check")
    modrack.fails("M0503", "call", "sum", "add", "1", "x")


@needs_headers
def test_an_extension_of_python_goes_to_python(modrack: Modrack) -> None:
    """It is told by what it exports, and loaded under a private name."""
    build(modrack, "doubles.so", EXTENSION, HEADERS)
    about = modrack("inspect", "./doubles.so", "--json").json
    assert (about["backend"], about["name"], about["open"]) == ("python", "doubles", True)
    assert modrack("call", "./doubles.so", "twice", "21").json == 42
    assert modrack("call", "./doubles.so:twice", "__call__", "4").json == 8
    modrack.fails("M0501", "call", "./doubles.so", "thrice")


@needs_headers
def test_an_extension_and_a_library_in_one_rack(modrack: Modrack) -> None:
    """The interpreter that runs the rack has both backends."""
    build(modrack, "doubles.so", EXTENSION, HEADERS)
    build(modrack, "libcalc.so", MODULE, ROOT / "include")
    modrack.write("rack.yaml", "rack: 1\nslots: { d: { use: ./doubles.so }, c: { use: ./libcalc.so } }\n")
    modrack("check", "--load")
    assert modrack("call", "d", "twice", "2").json == 4
    assert modrack("call", "c", "add", "2", "2").json == 4


SAME = """
#include "modrack.h"

/* Takes the table over that it is given, and gives it back. */
static struct ArrowSchema schema;
static struct ArrowArray array;
static modrack_table table = { &schema, &array };

static int32_t same(void *self, const modrack_context *context, const modrack_value *args,
                    size_t count, modrack_output *output) {
    (void)self; (void)context; (void)count;
    const modrack_table *given = args[0].payload.table;
    schema = *given->schema;
    given->schema->release = NULL;
    array = *given->array;
    given->array->release = NULL;
    output->value = args[0];
    output->value.payload.table = &table;
    return MODRACK_OK;
}

static const modrack_function functions[] = { {MODRACK_STR("same"), same} };
MODRACK_EXPORT const modrack_module modrack_module_v1 = {
    .head = MODRACK_HEAD(modrack_module), MODRACK_FUNCTIONS(functions),
};
"""


def test_a_table_goes_from_python_to_a_library_and_back_without_a_copy(modrack: Modrack) -> None:
    """Its column lies where it lay."""
    pytest.importorskip("pyarrow")
    build(modrack, "same.so", SAME, ROOT / "include")
    modrack.write(
        "tables.py",
        """\
        import pyarrow as pa


        class Tables:
            def __init__(self, same):
                self.same = same

            def run(self):
                given = pa.record_batch({"n": pa.array(range(1000), pa.int64())})
                back = pa.record_batch(self.same.same(given))
                return given.equals(back) and given["n"].buffers()[1].address == back["n"].buffers()[1].address
        """,
    )
    slots = "slots:\n  same: { use: ./same.so }\n  tables: { use: ./tables.py, needs: { same: same } }\n"
    modrack.write("rack.yaml", f"rack: 1\n{slots}")
    assert modrack("call", "tables", "run").json is True
