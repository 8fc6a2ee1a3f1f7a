"""Tracebacks as Python prints them, with the lines that were run, and without the frames that are not the module's."""

import linecache
import traceback

# The longest chain that is printed.
LINKS = 32

# Of so many contents the lines are remembered, by what each is known by.
CONTENTS = 16
known = {}


def lines_of(frame, file):
    """The lines that a frame of a generation runs; none of other frames."""
    mark = frame.f_globals.get("__modrack__")
    content = getattr(mark, "content", None)
    # What stands in no file has its lines nowhere.
    name = content(file) if content and not file.startswith("<") else None
    if name is None:
        return None
    if name not in known:
        if len(known) >= CONTENTS:
            known.clear()
        text = mark.text(file)
        known[name] = (len(text), None, text.splitlines(keepends=True), file)
    return known[name]


def look_up(told, error):
    """Has the frames of generations show what they ran: the file may have other lines by now."""
    seen = set()
    waiting = [(told, error)]
    while waiting:
        told, error = waiting.pop()
        if told is None or error is None or id(told) in seen:
            continue
        seen.add(id(told))
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        # There are fewer where `sys.tracebacklimit` says so.
        for shown, frame in zip(told.stack, frames) if len(told.stack) == len(frames) else ():
            lines = lines_of(frame, shown.filename)
            if lines is None:
                continue
            before = linecache.cache.get(shown.filename)
            linecache.cache[shown.filename] = lines
            try:
                # Looked up by whoever asks first, and kept.
                _ = shown.line
            finally:
                if before is None:
                    linecache.cache.pop(shown.filename, None)
                else:
                    linecache.cache[shown.filename] = before
        waiting += ((told.__cause__, error.__cause__), (told.__context__, error.__context__))
        waiting += zip(getattr(told, "exceptions", None) or (), getattr(error, "exceptions", None) or ())


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
        told = traceback.TracebackException(type(error), error, error.__traceback__, compact=True, lookup_lines=False)
        look_up(told, error)
    finally:
        if more:
            last.__cause__, last.__context__, last.__suppress_context__ = before
    clean(told)
    text = "".join(told.format(chain=chain))
    if more and chain:
        text = f"({more} more exceptions came before and are left out)\n\n{text}"
    return text
