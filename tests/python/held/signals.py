"""Signal `SIGUSR1` is handled by `on_signal` (signals.py, line 6)"""

import signal


def on_signal(number, frame):
    pass


signal.signal(signal.SIGUSR1, on_signal)


def version() -> int:
    return 1
