"""The edits of Python modules that are compared, each with the program that meets it. Nothing is run here.

A case is a folder of modules, a class `Program` that uses them, and edits that are saved while it runs. The class is
the same whoever loads the modules: it is given them by name, as modules or as slots, and `ask` answers in the words of
the table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import dedent

WRITE, RENAME, HALVES = "write", "rename", "halves"


@dataclass(frozen=True)
class Edit:
    """One save: the files with their new text, how they are saved, and whether the text is broken."""

    files: dict[str, str]
    how: str = WRITE
    broken: bool = False


@dataclass(frozen=True)
class Case:
    """An edit, what is wanted of it, and the program that looks."""

    name: str
    about: str
    wanted: str
    files: dict[str, str]
    edits: list[Edit]
    program: str
    modules: dict[str, str] = field(default_factory=lambda: {"m": "m.py"})
    held: bool = False  # A call is begun before the edit and let go after it.
    reads: bool = False  # A thread asks all the time, and the table shows what it saw.
    back: bool = False  # After the edit, back to what was before.
    same_second: bool = False  # The edit comes within the second of the first save.
    between: bool = False  # Asked between the two halves of a save.
    swap: str = ""  # Keys under `swap` of the slots, where a rack is asked to do more.


def _case(name: str, about: str, wanted: str, before: str, after: str, program: str, **more: object) -> Case:
    """A case of one file, `m.py`."""
    edit = Edit({"m.py": dedent(after)}, **{k: more.pop(k) for k in ("how", "broken") if k in more})  # type: ignore[arg-type]
    return Case(name, about, wanted, {"m.py": dedent(before)}, [edit], dedent(program), **more)  # type: ignore[arg-type]


NUMBER = """
    def number():
        return {n}
"""

ASKS = """
    class Program:
        def __init__(self, m):
            self.m = m

        def begin(self):
            self.m.number()

        def ask(self):
            return {1: "old", 2: "new"}[self.m.number()]
"""

CASES = [
    _case(
        "body",
        "the body of a function",
        "new",
        NUMBER.format(n=1) + "    # The first form.\n",
        NUMBER.format(n=2),
        ASKS,
    ),
    _case(
        "same size",
        "the same, with as many bytes, within the second of the save before",
        "new",
        NUMBER.format(n=1),
        NUMBER.format(n=2),
        ASKS,
        same_second=True,
    ),
    _case(
        "rename",
        "saved as another file that is renamed over it, as many editors do",
        "new",
        NUMBER.format(n=1) + "    # The first form.\n",
        NUMBER.format(n=2),
        ASKS,
        how=RENAME,
    ),
    _case(
        "removed",
        "a function that nobody has used is removed",
        "gone",
        NUMBER.format(n=1) + "\n    def extra():\n        return 1\n",
        NUMBER.format(n=2),
        """
        class Program:
            def __init__(self, m):
                self.m = m

            def begin(self):
                self.m.number()

            def ask(self):
                try:
                    self.m.extra()
                except Exception:
                    return "gone"
                return "still there"
        """,
    ),
    _case(
        "held function",
        "a function that was taken out of the module before",
        "new",
        NUMBER.format(n=1) + "    # The first form.\n",
        NUMBER.format(n=2),
        """
        class Program:
            def __init__(self, m):
                self.m = m

            def begin(self):
                self.number = self.m.number
                self.number()

            def ask(self):
                return {1: "old", 2: "new"}[self.number()]
        """,
    ),
    _case(
        "thread",
        "a thread that calls a function which it was given before",
        "new",
        NUMBER.format(n=1) + "    # The first form.\n",
        NUMBER.format(n=2),
        """
        import threading
        import time


        class Program:
            def __init__(self, m):
                self.m = m
                self.last = 0

            def begin(self):
                threading.Thread(target=self.run, args=[self.m.number], daemon=True).start()
                self.wait()

            def run(self, number):
                while True:
                    self.last = number()
                    time.sleep(0.001)

            def wait(self):
                self.last = 0
                while not self.last:
                    time.sleep(0.001)

            def ask(self):
                self.wait()
                return {1: "old", 2: "new"}[self.last]
        """,
    ),
    _case(
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
    _case(
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
    _case(
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
    _case(
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
    _case(
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
    _case(
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
    _case(
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
    _case(
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
    _case(
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
    _case(
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
    _case(
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
    Case(
        "helper",
        "a helper beside the file, taken by `from helper import number`",
        "new",
        {
            "m.py": "from helper import number as answer\n\n\ndef number():\n    return answer()\n",
            "helper.py": "def number():\n    return 1\n# The first form.\n",
        },
        [Edit({"helper.py": "def number():\n    return 2\n"})],
        dedent(ASKS),
    ),
    Case(
        "helper constant",
        "the same, and what is taken is a constant",
        "new",
        {
            "m.py": "from helper import NUMBER\n\n\ndef number():\n    return NUMBER\n",
            "helper.py": "NUMBER = 1\n# The first form.\n",
        },
        [Edit({"helper.py": "NUMBER = 2\n"})],
        dedent(ASKS),
    ),
    Case(
        "submodule",
        "a submodule of a package",
        "new",
        {
            "pack/__init__.py": "from .inner import answer\n\n\ndef number():\n    return answer()\n",
            "pack/inner.py": "def answer():\n    return 1\n# The first form.\n",
        },
        [Edit({"pack/inner.py": "def answer():\n    return 2\n"})],
        dedent(ASKS),
        modules={"m": "pack/"},
    ),
    _case(
        "state",
        "a counter of the module, where the edit is elsewhere; the module says how its state is carried",
        "kept",
        """
        count = 0


        def add():
            global count
            count += 1
            return count


        def export_state():
            return {"count": count}


        def import_state(state, from_version):
            global count
            count = state["count"]
        """,
        """
        count = 0


        def add():
            global count
            count += 10
            return count


        def export_state():
            return {"count": count}


        def import_state(state, from_version):
            global count
            count = state["count"]
        """,
        """
        class Program:
            def __init__(self, m):
                self.m = m

            def begin(self):
                for _ in range(3):
                    self.m.add()

            def ask(self):
                return {4: "old code", 10: "lost", 13: "kept"}[self.m.add()]
        """,
    ),
    _case(
        "state unsaid",
        "the same, where the module says nothing of its state",
        "kept",
        """
        count = 0


        def add():
            global count
            count += 1
            return count
        """,
        """
        count = 0


        def add():
            global count
            count += 10
            return count
        """,
        """
        class Program:
            def __init__(self, m):
                self.m = m

            def begin(self):
                for _ in range(3):
                    self.m.add()

            def ask(self):
                return {4: "old code", 10: "lost", 13: "kept"}[self.m.add()]
        """,
    ),
    _case(
        "syntax error",
        "a syntax error is saved",
        "old, told",
        NUMBER.format(n=1),
        "def number(:\n    return 2\n",
        ASKS,
        broken=True,
    ),
    _case(
        "raises",
        "what is saved raises at the end of its import",
        "old, told",
        """
        def first():
            return 1


        def second():
            return 1
        """,
        """
        def first():
            return 2


        raise ValueError("it does not start")


        def second():
            return 2
        """,
        """
        class Program:
            def __init__(self, m):
                self.m = m

            def begin(self):
                self.m.first()
                self.m.second()

            def ask(self):
                seen = self.m.first(), self.m.second()
                return {(1, 1): "old", (2, 2): "new"}.get(seen, "half of each")
        """,
        broken=True,
    ),
    _case(
        "halves",
        "half of the file is on the disk for half a second, as it is being written",
        "old",
        """
        def first():
            return 1


        def second():
            return 1
        """,
        """
        def first():
            return 2


        def second():
            return 2
        """,
        """
        class Program:
            def __init__(self, m):
                self.m = m

            def begin(self):
                self.m.first()
                self.m.second()

            def ask(self):
                try:
                    seen = self.m.first(), self.m.second()
                except Exception:
                    return "half the file"
                return {(1, 1): "old", (2, 2): "new"}.get(seen, "half of each")
        """,
        how=HALVES,
        between=True,
    ),
    _case(
        "call under way",
        "a call that is under way goes on to call another function of its module",
        "old throughout",
        """
        def number():
            return 1


        def work(wait):
            before = number()
            wait()
            return before, number()
        """,
        """
        def number():
            return 2


        def work(wait):
            before = number()
            wait()
            return before, number()
        """,
        """
        import threading


        class Program:
            def __init__(self, m):
                self.m = m
                self.inside = threading.Event()
                self.go = threading.Event()
                self.seen = None

            def begin(self):
                self.thread = threading.Thread(target=self.work)
                self.thread.start()
                self.inside.wait()

            def work(self):
                self.seen = self.m.work(self.wait)

            def wait(self):
                self.inside.set()
                self.go.wait()

            def ask(self):
                self.go.set()
                self.thread.join()
                seen = tuple(self.seen)
                return {(1, 1): "old throughout", (1, 2): "old, then new"}.get(seen, f"{seen}")
        """,
        held=True,
    ),
    Case(
        "together",
        "two modules that must change together, as another thread sees them",
        "never a mixture",
        {
            # The second takes a moment to start, as modules do.
            "a.py": "def number():\n    return 1\n# The first form.\n",
            "b.py": "import time\n\ntime.sleep(0.2)\n\n\ndef number():\n    return 1\n# The first form.\n",
        },
        [
            Edit(
                {
                    "a.py": "def number():\n    return 2\n",
                    "b.py": "import time\n\ntime.sleep(0.2)\n\n\ndef number():\n    return 2\n",
                }
            )
        ],
        dedent(
            """
            class Program:
                def __init__(self, a, b):
                    self.a = a
                    self.b = b

                def begin(self):
                    self.ask()

                def ask(self):
                    seen = self.a.number(), self.b.number()
                    return {(1, 1): "old", (2, 2): "new"}.get(seen, "mixture")
            """
        ),
        modules={"a": "a.py", "b": "b.py"},
        reads=True,
    ),
    _case(
        "back",
        "back to what was before, without the old text",
        "old",
        NUMBER.format(n=1) + "    # The first form.\n",
        NUMBER.format(n=2),
        ASKS,
        back=True,
    ),
    Case(
        "memory",
        "what the old forms held, after five edits",
        "freed",
        {"m.py": "class Held:\n    pass\n\n\nHELD_1 = Held()\n\n\ndef number():\n    return 1\n"},
        [
            # Each as long as no other, so that none is taken for the one before.
            Edit(
                {"m.py": f"class Held:\n    pass\n\n\nHELD_{n} = Held()\n\n\ndef number():\n    return 2\n{'#' * n}\n"}
            )
            for n in range(2, 7)
        ],
        dedent(
            """
            import gc


            class Program:
                def __init__(self, m):
                    self.m = m

                def begin(self):
                    self.m.number()

                def ask(self):
                    self.m.number()
                    gc.collect()
                    alive = sum(type(one).__name__ == "Held" for one in gc.get_objects())
                    return "freed" if alive == 1 else f"{alive - 1} of 5 kept"
            """
        ),
        swap="trial: { for: 0s }",
    ),
]
