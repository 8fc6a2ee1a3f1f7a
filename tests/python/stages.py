"""Runs of one or more Python stages over a few rows, for the tests of stages."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from harness import Failure, Modrack

Rows = list[dict[str, Any]]


def rack(modrack: Modrack, rows: Rows, stages: list[str], more: str = "", options: list[str] | None = None) -> None:
    """Writes a rack whose pipeline `main` takes `rows` through `stages`; `options` are keys of the stages.

    Rows come as JSON lines, so that their types are what they are.
    """
    (modrack.folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    written = []
    for at, stage in enumerate(stages):
        modrack.write(f"stage{at}.py", textwrap.dedent(stage))
        keys = f", {options[at]}" if options and options[at] else ""
        written.append(f"{{ use: ./stage{at}.py{keys} }}")
    modrack.write(
        "rack.yaml",
        f"""\
rack: 1
pipelines:
  main:
    source: {{ json: in.jsonl{", " + more if more.startswith("batch-rows") else ""} }}
    stages: [{", ".join(written)}]
    sink: {{ json: out.jsonl }}
{"" if more.startswith("batch-rows") else textwrap.indent(more, "    ")}
""",
    )


def run(modrack: Modrack, rows: Rows, *stages: str, more: str = "", options: list[str] | None = None) -> Rows:
    """The rows that come out."""
    rack(modrack, rows, list(stages), more, options)
    modrack("run")
    return came_out(modrack)


def came_out(modrack: Modrack) -> Rows:
    """The rows that were written."""
    return [json.loads(line) for line in (modrack.folder / "out.jsonl").read_text().splitlines()]


def fails(
    modrack: Modrack, code: str, rows: Rows, *stages: str, more: str = "", options: list[str] | None = None
) -> Failure:
    """The failure that the run ends with."""
    rack(modrack, rows, list(stages), more, options)
    output = modrack.folder / "out.jsonl"
    output.unlink(missing_ok=True)
    failure = modrack.fails(code, "run")
    assert not output.exists(), "half an output was left behind"
    return failure
