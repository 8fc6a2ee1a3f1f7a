"""Writes a record as words."""

from __future__ import annotations

from typing import Any


def process(record: dict[str, Any]) -> str:
    """The record as `key is value`, one after the other."""
    return ", ".join(f"{key} is {value}" for key, value in sorted(record.items()))
