"""The module that the suite of the three languages calls, in Python: `lab.c` and `lab.wat` do the same."""

from __future__ import annotations

from typing import Any


class TooLate(Exception):
    """What `fail` fails with."""


class Lab:
    """A function for everything that must not depend on a module's language."""

    def __init__(self, start: int = 0, other: Any = None) -> None:
        self.counted = start
        self.other = other

    def add(self, a: int, b: int) -> int:
        """Adds two whole numbers."""
        return a + b

    def same(self, x: Any) -> Any:
        """Gives back any value."""
        return x

    def same_bool(self, x: bool) -> bool:
        """Gives back what is true or false."""
        return x

    def same_int(self, x: int) -> int:
        """Gives back a whole number."""
        return x

    def same_float(self, x: float) -> float:
        """Gives back a number."""
        return x

    def same_text(self, x: str) -> str:
        """Gives back text."""
        return x

    def same_bytes(self, x: bytes) -> bytes:
        """Gives back bytes."""
        return x

    def same_list(self, x: list[int]) -> list[int]:
        """Gives back whole numbers."""
        return x

    def same_option(self, x: str | None) -> str | None:
        """Gives back text, or nothing."""
        return x

    def same_pair(self, x: tuple[int, str]) -> tuple[int, str]:
        """Gives back a whole number and text."""
        return x

    def same_map(self, x: dict[str, int]) -> dict[str, int]:
        """Gives back whole numbers by name."""
        return x

    def same_small(self, x: int) -> int:
        """Gives back a number of eight bits, which Python has no type for."""
        return x

    def total_of(self, point: dict[str, int]) -> int:
        """The sum of the two fields of a record."""
        return point["x"] + point["y"]

    def count(self) -> int:
        """Counts its calls, from `start` on."""
        self.counted += 1
        return self.counted

    def fail(self) -> Any:
        """Fails with a class, a message and a cause."""
        try:
            raise KeyError("timetable")
        except KeyError as why:
            raise TooLate("the train has gone") from why

    def crash(self) -> int:
        """Breaks down, as nobody meant it to."""
        return [][0]

    def linger(self) -> int:
        """Takes longer than any limit."""
        while True:
            pass

    def swell(self, many: int) -> bytes:
        """Gives so many bytes."""
        return bytes(many)

    def garbled(self) -> str:
        """Gives text that is none."""
        return "\ud800"

    def ask(self, function: str, *args: Any) -> Any:
        """Calls a function of the slot that fills `other`."""
        return getattr(self.other, function)(*args)

    def down(self, left: int) -> Any:
        """Goes from slot to slot, so many times."""
        return self.other.down(left - 1) if left > 0 else 0
