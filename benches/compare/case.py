"""What a case of the comparison is: an edit of Python modules, and the program that meets it. Nothing is run here.

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


def case(name: str, about: str, wanted: str, before: str, after: str, program: str, **more: object) -> Case:
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
