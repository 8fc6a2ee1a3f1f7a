def transform(row: dict) -> int:
    return len(row)
