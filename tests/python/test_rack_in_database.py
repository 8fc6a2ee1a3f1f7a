"""A rack that is a row of a database: every verb reads it, a server watches it, and going back writes it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from harness import Modrack
from languages import LANGUAGES, module
from served import serving

TABLE = "CREATE TABLE modrack_rack (name TEXT PRIMARY KEY, format TEXT NOT NULL, text TEXT NOT NULL)"
RACK = "racks.db#eu"


def put(modrack: Modrack, text: str, form: str = "yaml", name: str = "eu") -> None:
    """Writes the row as any program does."""
    with closing(sqlite3.connect(modrack.folder / "racks.db")) as database, database:
        if not database.execute("SELECT 1 FROM sqlite_master").fetchone():
            database.execute(TABLE)
        database.execute("INSERT OR REPLACE INTO modrack_rack VALUES (?, ?, ?)", (name, form, text))


def text_of(modrack: Modrack, name: str = "eu") -> str:
    """What the row has."""
    with closing(sqlite3.connect(modrack.folder / "racks.db")) as database:
        (text,) = database.execute("SELECT text FROM modrack_rack WHERE name = ?", (name,)).fetchone()
        return str(text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_row_is_a_rack_for_every_verb(modrack: Modrack, language: str) -> None:
    """Its paths are relative to the database's folder, and its state is there, wherever the command runs."""
    put(modrack, json.dumps({"rack": 1, "slots": {"lab": module(modrack, language)}}), "json")
    elsewhere = modrack.folder / "elsewhere"
    elsewhere.mkdir()
    for rack, cwd in [(RACK, modrack.folder), (f"../{RACK}", elsewhere)]:
        assert modrack("-r", f"sqlite:{rack}", "call", "lab", "add", "2", "3", cwd=cwd).stdout == "5\n"
        assert "lab" in modrack("-r", f"sqlite:{rack}", "list", cwd=cwd).stdout
    modrack.env["MODRACK_RACK"] = f"sqlite:{RACK}"
    modrack("check")
    assert modrack("call", "lab", "add", "2", "4").stdout == "6\n"
    modrack("swap", "lab", "--why", "a test")
    assert "a test" in modrack("history", "--json").stdout
    assert (modrack.folder / ".modrack" / RACK / "state.db").is_file()
    assert not list(elsewhere.iterdir())


def test_the_text_of_a_file_is_put_into_a_row(modrack: Modrack) -> None:
    """The database is made by it; a server puts in force what it can, and what it refuses leaves the row as it was."""
    modrack.env["MODRACK_RACK"] = f"sqlite:{RACK}"
    modrack.write("one.py", "def main() -> int:\n    return 1\n")
    modrack.write("two.py", "def main() -> int:\n    return 2\n")
    modrack.write("first.yaml", "rack: 1\nslots:\n  lab: { use: ./one.py }\n")
    modrack.write("second.yaml", "rack: 1\nslots:\n  lab: { use: ./two.py }\n")
    modrack.write("gone.yaml", "rack: 1\nslots:\n  lab: { use: ./gone.py }\n")
    modrack.write("wrong.yaml", "rack: 1\nslotz: {}\n")
    modrack.fails("M0104", "config", "put", "wrong.yaml", status=2)
    assert not (modrack.folder / "racks.db").exists()
    ran = modrack("config", "put", "first.yaml")
    assert ran.stderr == "Nothing serves the rack: its text is that of the file\n", ran.show()
    assert modrack("call", "lab", "main").stdout == "1\n"
    with serving(modrack):
        assert "lab" in modrack("config", "put", "second.yaml", "--why", "newer").stdout
        assert modrack("call", "lab", "main").stdout == "2\n"
        before = text_of(modrack)
        modrack.fails("M0201", "config", "put", "gone.yaml")
        assert text_of(modrack) == before
        assert modrack("call", "lab", "main").stdout == "2\n"


def test_what_is_wrong_with_a_row_is_placed_in_it(modrack: Modrack) -> None:
    """By the name of the row, with line and column, and that line; one that is not there is told with all there are."""
    put(modrack, 'rack = 1\n[slots.a]\nuze = "./a.py"\n', "toml")
    ran = modrack("-r", f"sqlite:{RACK}", "list", code=None)
    assert f"--> sqlite:{RACK}:3:1" in ran.stderr, ran.show()
    assert '  3 | uze = "./a.py"\n    | ^\n' in ran.stderr, ran.show()
    missing = modrack.fails("M0113", "-r", "sqlite:racks.db", "list", status=2)
    assert (missing.message, missing.hint) == ("The database `racks.db` has no rack `rack`", "It has `eu`")
    modrack.fails("M0113", "-r", "sqlite:none.db", "list", status=2)
    modrack.write("no.db", "rack: 1\n" * 200)
    modrack.fails("M0115", "-r", "sqlite:no.db", "list", status=2)


def test_a_row_is_watched_and_gone_back_to_while_it_is_served(modrack: Modrack) -> None:
    """Whoever writes the row changes what is served, and clients find the server by the row."""
    modrack.env["MODRACK_RACK"] = f"sqlite:{RACK}"
    modrack.write("one.py", "def main() -> int:\n    return 1\n")
    modrack.write("two.py", "def main() -> int:\n    return 2\n")
    first = "rack: 1\nslots:\n  lab: { use: ./one.py } # the first\n"
    put(modrack, first)
    with serving(modrack, "--watch", folder=modrack.folder / ".modrack" / RACK) as server:
        assert server.listening["rack"] == f"sqlite:{modrack.folder.resolve()}/{RACK}"
        assert server.call("lab", "main").json["result"] == 1
        put(modrack, first.replace("one", "two"))
        server.until(lambda: server.call("lab", "main").json["result"] == 2)
        # It is the server that answers: here alone something serves, on trial for a while.
        status = json.loads(modrack("status", "--json").stdout)
        assert [slot["state"] in {"serving", "on-trial"} for slot in status["slots"]] == [True]
        hash = server.ask("GET", "/v1/configurations", by_socket=True).json["configurations"][-1]["hash"]
        assert server.change(f"/v1/configurations/{hash}/restore").json["changed"] == ["lab"]
        assert (server.call("lab", "main").json["result"], text_of(modrack)) == (1, first)
        put(modrack, "rack: 1\n", name="us")
        saved = server.change("/v1/slots/lab/swap", {"use": "./two.py", "save": True})
        assert saved.status == 200, saved.text
        assert text_of(modrack) == first.replace("one", "two")
        assert server.stop()[0] == 0
    assert modrack("call", "lab", "main").stdout == "2\n"


@pytest.mark.once
@pytest.mark.parametrize(
    "racks", [("sqlite:racks.db#eu", "sqlite:racks.db#us"), ("eu.yaml", "us.yaml")], ids=["rows", "files"]
)
def test_racks_side_by_side_know_nothing_of_each_other(modrack: Modrack, racks: tuple[str, str]) -> None:
    """Racks of one database, or one folder, of the same text: each has its own swaps, history and server."""
    text = "rack: 1\nslots: { one: ./first.py }\n"
    for number, name in enumerate(["first", "second"], 1):
        modrack.write(f"{name}.py", f"def f() -> int: return {number}\n")
    for rack in ("eu", "us"):
        put(modrack, text, name=rack)
        modrack.write(f"{rack}.yaml", text)
    here, there = racks
    modrack("-r", here, "swap", "one", "./second.py", "--why", "here alone")
    assert modrack("-r", here, "call", "one", "f").json == 2
    assert modrack("-r", there, "call", "one", "f").json == 1
    assert "here alone" in modrack("-r", here, "history").stdout
    assert "here alone" not in modrack("-r", there, "history").stdout
    with serving(modrack, "-r", here), serving(modrack, "-r", there):
        modrack("-r", there, "swap", "one")
        assert modrack("-r", here, "call", "one", "f").json == 2
        assert modrack("-r", there, "call", "one", "f").json == 1
