"""Loading the settings for a command."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from orchestrator_app.settings import OLD_NAMES, PREFIX, AppSettings, default_file
from orchestrator_config import Environment, Loaded, Source, TomlFile, Values, load

__all__ = ["load_settings"]

# What Kubernetes sets in every pod next to a service named "orchestrator".
_KUBERNETES = ("ORCHESTRATOR_PORT", "ORCHESTRATOR_PORT_*", "ORCHESTRATOR_SERVICE_HOST", "ORCHESTRATOR_SERVICE_PORT*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


def load_settings(config: Path | None, **options: object) -> Loaded[AppSettings]:
    """Defaults, then the file, then the environment, then the command's own options (those that are not None).

    Old names are told on standard error. A tenant's `script` that the file names is found from the folder of the file.

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
    loaded = _scripts_beside(file, load(AppSettings, sources=sources, aliases=OLD_NAMES))
    for warning in loaded.warnings:
        sys.stderr.write(f"orchestrator: {warning}\n")
    return loaded


def _scripts_beside(file: Path, loaded: Loaded[AppSettings]) -> Loaded[AppSettings]:
    """What was loaded, with the scripts that the file names as seen from here."""
    found = {
        name: tenant.model_copy(update={"script": file.parent / tenant.script})
        for name, tenant in loaded.value.tenants.items()
        if tenant.script is not None and loaded.origin(f"tenants.{_key(name)}.script").kind == "file"
    }
    if not found:
        return loaded
    return replace(loaded, value=loaded.value.model_copy(update={"tenants": {**loaded.value.tenants, **found}}))


def _key(name: str) -> str:
    """A tenant's id as the paths of settings have it."""
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=not name.isprintable())
