def transform(row: dict) -> dict:
    return {"name": row["name"], "dear": True} if row["price"] > 3 else row
