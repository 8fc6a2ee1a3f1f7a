"""Tracebacks as Python prints them, without the frames that are not the module's."""

import traceback

# The longest chain that is printed.
LINKS = 32


def clean(told):
    seen = set()
    waiting = [told]
    while waiting:
        told = waiting.pop()
        if told is None or id(told) in seen:
            continue
        seen.add(id(told))
        told.stack[:] = [frame for frame in told.stack if not frame.filename.startswith(("<modrack", "<frozen importlib"))]
        waiting += (told.__cause__, told.__context__)
        waiting += getattr(told, "exceptions", None) or ()


def led_to(error):
    if error.__cause__ is not None or error.__suppress_context__:
        return error.__cause__
    return error.__context__


def cut(error, links):
    """The last of so many links, and how many there are beyond it."""
    last, more, seen = error, 0, {id(error)}
    error = led_to(error)
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if len(seen) <= links:
            last = error
        else:
            more += 1
        error = led_to(error)
    return last, more


def render(error, chain):
    last, more = cut(error, LINKS if chain else 1)
    before = last.__cause__, last.__context__, last.__suppress_context__
    try:
        if more:
            # Whoever builds what is printed goes through all of the chain.
            last.__cause__ = last.__context__ = None
        told = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
    finally:
        if more:
            last.__cause__, last.__context__, last.__suppress_context__ = before
    clean(told)
    text = "".join(told.format(chain=chain))
    if more and chain:
        text = f"({more} more exceptions came before and are left out)\n\n{text}"
    return text
