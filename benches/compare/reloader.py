"""Runs the edits of libraries by hot-lib-reloader.

A copy of `reloader/` has its library written anew, built by cargo, and loaded by the program beside it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from natives import CUT, Native

HERE = Path(__file__).resolve().parent
PATIENCE = 20.0


class Reloader:
    """The program and its library, built in a folder of their own."""

    def __init__(self, scratch: Path) -> None:
        self.folder = scratch / "reloader"
        self.target = scratch / "reloader-target"
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(HERE / "reloader", self.folder, ignore=shutil.ignore_patterns("target"))
        self.built = self.target / "debug"
        self.build("--workspace")
        sysroot = subprocess.run(
            ["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True
        ).stdout.strip()
        # As `cargo run` sets it: such a library links that of the standard library.
        self.path = f"{self.built}:{self.built / 'deps'}:{sysroot}/lib"

    def build(self, *what: str) -> None:
        """Builds; the lock file stands as it is."""
        args = ["cargo", "build", "--quiet", "--locked", *what]
        env = os.environ | {"CARGO_TARGET_DIR": str(self.target)}
        subprocess.run(args, cwd=self.folder, env=env, check=True)

    def library(self, text: str) -> Path:
        """The library with this text, built."""
        (self.folder / "edited" / "src" / "lib.rs").write_text(f"//! A case.\n{text}")
        self.build("--package", "edited")
        return self.built / "libedited.so"

    def run(self, case: Native, folder: Path) -> str:
        """The words of the table for one case."""
        cut = self.library(case.plain[1]).read_bytes() if case.broken == CUT else b""
        self.library(case.plain[0])
        env = os.environ | {"LD_LIBRARY_PATH": self.path, "LIBRARIES": str(self.built)}
        program = subprocess.Popen(
            [str(self.built / "reloader"), case.name, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=env,
        )
        assert program.stdin is not None
        assert program.stdout is not None
        with program:
            try:
                said = program.stdout.readline()
                for text in case.plain[1:]:
                    if cut:
                        # Over it, not into it: who has the old one open keeps it whole.
                        part = self.built / "part"
                        part.write_bytes(cut[: len(cut) // 10])
                        part.replace(self.built / "libedited.so")
                    else:
                        self.library(text)
                    program.stdin.write("wait\n")
                    program.stdin.flush()
                    said = program.stdout.readline()
                program.stdin.close()
                ended = program.wait(PATIENCE)
            except BrokenPipeError:
                ended = program.wait(PATIENCE)
                said = ""
            finally:
                program.kill()
        if cut:
            # Cargo would take the cut file for the one that it built.
            (self.built / "libedited.so").unlink()
        if ended < 0:
            return f"the program ends ({signal.Signals(-ended).name})"
        return "none" if case.back else said.strip()
