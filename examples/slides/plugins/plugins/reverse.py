"""Turns text round."""

from __future__ import annotations

__version__ = "1.1.0"


def execute(text: str) -> str:
    """Turns text round."""
    return text[::-1]
