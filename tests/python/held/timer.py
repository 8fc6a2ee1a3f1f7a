"""Thread `timer` has something of it, and is in `wait` (threading.py, line ...)"""

import threading


def version() -> int:
    return 1


timer = threading.Timer(3600, version)
timer.name, timer.daemon = "timer", True
timer.start()
