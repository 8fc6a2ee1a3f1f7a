"""Logger `held.handler` has the handler an object of `log_handler._Handler`"""

import logging


class _Handler(logging.Handler):
    def emit(self, record):
        pass


logging.getLogger("held.handler").addHandler(_Handler())


def version() -> int:
    return 1
