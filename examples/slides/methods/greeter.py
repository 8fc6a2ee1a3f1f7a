"""Greets people."""

from __future__ import annotations


class Greeter:
    """Greets in one of several ways."""

    def __init__(self, greeting: str = "Hello") -> None:
        self.greeting = greeting

    def greet(self, name: str) -> str:
        """One person."""
        return f"{self.greeting}, {name}!"

    def greet_all(self, names: list[str]) -> list[str]:
        """Several people, in order."""
        return [self.greet(name) for name in names]
