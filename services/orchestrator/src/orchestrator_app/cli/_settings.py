"""Loading the settings for a command."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from orchestrator_app.settings import OLD_NAMES, PREFIX, AppSettings, default_file
from orchestrator_config import Environment, Loaded, Source, TomlFile, Values, load

__all__ = ["load_settings"]

# What Kubernetes sets in every pod next to a service named "orchestrator".
_KUBERNETES = ("ORCHESTRATOR_PORT", "ORCHESTRATOR_PORT_*", "ORCHESTRATOR_SERVICE_HOST", "ORCHESTRATOR_SERVICE_PORT*")


def load_settings(config: Path | None, **options: object) -> Loaded[AppSettings]:
    """Defaults, then the file, then the environment, then the command's own options (those that are not None).

    Old names are told on standard error.

    Raises:
        SettingsError: Names every wrong setting and the nearest known one.
    """
    file, required = (config, True) if config is not None else default_file()
    given: dict[str, object] = {}
    for path, value in options.items():
        if value is None:
            continue
        group, _, name = path.rpartition("__")
        target = given.setdefault(group, {}) if group else given
        if isinstance(target, dict):
            target[name] = value
    sources: list[Source] = [
        TomlFile(file, required=required),
        Environment(os.environ, prefix=PREFIX, ignore={PREFIX + "CONFIG", *_KUBERNETES}),
        Values(given, name="command line"),
    ]
    loaded = load(AppSettings, sources=sources, aliases=OLD_NAMES)
    for warning in loaded.warnings:
        sys.stderr.write(f"orchestrator: {warning}\n")
    return loaded
