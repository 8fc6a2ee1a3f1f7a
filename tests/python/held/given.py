"""`keeper` of generation ... has `KEPT`"""

import outside


def version() -> int:
    return 1


outside.keepers.pop()(version)
