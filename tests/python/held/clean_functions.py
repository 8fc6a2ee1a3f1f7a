"""Nothing holds it: closures, caches, generators, errors, threads and tasks that have ended."""

import contextvars
import functools
import logging
import re
import sys
import threading
import weakref

import outside

log = logging.getLogger(__name__)
current = contextvars.ContextVar("clean", default=None)
pattern = re.compile("a+")


def closure():
    count = 0

    def step(by=pattern):
        nonlocal count
        count += 1
        return count

    return step


@functools.lru_cache(maxsize=None)
def cached(number):
    return [number] * 100


@functools.singledispatch
def shown(thing):
    return str(thing)


@shown.register
def _(thing: int):
    return "a number"


def rows():
    try:
        yield from range(10)
    finally:
        log.debug("done")


class _Circle:
    def __init__(self):
        self.me = self
        outside.alive.add(self)
        weakref.ref(self, lambda gone: None)

    def __del__(self):
        self.me = None


step = closure()
step()
kept = [cached(number) for number in range(100)]
begun = rows()
next(begun)
circle = _Circle()
worker = threading.Thread(target=step)
worker.start()
worker.join()
shown(1)
try:
    raise ValueError(closure)
except ValueError as error:
    failed = error
    seen = sys.exc_info()


def version() -> int:
    return 1
