# Says why an interpreter or its extension module does not fit, in the form of every other error, and ends with status 2.
# Run by `boot.py`, with its names; valid in every Python.
found = "Python %d.%d.%d at `%s`" % (sys.version_info[:3] + (sys.executable,))
code, hint = "M0702", "Set `python.venv` in the rack, or activate a virtual environment of CPython 3.10 or newer"
if sys.version_info < (3, 10):
    message = found + " is too old: 3.10 or newer is needed"
elif sys.implementation.name != "cpython":
    message = found + " is %s: CPython is needed" % sys.implementation.name
elif "t" in sys.abiflags:
    message = found + " is a free-threaded build, which is not supported"
else:
    code, hint = "M0703", "Install the command and its extension module together, from the same release"
    message = "The Python extension module `%s`" % EXTENSION
    if module is None:
        message += " cannot be loaded"
    else:
        message += " is of version %s, the command of version %s" % (module.__version__, VERSION)
causes = []
if failure is not None:
    causes = [{"class": type(failure).__name__, "message": str(failure), "notes": [], "traceback": None}]
words = sys.argv[4:]
if "--" in words:
    words = words[: words.index("--")]
if "--json" in words:
    import json

    error = {"code": code, "kind": "config", "message": message, "slot": None, "module": None, "generation": None}
    error.update({"phase": None, "place": None, "classes": [], "causes": causes, "traceback": None, "hint": hint})
    sys.stdout.write(json.dumps({"error": error, "errors": [error]}) + "\n")
else:
    sys.stderr.write("error[%s]: %s\n" % (code, message))
    for cause in causes:
        sys.stderr.write("  caused by: %s: %s\n" % (cause["class"], cause["message"]))
    sys.stderr.write("  hint: %s\n" % hint)
sys.exit(2)
