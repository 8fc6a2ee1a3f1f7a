"""Finds the generations of a rack in a child of the process that runs it: what pickles name is served from
the rack's content store."""


def _resume():
    import sys
    from _frozen_importlib import ModuleSpec, _load
    from _frozen_importlib_external import ExtensionFileLoader

    extension = sys.modules.get("modrack_py")
    if extension is None:
        spec = ModuleSpec("modrack_py", ExtensionFileLoader("modrack_py", "EXTENSION"), origin="EXTENSION")
        extension = _load(spec)
    extension._resume("FOLDER")


_resume()
