"""`modrack serve`: the rack behind HTTP, the same for modules of every language."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import stat

import pytest

from harness import Failure, Modrack
from languages import LANGUAGES, module
from served import Server, SocketConnection, plain, serving


def lab(modrack: Modrack, language: str, more: str = "") -> None:
    """A rack with the module of all languages in it."""
    use = module(modrack, language)
    modrack.write("rack.yaml", f"rack: 1\nslots:\n  lab: {{ use: {use}{more} }}\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_rack_is_called_swapped_and_stopped(modrack: Modrack, language: str) -> None:
    """What a server does is the same whatever fills its slots."""
    lab(modrack, language)
    with serving(modrack) as server:
        assert (server.started["event"], server.started["started"]) == ("ready", ["lab"])
        assert server.started["swapped_in"] == []
        assert server.ask("GET", "/readyz").json == {"status": "ready", "slots": []}
        first = server.call("lab", "add", 2, 3)
        assert (first.status, first.json["result"]) == (200, 5)
        assert server.call("lab", "add", a=2, b=4).json["result"] == 6
        words = server.ask("POST", "/v1/slots/lab/call/add", {"words": ["2", "b=5"]}, by_socket=True)
        assert words.json["result"] == 7
        failed = server.call("lab", "fail")
        assert (failed.status, failed.code, failed.json["error"]["slot"]) == (500, "M0504", "lab")
        assert server.call("lab", "ad", 1, 2).status == 404
        assert server.call("lab", "add", 1).status == 400
        assert [server.call("lab", "count").json["result"] for _ in range(2)] == [1, 2]
        swapped = server.change("/v1/slots/lab/swap")
        assert swapped.status == 200, swapped.text
        slot = swapped.json["slots"][0]
        assert (slot["slot"], slot["replaced"]) == ("lab", first.json["generation"])
        again = server.call("lab", "count").json
        assert (again["result"], again["generation"]) == (1, slot["generation"])
        assert server.change("/v1/slots/lab/unload").status == 200
        assert server.ask("GET", "/v1/slots/lab").json["state"] == "empty"
        assert server.call("lab", "add", 1, 1).json["result"] == 2
        code, _, stderr = server.stop()
        assert code == 0, stderr
    assert not {"serve.json", "serve.sock", "token"} & {path.name for path in server.folder.iterdir()}


def test_every_route_answers(modrack: Modrack) -> None:
    """Reading needs nothing on a loopback address; each answer is JSON that nobody keeps."""
    plain(modrack)
    with serving(modrack) as server:
        for path, key in [
            ("/healthz", "status"),
            ("/readyz", "status"),
            ("/v1/slots", "slots"),
            ("/v1/slots/text", "functions"),
            ("/v1/slots/text/attribute/version", "value"),
            ("/v1/catalog", "catalog"),
            ("/v1/status", "slots"),
            ("/v1/history", "entries"),
            ("/v1/history?slot=text&most=1", "entries"),
            ("/v1/configurations", "configurations"),
        ]:
            answer = server.ask("GET", path, by_socket=path.startswith("/v1/configurations"))
            assert answer.status == 200, (path, answer)
            assert key in answer.json, (path, answer)
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["cache-control"] == "no-store"
        assert server.ask("GET", "/v1/slots/text/attribute/version").json["value"] == "1.0"
        assert [entry["module"] for entry in server.ask("GET", "/v1/catalog").json["catalog"]] == ["other"]
        hash = server.ask("GET", "/v1/configurations", by_socket=True).json["configurations"][0]["hash"]
        text = (modrack.folder / "rack.yaml").read_text()
        kept = server.ask("GET", f"/v1/configurations/{hash[:12]}", by_socket=True)
        assert kept.json["text"] == text
        assert server.call("text", "upper", "a").json["result"] == "A"
        numbers = server.call("text", "numbers", 3).json
        assert (numbers["result"], numbers["yielded"]) == ([0, 1, 2], True)
        given = {"base64": base64.b64encode(b"\x00\xff").decode()}
        doubled = server.call("text", "double", given).json["result"]
        assert base64.b64decode(doubled["base64"]) == b"\x00\xff" * 2
        stats = server.ask("GET", "/v1/stats").json
        assert [slot["slot"] for slot in stats] == ["text"]
        assert server.metric('modrack_calls_total{slot="text"}') == 3
        assert server.metric('modrack_slot_up{slot="text"}') == 1
        assert server.ask("GET", "/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/nothing", None, 404, "M0832"),
        ("PUT", "/v1/slots", None, 405, "M0832"),
        ("GET", "/v1/slots/txet", None, 404, "M0106"),
        ("GET", "/v1/slots/%FF", None, 400, "M0832"),
        ("GET", "/v1/slots/text/attribute/%FF", None, 400, "M0832"),
        ("POST", "/v1/slots/text/call/%C3%28", b"{}", 400, "M0832"),
        ("POST", "/v1/slots/.%2Ftext.py/call/upper", b"{}", 404, "M0106"),
        ("POST", "/v1/slots/text/call/nothing", b"{}", 404, "M0501"),
        ("POST", "/v1/slots/text/call/upper", b"{}", 400, "M0503"),
        ("POST", "/v1/slots/text/call/upper", b"[]", 400, "M0832"),
        ("POST", "/v1/slots/text/call/upper", b"\xff", 400, "M0832"),
        ("POST", "/v1/slots/text/call/upper", b"{", 400, "M0116"),
        ("POST", "/v1/slots/text/call/upper", b'{"arg": []}', 400, "M0832"),
        ("POST", "/v1/slots/text/call/upper", b'{"args": {}}', 400, "M0832"),
        ("POST", "/v1/slots/text/call/upper", b'{"words": ["a"]}', 400, "M0832"),
        ("GET", "/v1/slots/text/attribute/nothing", None, 404, "M0510"),
        ("GET", "/v1/configurations/abc", None, 401, "M0833"),
        ("GET", "/v1/events?pattern=nothing", None, 400, "M0112"),
        ("GET", "/v1/history?most=x", None, 400, "M0832"),
        ("GET", "/v1/history?least=1", None, 400, "M0832"),
    ],
)
def test_what_cannot_be_answered_says_why(
    modrack: Modrack, method: str, path: str, body: bytes | None, status: int, code: str
) -> None:
    """A failure has its status, and its code in JSON."""
    plain(modrack)
    with serving(modrack) as server:
        answer = server.ask(method, path, raw=body)
        assert (answer.status, answer.code) == (status, code), answer.text


def test_who_may_do_what(modrack: Modrack) -> None:
    """Changes need the token or the socket; no page of another site gets anything."""
    plain(modrack)
    with serving(modrack) as server:
        token = {"Authorization": f"Bearer {server.token}"}
        wrong = {"Authorization": f"Bearer {server.token[:-1]}x"}
        evil, page = {"Host": "evil.example"}, {"Origin": "http://evil.example"}
        here = {"Origin": f"http://{server.address}"}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        call, swap = "/v1/slots/text/call/upper", "/v1/slots/text/swap"
        args: dict[str, list[str]] = {"args": ["a"]}
        table = [
            ("GET", "/v1/slots", None, {}, 200),
            ("GET", "/v1/slots", None, {"Host": "localhost"}, 200),
            ("GET", "/v1/slots", None, evil, 403),
            ("GET", "/v1/slots", None, {**evil, **token}, 403),
            ("GET", "/v1/slots", None, page, 403),
            ("GET", "/v1/slots", None, here, 200),
            ("GET", "/v1/slots", None, {"Sec-Fetch-Site": "cross-site"}, 403),
            ("GET", "/healthz", None, evil, 403),
            ("POST", call, args, {}, 200),
            ("POST", call, args, page, 403),
            ("POST", call, args, form, 415),
            ("POST", call, args, {"Content-Type": ""}, 415),
            ("POST", swap, {}, {}, 401),
            ("POST", swap, {}, wrong, 401),
            ("POST", swap, {}, {**token, **form}, 415),
            ("POST", swap, {}, {**token, **page}, 403),
            ("POST", swap, {}, token, 200),
            ("POST", swap, {"use": "other"}, token, 200),
            ("POST", swap, {"use": "./text.py"}, token, 403),
            ("POST", swap, {"use": "python:os"}, token, 403),
            ("POST", swap, {"set": ["use=./text.py"]}, token, 403),
            ("POST", "/v1/swap", {"slots": [{"slot": "text", "use": "./text.py"}]}, token, 403),
            ("POST", swap, {"set": ['width="\\u0024{file:/etc/passwd}"']}, token, 403),
            ("POST", swap, {"set": ['params.width="\\x24{env:HOME}"']}, token, 403),
            ("GET", "/v1/configurations", None, {}, 401),
            ("GET", "/v1/configurations", None, token, 200),
            ("GET", "/v1/configurations/abc", None, {}, 401),
            ("GET", "/v1/configurations/abc", None, token, 404),
            ("POST", "/v1/slots/text/rollback", {}, {}, 401),
            ("POST", "/v1/slots/text/unload", {}, {}, 401),
        ]
        for method, path, body, headers, status in table:
            answer = server.ask(method, path, body, headers=headers)
            assert answer.status == status, (method, path, body, headers, answer)
        assert server.ask("POST", swap, {}).headers["www-authenticate"] == "Bearer"
        for path, given in [(swap, {"use": "./text.py"}), (call, args)]:
            answer = server.ask("POST", path, given, by_socket=True, headers=evil)
            assert answer.status == 200, answer
        assert server.call("text", "upper", "a").json["result"] == "A"


def test_another_address_needs_the_token_for_everything(modrack: Modrack) -> None:
    """Whoever can be reached from elsewhere asks who it is."""
    plain(modrack)
    with serving(modrack, "--listen", "0.0.0.0:0", "--host", "rack.example") as server:
        host = {"Host": "rack.example:80"}
        token = {**host, "Authorization": f"Bearer {server.token}"}
        local = f"127.0.0.1:{server.address.rsplit(':', 1)[1]}"
        server.listening["address"] = f"http://{local}"
        for path in ["/healthz", "/v1/slots", "/metrics", "/nothing"]:
            assert server.ask("GET", path, headers=host).status == 401, path
        assert server.ask("GET", "/v1/slots", headers=token).status == 200
        assert server.ask("GET", "/v1/slots", headers={**token, "Host": "evil.example"}).status == 403
        assert server.ask("GET", "/v1/slots", by_socket=True).status == 200


def test_what_a_server_leaves_is_for_its_user_alone(modrack: Modrack) -> None:
    """Socket, token and what says where the server is have mode 0600; a token is made anew each time."""
    plain(modrack)
    tokens = set()
    for _ in range(2):
        with serving(modrack) as server:
            for name in ["serve.json", "serve.sock", "token"]:
                assert stat.S_IMODE((server.folder / name).stat().st_mode) == 0o600, name
            about = json.loads((server.folder / "serve.json").read_text())
            assert about["address"] == server.address
            assert (about["pid"], about["rack"]) == (server.process.pid, str(modrack.folder / "rack.yaml"))
            tokens.add(server.token)
            assert server.token not in json.dumps(server.listening)
            assert server.stop()[0] == 0
    assert len(tokens) == 2


def test_a_second_server_is_refused_and_a_killed_one_replaced(modrack: Modrack) -> None:
    """One state has one server; what a killed one left is in nobody's way."""
    plain(modrack)
    with serving(modrack) as server:
        refused = modrack.fails("M0812", "serve", "--port", "0", status=2)
        assert str(server.process.pid) in refused.message
        port = server.address.rsplit(":", 1)[1]
        other = modrack.folder / "other"
        other.mkdir()
        (other / "rack.yaml").write_text("rack: 1\n")
        taken = modrack.fails("M0831", "-r", other, "serve", "--port", port, status=2)
        assert "--port 0" in taken.hint
        server.process.kill()
        server.process.wait()
        assert (server.folder / "serve.sock").exists()
        with serving(modrack) as second:
            assert second.ask("GET", "/readyz", by_socket=True).status == 200
            assert second.stop()[0] == 0


def test_a_long_path_of_the_state_is_no_matter(modrack: Modrack) -> None:
    """A folder whose path is longer than that of a socket may be."""
    plain(modrack)
    folder = modrack.folder / ("a" * 100) / ("b" * 100)
    modrack.env["MODRACK_STATE"] = str(folder)
    with serving(modrack, folder=folder) as server:
        assert server.ask("GET", "/readyz", by_socket=True).status == 200
        assert modrack("call", "text", "upper", "a").stdout == '"A"\n'
        assert server.metric('modrack_calls_total{slot="text"}') == 1


def test_readiness_names_the_slots_that_are_missing(modrack: Modrack) -> None:
    """503 while a slot starts, and when it cannot; the others are served all the same."""
    plain(modrack)
    gate = modrack.folder / "gate"
    os.mkfifo(gate)
    modrack.write("slow.py", f"open({str(gate)!r}).read()\n\ndef f() -> int:\n    return 1\n")
    modrack.write("bad.py", "raise ValueError('no')\n\ndef f() -> int:\n    return 1\n")
    modrack.write(
        "rack.yaml",
        """
        rack: 1
        slots:
          text: { use: ./text.py }
          slow: { use: ./slow.py }
          bad: { use: ./bad.py }
          later: { use: ./bad.py, lazy: true }
        """,
    )
    with serving(modrack, wait=False) as server:
        # Opened once the module reads it: from here on `slow` is under way.
        with gate.open("w"):
            assert server.ask("GET", "/healthz").status == 200
            ready = server.ask("GET", "/readyz")
            assert ready.status == 503
            assert {slot["slot"]: slot["state"] for slot in ready.json["slots"]} == {
                "slow": "starting",
                "bad": "starting",
            }
            assert server.call("text", "upper", "a").json["result"] == "A"
        assert server.process.stdout is not None
        started = json.loads(server.process.stdout.readline())
        assert (started["event"], started["failed"], started["lazy"]) == ("not-ready", ["bad"], ["later"])
        ready = server.ask("GET", "/readyz")
        assert ready.status == 503
        assert [(slot["slot"], slot["error"]["code"]) for slot in ready.json["slots"]] == [("bad", "M0401")]
        modrack.write("bad.py", "def f() -> int:\n    return 1\n")
        assert server.change("/v1/slots/bad/swap").status == 200
        assert server.ask("GET", "/readyz").status == 200


def waiting(server: Server, seconds: float = 60.0) -> SocketConnection:
    """A connection whose call is under way."""
    before = server.metric("modrack_requests_under_way")
    connection = SocketConnection(server.folder)
    body = json.dumps({"args": [seconds]})
    connection.request("POST", "/v1/slots/text/call/wait", body, {"Content-Type": "application/json"})
    server.until(lambda: server.metric("modrack_requests_under_way") > before)
    return connection


def test_calls_under_way_end_before_the_server_does(modrack: Modrack) -> None:
    """A signal to end lets calls end, answers no new ones, and is a success."""
    plain(modrack)
    with serving(modrack) as server:
        connection = waiting(server, 0.5)
        code, _, stderr = server.stop()
        assert code == 0, stderr
        assert json.loads(connection.getresponse().read())["result"] == "done"


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_calls_that_take_longer_are_given_up(modrack: Modrack, by: signal.Signals) -> None:
    """Past the grace period what can be ended is, and the server stops in order."""
    plain(modrack)
    with serving(modrack, "--grace", "50ms") as server:
        connection = waiting(server)
        code, stdout, stderr = server.stop(by)
        assert code == 0, stderr
        assert [json.loads(line)["event"] for line in stdout.splitlines()] == ["stopping", "stopped"]
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["error"]["kind"]) == (503, "cancelled")
        connection.close()


def test_a_start_that_cannot_be_given_up_keeps_no_server_and_no_slot_from_coming_back(modrack: Modrack) -> None:
    """The process ends within its limit; that it did is not held against what was being started."""
    gate = modrack.folder / "gate"
    modrack.write(
        "stuck.py",
        f"""
        import os
        while os.path.exists({str(gate)!r}):
            try:
                open({str(gate)!r} + "-entered", "w").close()
                while os.path.exists({str(gate)!r}):
                    pass
            except BaseException:
                pass

        def f() -> int:
            return 1
        """,
    )
    modrack.write("rack.yaml", "rack: 1\nslots:\n  stuck: { use: ./stuck.py }\n")
    for _ in range(2):
        gate.write_text("")
        entered = modrack.folder / "gate-entered"
        with serving(modrack, "--grace", "10m", wait=False) as server:
            server.until(entered.exists)
            code, _, stderr = server.stop()
            assert code == 128 + signal.SIGTERM, stderr
            assert not (server.folder / "serve.sock").exists()
            entries = json.loads(modrack("history", "--json").stdout)["entries"]
            assert entries[0]["outcome"] == "failed", entries
            entered.unlink()
    gate.unlink()
    with serving(modrack) as server:
        assert (server.started["event"], server.started["started"]) == ("ready", ["stuck"])
        assert server.stop()[0] == 0


def test_a_module_that_does_not_end_keeps_no_server_from_ending(modrack: Modrack) -> None:
    """It is said, and the process ends all the same, with its files gone."""
    modrack.write(
        "stays.py",
        """
        class Stays:
            def f(self) -> int:
                return 1

            def shutdown(self) -> None:
                while True:
                    try:
                        while True:
                            pass
                    except BaseException:
                        pass
        """,
    )
    modrack.write("rack.yaml", "rack: 1\nslots:\n  stays: { use: 'stays.py:Stays' }\n")
    with serving(modrack) as server:
        assert server.call("stays", "f").json["result"] == 1
        code, stdout, stderr = server.stop()
        assert code == 0, stderr
        assert "The modules did not stop within 5 seconds" in stderr
        assert [json.loads(line)["event"] for line in stdout.splitlines()] == ["stopping"]
        assert not (server.folder / "serve.sock").exists()


def test_who_hears_nothing_does_not_cut_calls_off(modrack: Modrack) -> None:
    """A closed standard output is no reason to end otherwise."""
    plain(modrack)
    with serving(modrack) as server:
        connection = waiting(server, 0.5)
        assert server.process.stdout is not None
        server.process.stdout.close()
        server.process.stdout = None
        code, _, stderr = server.stop()
        assert code == 0, stderr
        assert json.loads(connection.getresponse().read())["result"] == "done"


def test_a_port_that_is_taken_takes_nothing_back(modrack: Modrack) -> None:
    """What was swapped in outlives a server that never served."""
    plain(modrack)
    with serving(modrack) as server:
        assert server.change("/v1/slots/text/swap", {"use": "other"}).status == 200
        assert server.stop()[0] == 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        modrack.fails("M0831", "serve", "--from-config", "--port", port, status=2)
    with serving(modrack) as server:
        assert server.call("text", "upper", "a").json["result"] == "A!"
        assert server.stop()[0] == 0


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_leaves_at_once(modrack: Modrack, by: signal.Signals) -> None:
    """Whoever asks twice does not wait, and what was left in the state folder goes all the same."""
    plain(modrack)
    with serving(modrack) as server:
        connection = waiting(server)
        server.process.send_signal(by)
        assert server.process.stdout is not None
        assert json.loads(server.process.stdout.readline())["event"] == "stopping"
        assert server.stop(by)[0] == 128 + by
        assert not (server.folder / "serve.sock").exists()
        connection.close()


@pytest.mark.parametrize("language", ["python", "wasm"])
def test_who_goes_away_gives_up_its_call(modrack: Modrack, language: str) -> None:
    """A call that nobody waits for any more is ended, where it can be."""
    lab(modrack, language, ", instances: pool(2)")
    with serving(modrack) as server:
        connection = server.connection()
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/v1/slots/lab/call/linger", b"{}", headers)
        server.until(lambda: server.metric("modrack_requests_under_way") == 1)
        connection.close()
        server.until(lambda: server.metric("modrack_requests_under_way") == 0)
        assert server.call("lab", "add", 1, 2).json["result"] == 3
        assert server.stop()[0] == 0


def test_events_are_told_as_they_happen(modrack: Modrack) -> None:
    """A listener hears what it asked for; one that comes back hears what it missed."""
    plain(modrack)
    with serving(modrack, "--grace", "10m") as server:
        connection = server.connection()
        connection.request("GET", "/v1/events?pattern=swap.swapped")
        stream = connection.getresponse()
        assert stream.getheader("content-type") == "text/event-stream"
        assert stream.readline() == b": listening\n"
        assert server.change("/v1/slots/text/swap", {"why": "to see"}).status == 200
        lines = [stream.readline().decode().strip() for _ in range(4)][1:]
        told = json.loads(lines[2].removeprefix("data: "))
        assert lines[:2] == [f"id: {told['number']}", "event: swap.swapped"]
        assert (told["slot"], told["fields"]["why"]) == ("text", "to see")
        connection.close()
        again = server.connection()
        again.request("GET", "/v1/events?pattern=swap.*", headers={"Last-Event-ID": str(told["number"] - 1)})
        stream = again.getresponse()
        heard = [stream.readline().decode().strip() for _ in range(4)]
        assert f"id: {told['number']}" in heard
        # A number that nobody was told yet is another server's: all that is known is news.
        other = server.connection()
        other.request("GET", "/v1/events?pattern=swap.swapped", headers={"Last-Event-ID": str(10**9)})
        stream_of_other = other.getresponse()
        while stream_of_other.readline() != f"id: {told['number']}\n".encode():
            assert not stream_of_other.isclosed()
        other.close()
        # A listener does not keep the server from ending.
        assert server.stop()[0] == 0
        stream.read()
        again.close()


def test_slots_are_told_what_happens(modrack: Modrack) -> None:
    """What a slot's `events` ask for, it hears while the rack is served."""
    plain(modrack)
    modrack.write(
        "ear.py",
        """
        heard = []

        def hear(event: dict) -> None:
            heard.append(event["fields"].get("why"))
        """,
    )
    rack = (modrack.folder / "rack.yaml").read_text()
    modrack.write("rack.yaml", rack + "  ear: { use: ./ear.py, events: { swap.swapped: hear } }\n")
    with serving(modrack) as server:
        assert server.change("/v1/slots/text/swap", {"why": "to hear"}).status == 200
        path = "/v1/slots/ear/attribute/heard"
        server.until(lambda: "to hear" in server.ask("GET", path).json["value"])
        assert server.stop()[0] == 0


def test_a_swap_that_fails_says_at_which_step(modrack: Modrack) -> None:
    """Nothing is changed, and the old one serves."""
    plain(modrack)
    with serving(modrack) as server:
        modrack.write("text.py", "def upper(text: str) -> str:\n    return text +\n")
        failed = server.change("/v1/slots/text/swap")
        assert failed.status == 409
        assert (failed.json["error"]["slot"], failed.json["error"]["step"]) == ("text", "match")
        assert server.call("text", "upper", "a").json["result"] == "A"
        assert server.change("/v1/slots/text/rollback").status == 409
        assert server.change("/v1/slots/none/swap").status == 404
        assert server.metric('modrack_swaps_total{slot="text",outcome="failed"}') == 1
        entries = server.ask("GET", "/v1/history?slot=text").json["entries"]
        assert "failed" in [entry["outcome"] for entry in entries]


def test_a_signal_has_what_changed_read_again(modrack: Modrack) -> None:
    """A module whose file changed is replaced, and so is a slot whose text did; nothing else is."""
    plain(modrack)
    with serving(modrack) as server:
        assert server.change("/v1/reload").json["slots"] == []
        modrack.write("text.py", "def upper(text: str) -> str:\n    return text.upper() + '?'\n")
        server.process.send_signal(signal.SIGHUP)
        server.until(lambda: server.call("text", "upper", "a").json["result"] == "A?")
        modrack.write("text.py", "def upper(text: str) -> str:\n    return text.upper() + '!'\n")
        assert [slot["slot"] for slot in server.change("/v1/reload").json["slots"]] == ["text"]
        assert server.call("text", "upper", "a").json["result"] == "A!"
        rack = modrack.folder / "rack.yaml"
        before = rack.read_text()
        rack.write_text(before + "  more: { use: ./text.py }\n")
        assert server.change("/v1/reload").json["added"] == ["more"]
        assert server.call("more", "upper", "a").json["result"] == "A!"
        rack.write_text(before + "  more: { uze: ./text.py }\n")
        refused = server.change("/v1/reload")
        assert (refused.status, refused.code) == (409, "M0104")
        hash = server.ask("GET", "/v1/configurations", by_socket=True).json["configurations"][-1]["hash"]
        assert server.change(f"/v1/configurations/{hash}/restore").json["removed"] == ["more"]
        assert rack.read_text() == before
        assert server.call("more", "upper", "a").status == 404
        modrack.write("text.py", "def")
        assert server.change("/v1/reload").status == 409
        assert server.call("text", "upper", "a").json["result"] == "A!"
        assert server.stop()[0] == 0


def test_what_is_saved_is_put_in_force(modrack: Modrack) -> None:
    """With `--watch` nobody has to ask."""
    plain(modrack)
    with serving(modrack, "--watch") as server:
        modrack.write("text.py", "def upper(text: str) -> str:\n    return text.upper() + '?'\n")
        server.until(lambda: server.call("text", "upper", "a").json["result"] == "A?")
        rack = modrack.folder / "rack.yaml"
        rack.write_text(rack.read_text() + "  more: { use: ./text.py }\n")
        server.until(lambda: server.call("more", "upper", "a").status == 200)
        assert server.stop()[0] == 0


def test_what_was_swapped_in_outlives_the_server(modrack: Modrack) -> None:
    """A server begins with what the last one ended with, unless it is to serve what the rack says."""
    plain(modrack)
    with serving(modrack) as server:
        assert server.change("/v1/slots/text/swap", {"use": "other"}).status == 200
        assert server.stop()[0] == 0
    for args, wanted in [((), "A!"), (("--from-config",), "A"), ((), "A")]:
        with serving(modrack, *args) as server:
            assert server.started["swapped_in"] == (["text"] if wanted == "A!" else [])
            assert server.call("text", "upper", "a").json["result"] == wanted
            assert server.stop()[0] == 0


def test_a_state_in_memory_has_no_socket_and_no_token(modrack: Modrack) -> None:
    """It is served to this machine, and only a signal changes it."""
    plain(modrack)
    rack = (modrack.folder / "rack.yaml").read_text()
    modrack.write("rack.yaml", rack + "state: memory\n")
    with serving(modrack) as server:
        assert (server.listening["socket"], server.listening["token"]) == (None, None)
        assert server.call("text", "upper", "a").json["result"] == "A"
        assert server.ask("POST", "/v1/slots/text/swap", {}).status == 403
        assert server.stop()[0] == 0
    refused = modrack("serve", "--listen", "0.0.0.0:0", code=2)
    assert [failure.code for failure in Failure.all(refused.stderr)] == ["M0116"]


def test_what_is_said_on_a_terminal_names_the_address_and_the_files(modrack: Modrack) -> None:
    """Words go to standard error; the token is never among them."""
    plain(modrack)
    process = modrack.start("serve", "--port", "0")
    assert process.stderr is not None
    lines: list[str] = []
    while not lines or lines[-1] != "Ready\n":
        lines.append(process.stderr.readline())
        assert lines[-1], "".join(lines)
    token = (modrack.folder / ".modrack" / "token").read_text().strip()
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate()
    said = "".join(lines) + stderr
    assert lines[0].startswith("Serving rack.yaml at http://127.0.0.1:")
    for part in ["socket  .modrack/serve.sock", "token   .modrack/token", "1 started"]:
        assert part in said
    assert token not in said
    assert (process.returncode, stdout, stderr) == (0, "", "Stopping\nStopped\n")


def test_what_hears_of_events_is_loaded_once(modrack: Modrack) -> None:
    """Whether an event comes first or the start of the rack."""
    modrack.write("ear.py", "open('loads', 'a').write('x')\ndef hear(event): pass\n")
    modrack.write("text.py", "def upper(text: str) -> str:\n    return text.upper()\n")
    modrack.write("rack.yaml", "rack: 1\nslots: { text: ./text.py, ear: { use: ./ear.py, events: { '*': hear } } }\n")
    with serving(modrack) as server:
        assert server.started["failed"] == []
        assert server.stop()[0] == 0
    assert (modrack.folder / "loads").read_text() == "x"


def test_python_is_refused_where_it_cannot_run(modrack: Modrack) -> None:
    """A server that is no interpreter says so before anything is touched, and how to have one."""
    modrack.write("text.py", "def upper(text: str) -> str:\n    return text.upper()\n")
    text = f"rack: 1\nslots:\n  lab: {{ use: {module(modrack, 'wasm')} }}\n"
    rack = modrack.write("rack.yaml", text)
    with serving(modrack) as server:
        assert server.call("lab", "add", 1, 2).json["result"] == 3
        refused = server.change("/v1/slots/lab/swap", {"use": "./text.py", "force": True})
        assert (refused.status, refused.code) == (409, "M0701")
        assert refused.json["error"]["step"] == "match"
        assert "serve the rack again" in refused.json["error"]["hint"]
        rack.write_text(text + "  more: ./text.py\n")
        refused = server.change("/v1/reload")
        assert (refused.status, refused.code) == (409, "M0701")
        assert refused.json["error"]["step"] == "match"
        assert server.call("lab", "add", 1, 2).json == {"result": 3, "generation": 1}
        assert server.stop()[0] == 0
    modrack.write("modules/text.py", "def upper(text: str) -> str:\n    return text.upper()\n")
    for keys in ("catalog: [./modules]", "python: { path: [.] }"):
        rack.write_text(text + keys + "\n")
        with serving(modrack, "--from-config") as server:
            assert server.change("/v1/slots/lab/swap", {"use": "./text.py", "force": True}).status == 200
            assert server.call("lab", "upper", "a").json["result"] == "A"
            assert server.stop()[0] == 0
