"""What a server bears: how much of everything it takes at once, for how long, and from whom."""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import socket

import pytest

from harness import HANGS_AFTER, Modrack
from served import Server, SocketConnection, plain, serving


def sent(server: Server, raw: bytes) -> socket.socket:
    """A connection over TCP on which these bytes were sent, and which holds little that is not read."""
    host, port = server.address.rsplit(":", 1)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(HANGS_AFTER)
    connection.connect((host, int(port)))
    connection.sendall(raw)
    return connection


def post(path: str, length: int, *more: str) -> bytes:
    """The headers of a call."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", f"Content-Length: {length}"]
    return "\r\n".join([*lines, *more, "", ""]).encode()


def begun(server: Server, path: str, length: int) -> int:
    """The status of the answer to a call whose body is not sent."""
    with sent(server, post(path, length)) as connection:
        return int(connection.recv(12).split()[1])


def everything(connection: socket.socket) -> bytes:
    """All that comes until the connection ends."""
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def test_garbage_and_large_bodies_do_no_harm(modrack: Modrack) -> None:
    """Whatever is sent, the server goes on."""
    plain(modrack)
    with serving(modrack) as server:
        host, port = server.address.rsplit(":", 1)
        for sent in [b"\x00\xff\x16\x03\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b""]:
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass
        call = "/v1/slots/text/call/upper"
        # What is refused by what is known of it is not read.
        assert [begun(server, path, 65 << 20) for path in [call, call.replace("text", "none")]] == [413, 404]
        large = b'{"args": ["' + b"a" * (65 << 20) + b'"]}'
        # It may have hung up before all of it was sent.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            server.ask("POST", call, raw=large)
        # More than the places that there are over TCP: who has the socket is answered all the same.
        idle = [socket.create_connection((host, int(port))) for _ in range(600)]
        assert server.ask("GET", "/healthz", by_socket=True).status == 200
        assert server.change("/v1/slots/text/swap").status == 200
        for connection in idle:
            connection.close()
        assert server.call("text", "upper", "a").json["result"] == "A"
        code, _, stderr = server.stop()
        assert code == 0, stderr


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = HEALTH.replace(b"Host:", b"Connection: close\r\nHost:")


@pytest.mark.parametrize(
    ("raw", "statuses"),
    [
        (b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n", [b"200"]),
        (b"GET /healthz HTTP/1.0\r\n\r\n", [b"403"]),
        (HEALTH + LAST, [b"200", b"200"]),
        (LAST.replace(b"GET", b"PUT").replace(b"localhost", b"evil.example"), [b"403"]),
        (LAST.replace(b"GET /", b"GET http://evil.example/"), [b"403"]),
        (LAST.replace(b"GET /healthz", b"OPTIONS *"), [b"404"]),
        (LAST.replace(b"GET /healthz", b"CONNECT localhost:80"), [b"404"]),
        (post("/v1/slots/text/call/upper", 2, "Content-Length: 3") + b"{}", [b"400"]),
        (post("/v1/slots/text/call/upper", 2, "Transfer-Encoding: gzip") + b"{}", [b"400"]),
        # What stands before a server may understand a length that is said twice otherwise: nothing is read after it.
        (
            post("/v1/slots/text/call/upper", 5, "Transfer-Encoding: chunked") + b"0\r\n\r\n" + LAST,
            [b"400"],
        ),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: a\r\n" * 101 + b"\r\n", [b"431"]),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * (70 << 10) + b"\r\n\r\n", [b"431"]),
    ],
)
def test_requests_are_told_apart(modrack: Modrack, raw: bytes, statuses: list[bytes]) -> None:
    """What the protocol leaves open is refused, and no request hides in another one."""
    plain(modrack)
    with serving(modrack) as server:
        with sent(server, raw) as connection:
            assert re.findall(rb"HTTP/1\.[01] (\d+)", everything(connection)) == statuses
        assert server.call("text", "upper", "a").json["result"] == "A"


def test_a_full_queue_says_so(modrack: Modrack) -> None:
    """64 calls run and 256 wait. Another is refused before its body is read; who asks something else is answered."""
    plain(modrack)
    modrack.write(
        "gate.py",
        """
        import fcntl

        def through(path: str) -> str:
            with open(path) as gate:
                fcntl.flock(gate, fcntl.LOCK_SH)
                return "through"
        """,
    )
    rack = (modrack.folder / "rack.yaml").read_text()
    modrack.write("rack.yaml", rack + "  gate: { use: ./gate.py }\n")
    gate = modrack.write("gate", "")
    with serving(modrack) as server, gate.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        calls = [server.connection() for _ in range(64 + 256)]
        for call in calls:
            body = json.dumps({"args": [str(gate)]})
            call.request("POST", "/v1/slots/gate/call/through", body, {"Content-Type": "application/json"})
        server.until(lambda: server.metric("modrack_requests_waiting") == 256)
        assert server.metric("modrack_requests_under_way") == 64
        refused = server.call("text", "upper", "a")
        assert (refused.status, refused.code) == (503, "M0834")
        assert refused.json["error"]["hint"] == "Ask again later"
        assert begun(server, "/v1/slots/text/call/upper", 1000) == 503
        for path in ["/healthz", "/readyz", "/v1/status", "/metrics"]:
            assert server.ask("GET", path).status == 200, path
        assert server.change("/v1/slots/text/swap").status == 200
        fcntl.flock(held, fcntl.LOCK_UN)
        for call in calls:
            assert json.loads(call.getresponse().read())["result"] == "through"
            call.close()
        assert server.call("text", "upper", "a").json["result"] == "A"
        assert server.stop()[0] == 0


def test_listeners_have_places_of_their_own(modrack: Modrack) -> None:
    """64 of them over TCP and as many over the socket; nobody else waits for a place that one of them has."""
    plain(modrack)
    with serving(modrack) as server, contextlib.ExitStack() as listeners:

        def listen() -> int:
            connection = server.connection()
            connection.request("GET", "/v1/events")
            answer = connection.getresponse()
            if answer.status == 200:
                listeners.callback(connection.close)
                assert answer.readline() == b": listening\n"
            else:
                connection.close()
            return answer.status

        assert {listen() for _ in range(64)} == {200}
        refused = server.ask("GET", "/v1/events")
        assert (refused.status, refused.code) == (503, "M0834")
        assert refused.json["error"]["hint"] == "Ask again when one of them has gone"
        by_socket = SocketConnection(server.folder)
        by_socket.request("GET", "/v1/events")
        assert by_socket.getresponse().readline() == b": listening\n"
        assert server.call("text", "upper", "a").json["result"] == "A"
        by_socket.close()
        listeners.close()
        # Who goes makes place.
        server.until(lambda: listen() == 200)
        assert server.stop()[0] == 0


def test_who_reads_or_sends_nothing_keeps_no_server_from_ending(modrack: Modrack) -> None:
    """However long calls may take: nobody waits for a reader that reads nothing, or for a request that never comes."""
    plain(modrack)
    call = json.dumps({"args": [16 << 20]}).encode()
    path = "/v1/slots/text/call"
    with serving(modrack, "--grace", "10m") as server, contextlib.ExitStack() as stack:
        unread = [
            sent(server, post(f"{path}/large", len(call)) + call),
            sent(server, b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 0\r\n\r\n"),
        ]
        half = sent(server, post(f"{path}/upper", 100, "Expect: 100-continue"))
        begin = [sent(server, raw) for raw in [b"", b"GET / HTTP/1.1\r\nHo"]]
        for connection in [*unread, half, *begin]:
            stack.enter_context(connection)
        # Its answer has begun, and is far from read.
        assert [connection.recv(12) for connection in unread] == [b"HTTP/1.1 200"] * 2
        assert half.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        half.sendall(b"{")
        code, stdout, stderr = server.stop()
        assert (code, "warning" in stderr) == (0, False), stderr
        assert [json.loads(line)["event"] for line in stdout.splitlines()] == ["stopping", "stopped"]
        answer = everything(half)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"The server is stopping" in answer


def test_who_comes_back_too_late_hears_how_much_it_missed(modrack: Modrack) -> None:
    """The last 1,024 events are kept: what is older is told as a number."""
    plain(modrack)
    slots = "".join(f"  text{number}: {{ use: ./text.py }}\n" for number in range(400))
    modrack.write("rack.yaml", f"rack: 1\nslots:\n{slots}")
    with serving(modrack) as server:
        connection = server.connection()
        connection.request("GET", "/v1/events", headers={"Last-Event-ID": "2"})
        stream = connection.getresponse()
        lines = [stream.readline().decode().strip() for _ in range(6)]
        assert lines[:3] == [": listening", "", "event: missed"]
        missed = json.loads(lines[3].removeprefix("data: "))
        assert (missed["number"], missed["event"], missed["slot"]) == (None, "missed", None)
        first = int(lines[5].removeprefix("id: "))
        assert first > 3
        assert missed["fields"] == {"count": first - 3}
        numbers: list[int] = []
        while len(numbers) < 1023:
            line = stream.readline().decode()
            numbers.extend([int(line.removeprefix("id: "))] if line.startswith("id: ") else [])
        assert numbers == list(range(first + 1, first + 1024))
        connection.close()
        assert server.stop()[0] == 0


def test_a_killed_connection_of_the_socket_frees_its_place(modrack: Modrack) -> None:
    """More clients than there are places come and go."""
    plain(modrack)
    with serving(modrack) as server:
        for _ in range(600):
            connection = SocketConnection(server.folder)
            connection.connect()
            connection.sock.close()
        assert server.ask("GET", "/readyz", by_socket=True).status == 200
