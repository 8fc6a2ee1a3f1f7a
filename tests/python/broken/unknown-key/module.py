def execute(text: str) -> str:
    return text
