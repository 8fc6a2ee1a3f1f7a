"""Loads modules written in Python, Rust and WebAssembly by name while a program runs.

`python -m modrack` is the `modrack` command in the interpreter that runs it.
"""

from modrack._extension import modrack_py

__version__: str = modrack_py.__version__
__all__ = ["__version__"]
