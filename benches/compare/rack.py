"""Runs the edits by modrack: the program of `rack/`, which holds a rack, calls its slots, and swaps what was saved."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from case import Case
from natives import CUT, Native
from saving import lay, save

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
# How long a thread is waited for.
PATIENCE = 3.0


class Failed(Exception):
    """What the rack answered is a failure."""


class Line:
    """A running program that holds a rack."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.lock = threading.Lock()
        self.process = subprocess.Popen(
            [str(program), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, *words: Any) -> Any:
        """What it gives for a line; `Failed` when it fails."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self.lock:
            self.process.stdin.write(json.dumps(words) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        if not line:
            raise Failed(f"the program ends ({self.process.wait()})")
        answer = json.loads(line)
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer["given"]

    def call(self, slot: str, function: str, *args: Any) -> Any:
        """What a function gives."""
        return self.ask("call", slot, function, list(args))

    def end(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.communicate()


class Rack:
    """The program that holds racks, and the kit's modules, built in a folder of their own."""

    def __init__(self, scratch: Path, python: Path, target: Path | None) -> None:
        self.target = target or scratch / "rack-target"
        self.scratch = scratch
        env = os.environ | {"PYO3_PYTHON": str(python)}
        # The versions that the workspace was built with.
        shutil.copy(TOP / "Cargo.lock", HERE / "rack")
        args = ["cargo", "build", "--quiet", "--target-dir", str(self.target)]
        subprocess.run(args, cwd=HERE / "rack", env=env, check=True)
        self.program = self.target / "debug" / "rack"
        self.package = scratch / "module"
        shutil.rmtree(self.package, ignore_errors=True)
        (self.package / "src").mkdir(parents=True)
        kit = TOP / "crates" / "modrack-sdk"
        (self.package / "Cargo.toml").write_text(
            '[workspace]\n[package]\nname = "edited"\nversion = "0.1.0"\nedition = "2024"\npublish = false\n'
            f'[lib]\ncrate-type = ["cdylib"]\n[dependencies]\nmodrack = {{ package = "modrack-sdk", path = "{kit}" }}\n'
        )
        shutil.copy(TOP / "Cargo.lock", self.package)

    def run(self, case: Case, folder: Path) -> str:
        """The words of the table for an edit of Python modules."""
        lay(folder, case)
        (folder / "program").mkdir()
        (folder / "program" / "program.py").write_text(case.program)
        needs = ", ".join(f"{name}: {name}" for name in case.modules)
        slots = "".join(
            f"  {name}: {{ use: ./{file}, swap: {{ {case.swap} }} }}\n" for name, file in case.modules.items()
        )
        program = f"  program: {{ use: './program/program.py:Program', needs: {{ {needs} }} }}\n"
        (folder / "rack.yaml").write_text(f"rack: 1\nslots:\n{slots}{program}")
        line = Line(self.program, folder)
        try:
            return self.meet(case, folder, line)
        finally:
            line.end()

    def meet(self, case: Case, folder: Path, line: Line) -> str:
        """Goes through a case."""
        if case.between:
            return "not watched"
        line.call("program", "begin")
        if case.reads:
            line.ask("read", "program", "ask", [])
        failed = ""
        for edit in case.edits:
            save(folder, edit, None)
            try:
                line.ask("swap", *case.modules)
            except Failed as why:
                failed = str(why)
        if case.back:
            line.ask("rollback", *case.modules)
        if case.reads:
            seen = line.ask("seen")
            ended = line.call("program", "ask")
            if "mixture" in [*seen, ended]:
                return "a mixture"
            return "never a mixture" if ended == "new" else str(ended)
        try:
            answer = str(line.call("program", "ask"))
        except Failed as why:
            answer = str(why)
        if any(edit.broken for edit in case.edits):
            return f"{answer}, {'told' if failed else 'not told'}"
        return f"{answer}, and {failed}" if failed else answer

    def library(self, text: str) -> Path:
        """A module in Rust with this text, built."""
        (self.package / "src" / "lib.rs").write_text(f"//! A case.\n{text}")
        target = self.scratch / "module-target"
        args = ["cargo", "build", "--quiet", "--offline", "--target-dir", str(target)]
        subprocess.run(args, cwd=self.package, check=True)
        return target / "debug" / "libedited.so"

    def run_native(self, case: Native, folder: Path) -> str:
        """The words of the table for an edit of a library."""
        (folder / "rack.yaml").write_text(
            "rack: 1\nslots:\n  m: { use: ./m.so, swap: { trial: { for: 0s }, drain: 100ms } }\n"
        )
        if case.back:
            (folder / "rack.yaml").write_text("rack: 1\nslots:\n  m: ./m.so\n")
        self.put(folder, self.library(case.kit[0]).read_bytes())
        line = Line(self.program, folder)
        try:
            return self.meet_native(case, folder, line)
        except Failed as why:
            return str(why)
        finally:
            line.end()

    def put(self, folder: Path, content: bytes) -> None:
        """Puts a library where the rack finds it, as build tools do."""
        (folder / "new").write_bytes(content)
        (folder / "new").replace(folder / "m.so")

    def meet_native(self, case: Native, folder: Path, line: Line) -> str:
        """Goes through a case."""
        words = {json.dumps(value): word for value, word in case.words}

        def of(value: Any) -> str:
            return words.get(json.dumps(value), f"{value}")

        waits = case.name in ("call under way", "beside a call", "thread")
        args = [str(folder)] if waits else list(case.args)
        before = None
        if case.name == "no pause":
            line.ask("press", "m", case.function, args)
        elif waits:
            line.ask("hold", "m", case.function, args)
            until = time.monotonic() + PATIENCE
            while not (folder / "inside").exists():
                if time.monotonic() > until:
                    raise Failed(str(line.ask("held")))
                time.sleep(0.001)
        else:
            before = [line.call("m", case.function, *args) for _ in range(case.calls)][-1]
        told = False
        for text in case.kit[1:]:
            content = self.library(text).read_bytes()
            self.put(folder, content[: len(content) // 10] if case.broken == CUT else content)
            try:
                line.ask("swap", "m")
            except Failed:
                told = True
        if case.back:
            line.ask("rollback", "m")
        match case.name:
            case "no pause":
                return of(line.ask("eased"))
            case "beside a call":
                answer = of(line.call("m", "number"))
                (folder / "go").touch()
                return answer
            case "call under way":
                (folder / "go").touch()
                return of(line.ask("held"))
            case "thread":
                (folder / "beat").unlink(missing_ok=True)
                until = time.monotonic() + PATIENCE
                while time.monotonic() < until:
                    if (folder / "beat").exists():
                        return "goes on"
                    time.sleep(0.001)
                return "stands still"
            case "text":
                return of(before)
            case "memory":
                maps = Path(f"/proc/{line.process.pid}/maps").read_text().splitlines()
                parts = [entry.split() for entry in maps]
                files = {entry[5] for entry in parts if len(entry) > 5 and entry[5].endswith("/m.so")}
                kept = len(files) - 1
                return f"{kept} of 5 kept" if kept else "freed"
        try:
            answer = of(line.call("m", case.function, *args))
        except Failed:
            answer = "the call fails"
        return f"{answer}, {'told' if told else 'not told'}" if case.broken else answer
