from math import square


def execute(x: int) -> int:
    return square(x)
