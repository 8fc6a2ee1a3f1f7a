"""The cache of `compute` (outside.py, line 22) has something of it"""

import outside


def version() -> int:
    return 1


outside.compute(version)
