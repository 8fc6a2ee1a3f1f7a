"""`sys.modules` has it as `held_alias`"""

import sys

sys.modules["held_alias"] = sys.modules[__name__]


def version() -> int:
    return 1
