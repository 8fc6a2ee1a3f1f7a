import sys


def execute(text: str) -> str:
    return text


sys.exit(5)
