"""What an order comes to."""

from __future__ import annotations

__version__ = "0.1.0"


class Total:
    """Adds the column `total`, with tax, and drops orders of nothing."""

    def __init__(self, tax: float = 0.0) -> None:
        self.tax = tax

    def transform(self, row: dict) -> dict | None:
        """Takes one row and gives it back; None drops it.

        >>> Total(tax=0.5).transform({"price": 2.0, "quantity": 3})
        {'price': 2.0, 'quantity': 3, 'total': 9.0}
        >>> Total().transform({"price": 2.0, "quantity": 0})
        """
        if not row["quantity"]:
            return None
        row["total"] = round(row["price"] * row["quantity"] * (1 + self.tax), 2)
        return row
