"""Gives batches back as they are, in Python: `batch.c` and `batch.wat` do the same. Needs pyarrow."""

from __future__ import annotations

import pyarrow as pa


def transform(table: pa.RecordBatch) -> pa.RecordBatch:
    """Gives a table back."""
    return table
