"""`outside` has `rows`"""

import outside


def count():
    yield 1
    yield 2


outside.rows.append(count())
next(outside.rows[-1])


def version() -> int:
    return 1
