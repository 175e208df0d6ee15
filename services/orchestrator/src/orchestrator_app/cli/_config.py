"""`orchestrator config`."""

from __future__ import annotations

from pathlib import Path

from orchestrator_app.cli._print import print_json, print_table
from orchestrator_app.cli._settings import load_settings

__all__ = ["run_config"]


def run_config(*, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Show every setting in force and its origin."""
    loaded = load_settings(config, data_dir=data)
    rows = loaded.explain()
    if as_json:
        print_json(
            {
                "digest": loaded.digest,
                "settings": {row.path: {"value": row.shown, "origin": str(row.origin)} for row in rows},
            }
        )
        return
    print_table("Settings", ["setting", "value", "from"], [(row.path, row.shown, row.origin) for row in rows])
