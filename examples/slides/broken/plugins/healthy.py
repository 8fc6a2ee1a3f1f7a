"""A plugin that works."""

from __future__ import annotations


def execute(text: str) -> str:
    """The text, trimmed."""
    return text.strip()
