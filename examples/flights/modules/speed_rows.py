"""The speed of each flight, one row at a time: what `speed.py` does for whole batches."""

from __future__ import annotations

from typing import Any

__version__ = "1.0.0"


def transform(row: dict[str, Any]) -> dict[str, Any] | None:
    """The flight with `mph` added; nothing when it did not arrive."""
    if row["air_time"] is None:
        return None
    hours = row["air_time"] / 60
    return {**row, "mph": round(row["distance"] / hours * 10) / 10}
