"""Loggers of a generation's modules keep the names that the modules would have without one; what a generation and its
successor both hang on one of them, the first takes along when it goes.
"""

import sys
import weakref

# By generation: the module, the logger and the handler.
_added = {}


def install(logging):
    manager = logging.Manager
    get = manager.getLogger

    def getLogger(self, name):
        if isinstance(name, str) and name.startswith("_modrack."):
            parts = name.split(".", 3)
            if len(parts) == 4:
                name = parts[3]
        return get(self, name)

    getLogger.__doc__ = get.__doc__
    manager.getLogger = getLogger

    add = logging.Logger.addHandler

    def addHandler(self, handler):
        add(self, handler)
        # What `basicConfig` and its like add is added once, whoever calls them: only the module's own code is noted.
        code = sys._getframe(1).f_globals
        mark = code.get("__modrack__")
        if mark is not None:
            note = (plain(code["__name__"]), weakref.ref(self), weakref.ref(handler))
            _added.setdefault(mark.prefix, []).append(note)

    addHandler.__doc__ = add.__doc__
    logging.Logger.addHandler = addHandler


def plain(name):
    return name.split(".", 3)[-1]


def forget(prefix):
    """Takes away the handlers of a generation that is stopped, where another one of its module has added its own."""
    for module, logger, handler in _added.pop(prefix, ()):
        there, gone = logger(), handler()
        others = [note for notes in list(_added.values()) for note in notes]
        if there is None or gone is None or gone not in there.handlers:
            continue
        if any(name == module and other() is there and kept() in there.handlers for name, other, kept in others):
            there.removeHandler(gone)
            gone.close()
