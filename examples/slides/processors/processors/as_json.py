"""Writes a record as JSON."""

from __future__ import annotations

import json
from typing import Any


def process(record: dict[str, Any]) -> str:
    """The record as one line of JSON."""
    return json.dumps(record, sort_keys=True)
