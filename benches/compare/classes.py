"""The edits of classes of which something lives. Nothing is run here."""

from __future__ import annotations

from case import case

CLASSES = [
    case(
        "live instance",
        "a method of a class, called on an object that was made before",
        "new",
        """
        __all__ = ["make"]


        class Point:
            def text(self):
                return "old"


        def make():
            return Point()
        """,
        """
        __all__ = ["make"]


        class Point:
            def text(self):
                return "new"


        def make():
            return Point()
        """,
        """
        class Program:
            def __init__(self, m):
                self.m = m

            def begin(self):
                self.point = self.m.make()

            def ask(self):
                return self.point.text()
        """,
    ),
    case(
        "isinstance",
        "an object that was made before is an instance of the class as it is now",
        "yes",
        """
        __all__ = ["make", "is_point"]


        class Point:
            def text(self):
                return "old"


        def make():
            return Point()


        def is_point(value):
            return isinstance(value, Point)
        """,
        """
        __all__ = ["make", "is_point"]


        class Point:
            def text(self):
                return "new"


        def make():
            return Point()


        def is_point(value):
            return isinstance(value, Point)
        """,
        """
        class Program:
            def __init__(self, m):
                self.m = m

            def begin(self):
                self.point = self.m.make()

            def ask(self):
                return "yes" if self.m.is_point(self.point) else "no"
        """,
    ),
    case(
        "pickle",
        "an object that was made before is pickled and read back",
        "yes",
        """
        class Point:
            x = 1


        def make():
            return Point()
        """,
        """
        class Point:
            x = 2


        def make():
            return Point()
        """,
        """
        import pickle


        class Program:
            def __init__(self, m):
                self.m = m

            def begin(self):
                self.point = self.m.make()

            def ask(self):
                try:
                    pickle.loads(pickle.dumps(self.point))
                except pickle.PicklingError:
                    return "PicklingError"
                return "yes"
        """,
    ),
    case(
        "enum",
        "a member of an enum gets another value, and one comes to it",
        "new",
        """
        import enum


        class Colour(enum.Enum):
            RED = 1


        def colours():
            return [colour.value for colour in Colour]
        """,
        """
        import enum


        class Colour(enum.Enum):
            RED = 2
            BLUE = 3


        def colours():
            return [colour.value for colour in Colour]
        """,
        """
        class Program:
            def __init__(self, m):
                self.m = m

            def begin(self):
                self.m.colours()

            def ask(self):
                return {"[1]": "old", "[2, 3]": "new"}.get(str(self.m.colours()), f"{self.m.colours()}")
        """,
    ),
    case(
        "dataclass",
        "a field comes to a dataclass",
        "new",
        """
        import dataclasses


        @dataclasses.dataclass
        class Item:
            price: int


        def fields():
            return Item(1).__dict__
        """,
        """
        import dataclasses


        @dataclasses.dataclass
        class Item:
            price: int
            count: int = 1


        def fields():
            return Item(1).__dict__
        """,
        """
        class Program:
            def __init__(self, m):
                self.m = m

            def begin(self):
                self.m.fields()

            def ask(self):
                return "new" if "count" in self.m.fields() else "old"
        """,
    ),
]
