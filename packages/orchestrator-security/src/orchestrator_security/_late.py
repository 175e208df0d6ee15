"""Names that are loaded with their first use, because they cost an import or need an extra."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["load"]


def load(name: str, modules: Mapping[str, str], extras: Mapping[str, str]) -> object:
    """The attribute `name` of the module that `modules` names for it; `extras` says which extra a third-party module comes with.

    Raises:
        AttributeError: There is no such name.
        ConfigurationError: The extra is not installed; says which.
    """
    if name not in modules:
        raise AttributeError(name)
    try:
        return getattr(import_module(modules[name]), name)
    except ModuleNotFoundError as error:
        extra = extras.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        raise ConfigurationError(f"{name} needs the extra: install orchestrator-security[{extra}]") from error
