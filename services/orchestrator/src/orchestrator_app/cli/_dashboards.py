"""`orchestrator dashboards`: what Grafana is provisioned with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from orchestrator_app.composition.metrics import CATALOGUE
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring.dashboard_config import export_dashboards, load_dashboard, standard_dashboards

__all__ = ["run_export"]


def run_export(folder: Path, *, more: Sequence[Path], prometheus_url: str, grafana_folder: str) -> None:
    """Write the dashboards that come with the service, and those of the files."""
    boards = [*standard_dashboards(), *(load_dashboard(file, CATALOGUE) for file in more)]
    for board in boards:
        board.check(CATALOGUE)
    try:
        written = export_dashboards(boards, folder, prometheus_url=prometheus_url, grafana_folder=grafana_folder)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be written: {error.strerror}") from error
    for file in written:
        typer.echo(str(file))
