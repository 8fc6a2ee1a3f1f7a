"""Loggers of a generation's modules keep the names that the modules would have without one."""


def install(logging):
    manager = logging.Manager
    get = manager.getLogger

    def getLogger(self, name):
        if isinstance(name, str) and name.startswith("_modrack."):
            parts = name.split(".", 3)
            if len(parts) == 4:
                name = parts[3]
        return get(self, name)

    getLogger.__doc__ = get.__doc__
    manager.getLogger = getLogger
