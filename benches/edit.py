"""How long it takes from the save of a Python file to the new code answering, in a rack that is served
and watches 1,000 files.

The edit is a rename over the file, as editors make it; who asks calls the slot over the server's socket, one call after
the other. What the module's own load takes is measured in the same turns: the interpreter that runs it compiles the
same text and runs it.
"""

from __future__ import annotations

import http.client
import json
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# How many files are watched, the one that is edited included.
FILES = 1_000
# How long anything is waited for.
PATIENCE = 60.0

LOAD = """
import sys, time
text = sys.stdin.read()
times = []
for _ in range(20):
    begun = time.perf_counter()
    exec(compile(text, "edited.py", "exec"), {"__name__": "edited"})
    times.append(time.perf_counter() - begun)
print(sorted(times)[10])
"""


class Socket(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self) -> None:
        """Connects to the server's socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(self.path))

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """The status and the text of an answer."""
        text = None if body is None else json.dumps(body)
        self.request(method, path, text, {"Content-Type": "application/json"})
        answer = self.getresponse()
        return answer.status, answer.read().decode()


def source(number: int) -> str:
    """The text of the module that is edited: each as long as the others."""
    functions = "".join(f"\n\ndef helper_{at}(n: int) -> int:\n    return n + {at}\n" for at in range(20))
    return f'"""A module."""\n\nimport json\n{functions}\n\ndef number() -> int:\n    return {1000 + number}\n'


def lay(folder: Path) -> None:
    """A rack with the module that is edited, and a package of all other files."""
    package = folder / "many"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def nothing() -> None:\n    pass\n")
    for at in range(FILES - 2):
        (package / f"part_{at}.py").write_text(f"NUMBER = {at}\n")
    (folder / "edited.py").write_text(source(0))
    (folder / "rack.yaml").write_text("rack: 1\nslots:\n  edited: ./edited.py\n  many: ./many/\n")


@contextmanager
def served(command: list[str], folder: Path, env: dict[str, str]) -> Iterator[Socket]:
    """The server of the rack, once every slot serves."""
    server = subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        path = Path(env["MODRACK_STATE"]) / "serve.sock"
        until = time.monotonic() + PATIENCE
        while True:
            try:
                asking = Socket(path)
                if asking.ask("GET", "/readyz")[0] == 200:
                    break
            except OSError:
                if server.poll() is not None:
                    raise SystemExit(f"`modrack serve` ended:\n{server.stderr and server.stderr.read()}") from None
            if time.monotonic() > until:
                raise SystemExit("`modrack serve` is not ready")
            time.sleep(0.01)
        yield asking
    finally:
        server.terminate()
        server.communicate()


def measure(command: list[str], python: Path, folder: Path, env: dict[str, str], runs: int) -> tuple[float, float]:
    """The median seconds from a save to the new code's answer, and of the module's own load."""
    lay(folder)
    taken, loads = [], []
    with served(command, folder, env) as asking:
        for run in range(1, runs + 1):
            text = source(run)
            beside = folder / "edited.new"
            beside.write_text(text)
            begun = time.perf_counter()
            beside.replace(folder / "edited.py")
            while True:
                status, answer = asking.ask("POST", "/v1/slots/edited/call/number", {"args": [], "kwargs": {}})
                if status != 200:
                    raise SystemExit(f"A call failed: {answer}")
                if json.loads(answer)["result"] == 1000 + run:
                    break
                if time.perf_counter() - begun > PATIENCE:
                    raise SystemExit("The edit was not taken")
            taken.append(time.perf_counter() - begun)
            load = subprocess.run([str(python), "-c", LOAD], input=text, capture_output=True, text=True, check=True)
            loads.append(float(load.stdout))
    return statistics.median(taken), statistics.median(loads)
