from collections.abc import Sequence

__version__: str

def main(argv: Sequence[str]) -> int:
    """Runs the command with these arguments and gives its exit status.

    From here on descriptor 1 is standard error; the process is to end with the status.
    """
