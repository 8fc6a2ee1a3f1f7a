"""A context has `current`"""

import contextvars

import outside

current = contextvars.ContextVar("current")


def version() -> int:
    return 1


kept = contextvars.copy_context()
kept.run(current.set, version)
outside.context.append(kept)
del kept
