"""`sys.last_value` has frames of it"""

import sys


def fail():
    raise ValueError("so")


try:
    fail()
except ValueError as error:
    sys.last_value = error


def version() -> int:
    return 1
