"""Stages that bring numbers into a range."""

from __future__ import annotations

from typing import Any


class Clip:
    """Cuts a column's values off at both ends."""

    def __init__(self, column: str, low: float, high: float) -> None:
        self.column, self.low, self.high = column, low, high

    def transform(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with the value within the bounds."""
        row[self.column] = min(max(row[self.column], self.low), self.high)
        return row


class Scale:
    """Brings a column's values from one range into 0 to 1."""

    def __init__(self, column: str, low: float, high: float, digits: int = 3) -> None:
        self.column, self.low, self.high, self.digits = column, low, high, digits

    def transform(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with the value between 0 and 1."""
        share = (row[self.column] - self.low) / (self.high - self.low)
        row[self.column] = round(share, self.digits)
        return row
