"""A server of the command, as its clients meet it: over TCP, and over the socket in the state folder."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import HANGS_AFTER, Modrack

JSON = {"Content-Type": "application/json"}


class SocketConnection(http.client.HTTPConnection):
    """A connection to the socket in a state folder, however long its path is."""

    def __init__(self, folder: Path) -> None:
        super().__init__("rack", timeout=HANGS_AFTER)
        self.folder = folder

    def connect(self) -> None:
        """Connects through the folder's descriptor: a socket's address has room for a short path alone."""
        self.sock = socket.socket(socket.AF_UNIX)
        folder = os.open(self.folder, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/serve.sock")
        finally:
            os.close(folder)
        # From here on: what may wait for its turn to connect would be refused it.
        self.sock.settimeout(HANGS_AFTER)


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The code of the failure that it tells."""
        return str(self.json["error"]["code"])


@dataclass
class Server:
    """A server that runs."""

    process: subprocess.Popen[str]
    folder: Path
    listening: dict[str, Any]
    started: dict[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Host and port."""
        return str(self.listening["address"]).removeprefix("http://")

    @property
    def token(self) -> str:
        """What stands in the state folder."""
        return (self.folder / "token").read_text().strip()

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        by_socket: bool = False,
        raw: bytes | None = None,
    ) -> Answer:
        """One request over a connection of its own."""
        connection = SocketConnection(self.folder) if by_socket else self.connection()
        try:
            data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
            head = {**(JSON if method == "POST" else {}), **(headers or {})}
            connection.request(method, path, data, {name: value for name, value in head.items() if value})
            answer = connection.getresponse()
            got = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, got, answer.read().decode())
        finally:
            connection.close()

    def connection(self) -> http.client.HTTPConnection:
        """A connection over TCP."""
        return http.client.HTTPConnection(self.address, timeout=HANGS_AFTER)

    def call(self, slot: str, function: str, *args: Any, **kwargs: Any) -> Answer:
        """A call over TCP."""
        return self.ask("POST", f"/v1/slots/{slot}/call/{function}", {"args": args, "kwargs": kwargs})

    def change(self, path: str, body: Any = None) -> Answer:
        """A change over the socket."""
        return self.ask("POST", path, {} if body is None else body, by_socket=True)

    def metric(self, name: str) -> float:
        """The value of one line of `/metrics`; none is 0."""
        lines = self.ask("GET", "/metrics").text.splitlines()
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.rsplit(" ", 1)[0] == name), 0.0)

    def until(self, holds: Callable[[], bool]) -> None:
        """Asks again until it holds."""
        end = time.monotonic() + HANGS_AFTER
        while not holds():
            assert time.monotonic() < end, "it did not come about"

    def stop(self, by: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Sends a signal and gives exit status, what was printed since, and standard error."""
        self.process.send_signal(by)
        stdout, stderr = self.process.communicate(timeout=HANGS_AFTER)
        return self.process.returncode, stdout, stderr


def plain(modrack: Modrack) -> None:
    """A rack with a module in Python."""
    modrack.write(
        "text.py",
        """
        import time

        version = "1.0"

        def upper(text: str) -> str:
            return text.upper()

        def double(data: bytes) -> bytes:
            return data * 2

        def large(size: int) -> str:
            return "a" * size

        def numbers(count: int):
            yield from range(count)

        def wait(seconds: float) -> str:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(0.001)
            return "done"
        """,
    )
    modrack.write("catalog/other.py", 'def upper(text: str) -> str:\n    return text.upper() + "!"\n')
    modrack.write("rack.yaml", "rack: 1\ncatalog: [./catalog]\nslots:\n  text: { use: ./text.py }\n")


@contextmanager
def serving(modrack: Modrack, *args: str, folder: Path | None = None, wait: bool = True) -> Iterator[Server]:
    """A server in the folder of the test, on a free port; killed at the end if it still runs."""
    process = modrack.start("serve", "--port", "0", "--json", *args)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        server = Server(process, folder or modrack.folder / ".modrack", json.loads(line))
        if wait:
            server.started = json.loads(process.stdout.readline())
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


class Events:
    """What a server tells, from when this is made on."""

    def __init__(self, server: Server, pattern: str = "*") -> None:
        self.connection = server.connection()
        self.connection.request("GET", f"/v1/events?pattern={pattern}")
        self.stream = self.connection.getresponse()
        assert self.stream.readline() == b": listening\n"

    def next(self) -> dict[str, Any]:
        """The next event, waited for."""
        end = time.monotonic() + HANGS_AFTER
        while time.monotonic() < end:
            line = self.stream.readline()
            assert line, "the server is gone"
            if line.startswith(b"data: "):
                told: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
                return told
        raise AssertionError("nothing is told")

    def close(self) -> None:
        """Hears no more."""
        self.connection.close()


@contextmanager
def hearing(server: Server, pattern: str = "*") -> Iterator[Events]:
    """What a server tells, for as long as it is heard."""
    events = Events(server, pattern)
    try:
        yield events
    finally:
        events.close()
