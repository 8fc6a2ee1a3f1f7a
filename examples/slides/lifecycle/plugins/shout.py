"""Says it louder."""

from __future__ import annotations

from typing import Any

plugin_name = "shout"
__version__ = "0.3.1"
__author__ = "Grace Hopper"


class Shout:
    """A plugin with one parameter."""

    def initialize(self, config: dict[str, Any]) -> None:
        """Called once, with the slot's parameters."""
        self.marks = "!" * config.get("marks", 1)

    def execute(self, text: str) -> str:
        """The text, louder."""
        return text.upper() + self.marks

    def shutdown(self) -> None:
        """Called once, at the end; there is nothing to let go of."""
