"""A module that serves on, and is given something by another one."""

import outside

KEPT = []
outside.keepers.append(KEPT.append)


def version() -> int:
    return len(KEPT)
