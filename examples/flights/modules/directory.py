"""A table that is looked things up in: the row of a CSV file that has a certain key."""

from __future__ import annotations

import csv
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"


class UnknownCode(LookupError):
    """The table has no row with the key that was asked for."""


class Directory:
    """The rows of a file in `data/`, by one of their columns."""

    def __init__(self, file: str, key: str) -> None:
        self.file = file
        with (DATA / file).open(newline="", encoding="utf-8") as lines:
            self.rows = {row[key]: row for row in csv.DictReader(lines)}

    def name(self, code: str) -> str:
        """The name that belongs to a code."""
        row = self.rows.get(code)
        if row is None:
            raise UnknownCode(f"{self.file} has no `{code}`")
        return row["name"]

    def size(self) -> int:
        """How many rows there are."""
        return len(self.rows)
