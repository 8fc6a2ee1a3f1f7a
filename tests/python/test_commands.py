"""The verbs that make, list and describe: what they print, and that nothing runs for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import ROOT, Modrack

pytestmark = pytest.mark.once

# A module that leaves a trace when it is run, imported or even compiled and executed in part.
TELLTALE = '''
    """Says that it was run."""

    from pathlib import Path

    __version__ = "2.1.0"

    Path(__file__).with_name("was-run").write_text("yes")


    def execute(text: str, times: int = 1) -> str:
        """The text, several times."""
        return text * times
'''


@pytest.fixture
def telltale(modrack: Modrack) -> Modrack:
    """A rack whose module says when it is run."""
    modrack.write("modules/telltale.py", TELLTALE)
    modrack.write("rack.yaml", "rack: 1\ncatalog: [./modules]\nslots:\n  told: ./modules/telltale.py\n")
    return modrack


@pytest.mark.parametrize(
    "args",
    [
        ("list",),
        ("list", "--long"),
        ("list", "--json"),
        ("list", "--long", "--json"),
        ("inspect", "told"),
        ("inspect", "./modules/telltale.py", "--json"),
        ("check",),
        ("check", "--json"),
    ],
    ids=" ".join,
)
def test_nothing_runs_for_being_described(telltale: Modrack, args: tuple[str, ...]) -> None:
    """Listing, inspecting and checking read the module's text alone, without an interpreter."""
    ran = telltale(*args, env={"VIRTUAL_ENV": "", "PATH": str(telltale.home)})
    assert not (telltale.folder / "modules" / "was-run").exists()
    if "--json" in args:
        json.loads(ran.stdout)
    telltale("call", "told", "execute", "x")
    assert (telltale.folder / "modules" / "was-run").exists()


def test_a_thousand_slots_are_listed_without_their_modules(modrack: Modrack) -> None:
    """The modules are not even there."""
    slots = "".join(f"  slot{n}: {{ use: ./gone/m{n}.py }}\n" for n in range(1000))
    modrack.write("rack.yaml", "rack: 1\nslots:\n" + slots)
    ran = modrack("list")
    assert all(f"slot{n}" in ran.stdout for n in range(1000))


@pytest.mark.parametrize("what", ["rack", "python"])
def test_what_new_makes_passes_check(modrack: Modrack, what: str) -> None:
    """A new rack or module is whole."""
    name = "shop" if what == "rack" else "shop.py"
    modrack("new", what, name)
    made = modrack.folder / name
    assert made.exists()
    if what == "rack":
        modrack("check", cwd=made)
        modrack("check", "--load", cwd=made)
        modrack("run", cwd=made)
        assert list((made / "out").iterdir())
    else:
        modrack("inspect", "./shop.py")
        modrack("call", "./shop.py", "transform", '{"text": " a "}')


def test_new_does_not_write_over_what_is_there(modrack: Modrack) -> None:
    """A file or folder of that name is left as it is."""
    modrack.write("shop/kept.txt", "kept\n")
    ran = modrack("new", "rack", "shop", code=None)
    assert ran.code in (1, 2), ran.show()
    assert [path.name for path in (modrack.folder / "shop").iterdir()] == ["kept.txt"]


def test_the_schema_is_the_one_in_the_docs(modrack: Modrack) -> None:
    """`modrack schema` prints what stands in `docs/rack.schema.json`."""
    written = (ROOT / "docs" / "rack.schema.json").read_text(encoding="utf-8")
    assert modrack("schema").stdout == written
    assert json.loads(written)["type"] == "object"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_printed(modrack: Modrack, shell: str) -> None:
    """There is a script for each shell."""
    assert "modrack" in modrack("completions", shell).stdout


def test_the_version_says_which_python_runs(modrack: Modrack) -> None:
    """Versions of everything, as data too."""
    told = modrack("version", "--json").json
    assert "modrack" in json.dumps(told)
    assert told["features"] == ["flow", "native", "wasi", "wasm"]
    assert {"parquet", "wasmtime"} <= told["linked"].keys()
    assert str(modrack.environment()["VIRTUAL_ENV"]) in json.dumps(told)


def test_a_path_on_the_command_line_is_relative_to_the_current_folder(telltale: Modrack) -> None:
    """As in every command, also where the rack stands above, and where it is elsewhere."""
    folder = telltale.folder / "modules"
    for use in ("./telltale.py", "../modules/telltale.py"):
        about = telltale("inspect", use, "--json", cwd=folder).json
        assert [file.rsplit("/")[-1] for file in about["files"]] == ["telltale.py"]
        telltale("check", use, cwd=folder)
    elsewhere = telltale.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "here.py").write_text("def f():\n    return 1\n")
    assert telltale("-r", telltale.folder, "call", "./here.py", "f", cwd=elsewhere).json == 1
    empty = telltale.home
    (empty / "there.py").write_text("def f():\n    return 2\n")
    assert telltale("-r", telltale.folder, "call", "./there.py", "f", cwd=empty).json == 2
    assert "[M0201]" in telltale("inspect", "./modules/telltale.py", cwd=folder, code=1).stderr


def test_a_parameter_that_there_is_not_among_named_ones(modrack: Modrack) -> None:
    """It is no text for another one."""
    modrack.write("add.py", "def add(a: int, b: int) -> int:\n    return a + b\n")
    failure = modrack.fails("M0116", "call", "./add.py", "add", "a=1", "b=2", "cx=3", status=2)
    assert ("`cx`" in failure.message, failure.hint) == (True, "It takes `a`, `b`")


def test_a_rack_is_found_upwards(telltale: Modrack) -> None:
    """Like a repository, a rack holds for the folders below it."""
    deep = telltale.folder / "a" / "b"
    deep.mkdir(parents=True)
    assert "told" in telltale("list", cwd=deep).stdout


@pytest.mark.parametrize("form", ["yaml", "toml", "json"])
def test_a_rack_has_three_forms(modrack: Modrack, form: str) -> None:
    """The same rack in YAML, TOML and JSON."""
    texts = {
        "yaml": "rack: 1\nslots:\n  root: { use: 'python:math', function: sqrt }\n",
        "toml": 'rack = 1\n[slots.root]\nuse = "python:math"\nfunction = "sqrt"\n',
        "json": '{ "rack": 1, "slots": { "root": { "use": "python:math", "function": "sqrt" } } }\n',
    }
    modrack.write(f"rack.{form}", texts[form])
    assert modrack("call", "root", "_", "2.25").json == 1.5


def test_stats_go_to_stderr(telltale: Modrack) -> None:
    """Figures of find, check, load and start, and the result alone on stdout."""
    ran = telltale("call", "told", "execute", "ab", "2", "--stats")
    assert ran.json == "abab"
    assert all(phase in ran.stderr for phase in ("find", "check", "load", "start")), ran.show()


def test_an_argument_is_read_as_its_parameter_asks(modrack: Modrack, tmp_path: Path) -> None:
    """Text where the parameter is text, else JSON, else text; by name; from a file; from standard input."""
    modrack.write(
        "echo.py",
        """
        def text(value: str) -> list:
            return [type(value).__name__, value]

        def any(value) -> list:
            return [type(value).__name__, value]
        """,
    )
    held = tmp_path / "held.json"
    held.write_text("[1, 2]")
    for args, result in [
        (("text", "12"), ["str", "12"]),
        (("any", "12"), ["int", 12]),
        (("any", "1.5"), ["float", 1.5]),
        (("any", "null"), ["NoneType", None]),
        (("any", '{"a": [true]}'), ["dict", {"a": [True]}]),
        (("any", "twelve"), ["str", "twelve"]),
        (("any", "-3"), ["int", -3]),
        (("any", "value=7"), ["int", 7]),
        (("any", f"@{held}"), ["list", [1, 2]]),
    ]:
        assert modrack("call", "./echo.py", *args).json == result, args
    assert modrack("call", "./echo.py", "any", "@-", stdin='{"b": 1}').json == ["dict", {"b": 1}]


def test_arguments_by_name_of_what_has_no_source(modrack: Modrack) -> None:
    """Of what cannot be read the interpreter is asked which names a function takes."""
    assert modrack("call", "python:math", "prod", "[2, 3]", "start=7").json == 42
    assert modrack("call", "python:builtins", "sorted", "[1, 3, 2]", "reverse=true").json == [3, 2, 1]
    modrack.write("made.py", "exec('def half(n, by=2):\\n    return n / by\\n')\n")
    assert modrack("call", "./made.py", "half", "8", "by=4").json == 2.0


def test_a_parameter_goes_by_the_name_that_the_module_gives_it(modrack: Modrack) -> None:
    """Under a contract too; what is nearly a parameter's name is no text."""
    modrack.write("rack.yaml", "rack: 1\nslots: { up: { use: ./up.py, contract: transform@1 } }\n")
    modrack.write(
        "up.py",
        """
        class Up:
            def transform(self, record: dict) -> dict:
                return record

        def bg() -> int:
            return 1
        """,
    )
    assert modrack("call", "up", "transform", 'record={"a": 1}').json == {"a": 1}
    failure = modrack.fails("M0116", "call", "up", "transform", 'recrod={"a": 1}', status=2)
    assert 'Did you mean `record={"a": 1}`?' in failure.hint
    failure = modrack.fails("M0501", "call", "./up.py", "bg")
    assert failure.hint == "Only its class `Up` fills the slot; the function beside it is had with `up.py:bg`"
    assert modrack("call", "up.py:bg", "bg").json == 1
