"""The edits of whole modules: their files, what they keep, what is broken, what is under way. Nothing is run here."""

from __future__ import annotations

from textwrap import dedent

from case import ASKS, HALVES, NUMBER, Case, Edit, case

MODULES = [
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
    case(
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
    case(
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
    case(
        "syntax error",
        "a syntax error is saved",
        "old, told",
        NUMBER.format(n=1),
        "def number(:\n    return 2\n",
        ASKS,
        broken=True,
    ),
    case(
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
    case(
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
    case(
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
    case(
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
