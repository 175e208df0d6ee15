"""Settings for any service: one frozen model from its defaults, TOML files, the environment and secret references.

`orchestrator_config.settings` has the API; everything in it can be imported from here. The names are loaded at first use, because
pydantic's models cost more to import than all the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator_config.settings import (
        Environment,
        ExplainedSetting,
        Loaded,
        Origin,
        Settings,
        SettingsError,
        SettingsProblem,
        SettingsWarning,
        Source,
        TomlFile,
        Values,
        load,
        load_async,
        redacted,
    )

__all__ = [
    "Environment",
    "ExplainedSetting",
    "Loaded",
    "Origin",
    "Settings",
    "SettingsError",
    "SettingsProblem",
    "SettingsWarning",
    "Source",
    "TomlFile",
    "Values",
    "load",
    "load_async",
    "redacted",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from orchestrator_config import settings  # noqa: PLC0415 - see above

    return getattr(settings, name)


def __dir__() -> list[str]:
    return sorted(__all__)
