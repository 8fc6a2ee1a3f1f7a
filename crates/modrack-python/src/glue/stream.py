"""Streams that another module reads: each keeps what it reads from by a lease.

What a generator is asked for is asked of its instance as a call is. Anything else that yields is handed on as it is,
and keeps its instance for as long as it is there.
"""

import types
import weakref


def leased(lease, made):
    if type(made) is types.GeneratorType:
        return _read(lease, made)
    try:
        # Nobody waits for it when the process ends: the rack stops what is left.
        weakref.finalize(made, lease.end).atexit = False
    except TypeError:
        # Iterators that the language itself makes cannot be watched, and do no more than give their values.
        return _read(lease, made)
    return made


def _read(lease, made):
    asked = (next, made)
    try:
        while True:
            try:
                item = lease.read(*asked)
            except StopIteration as end:
                return end.value
            try:
                sent = yield item
            except GeneratorExit:
                # It may be thrown away at any moment, in any call: nothing is waited for.
                if hasattr(made, "close"):
                    made.close()
                raise
            except BaseException as error:
                if not hasattr(made, "throw"):
                    raise
                asked = (made.throw, error)
            else:
                asked = (next, made) if sent is None else (made.send, sent)
    finally:
        lease.end()
