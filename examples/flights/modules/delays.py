"""Sums flights up: for each carrier and month, how many there were and how late they came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__version__ = "1.0.0"


@dataclass
class Sum:
    """What is known so far of one carrier's month."""

    airline: str
    flights: int = 0
    late: int = 0
    delay: int = 0


class Delays:
    """Takes flights and gives nothing until the input has ended."""

    def __init__(self, late: int = 15) -> None:
        self.late = late
        self.sums: dict[tuple[str, int], Sum] = {}

    def transform(self, row: dict[str, Any]) -> None:
        """Counts one flight."""
        key = row["carrier"], row["month"]
        total = self.sums.get(key)
        if total is None:
            total = self.sums[key] = Sum(row["airline"])
        total.flights += 1
        total.late += row["arr_delay"] >= self.late
        total.delay += row["arr_delay"]

    def finish(self) -> list[dict[str, Any]]:
        """One row for each carrier and month, in order; the next run starts from nothing."""
        sums, self.sums = self.sums, {}
        return [
            {
                "carrier": carrier,
                "airline": total.airline,
                "month": month,
                "flights": total.flights,
                "late_share": round(total.late / total.flights, 3),
                "mean_delay": round(total.delay / total.flights, 1),
            }
            for (carrier, month), total in sorted(sums.items())
        ]
