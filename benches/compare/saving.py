"""How files are laid and saved: at once, by a rename, or in two halves; for every runner, so that all meet the same."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from case import HALVES, RENAME, Case, Edit

# How long half a file stays on the disk.
HALFWAY = 0.5


def lay(folder: Path, case: Case) -> None:
    """Writes the files that a case begins with."""
    if case.same_second:
        # The edit is to come within this second.
        time.sleep(1.02 - time.time() % 1)
    for name, text in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if not case.same_second:
        # As a file that was written before today: no tool is led astray by the age of its neighbour.
        old = time.time() - 86_400
        for name in case.files:
            os.utime(folder / name, (old, old))


def save(folder: Path, edit: Edit, halfway: Callable[[], None] | None) -> None:
    """Saves an edit as it says; `halfway` is called while half of a file is there."""
    for name, text in edit.files.items():
        path = folder / name
        if edit.how == RENAME:
            beside = path.with_name(path.name + ".new")
            beside.write_text(text)
            beside.replace(path)
        elif edit.how == HALVES:
            lines = text.splitlines(keepends=True)
            with path.open("w") as file:
                file.writelines(lines[: len(lines) // 2])
                file.flush()
                time.sleep(HALFWAY)
                if halfway:
                    halfway()
                file.writelines(lines[len(lines) // 2 :])
        else:
            path.write_text(text)
