"""Flights with names in place of codes, and the speed that they were flown at."""

from __future__ import annotations

from typing import Any, Protocol

__version__ = "1.0.0"


class Names(Protocol):
    """What is asked of the slots `airlines` and `airports`."""

    def name(self, code: str) -> str:
        """The name that belongs to a code."""


class Enrich:
    """Looks codes up in two other slots, which the rack injects. Each code is asked for once."""

    def __init__(self, airlines: Names, airports: Names) -> None:
        self.airlines = airlines
        self.airports = airports
        self.known: dict[tuple[str, str], str] = {}

    def transform(self, row: dict[str, Any]) -> dict[str, Any]:
        """One flight with `airline`, `airport` and `mph` added."""
        return {
            **row,
            "airline": self.find("airline", row["carrier"]),
            "airport": self.find("airport", row["dest"]),
            "mph": round(row["distance"] / row["air_time"] * 60, 1),
        }

    def find(self, what: str, code: str) -> str:
        """The name of an airline or an airport."""
        name = self.known.get((what, code))
        if name is None:
            slot = self.airlines if what == "airline" else self.airports
            name = self.known[what, code] = slot.name(code)
        return name
