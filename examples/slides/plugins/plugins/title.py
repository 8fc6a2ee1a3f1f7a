"""Gives each word a capital."""

from __future__ import annotations

__version__ = "1.2.0"


def execute(text: str) -> str:
    """Gives each word a capital."""
    return text.title()
