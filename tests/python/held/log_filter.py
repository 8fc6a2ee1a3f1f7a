"""Logger `root` has the filter `keep` (log_filter.py, line 6)"""

import logging


def keep(record):
    return True


logging.getLogger().addFilter(keep)


def version() -> int:
    return 1
