# Runs modrack inside an interpreter: `PYTHON -c <this> EXTENSION VERSION ARG...`.
# Valid in every Python, so that one that does not fit can say so; imports nothing that is not there already.
import sys


def refuse(code, message, hint, cause=None):
    causes = cause and [{"class": type(cause).__name__, "message": str(cause), "notes": [], "traceback": None}] or []
    before = sys.argv[3:]
    if "--" in before:
        before = before[: before.index("--")]
    if "--json" in before:
        import json

        error = {"code": code, "kind": "config", "message": message, "slot": None, "module": None}
        error.update({"generation": None, "phase": None, "place": None, "classes": [], "causes": causes})
        error.update({"traceback": None, "hint": hint})
        sys.stdout.write(json.dumps({"error": error, "errors": [error]}) + "\n")
    else:
        sys.stderr.write("error[%s]: %s\n" % (code, message))
        for each in causes:
            sys.stderr.write("  caused by: %s: %s\n" % (each["class"], each["message"]))
        sys.stderr.write("  hint: %s\n" % hint)
    sys.exit(2)


def boot():
    extension, version = sys.argv[1:3]
    found = "%d.%d.%d" % sys.version_info[:3]
    choose = "Set `python.venv` in the rack, or activate a virtual environment of CPython 3.10 or newer"
    if sys.version_info < (3, 10):
        refuse("M0702", "Python %s at `%s` is too old: 3.10 or newer is needed" % (found, sys.executable), choose)
    if sys.implementation.name != "cpython":
        message = "`%s` is %s: CPython is needed" % (sys.executable, sys.implementation.name)
        refuse("M0702", message, choose)
    if "t" in sys.abiflags:
        message = "Python %s at `%s` is a free-threaded build, which is not supported" % (found, sys.executable)
        refuse("M0702", message, choose)
    if sys.path and sys.path[0] == "":
        del sys.path[0]
    import _frozen_importlib
    import _frozen_importlib_external

    loader = _frozen_importlib_external.ExtensionFileLoader("modrack_py", extension)
    spec = _frozen_importlib.ModuleSpec("modrack_py", loader, origin=extension)
    install = "Install the command and its extension module together, from the same release"
    try:
        module = _frozen_importlib._load(spec)
    except ImportError as error:
        refuse("M0703", "The Python extension module `%s` cannot be loaded" % extension, install, error)
    if module.__version__ != version:
        message = "The Python extension module `%s` is of version %s, the command of version %s"
        refuse("M0703", message % (extension, module.__version__, version), install)
    argv = sys.argv[3:]
    sys.argv = ["modrack"] + argv
    return module.main(argv)


sys.exit(boot())
