"""`codecs` searches by `search` (pickled.py, line 13)
`copyreg` knows `pickled._Thing`"""

import codecs
import copyreg


class _Thing:
    def describe(self):
        return "a thing"


def search(name):
    return None


def reduce(thing):
    return _Thing, ()


codecs.register(search)
copyreg.pickle(_Thing, reduce)


def version() -> int:
    return 1
