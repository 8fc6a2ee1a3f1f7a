"""The built command, run as a user runs it, and what came of it.

Everything here is about running `modrack` and reading what it said; no feature is known here. The command
runs in a folder and with a home of the test's own, with the interpreter that runs the tests.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BROKEN = HERE / "broken"
EXPECT = HERE / "expect"
UPDATE = os.environ.get("UPDATE_EXPECT") == "1"

# Longer than any call here takes on a slow machine; a run that reaches it hangs.
HANGS_AFTER = 60.0


@dataclass(frozen=True)
class Ran:
    """One run of the command that has ended."""

    args: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Standard output, read as one JSON value."""
        return json.loads(self.stdout)

    def show(self) -> str:
        """The run as golden files and failed assertions show it."""
        parts = [f"$ modrack {' '.join(map(quote, self.args))}", f"exit status {self.code}"]
        for name, text in (("stdout", self.stdout), ("stderr", self.stderr)):
            if text:
                parts += [f"--- {name}", text.removesuffix("\n")]
        return "\n".join(parts) + "\n"


@dataclass(frozen=True)
class Failure:
    """One failure as the command shows it to people."""

    code: str
    message: str
    place: str = ""
    key: str = ""
    hint: str = ""
    text: str = ""

    @staticmethod
    def all(stderr: str) -> list[Failure]:
        """The failures that are shown in `stderr`, in order."""
        parts = re.split(r"^(?=error\[M\d{4}\]: )", stderr, flags=re.MULTILINE)
        return [Failure.parse(part) for part in parts if part.startswith("error[")]

    @staticmethod
    def parse(text: str) -> Failure:
        """The parts of one failure."""
        code, message = re.findall(r"^error\[(M\d{4})\]: (.*)", text)[0]
        place, key = (re.findall(r"^ +--> (\S+)(?:  (.+))?$", text, re.MULTILINE) or [("", "")])[0]
        hint = (re.findall(r"^ +hint: (.*)", text, re.MULTILINE) or [""])[0]
        return Failure(code, message, place, key, hint, text)


@dataclass
class Modrack:
    """The command, to be run in `folder`."""

    folder: Path
    home: Path
    env: dict[str, str] = field(default_factory=dict)
    hangs_after: float = HANGS_AFTER

    def __call__(
        self,
        *args: str | Path,
        code: int | None = 0,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | bytes | None = None,
    ) -> Ran:
        """Runs the command to its end and asserts its exit status; `code=None` takes any."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        child = subprocess.Popen(
            [command(), *map(str, args)],
            cwd=cwd or self.folder,
            env=self.environment(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            stdout, stderr = child.communicate(given, timeout=self.hangs_after)
        except subprocess.TimeoutExpired:
            # Whatever it started holds the same pipes.
            os.killpg(child.pid, signal.SIGKILL)
            stdout, stderr = child.communicate()
            raise AssertionError(f"it hangs\n{stdout.decode()}\n{stderr.decode()}") from None
        ran = Ran(tuple(map(str, args)), child.returncode, stdout.decode(), stderr.decode())
        assert code is None or ran.code == code, f"exit status {code} was expected\n{ran.show()}"
        return ran

    def start(
        self, *args: str | Path, env: Mapping[str, str] | None = None, in_background: bool = False
    ) -> subprocess.Popen[str]:
        """Starts the command and does not wait for it; `in_background`, as a script's `&` does it.

        What a script starts with `&` begins with interrupts ignored.
        """
        shell = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"] if in_background else []
        return subprocess.Popen(
            [*shell, command(), *map(str, args)],
            cwd=self.folder,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def fails(
        self,
        code: str,
        *args: str | Path,
        status: int = 1,
        env: Mapping[str, str] | None = None,
        stdin: str | bytes | None = None,
    ) -> Failure:
        """Runs the command, asserts that it fails with this code and exit status, and gives the failure."""
        ran = self(*args, code=status, env=env, stdin=stdin)
        failures = Failure.all(ran.stderr)
        assert code in [failure.code for failure in failures], f"{code} was expected\n{ran.show()}"
        assert ran.stdout == "", f"nothing was expected on stdout\n{ran.show()}"
        return next(failure for failure in failures if failure.code == code)

    def write(self, name: str, text: str | bytes) -> Path:
        """Writes a file into the folder; text loses the indentation that its lines share."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a run: the interpreter under test, and nothing of the user's."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in {"PATH", "LD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT"}
        }
        return {
            **kept,
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "LANG": "C.UTF-8",
            "VIRTUAL_ENV": sys.prefix,
            **self.env,
            **(more or {}),
        }


def command() -> Path:
    """The built command: `MODRACK_COMMAND`, else that of the dev profile."""
    named = os.environ.get("MODRACK_COMMAND")
    if named:
        return Path(named)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "debug" / "modrack"


def quote(arg: str) -> str:
    """An argument as a shell would need it."""
    return arg if re.fullmatch(r"[\w@%+=:,./~^-]+", arg) else "'" + arg.replace("'", "'\\''") + "'"


def steady(text: str, names: Mapping[str, Path | str]) -> str:
    """`text` with everything that differs from one run to the next written as a word in brackets."""
    for word, path in sorted(names.items(), key=lambda item: -len(str(item[1]))):
        text = text.replace(str(path), f"[{word}]")
    text = re.sub(r"\b(\d+ |\d+\.\d+ ?)(ns|us|µs|ms|s)\b", "[TIME]", text)
    text = re.sub(r"\b[\d,.]+(k|M)? rows/s\b", "[RATE] rows/s", text)
    text = re.sub(r"0x[0-9a-f]{6,}", "[ADDRESS]", text)
    # Python 3.11 and newer underline parts of a line in a traceback.
    return re.sub(r"\n  \|[ ]+[~^]+[ ~^]*(?=\n)", "", text)


def check_text(name: str, got: str) -> None:
    """Compares `got` with the golden file `expect/NAME`; `UPDATE_EXPECT=1` writes it instead."""
    check_file(EXPECT / name, got)


def check_file(path: Path, got: str) -> None:
    """Compares `got` with the golden file at `path`; `UPDATE_EXPECT=1` writes it instead."""
    if UPDATE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(got, encoding="utf-8")
        return
    wanted = path.read_text(encoding="utf-8") if path.exists() else ""
    if got != wanted:
        lines = difflib.unified_diff(
            wanted.splitlines(), got.splitlines(), f"expected ({path.relative_to(ROOT)})", "got", lineterm=""
        )
        raise AssertionError("\n".join(lines) + "\nUPDATE_EXPECT=1 takes what was got")
