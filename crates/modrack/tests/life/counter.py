"""A counter that carries its count and says its version; `hold` goes on until the file `held` is gone.

The values in capitals are changed by who writes it to a rack.
"""

import os
import threading
import time

VERSION = 0
FOLDER = ""
START_FAILS = False
IMPORT_FAILS = False
SHUTDOWN_FAILS = False
COUNT_FAILS = False

lock = threading.Lock()


class Counter:
    def __init__(self):
        if START_FAILS:
            raise ValueError("it does not start")
        self.counted = 0

    def count(self) -> int:
        if COUNT_FAILS:
            raise ValueError("it does not count")
        with lock:
            self.counted += 1
            return self.counted

    def version(self) -> int:
        return VERSION

    def hold(self) -> int:
        open(FOLDER + "/inside", "w").close()
        while os.path.exists(FOLDER + "/held"):
            time.sleep(0.001)
        return VERSION

    def export_state(self):
        return {"counted": self.counted}

    def import_state(self, state, from_version):
        if IMPORT_FAILS:
            raise ValueError("it does not take it")
        self.counted = state["counted"]

    def shutdown(self):
        if SHUTDOWN_FAILS:
            raise ValueError("it does not end")
