"""`atexit` is to call `leave` (exits.py, line 6)"""

import atexit


@atexit.register
def leave():
    pass


def version() -> int:
    return 1
