"""The edits of functions and of who holds them. Nothing is run here."""

from __future__ import annotations

from case import ASKS, NUMBER, RENAME, case

FUNCTIONS = [
    case(
        "body",
        "the body of a function",
        "new",
        NUMBER.format(n=1) + "    # The first form.\n",
        NUMBER.format(n=2),
        ASKS,
    ),
    case(
        "same size",
        "the same, with as many bytes, within the second of the save before",
        "new",
        NUMBER.format(n=1),
        NUMBER.format(n=2),
        ASKS,
        same_second=True,
    ),
    case(
        "rename",
        "saved as another file that is renamed over it, as many editors do",
        "new",
        NUMBER.format(n=1) + "    # The first form.\n",
        NUMBER.format(n=2),
        ASKS,
        how=RENAME,
    ),
    case(
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
    case(
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
    case(
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
]
