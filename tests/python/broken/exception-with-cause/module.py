def execute(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise LookupError("no number") from error
