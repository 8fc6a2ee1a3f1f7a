"""Tracebacks as Python prints them, without the frames that are not the module's."""

import traceback


def clean(told, seen):
    if told is None or id(told) in seen:
        return
    seen.add(id(told))
    told.stack[:] = [frame for frame in told.stack if not frame.filename.startswith(("<modrack", "<frozen importlib"))]
    clean(told.__cause__, seen)
    clean(told.__context__, seen)
    for member in getattr(told, "exceptions", None) or ():
        clean(member, seen)


def render(error, chain):
    told = traceback.TracebackException(type(error), error, error.__traceback__)
    clean(told, set())
    return "".join(told.format(chain=chain))
