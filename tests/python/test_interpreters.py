"""Which Python runs, and what a module can rely on in it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import Modrack, command
from served import serving

ASK = """
    import sys

    def executable() -> str:
        return sys.executable

    def prefix() -> str:
        return sys.prefix

    def version() -> list:
        return list(sys.version_info[:3])

    def argv() -> list:
        return sys.argv

    def paths() -> list:
        return sys.path
"""


def test_the_environment_that_is_active_runs(modrack: Modrack) -> None:
    """`VIRTUAL_ENV` names the interpreter, with its own prefix and executable."""
    modrack.write("ask.py", ASK)
    assert modrack("call", "./ask.py", "prefix").json == sys.prefix
    assert modrack("call", "./ask.py", "version").json == list(sys.version_info[:3])
    found = modrack("call", "./ask.py", "executable").json
    assert Path(found).samefile(sys.executable)
    assert Path(found).parent == Path(sys.prefix) / "bin"


def test_the_environment_of_the_rack_goes_first(modrack: Modrack, tmp_path: Path) -> None:
    """`python.venv` wins over `VIRTUAL_ENV`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", modrack.folder / "own"], check=True)
    modrack.write("ask.py", ASK)
    modrack.write("rack.yaml", "rack: 1\npython: { venv: own }\nslots:\n  ask: ./ask.py\n")
    prefix = modrack("call", "ask", "prefix", env={"VIRTUAL_ENV": str(tmp_path)}).json
    assert Path(prefix).samefile(modrack.folder / "own")


def test_dot_venv_beside_the_rack_is_found(modrack: Modrack) -> None:
    """Without a name, `.venv` beside the rack goes before what is on the path."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", modrack.folder / ".venv"], check=True)
    modrack.write("ask.py", ASK)
    modrack.write("rack.yaml", "rack: 1\nslots:\n  ask: ./ask.py\n")
    prefix = modrack("call", "ask", "prefix", env={"VIRTUAL_ENV": ""}).json
    assert Path(prefix).samefile(modrack.folder / ".venv")


def test_a_package_of_the_environment_can_be_imported(modrack: Modrack) -> None:
    """Site-packages are those of the environment."""
    modrack.write("uses.py", "import pytest\n\n\ndef version() -> str:\n    return pytest.__version__\n")
    assert modrack("call", "./uses.py", "version").json == pytest.__version__


def test_no_python_at_all(modrack: Modrack, tmp_path: Path) -> None:
    """The command starts; what needs an interpreter says so."""
    modrack.write("ask.py", ASK)
    bare = {"PATH": str(tmp_path), "VIRTUAL_ENV": ""}
    modrack("list", "--json", env=bare, code=None)
    assert modrack("inspect", "./ask.py", "--json", env=bare).json
    failure = modrack.fails("M0701", "call", "./ask.py", "prefix", status=2, env=bare)
    assert "python3" in failure.text
    assert failure.hint


@pytest.mark.parametrize("where", ["rack", "variable"])
def test_an_environment_that_is_named_and_missing(modrack: Modrack, where: str) -> None:
    """It is an error, never another interpreter instead."""
    modrack.write("ask.py", ASK)
    named = "python: { venv: ./gone }\n" if where == "rack" else ""
    modrack.write("rack.yaml", f"rack: 1\n{named}slots:\n  ask: ./ask.py\n")
    env = {"VIRTUAL_ENV": str(modrack.folder / "gone")} if where == "variable" else {}
    failure = modrack.fails("M0701", "call", "ask", "prefix", status=2, env=env)
    assert "gone" in failure.message, failure.text
    assert failure.hint
    if where == "rack":
        assert failure.place.startswith("rack.yaml:2"), failure.text


def test_an_interpreter_that_does_not_fit(modrack: Modrack) -> None:
    """Too old is told by the interpreter itself, in the words of every other error."""
    venv = modrack.folder / "old"
    (venv / "bin").mkdir(parents=True)
    # The interpreter under test, made to say that it is older than it is.
    pretend = "import sys; sys.version_info = (3, 8, 1, 'final', 0); exec(sys.argv.pop(1))"
    fake = venv / "bin" / "python"
    fake.write_text(f'#!/bin/sh\nshift\nexec "{sys.executable}" -c "{pretend}" "$@"\n')
    fake.chmod(0o755)
    modrack.write("ask.py", ASK)
    failure = modrack.fails("M0702", "call", "./ask.py", "prefix", status=2, env={"VIRTUAL_ENV": str(venv)})
    assert "3.8" in failure.text
    assert failure.hint


def test_an_extension_that_is_missing(modrack: Modrack) -> None:
    """The error names the file that was looked for."""
    modrack.write("ask.py", ASK)
    env = {"MODRACK_PYTHON_EXTENSION": str(modrack.folder / "gone.so")}
    failure = modrack.fails("M0703", "call", "./ask.py", "prefix", status=2, env=env)
    assert "gone.so" in failure.text
    assert failure.hint


def test_what_modules_print_never_mixes_with_data(modrack: Modrack) -> None:
    """Prints of Python, of a child and of C go to stderr; stdout holds one JSON value."""
    modrack.write(
        "loud.py",
        """
        import os
        import subprocess
        import sys

        print("loading")

        def execute() -> dict:
            print("calling")
            print("flushed", flush=True)
            os.write(1, b"straight to the descriptor\\n")
            subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
            sys.stdout.write("no line feed")
            return {"done": True}
        """,
    )
    ran = modrack("call", "./loud.py", "execute")
    assert ran.stdout == '{"done":true}\n' or ran.json == {"done": True}
    for said in ("loading", "calling", "flushed", "straight to the descriptor", "from a child", "no line feed"):
        assert said in ran.stderr
        assert said not in ran.stdout


def test_a_pipeline_to_stdout_holds_rows_alone(modrack: Modrack) -> None:
    """A stage that prints does not spoil the rows that go to stdout."""
    modrack.write("in.csv", "name,price\napple,3\npear,4\n")
    modrack.write("loud.py", "def transform(row: dict) -> dict:\n    print('at', row['name'])\n    return row\n")
    modrack.write(
        "rack.yaml",
        "rack: 1\npipelines:\n  main: { source: { csv: in.csv }, stages: [./loud.py], sink: { stdout: json } }\n",
    )
    ran = modrack("run")
    assert [json.loads(line) for line in ran.stdout.splitlines()] == [
        {"name": "apple", "price": 3},
        {"name": "pear", "price": 4},
    ]
    assert "at apple" in ran.stderr


def methods() -> list[str]:
    """How this Python can start processes."""
    import multiprocessing

    return [name for name in ("fork", "spawn", "forkserver") if name in multiprocessing.get_all_start_methods()]


@pytest.mark.parametrize("method", methods())
def test_multiprocessing_works(modrack: Modrack, method: str) -> None:
    """Functions of a module run in the processes of a pool."""
    modrack.write(
        "pool.py",
        """
        import multiprocessing

        def square(n: int) -> int:
            return n * n

        def execute(method: str) -> list:
            with multiprocessing.get_context(method).Pool(2) as pool:
                return pool.map(square, [1, 2, 3])
        """,
    )
    assert modrack("call", "./pool.py", "execute", method).json == [1, 4, 9]


@pytest.mark.parametrize("method", methods())
def test_processes_of_a_pool_have_the_version_that_was_swapped_in(modrack: Modrack, method: str) -> None:
    """What goes to a process and comes back is of the new class; what the old version pickled is of the old one."""

    def edit(version: int) -> None:
        modrack.write(
            "pool.py",
            f"""
            import multiprocessing
            import pickle

            class _Thing:
                version = {version}

                def __init__(self, number):
                    self.number = number

            def _next(thing):
                return _Thing(thing.number + 1), thing.version, type(thing) is _Thing

            def execute(method: str) -> list:
                with multiprocessing.get_context(method).Pool(2) as pool:
                    found = pool.map(_next, [_Thing(1), _Thing(2)])
                return [[type(thing) is _Thing, thing.number, *more] for thing, *more in found]

            def dump() -> str:
                return pickle.dumps(_Thing(7)).hex()

            def load(data: str) -> list:
                thing = pickle.loads(bytes.fromhex(data))
                return [thing.version, thing.number]
            """,
        )

    edit(1)
    modrack.write("rack.yaml", "rack: 1\nslots:\n  pool: { use: ./pool.py, swap: { trial: { for: 0s } } }\n")
    with serving(modrack) as server:
        old = server.call("pool", "dump").json["result"]
        for version in (1, 2, 3):
            edit(version)
            assert server.change("/v1/slots/pool/swap").status == 200
            answer = server.call("pool", "execute", method).json
            assert answer.get("result") == [[True, 2, version, True], [True, 3, version, True]], answer
            assert server.call("pool", "load", old).json["result"] == [1, 7]
        assert server.stop()[0] == 0


def test_a_pool_ends_again_and_again(modrack: Modrack) -> None:
    """The processes of a pool are ended by a signal, also those that were forked a moment ago and wait for work."""
    modrack.write(
        "pool.py",
        """
        import multiprocessing

        def execute() -> str:
            for _ in range(30):
                with multiprocessing.get_context("fork").Pool(3):
                    pass
            return "ended"
        """,
    )
    assert modrack("call", "./pool.py", "execute").json == "ended"


@pytest.mark.parametrize(("name", "sent"), [("SIGINT", signal.SIGINT), ("SIGTERM", signal.SIGTERM)])
@pytest.mark.parametrize("limits", ["", "limits: { time: 30s }"], ids=["unbounded", "bounded"])
def test_a_forked_process_hears_signals(modrack: Modrack, name: str, sent: signal.Signals, limits: str) -> None:
    """A child that a module forked ends by a signal, and what watches over the parent is not in its way."""
    modrack.write(
        "forks.py",
        f"""
        import os
        import signal
        import time

        def execute() -> int:
            ready, begun = os.pipe()
            child = os.fork()
            if child == 0:
                try:
                    os.write(begun, b".")
                    while True:
                        # A signal that comes right before a sleep does not end it.
                        time.sleep(0.05)
                except KeyboardInterrupt:
                    os._exit(-{int(sent)} & 0xFF)
            os.read(ready, 1)
            os.kill(child, signal.{name})
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        """,
    )
    slot = f"{{ use: ./forks.py, {limits} }}" if limits else "./forks.py"
    modrack.write("rack.yaml", f"rack: 1\nslots:\n  forks: {slot}\n")
    assert modrack("call", "forks", "execute").json in (-sent, -sent & 0xFF)


def test_atexit_and_threads_end_as_in_python(modrack: Modrack) -> None:
    """`shutdown` comes first, then threads that are not daemons are waited for, then what `atexit` holds."""
    modrack.write(
        "ends.py",
        """
        import atexit
        import sys
        import threading

        atexit.register(lambda: print("atexit", file=sys.stderr, flush=True))
        released = threading.Event()

        class Ends:
            def execute(self) -> int:
                def wait() -> None:
                    released.wait()
                    print("thread", file=sys.stderr, flush=True)
                threading.Thread(target=wait).start()
                return 1

            def shutdown(self) -> None:
                print("shutdown", file=sys.stderr, flush=True)
                released.set()
        """,
    )
    ran = modrack("call", "./ends.py", "execute")
    assert ran.stderr.split() == ["shutdown", "thread", "atexit"], ran.show()


def test_logging_works_and_loggers_keep_their_names(modrack: Modrack) -> None:
    """A module's logger has the plain name of its file, and what it logs goes to stderr."""
    modrack.write(
        "talks.py",
        """
        import logging

        log = logging.getLogger(__name__)
        logging.basicConfig(format="%(name)s %(levelname)s %(message)s")

        def execute() -> str:
            log.warning("careful")
            return log.name
        """,
    )
    ran = modrack("call", "./talks.py", "execute")
    assert ran.json == "talks"
    assert "talks WARNING careful" in ran.stderr


def test_the_current_folder_is_not_importable_by_accident(modrack: Modrack) -> None:
    """The rack's folder stands first on `sys.path`, and behind it is what the interpreter itself has there."""
    modrack.write("ask.py", ASK)
    modrack.write("rack.yaml", "rack: 1\n")
    paths = modrack("call", "./ask.py", "paths").json
    code = "import json, sys; print(json.dumps(sys.path[1:]))"
    own = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=modrack.environment())
    assert paths == [str(modrack.folder), *json.loads(own.stdout)]


def test_a_signal_to_python_itself_is_the_modules_own(modrack: Modrack) -> None:
    """The exit status of an interrupted call is 130."""
    modrack.write(
        "kills.py",
        "import os\nimport signal\n\n\ndef execute() -> None:\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "    while True:\n        os.getpid()\n",
    )
    ran = modrack("call", "./kills.py", "execute", code=130)
    assert ran.stdout == ""


def test_a_call_that_waits_for_its_input_is_interrupted(modrack: Modrack) -> None:
    """Ctrl-C ends a call whose argument is still to be typed."""
    source = "print('loaded', flush=True)\n\n\ndef upper(text: str) -> str:\n    return text.upper()\n"
    modrack.write("upper.py", source)
    given, typed = os.pipe()
    call = subprocess.Popen(
        [command(), "call", "./upper.py", "upper", "@-"],
        cwd=modrack.folder,
        env=modrack.environment(),
        stdin=given,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert call.stderr is not None
    assert call.stderr.readline() == "loaded\n"
    call.send_signal(signal.SIGINT)
    _, stderr = call.communicate(timeout=60)
    os.close(given)
    os.close(typed)
    assert call.returncode == 130
    assert "[M0801]" in stderr


def test_a_reader_that_goes_away_is_no_failure(modrack: Modrack) -> None:
    """`modrack list | head -n 1` ends quietly."""
    slots = "".join(f"  slot{n}: ./m.py\n" for n in range(20_000))
    modrack.write("rack.yaml", "rack: 1\nslots:\n" + slots)
    listing = modrack.start("list")
    assert listing.stdout is not None
    assert listing.stderr is not None
    listing.stdout.readline()
    listing.stdout.close()
    said = listing.stderr.read()
    listing.stderr.close()
    assert listing.wait() == 0, said
    assert said == ""


def test_nothing_is_left_beside_the_modules(modrack: Modrack) -> None:
    """No `__pycache__` is written into the user's folders."""
    modrack.write("ask.py", ASK)
    modrack("call", "./ask.py", "prefix")
    assert not [path for path, _, _ in os.walk(modrack.folder) if path.endswith("__pycache__")]


def test_a_file_that_imports_itself_runs_once(modrack: Modrack) -> None:
    """Its own name is the module that runs, also where the rack's folder would lead to the same file."""
    source = "ran = []\n\ndef own() -> bool:\n    import {name}\n    return {name}.ran is ran\n"
    modrack.write("alone.py", source.format(name="alone"))
    modrack.write("package/__init__.py", "")
    modrack.write("package/part.py", source.format(name="package.part"))
    modrack.write("rack.yaml", "rack: 1\n")
    assert modrack("call", "./alone.py", "own").json is True
    assert modrack("call", "./package/part.py", "own").json is True


def test_what_runs_after_the_end_can_import(modrack: Modrack) -> None:
    """`atexit` and threads find the files beside the module as before, those that ran already as they are."""
    modrack.write("early.py", "ran = []\n")
    modrack.write("late.py", "import early\n\nearly.ran.append('late')\n")
    modrack.write("package/__init__.py", "")
    modrack.write("package/part.py", "name = 'part'\n")
    modrack.write(
        "ends.py",
        """
        import atexit
        import importlib
        import sys
        import threading

        released = threading.Event()

        def tell(where: str) -> None:
            import early
            import late
            from package import part
            again = importlib.import_module("early")
            print(where, early is again, early.ran, late.early is early, part.name, file=sys.stderr, flush=True)

        class Ends:
            def execute(self) -> int:
                import early
                early.ran.append("execute")
                atexit.register(tell, "atexit")
                def wait() -> None:
                    released.wait()
                    tell("thread")
                threading.Thread(target=wait).start()
                return 1

            def shutdown(self) -> None:
                threading.Timer(0.05, released.set).start()
        """,
    )
    ran = modrack("call", "./ends.py", "execute")
    told = "True ['execute', 'late'] True part"
    assert ran.stderr.splitlines() == [f"thread {told}", f"atexit {told}"], ran.show()


def test_what_nobody_uses_goes_from_the_store(modrack: Modrack) -> None:
    """Once a day, after thirty days; what child processes ask for, when no process is there that has any."""
    store = modrack.folder / ".modrack" / "python"
    modrack.write("rack.yaml", "rack: 1\nslots:\n  m: ./m.py\n")
    link = "link-0123456789ab/_modrack/__init__.py"
    long_ago = time.time() - 40 * 24 * 60 * 60
    runs = 0

    def run_with_old_files() -> set[str]:
        nonlocal runs
        runs += 1
        for name in ("code/old", "code/new", "content/old", "generations/old", "content/new", link):
            (store / name).parent.mkdir(parents=True, exist_ok=True)
            (store / name).touch()
            if not name.endswith("new"):
                os.utime(store / name, (long_ago, long_ago))
        modrack.write("m.py", f"def give() -> int:\n    return {runs}\n")
        assert modrack("call", "m", "give").json == runs
        return {
            name
            for name in ("code/old", "code/new", "content/old", "generations/old", "content/new", link)
            if (store / name).exists()
        }

    store.mkdir(parents=True)
    with (store / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        assert run_with_old_files() == {"code/new", "content/old", "generations/old", "content/new", link}
    assert "code/old" in run_with_old_files(), "it was looked at today"
    os.utime(store / ".swept", (long_ago, long_ago))
    assert run_with_old_files() == {"code/new", "content/new"}
    for file in (store / "code").iterdir():
        os.utime(file, (long_ago, long_ago))
    assert modrack("call", "m", "give").json == runs
    assert [file for file in (store / "code").iterdir() if file.stat().st_mtime > long_ago + 60], "it was used"


def test_the_extension_without_components_is_taken_for_slots_that_need_none(modrack: Modrack) -> None:
    """Both are beside the command; which one was loaded is what the module says of its importer."""
    modrack.write(
        "which.py",
        """
        import sys


        def which() -> str:
            return sys.modules["modrack_py"].__spec__.origin.rsplit("/", 1)[1]
        """,
    )
    modrack.write(
        "with_component.py",
        """
        from which import which as loaded


        class WithComponent:
            def __init__(self, component) -> None:
                self.component = component

            def which(self) -> str:
                return loaded()
        """,
    )
    modrack.write("nothing.wat", "(component)")
    modrack.write(
        "rack.yaml",
        """
        rack: 1
        slots:
          nothing: { use: ./nothing.wat }
          alone: { use: ./which.py }
          together: { use: "./with_component.py:WithComponent", needs: { component: nothing } }
        """,
    )
    assert modrack("call", "alone", "which").json == "libmodrack_py_lean.so"
    assert modrack("call", "together", "which").json == "libmodrack_py.so"
    # A catalog that lists components is read alike before and after the interpreter took the command's place.
    modrack.write("mods/thing.wat", '(component (@custom "modrack" "name = \\"foo\\""))')
    modrack.write("mods/other.py", "from which import which\n")
    modrack.write("mods/other.modrack.toml", 'name = "thing"\n')
    modrack.write("listed.yaml", "rack: 1\ncatalog: [mods]\npython: { path: [.] }\nslots: { m: { use: thing } }\n")
    assert modrack("-r", "listed.yaml", "call", "m", "which").json == "libmodrack_py.so"
