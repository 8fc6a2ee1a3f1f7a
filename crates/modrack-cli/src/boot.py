# Runs modrack inside an interpreter: `PYTHON -c <this> REFUSE EXTENSION VERSION ARG...`. Valid in every Python, imports
# nothing that is not there already, and is short, because it is compiled each time; REFUSE is run when it cannot go on.
import sys

REFUSE, EXTENSION, VERSION = sys.argv[1:4]
module = failure = None
if sys.version_info >= (3, 10) and sys.implementation.name == "cpython" and "t" not in sys.abiflags:
    import _frozen_importlib
    from _frozen_importlib_external import ExtensionFileLoader

    if sys.path and sys.path[0] == "":
        del sys.path[0]
    loader = ExtensionFileLoader("modrack_py", EXTENSION)
    try:
        module = _frozen_importlib._load(_frozen_importlib.ModuleSpec("modrack_py", loader, origin=EXTENSION))
    except ImportError as error:
        failure = error
if module is None or module.__version__ != VERSION:
    exec(REFUSE)
sys.argv = ["modrack"] + sys.argv[4:]
sys.exit(module.main(sys.argv[1:]))
