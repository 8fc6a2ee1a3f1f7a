"""The ways in which people, editors and clusters save files, each as something that can be done in a folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

Do = Callable[[Path], None]


def save(name: str, text: str | bytes) -> Do:
    """Writes a file where it is."""

    def do(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    return do


def renamed(name: str, text: str | bytes) -> Do:
    """Writes a file beside, and renames it to where it belongs."""

    def do(folder: Path) -> None:
        path = folder / name
        beside = path.with_name(f".{path.name}.tmp4711")
        save(str(beside.relative_to(folder)), text)(folder)
        beside.replace(path)

    return do


def edit(name: str, before: str, after: str) -> Do:
    """Writes a file with a part of it replaced."""

    def do(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert before in text, text
        save(name, text.replace(before, after))(folder)

    return do


def each(*do: Do) -> Do:
    """One after the other."""

    def all_of_it(folder: Path) -> None:
        for one in do:
            one(folder)

    return all_of_it


def nothing(_: Path) -> None:
    """Leaves everything as it is."""


def touch(name: str) -> Do:
    """Another time of a file, then its content once more, and its rights."""

    def do(folder: Path) -> None:
        path = folder / name
        os.utime(path)
        path.write_bytes(path.read_bytes())
        renamed(name, path.read_bytes())(folder)
        path.chmod(0o600)

    return do


def at_the_same_time(name: str, text: str) -> Do:
    """Writes a file and has its time say that nothing did: of the same size it looks as it did."""

    def do(folder: Path) -> None:
        path = folder / name
        before = path.stat()
        assert before.st_size == len(text.encode())
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    return do


def remove(name: str) -> Do:
    """Takes a file or a folder away."""

    def do(folder: Path) -> None:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    return do


def by_vim(name: str, text: str) -> Do:
    """As Vim saves: it tries the folder, puts the old file aside, and writes a new one."""

    def do(folder: Path) -> None:
        path = folder / name
        swap, probe, aside = path.with_name(f".{name}.swp"), folder / "4913", path.with_name(f"{name}~")
        swap.write_bytes(b"b0VIM 9.0")
        probe.touch()
        probe.unlink()
        path.rename(aside)
        path.write_text(text, encoding="utf-8")
        aside.unlink()
        swap.unlink()

    return do


def editors_files(folder: Path) -> None:
    """What editors leave beside a file while somebody writes in it."""
    for name in (
        ".one.py.swp",
        "4913",
        "#one.py#",
        "one.py~",
        "one.py.bak",
        ".one.py.swx",
        "pkg/.sub.py.swp",
        "pkg/#sub.py#",
    ):
        (folder / name).write_bytes(b"\x00 = = broken")
    for name in (".#one.py", "pkg/.#sub.py"):
        (folder / name).symlink_to("ann@somewhere.4711:1")
    for name in ("4913", "#one.py#", ".#one.py", "pkg/.#sub.py"):
        (folder / name).unlink()


def mount(number: int, files: Mapping[str, str]) -> Do:
    """Files as Kubernetes mounts them: links through `..data`, which is turned to a new folder with all of them."""

    def do(folder: Path) -> None:
        at = folder / f"..2026_{number}"
        at.mkdir()
        for name, text in files.items():
            (at / name).write_text(text, encoding="utf-8")
        turned = folder / "..data_tmp"
        turned.symlink_to(at.name)
        turned.rename(folder / "..data")
        for name in files:
            if not (folder / name).is_symlink():
                (folder / name).unlink(missing_ok=True)
                (folder / name).symlink_to(f"..data/{name}")
        for old in folder.glob("..2026_*"):
            if old != at:
                shutil.rmtree(old)

    return do


def folder_of(name: str, files: Mapping[str, str]) -> Do:
    """Puts a folder with these files in the place of one, if there is one."""

    def do(folder: Path) -> None:
        beside, path = folder / f"{name}.new", folder / name
        for file, text in files.items():
            save(f"{beside.name}/{file}", text)(folder)
        if path.exists():
            shutil.rmtree(path)
        beside.rename(path)

    return do


def release(number: int, text: str) -> Do:
    """A folder of a release, to which a link is turned."""

    def do(folder: Path) -> None:
        save(f"releases/{number}/one.py", text)(folder)
        turned, current = folder / "next", folder / "current"
        turned.symlink_to(f"releases/{number}")
        if not current.is_symlink():
            shutil.rmtree(current)
        turned.rename(current)

    return do
