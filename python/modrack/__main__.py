"""The `modrack` command, in the interpreter that runs this."""

import sys

from modrack._extension import modrack_py


def main() -> int:
    """Runs the command with the arguments of the process."""
    argv = sys.argv[1:]
    sys.argv = ["modrack", *argv]
    status: int = modrack_py.main(argv)
    return status


if __name__ == "__main__":
    sys.exit(main())
