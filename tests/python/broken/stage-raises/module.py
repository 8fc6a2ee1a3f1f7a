def transform(row: dict) -> dict:
    if row["price"] > 3:
        raise ValueError(f"{row['name']} is too dear")
    return row
