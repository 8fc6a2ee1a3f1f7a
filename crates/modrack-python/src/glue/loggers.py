"""Loggers of a generation's modules keep the names that the modules would have without one; what a generation and its
successor both hang on one of them, the first takes along when it goes.
"""

import itertools
import sys
import weakref

# By generation, and by a number: the module, the logger and the handler.
_added = {}
_numbers = itertools.count()


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
            note(mark.prefix, plain(code["__name__"]), self, handler)

    addHandler.__doc__ = add.__doc__
    logging.Logger.addHandler = addHandler


def plain(name):
    return name.split(".", 3)[-1]


def note(prefix, module, logger, handler):
    """Notes what a module has hung on a logger, and forgets what hangs there no more."""
    notes = _added.setdefault(prefix, {})
    for number, (its_module, its_logger, its_handler) in list(notes.items()):
        there, kept = its_logger(), its_handler()
        is_same = there is logger and kept is handler and its_module == module
        if is_same or there is None or not any(one is kept for one in there.handlers):
            notes.pop(number, None)
    notes[next(_numbers)] = (module, weakref.ref(logger), weakref.ref(handler))


def forget(prefix):
    """Takes away the handlers of a generation that is stopped, where another one of its module has added its own."""
    for module, logger, handler in _added.pop(prefix, {}).values():
        there, gone = logger(), handler()
        others = [note for notes in list(_added.values()) for note in list(notes.values())]
        if there is None or gone is None or gone not in there.handlers:
            continue
        if any(name == module and other() is there and kept() in there.handlers for name, other, kept in others):
            there.removeHandler(gone)
            gone.close()
