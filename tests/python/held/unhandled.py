"""`sys.excepthook` is `excepthook` (unhandled.py, line 13)
`sys.meta_path` has an object of `unhandled._Finder`
`threading.excepthook` is `on_thread` (unhandled.py, line 17)
`warnings.showwarning` is `showwarning` (unhandled.py, line 21)"""

# Threads that are started from now on keep both hooks for errors as well: it is the last of these modules.

import sys
import threading
import warnings


def excepthook(kind, error, traceback):
    sys.__excepthook__(kind, error, traceback)


def on_thread(args):
    pass


def showwarning(*told, **more):
    pass


class _Finder:
    def find_spec(self, name, path=None, target=None):
        return None


sys.excepthook = excepthook
threading.excepthook = on_thread
warnings.showwarning = showwarning
sys.meta_path.append(_Finder())


def version() -> int:
    return 1
