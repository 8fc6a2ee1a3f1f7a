"""What this module is for, in one line."""

from __future__ import annotations

__version__ = "0.1.0"


class {Name}:
    """A transform: takes a row and gives it back, changed."""

    def __init__(self, column: str = "text") -> None:
        self.column = column

    def transform(self, row: dict) -> dict | None:
        """Takes one row and gives it back; None drops it, a list gives several.

        >>> {Name}().transform({"text": "  Hello "})
        {'text': 'Hello'}
        >>> {Name}().transform({"text": "   "})
        """
        text = row[self.column].strip()
        if not text:
            return None
        row[self.column] = text
        return row
