"""`orchestrator calls trace`: where to look for what happened in a call."""

from __future__ import annotations

from pathlib import Path

import typer

from orchestrator_app.cli._settings import load_settings
from orchestrator_app.composition.secrets import load_secrets
from orchestrator_app.composition.tracing import KEY
from orchestrator_monitoring.tracing import trace_of_call

__all__ = ["run_trace"]


def run_trace(call_id: str, *, config: Path | None, data: Path | None) -> None:
    """Print the id of the call's trace; it follows from the call's id and the root key, traced or not."""
    secrets = load_secrets(load_settings(config, data_dir=data).value)
    typer.echo(trace_of_call(call_id, key=secrets.derive(KEY)))
