"""A plugin with a syntax error."""


def execute(text: str -> str:
    return text
