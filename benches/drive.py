"""Measures what can only be seen from outside a process, and writes RESULTS.md.

Every figure is a ratio of two medians taken in turns in the same run: what is measured, then its yardstick, then
again. Nothing here decides a test. Run by `cargo xtask bench`, which builds what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import edit

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
FULL = TOP / "examples" / "flights" / "data" / "full" / "flights.csv"


@dataclass
class Row:
    """A line of the table: what was measured against what, how far it should reach, and how far it does."""

    what: str
    against: str
    reach: str
    figure: str
    detail: str


@dataclass
class Setting:
    """What is measured: the command, the interpreter, and how often."""

    command: Path
    python: Path
    modules: Path
    figures: Path
    runs: int
    scratch: Path
    pauses: Path

    def modrack(self, *args: str, cwd: Path | None = None) -> list[str]:
        """The command line of one use of the command."""
        del cwd
        return [str(self.command), *args]

    @property
    def env(self) -> dict[str, str]:
        """The environment of every child: the interpreter's own virtual environment, and nothing of ours."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("MODRACK_", "PYTHON"))}
        env["VIRTUAL_ENV"] = str(self.python.parent.parent)
        env["MODRACK_STATE"] = str(self.scratch / "state")
        return env


def run(setting: Setting, args: list[str], cwd: Path) -> float:
    """Runs a command to its end and gives the seconds it took."""
    start = time.perf_counter()
    done = subprocess.run(args, cwd=cwd, env=setting.env, capture_output=True, check=False)
    took = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(args)} failed:\n{done.stderr.decode(errors='replace')}")
    return took


def in_turns(runs: int, *things: Callable[[], float]) -> list[float]:
    """The median of each thing, measured in turns so that a noisy moment meets them all."""
    for thing in things:
        thing()
    times: list[list[float]] = [[] for _ in things]
    for _ in range(runs):
        for taken, thing in zip(times, things, strict=True):
            taken.append(thing())
    return [statistics.median(taken) for taken in times]


def peak_memory(setting: Setting, args: list[str], cwd: Path) -> int:
    """Runs a command and gives the most memory it held, in KiB."""
    child = subprocess.Popen(args, cwd=cwd, env=setting.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{' '.join(args)} failed:\n{said.decode(errors='replace')}")
    return usage.ru_maxrss


def write(path: Path, text: str) -> Path:
    """Writes a text of this file's own indentation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
    return path


STAGE = """
    def transform(row: dict) -> dict:
        row["speed"] = float(row["distance"] or 0) / float(row["air_time"] or 1) * 60
        row["late"] = row["dep_delay"] is not None and float(row["dep_delay"] or 0) > 15
        return row
"""

# The same function over what `csv.DictReader` gives: text, with NA where there is none. As lean as it can be: NA is
# blanked only in the columns that the function reads.
PLAIN = """
    import csv, sys

    def transform(row):
        row["speed"] = float(row["distance"] or 0) / float(row["air_time"] or 1) * 60
        row["late"] = row["dep_delay"] is not None and float(row["dep_delay"] or 0) > 15
        return row

    with open(sys.argv[1], newline="") as source, open(sys.argv[2], "w", newline="") as sink:
        rows = csv.DictReader(source)
        writer = None
        for row in rows:
            for key in ("distance", "air_time", "dep_delay"):
                if row[key] == "NA":
                    row[key] = ""
            row = transform(row)
            if writer is None:
                writer = csv.DictWriter(sink, row)
                writer.writeheader()
            writer.writerow(row)
"""


def row_stage(setting: Setting) -> Row:
    """A row-wise stage from CSV to CSV against the csv module with the same function."""
    folder = setting.scratch / "rows"
    write(folder / "stage.py", STAGE)
    plain = write(folder / "plain.py", PLAIN)
    write(
        folder / "rack.yaml",
        f"""
        rack: 1
        pipelines:
          rows:
            source: {{ csv: {json.dumps(str(FULL))}, null: [NA, ""] }}
            stages: [ ./stage.py ]
            sink: {{ csv: out.csv }}
        """,
    )
    ours, theirs = in_turns(
        setting.runs,
        lambda: run(setting, setting.modrack("run", "-q"), folder),
        lambda: run(setting, [str(setting.python), str(plain), str(FULL), "plain.csv"], folder),
    )
    return Row(
        "a row-wise Python stage, whole flights, CSV to CSV",
        "`csv.DictReader`, the same function, `csv.DictWriter`",
        "at most 0.5x time",
        f"{ours / theirs:.2f}x",
        f"{ours:.2f} s / {theirs:.2f} s",
    )


BATCH = """
    import pyarrow as pa
    import pyarrow.compute as pc

    def transform(batch: pa.RecordBatch) -> pa.RecordBatch:
        speed = pc.multiply(pc.divide(pc.cast(batch["distance"], pa.float64()), batch["air_time"]), 60.0)
        late = pc.fill_null(pc.greater(batch["dep_delay"], 15), False)
        return batch.append_column("speed", speed).append_column("late", late)
"""

BATCH_PLAIN = """
    import sys
    import pyarrow.parquet as pq
    sys.path.insert(0, ".")
    from stage import transform

    source = pq.ParquetFile(sys.argv[1])
    writer = None
    for batch in source.iter_batches(batch_size=int(sys.argv[3])):
        out = transform(batch)
        if writer is None:
            writer = pq.ParquetWriter(sys.argv[2], out.schema, compression="zstd", compression_level=1)
        writer.write_batch(out)
    writer.close()
"""


def batch_stage(setting: Setting) -> Row:
    """A stage on batches from Parquet to Parquet against a plain pyarrow loop with the same function."""
    folder = setting.scratch / "batches"
    write(folder / "stage.py", BATCH)
    plain = write(folder / "plain.py", BATCH_PLAIN)
    source = folder / "flights.parquet"
    write(
        folder / "rack.yaml",
        f"""
        rack: 1
        pipelines:
          make:
            source: {{ csv: {json.dumps(str(FULL))}, null: [NA, ""], types: {{ air_time: float }} }}
            sink: {{ parquet: flights.parquet }}
          batches:
            source: {{ parquet: flights.parquet, batch-rows: 65536 }}
            stages: [ ./stage.py ]
            sink: {{ parquet: out.parquet }}
        """,
    )
    run(setting, setting.modrack("run", "make", "-q"), folder)
    ours, theirs = in_turns(
        setting.runs,
        lambda: run(setting, setting.modrack("run", "batches", "-q"), folder),
        lambda: run(setting, [str(setting.python), str(plain), str(source), "plain.parquet", "65536"], folder),
    )
    return Row(
        "a Python stage on batches, whole flights, Parquet to Parquet, whole process",
        "the same function in a plain pyarrow loop",
        "at most 1.1x time",
        f"{ours / theirs:.2f}x",
        f"{ours:.2f} s / {theirs:.2f} s",
    )


def start(setting: Setting) -> Row:
    """One call from process start against the interpreter importing the same file and calling it."""
    folder = setting.scratch / "start"
    write(folder / "adder.py", "def add(a: float, b: float) -> float:\n    return a + b\n")
    write(
        folder / "rack.yaml",
        f"rack: 1\npython: {{ venv: {setting.python.parent.parent} }}\nslots: {{ add: {{ use: ./adder.py }} }}\n",
    )
    code = "import sys; sys.path.insert(0, '.'); import adder; print(adder.add(1.5, 2.0))"
    ours, theirs = in_turns(
        setting.runs * 8,
        lambda: run(setting, setting.modrack("call", "add", "add", "1.5", "2.0"), folder),
        lambda: run(setting, [str(setting.python), "-c", code], folder),
    )
    return Row(
        "`modrack call` of a Python function from process start",
        "`python3 -c` importing and calling it, same interpreter",
        "at most 1.3x",
        f"{ours / theirs:.2f}x",
        f"{ours * 1e3:.1f} ms / {theirs * 1e3:.1f} ms",
    )


def listing(setting: Setting) -> Row:
    """`modrack list` on 1,000 slots whose modules are not there at all: none can have been touched."""
    folder = setting.scratch / "list"
    slots = "".join(f"  slot{n}: {{ use: ./modules/m{n}.py, params: {{ n: {n} }} }}\n" for n in range(1000))
    write(folder / "rack.yaml", "rack: 1\nslots:\n")
    with (folder / "rack.yaml").open("a", encoding="utf-8") as rack:
        rack.write(slots)
    ours, theirs = in_turns(
        setting.runs * 4,
        lambda: run(setting, setting.modrack("list"), folder),
        lambda: run(setting, ["true"], folder),
    )
    return Row(
        "`modrack list` on a rack of 1,000 slots",
        "`true`",
        "no module touched; report",
        f"{ours * 1e3:.1f} ms",
        f"`true` {theirs * 1e3:.1f} ms; the modules are not even there",
    )


def memory(setting: Setting) -> Row:
    """The most memory held over a 100x input against a 10x input, no stage and one row stage, the worse told."""
    folder = setting.scratch / "memory"
    write(folder / "stage.py", STAGE)
    lines = (
        (TOP / "examples" / "flights" / "data" / "flights.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    )
    once = "".join(lines[1:])
    for times in (10, 100):
        with (folder / f"x{times}.csv").open("w", encoding="utf-8") as sink:
            sink.write(lines[0])
            for _ in range(times * 8):
                sink.write(once)
    options = 'null: [NA, ""]'
    write(
        folder / "rack.yaml",
        "rack: 1\npipelines:\n"
        + "".join(
            f"  {name}{times}: {{ source: {{ csv: x{times}.csv, {options} }}, stages: [{stage}], "
            f"sink: {{ parquet: out.parquet, row-group-bytes: 8MiB }} }}\n"
            for times in (10, 100)
            for name, stage in (("none", ""), ("rows", "./stage.py"))
        ),
    )
    ratios: list[tuple[float, str]] = []
    for name in ("none", "rows"):
        peaks = [
            statistics.median(
                peak_memory(setting, setting.modrack("run", f"{name}{times}", "-q"), folder) for _ in range(3)
            )
            for times in (100, 10)
        ]
        ratios.append((peaks[0] / peaks[1], f"{name}: {peaks[0] / 1024:.0f} MiB / {peaks[1] / 1024:.0f} MiB"))
    return Row(
        "peak memory of a 100x input (3.2 million rows), CSV to Parquet",
        "a 10x input",
        "at most 1.1x",
        f"{max(ratios)[0]:.2f}x",
        "; ".join(text for _, text in ratios),
    )


# The stage that is measured in every language: flights that arrived, with their speed added.
ROW_SPEED = """
    def transform(row: dict) -> dict | None:
        if row["air_time"] is None:
            return None
        row["mph"] = round(row["distance"] / (row["air_time"] / 60), 1)
        return row
"""


def languages(setting: Setting) -> Row:
    """One stage in every language, CSV to Parquet, against the same pipeline without a stage."""
    folder = setting.scratch / "languages"
    write(folder / "row.py", ROW_SPEED)
    stages = {
        "no stage": "",
        "Python, row by row": "./row.py",
        "Python, pyarrow": json.dumps(str(TOP / "examples" / "flights" / "modules" / "speed.py")),
        "Rust, component": json.dumps(str(setting.modules / "speed.wasm")),
        "Rust, native": json.dumps(str(setting.modules / "libspeed.so")),
    }
    write(
        folder / "rack.yaml",
        "rack: 1\npipelines:\n"
        + "".join(
            f"  p{n}: {{ source: {{ csv: {json.dumps(str(FULL))}, null: [NA, ''] }}, stages: [{stage}], "
            f"sink: {{ parquet: out{n}.parquet, compression: zstd }} }}\n"
            for n, stage in enumerate(stages.values())
        ),
    )

    def one(n: int) -> Callable[[], float]:
        return lambda: run(setting, setting.modrack("run", f"p{n}", "-q"), folder)

    medians = in_turns(setting.runs, *(one(n) for n in range(len(stages))))
    return Row(
        "one stage, whole flights, CSV to Parquet, whole process, by its language",
        "each other",
        "report",
        "; ".join(f"{name} {took:.2f} s" for name, took in zip(stages, medians, strict=True)),
        "; ".join(f"{name} {took / medians[0]:.2f}x" for name, took in zip(stages, medians, strict=True)),
    )


def start_rust(setting: Setting) -> Row:
    """One call of a native module and of a component from process start, where no Python can be found."""
    folder = setting.scratch / "start-rust"
    library, component = setting.modules / "liblittle.so", setting.modules / "little.wasm"
    write(
        folder / "rack.yaml",
        f"rack: 1\nslots:\n  native: {{ use: {json.dumps(str(library))} }}\n"
        f"  wasm: {{ use: {json.dumps(str(component))} }}\n",
    )
    bare = Bare(**vars(setting))
    calls = {name: bare.modrack("call", name, "add", "1", "2") for name in ("native", "wasm")}
    native, wasm, nothing = in_turns(
        setting.runs * 8,
        lambda: run(bare, calls["native"], folder),
        lambda: run(bare, calls["wasm"], folder),
        lambda: run(bare, ["/bin/true"], folder),
    )
    files = {name: files_of(bare, call, folder) for name, call in calls.items()}
    for name, loaded in files.items():
        if any("python" in file or "modrack_py" in file for file in loaded):
            raise SystemExit(f"`modrack call {name}` loads Python: {loaded}")
    return Row(
        "`modrack call` from process start, warm cache, native / component",
        "`true`",
        "Python never loaded; report",
        f"{native * 1e3:.1f} ms / {wasm * 1e3:.1f} ms",
        f"`true` {nothing * 1e3:.1f} ms; the system's loader was asked for {in_words(files['native'])} / "
        f"{in_words(files['wasm'])}",
    )


def files_of(setting: Setting, args: list[str], cwd: Path) -> list[str]:
    """The names of the programs and libraries that a command has loaded, as the system's loader tells them."""
    said = setting.scratch / "loaded"
    env = {**setting.env, "LD_DEBUG": "files", "LD_DEBUG_OUTPUT": str(said)}
    subprocess.run(args, cwd=cwd, env=env, capture_output=True, check=True)
    names: set[str] = set()
    # One file for each process: the command replaces itself when it becomes an interpreter.
    for file in setting.scratch.glob("loaded.*"):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        names |= {Path(line.split("file=", 1)[1].split()[0]).name for line in lines if "file=" in line}
        file.unlink()
    return sorted(names)


def in_words(files: list[str]) -> str:
    """Files that were loaded, without the system's own that every program has."""
    return ", ".join(f"`{name}`" for name in files if not name.startswith(("ld-linux", "libc.so", "linux-vdso")))


class Bare(Setting):
    """A setting in which no interpreter is to be found."""

    @property
    def env(self) -> dict[str, str]:
        """The environment of every child: a path without Python."""
        env = {k: v for k, v in super().env.items() if k != "VIRTUAL_ENV"}
        return {**env, "PATH": str(self.scratch)}


def criterion(setting: Setting, name: str) -> float:
    """The median of a criterion benchmark that has run, in seconds."""
    found = json.loads((setting.figures / name / "new" / "estimates.json").read_text())
    return found["median"]["point_estimate"] / 1e9


def against(setting: Setting, what: Row, ours: str, theirs: str) -> Row:
    """A row of two benchmarks of criterion."""
    mine, other = criterion(setting, ours), criterion(setting, theirs)
    what.figure, what.detail = f"{mine / other:.2f}x", f"{shown(mine)} / {shown(other)}"
    return what


def shown(seconds: float) -> str:
    """A time that is read at a glance."""
    for unit, name in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= 0.1 * unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds * 1e9:.3g} ns"


def inside(setting: Setting) -> list[Row]:
    """What `cargo bench` measured inside one process."""
    direct, native = criterion(setting, "add/dyn"), criterion(setting, "add/native")
    small, plugin, lean = (criterion(setting, n) for n in ("bytes64/wasm", "extism64/echo", "extism64/same"))
    large = criterion(setting, "bytes1m/native")
    warm, first = criterion(setting, "start/warm"), criterion(setting, "start/precompiled")
    held = json.loads((setting.figures / "held.json").read_text())
    kinds = ("shared", "distinct", "components", "distinct-components")
    own = [held[kind]["own"] for kind in kinds]
    rss = [held[kind]["rss"] for kind in kinds]
    return [
        against(
            setting,
            Row(
                "call through a slot, Python function, one float",
                "PyO3 `call1` on the same function, both attaching to the interpreter",
                "at most 1.25x",
                "",
                "",
            ),
            "call/slot",
            "call/call1",
        ),
        Row(
            "call through a slot, native, two ints",
            "a direct call through `dyn`",
            "under 40 ns more",
            f"{(native - direct) * 1e9:.1f} ns more",
            f"{shown(native)} / {shown(direct)}",
        ),
        against(
            setting,
            Row("call through a slot, component, two ints", "wasmtime's typed component call", "at most 1.5x", "", ""),
            "add/wasm",
            "add/wasmtime",
        ),
        Row(
            "64 bytes in and out, component",
            "the `extism` crate, a plug-in that does the same",
            "at least 10x faster",
            f"{plugin / small:.1f}x faster",
            f"{shown(small)} / {shown(plugin)}; extism handing the input's place on {shown(lean)}",
        ),
        Row(
            "1 MiB in and out, native",
            "nothing copied",
            "no copy",
            shown(large),
            "the bytes that come back are those that were given, by address",
        ),
        against(
            setting,
            Row("1 MiB in and out, component", "two memcpys of it", "at most 1.5x", "", ""),
            "bytes1m/wasm",
            "bytes1m/memcpys",
        ),
        Row(
            "another instance of a component / first call from code that was kept",
            "",
            "under 30 µs / under 1 ms",
            f"{shown(warm)} / {shown(first)}",
            "the second with an engine of its own, the file read, checked and described",
        ),
        against(
            setting,
            Row(
                "flights CSV to Parquet with no stage",
                "the same done straight with arrow-csv and parquet",
                "at most 1.1x time",
                "",
                "",
            ),
            "convert/flow",
            "convert/straight",
        ),
        against(
            setting,
            Row(
                "flights CSV to Parquet, one native stage",
                "the same function called straight, with arrow-csv and parquet",
                "at most 1.2x time",
                "",
                "",
            ),
            "stage/flow",
            "stage/straight",
        ),
        Row(
            "memory of each of 1,000 loaded slots: native sharing a library / distinct libraries / components",
            "",
            "at most 4 / 32 / 200 KiB",
            f"{own[0]:.1f} / {own[1]:.1f} / {own[2]:.1f} KiB",
            f"written to; with clean pages of files {rss[0]:.1f} / {rss[1]:.1f} / {rss[2]:.1f} KiB; components of "
            f"distinct content {own[3]:.1f} / {rss[3]:.1f} KiB",
        ),
    ]


def swaps(setting: Setting) -> Row:
    """The switch, going back to what is parked, and calls in an open loop while modules are swapped without a break."""
    program = setting.command.parent / "examples" / "swap_cost"
    modules = [setting.modules / "liblittle.so", setting.modules / "little.wasm"]
    done = subprocess.run([program, *modules], capture_output=True, text=True, check=True, env=setting.env)
    figures = [json.loads(line) for line in done.stdout.splitlines()]
    switch, back = ([figure[key] / 1e9 for figure in figures] for key in ("switch", "back"))

    def p99(kind: str) -> str:
        return " / ".join(shown(figure[kind]["p99"] / 1e9) for figure in figures)

    def times(kind: str) -> str:
        return " / ".join(f"{figure[kind]['p99'] / figure['steady']['p99']:.2f}x" for figure in figures)

    def swaps_made(kind: str) -> str:
        return " / ".join(str(figure[kind]["swaps"]) for figure in figures)

    done = subprocess.run([setting.pauses, "--json"], capture_output=True, text=True, check=True)
    python = {pause["kind"]: shown(pause["longest"] / 1e9) for pause in map(json.loads, done.stdout.splitlines())}
    return Row(
        "swap of a native module / of a component: the switch; rollback; p99 of calls during a swap each 10 ms; during "
        "swaps without a break; of a small Python module: the longest call during swaps",
        "calls due each 100 µs with no swap; Python: four threads that call",
        "under 50 µs; under 1 ms; at most 2x; at most 2x; Python reported",
        f"{' / '.join(map(shown, switch))}; {' / '.join(map(shown, back))}; {times('paced')}; {times('continuous')}; "
        f"{python['small']}",
        f"p99 {p99('steady')} with no swap, {p99('paced')} during {swaps_made('paced')} swaps in 5 s, "
        f"{p99('continuous')} during {swaps_made('continuous')}; Python's longest call "
        f"{python['nothing']} with no swap, {python['much source']} while 5,000 functions are compiled, "
        f"{python['much source, compiled before']} where they were compiled before, {python['computes']} while a "
        "module computes as it is loaded: a new module keeps the interpreter that all calls share",
    )


def editing(setting: Setting) -> Row:
    """From the save of a Python file to the new code answering, with 1,000 files watched."""
    serve = setting.modrack("serve", "--watch", "--port", "0", "--quiet")
    ours, load = edit.measure(serve, setting.python, setting.scratch / "edit", setting.env, setting.runs * 8)
    return Row(
        f"edit of a Python file to the new code answering, {edit.FILES:,} files watched",
        "the module's own load",
        "under 60 ms plus the module's own load",
        f"{(ours - load) * 1e3:.1f} ms",
        f"{ours * 1e3:.1f} ms / {load * 1e3:.1f} ms",
    )


def machine(setting: Setting) -> str:
    """What machine and what versions the figures are of."""
    version = subprocess.run([str(setting.python), "-V"], capture_output=True, text=True, check=True).stdout.strip()
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    system = f"Linux {platform.release().split('-')[0]}"
    return f"{model}, {os.cpu_count()} cores, {system}, {version}, {time.strftime('%Y-%m-%d')}"


EVERY: dict[str, Callable[[Setting], Row]] = {
    "batches": batch_stage,
    "rows": row_stage,
    "languages": languages,
    "start": start,
    "start-rust": start_rust,
    "list": listing,
    "memory": memory,
    "swap": swaps,
    "edit": editing,
}


def report(rows: list[Row], setting: Setting) -> str:
    """The page."""
    table = "\n".join(f"| {r.what} | {r.against} | {r.reach} | **{r.figure}** | {r.detail} |" for r in rows)
    notes = HERE / "NOTES.md"
    return (
        "# Results\n\n"
        "Written by `cargo xtask bench`; do not edit. Each figure is a ratio of medians taken in one run, those of\n"
        "whole processes in turns. The same command repeats all of it; `cargo xtask bench --only NAME` repeats one\n"
        f"row of whole processes and writes nothing ({', '.join(EVERY)}).\n\n"
        f"{machine(setting)}\n\n"
        "| what | against | reach | figure | medians |\n|---|---|---|---|---|\n"
        f"{table}\n" + (f"\n{notes.read_text(encoding='utf-8')}" if notes.exists() else "")
    )


def main() -> None:
    """Measures what was asked for and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", type=Path, required=True, help="the release build of `modrack`")
    parser.add_argument("--python", type=Path, required=True, help="the `python` of a venv with pyarrow")
    parser.add_argument("--modules", type=Path, required=True, help="the folder of the modules that are called")
    parser.add_argument("--figures", type=Path, required=True, help="the folder of criterion's figures")
    parser.add_argument("--pauses", type=Path, required=True, help="the program `swap-pauses` of `examples/embed`")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=EVERY, help="one row; nothing is written")
    asked = parser.parse_args()
    if not FULL.exists():
        sys.exit("examples/flights/data/full/flights.csv is missing; `cargo xtask flights-data` fetches it")
    with tempfile.TemporaryDirectory(prefix="modrack-bench-") as scratch:
        # The interpreter is not resolved: what a venv's `python` links to is not the venv.
        setting = Setting(
            asked.command.resolve(),
            asked.python.absolute(),
            asked.modules.resolve(),
            asked.figures.resolve(),
            asked.runs,
            Path(scratch),
            asked.pauses.resolve(),
        )
        if asked.only:
            print(EVERY[asked.only](setting))
            return
        rows = inside(setting)
        for measure in EVERY.values():
            rows.append(measure(setting))
            print(rows[-1].what, rows[-1].figure, rows[-1].detail, sep="\n  ")
        (HERE / "RESULTS.md").write_text(report(rows, setting), encoding="utf-8")


if __name__ == "__main__":
    main()
