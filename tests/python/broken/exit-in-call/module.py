import sys


def execute(text: str) -> str:
    sys.exit(5)
