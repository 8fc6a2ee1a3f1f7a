"""`outside` has `REGISTRY`
`outside` has `show`
Class `outside.Base` has `hook`"""

import outside


class _Thing:
    def describe(self):
        return "a thing"


def version() -> int:
    return 1


outside.REGISTRY["version"] = [version]
outside.Base.hook = version
outside.show.register(_Thing, version)
