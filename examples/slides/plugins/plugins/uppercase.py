"""Turns text into capitals."""

from __future__ import annotations

__version__ = "1.0.0"


def execute(text: str) -> str:
    """Turns text into capitals."""
    return text.upper()
