"""pybreaker, loaded without redis.

Importing pybreaker imports redis and tornado when they are installed, for storages and coroutines that are not used here, and that costs
a service more than the whole of this package. A pybreaker that somebody has imported already is used as it is. Otherwise this module
executes the installed file under a name of its own, with an `import` that does not find those two: nothing outside this copy
sees a difference, and a later `import pybreaker` elsewhere gets the complete one.
"""

from __future__ import annotations

import builtins
import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

_UNUSED = frozenset({"redis", "tornado"})


def _import(name: str, *context: Any) -> ModuleType:
    if name.partition(".")[0] in _UNUSED:
        raise ImportError(f"{name} is not loaded for pybreaker here")
    return __import__(name, *context)


def _load() -> ModuleType:
    loaded = sys.modules.get("pybreaker")
    if loaded is not None:
        return loaded
    spec = importlib.util.find_spec("pybreaker")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("No module named 'pybreaker'", name="pybreaker")
    module = importlib.util.module_from_spec(spec)
    # An import statement asks its own module's builtins for `__import__`; the interpreter's stay as they are.
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
    spec.loader.exec_module(module)
    return module


if TYPE_CHECKING:
    import pybreaker
else:
    pybreaker = _load()

__all__ = ["pybreaker"]
