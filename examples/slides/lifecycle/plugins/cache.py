"""Keeps what it is told, for as long as it is loaded."""

from __future__ import annotations

import sys
from typing import Any

plugin_name = "cache"
__version__ = "1.2.0"
__author__ = "Ada Lovelace"


class Cache:
    """A plugin in the usual form: `initialize`, `execute`, `shutdown`."""

    def initialize(self, config: dict[str, Any]) -> None:
        """Called once, with the slot's parameters."""
        self.size = config.get("size", 10)
        self.kept: list[str] = []
        print(f"cache: ready for {self.size}", file=sys.stderr)

    def execute(self, item: str) -> int:
        """Keeps an item and says how many there are."""
        self.kept = [*self.kept, item][-self.size :]
        return len(self.kept)

    def shutdown(self) -> None:
        """Called once, at the end."""
        print(f"cache: done after {len(self.kept)}", file=sys.stderr)
