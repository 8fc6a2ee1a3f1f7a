"""Every contract that comes with modrack, filled by a module in Rust in both of its forms.

The sources are the examples of `guests/kit`; calls and answers are those of the other languages.
"""

from __future__ import annotations

import json
import shutil

import pytest
from test_guests import written
from test_three_contracts import CALL, CASES, Case

from guests import keep_compiled
from harness import Modrack
from kit import FORMS, module

pytestmark = pytest.mark.once


@pytest.fixture
def modrack(modrack: Modrack) -> Modrack:
    """The command, with compiled code kept from test to test."""
    keep_compiled(modrack)
    modrack.hangs_after = 600.0
    return modrack


def put(modrack: Modrack, contract: str, form: str, name: str = "filled") -> str:
    """Puts the module of a contract into the folder of the test, and gives the text of `use` that names it."""
    built = module(f"contract-{contract}", form)
    shutil.copyfile(built, modrack.folder / f"{name}{built.suffix}")
    return f"./{name}{built.suffix}"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_contract_is_filled(modrack: Modrack, case: Case, form: str) -> None:
    """The module fits, by name and by shape, and answers as those of other languages do."""
    use = put(modrack, case.name, form)
    modrack.write("rack.yaml", f"rack: 1\nslots:\n  it: {{ use: {use}, contract: {case.name}@1 }}\n")
    modrack("check", "--load")
    function = case.main if case.name == "layer" else "_"
    assert modrack("call", "it", function, *written(case.args)).json == case.answer
    modrack.write("rack.yaml", f"rack: 1\nslots:\n  it: {{ use: {use} }}\n")
    told = modrack("inspect", "it", "--json").json
    assert told["contract"] == f"{case.name}@1.0.0"
    main = next(function for function in told["functions"] if function["name"] == case.main)
    assert main["doc"], "the documentation stands in the file, whatever its form"


@pytest.mark.parametrize("form", FORMS)
def test_a_source_feeds_a_pipeline(modrack: Modrack, form: str) -> None:
    """Its rows come one after the other, and what it fails with in the midst of them is told."""
    use = put(modrack, "source", form)
    modrack.write(
        "rack.yaml",
        f"""\
        rack: 1
        slots:
          few: {{ use: {use}, params: {{ count: 3 }} }}
          many: {{ use: {use}, params: {{ count: 101 }} }}
        pipelines:
          few: {{ source: {{ slot: few }}, sink: {{ json: few.jsonl }} }}
          many: {{ source: {{ slot: many }}, sink: {{ json: many.jsonl }} }}
        """,
    )
    modrack("check")
    modrack("-q", "run", "few")
    rows = [json.loads(line) for line in (modrack.folder / "few.jsonl").read_text().splitlines()]
    assert rows == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert "101 is beyond what can be counted" in modrack.fails("M0504", "run", "many").message
    assert not (modrack.folder / "many.jsonl").exists()


@pytest.mark.parametrize("form", FORMS)
def test_a_sink_ends_a_pipeline(modrack: Modrack, form: str) -> None:
    """It takes the rows of a source of the same form, and what it gives for them is nobody's concern."""
    source, sink = put(modrack, "source", form, "source"), put(modrack, "sink", form, "sink")
    modrack.write(
        "rack.yaml",
        f"""\
        rack: 1
        slots:
          source: {{ use: {source}, params: {{ count: 3 }} }}
          sink: {{ use: {sink} }}
        pipelines:
          all: {{ source: {{ slot: source }}, sink: {{ slot: sink }} }}
        """,
    )
    modrack("check")
    modrack("-q", "run", "all")
    assert modrack("call", "sink", "write", '[{"n": 1}]').json is None


@pytest.mark.parametrize("form", FORMS)
def test_a_layer_after_a_call(modrack: Modrack, form: str) -> None:
    """Its second function takes what the call gave beside the call."""
    use = put(modrack, "layer", form)
    assert modrack("call", use, "after", json.dumps(CALL), "3").json == 3
    assert modrack("call", use, "after", json.dumps(CALL), "null").json == "price"


@pytest.mark.parametrize("form", FORMS)
def test_what_a_contract_gives_is_read(modrack: Modrack, form: str) -> None:
    """A record with a field of another type is refused before the module, or by it, with the same code."""
    use = put(modrack, "metric", form)
    modrack.write("rack.yaml", f"rack: 1\nslots:\n  it: {{ use: {use}, contract: metric@1 }}\n")
    measured = {"result": 3, "args": [1], "error": None, "seconds": "long"}
    modrack.fails("M0503", "call", "it", "_", json.dumps(measured))
