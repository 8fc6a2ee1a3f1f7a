"""Flights as they were flown: what was cancelled is dropped, clock times become minutes after midnight."""

from __future__ import annotations

from typing import Any

__version__ = "1.0.0"


def transform(row: dict[str, Any]) -> dict[str, Any] | None:
    """One flight; nothing when it did not arrive."""
    if row["dep_time"] is None or row["arr_delay"] is None:
        return None
    return {
        "date": f"{row['year']}-{row['month']:02}-{row['day']:02}",
        "month": row["month"],
        "carrier": row["carrier"],
        "flight": row["flight"],
        "origin": row["origin"],
        "dest": row["dest"],
        "departure": _minutes(row["sched_dep_time"]),
        "dep_delay": row["dep_delay"],
        "arr_delay": row["arr_delay"],
        "distance": row["distance"],
        "air_time": row["air_time"],
    }


def _minutes(clock: int) -> int:
    """Minutes after midnight of a clock time written as a number: 1345 is 13:45."""
    return clock // 100 * 60 + clock % 100
