"""The edits of what a module works out once: defaults, constants, closures, decorators, caches. Nothing is run here."""

from __future__ import annotations

from case import ASKS, case

VALUES = [
    case(
        "default",
        "the default of an argument",
        "new",
        """
        def number(n=1):
            return n
        """,
        """
        def number(n=2):
            return n
        """,
        ASKS,
    ),
    case(
        "constant",
        "a constant of the module",
        "new",
        """
        NUMBER = 1


        def number():
            return NUMBER
        """,
        """
        NUMBER = 2


        def number():
            return NUMBER
        """,
        ASKS,
    ),
    case(
        "closure",
        "a function within a function; a closure made before is called",
        "new",
        """
        def make():
            def number():
                return 1

            return number
        """,
        """
        def make():
            def number():
                return 2

            return number
        """,
        """
        class Program:
            def __init__(self, m):
                self.m = m

            def begin(self):
                self.number = self.m.make()

            def ask(self):
                return {1: "old", 2: "new"}[self.number()]
        """,
    ),
    case(
        "decorated",
        "a function under a decorator of the module",
        "new",
        """
        import functools


        def noted(function):
            @functools.wraps(function)
            def call(*args):
                return function(*args)

            return call


        @noted
        def number():
            return 1
        """,
        """
        import functools


        def noted(function):
            @functools.wraps(function)
            def call(*args):
                return function(*args)

            return call


        @noted
        def number():
            return 2
        """,
        ASKS,
    ),
    case(
        "decorator",
        "the decorator itself",
        "new",
        """
        def times(function):
            def call():
                return function() * 1

            return call


        @times
        def number():
            return 1
        """,
        """
        def times(function):
            def call():
                return function() * 2

            return call


        @times
        def number():
            return 1
        """,
        ASKS,
    ),
    case(
        "cached",
        "a function under `functools.cache`, which has answered before",
        "new",
        """
        import functools


        @functools.cache
        def number():
            return 1
        """,
        """
        import functools


        @functools.cache
        def number():
            return 2
        """,
        ASKS,
    ),
]
