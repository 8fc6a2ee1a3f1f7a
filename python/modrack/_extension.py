"""The extension module, once in a process: the one the command has loaded already, else the package's own."""

import sys
from types import ModuleType

if "modrack_py" in sys.modules:
    modrack_py: ModuleType = sys.modules["modrack_py"]
else:
    from modrack import modrack_py as modrack_py
