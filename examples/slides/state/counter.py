"""Counts words. Made by `create`, which is given the slot's parameters as one mapping."""

from __future__ import annotations

from typing import Any


class Counter:
    """Counts up to a limit."""

    def __init__(self, word: str, limit: int) -> None:
        self.word = word
        self.limit = limit

    def run(self) -> list[str]:
        """The word, as often as the state says."""
        return [f"{self.word} {number}" for number in range(1, self.limit + 1)]


def create(state: dict[str, Any]) -> Counter:
    """Makes what fills the slot."""
    return Counter(state.get("word", "item"), state.get("limit", 3))
