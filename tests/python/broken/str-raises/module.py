class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def execute(text: str) -> str:
    raise Unprintable
