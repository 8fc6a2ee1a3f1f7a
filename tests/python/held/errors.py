"""`outside` has `errors`"""

import outside


def fail():
    raise ValueError("so")


try:
    fail()
except ValueError as error:
    outside.errors.append(error)


def version() -> int:
    return 1
