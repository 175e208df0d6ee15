"""Dashboards from TOML, and the files that Grafana is provisioned with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast, get_args

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring._dashboards.model import (
    Dashboard,
    DashboardRefused,
    Limit,
    Panel,
    PanelKind,
    Query,
    Row,
    Variable,
)
from orchestrator_monitoring._dashboards.queries import check_query
from orchestrator_monitoring._slo.documents import Fields, toml_document

if TYPE_CHECKING:
    from orchestrator_monitoring.metrics import Catalogue

__all__ = ["export_dashboards", "load_dashboard"]

FOLDER: Final = "Orchestrator"
_PROVIDER: Final = """\
apiVersion: 1
providers:
  - name: orchestrator
    folder: {folder}
    type: file
    disableDeletion: false
    updateIntervalSeconds: 30
    options:
      path: {path}
"""
_SOURCE: Final = """\
apiVersion: 1
datasources:
  - name: Prometheus
    type: prometheus
    access: proxy
    url: {url}
    isDefault: true
    jsonData:
      httpMethod: POST
"""
_COLOURS: Final = ("green", "yellow", "orange", "red")


def load_dashboard(file: Path, catalogue: Catalogue) -> Dashboard:
    """Read a dashboard and check its queries.

    Raises:
        DashboardRefused: The file cannot be read, or something in it cannot be shown; says file, line and reason.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise DashboardRefused(f"{file}: cannot be read: {reason}") from None
    root = toml_document(text, str(file), DashboardRefused).root()
    variables = tuple(_variable(each, catalogue) for each in root.tables("variable"))
    names = [variable.name for variable in variables]
    rows = tuple(_row(each, catalogue, names) for each in root.tables("row"))
    values = {
        "uid": root.text("uid"),
        "title": root.text("title"),
        "description": root.text("description", ""),
        "tags": root.texts("tags", ("orchestrator",)),
        "refresh": root.text("refresh", "30s"),
        "since": root.text("since", "6h"),
    }
    root.end("a dashboard")
    try:
        return Dashboard(rows=rows, variables=variables, **values)  # type: ignore[arg-type]  # each as Fields gave it
    except DashboardRefused as error:
        root.refuse(error.message)


def _variable(fields: Fields, catalogue: Catalogue) -> Variable:
    try:
        variable = Variable(fields.text("name"), fields.text("metric"), fields.text("label"), fields.text("title", ""))
        fields.end("a variable")
        catalogue.require(variable.metric, variable.label)
    except ConfigurationError as error:
        if "line" in error.details:
            raise
        fields.refuse(error.message)
    return variable


def _row(fields: Fields, catalogue: Catalogue, variables: list[str]) -> Row:
    row = Row(fields.text("title"), tuple(_panel(each, catalogue, variables) for each in fields.tables("panel")))
    fields.end("a row")
    return row


def _panel(fields: Fields, catalogue: Catalogue, variables: list[str]) -> Panel:
    queries = tuple(_query(each, catalogue, variables) for each in fields.tables("query"))
    limits = tuple(_limit(each) for each in fields.tables("limit"))
    kind = fields.choice("kind", get_args(PanelKind), "timeseries")
    try:
        panel = Panel(
            title=fields.text("title"),
            queries=queries,
            kind=cast("PanelKind", kind),
            unit=fields.text("unit", "short"),
            description=fields.text("description", ""),
            limits=limits,
            width=fields.whole("width", 8),
            height=fields.whole("height", 8),
            minimum=fields.number("minimum") if "minimum" in fields else None,
            maximum=fields.number("maximum") if "maximum" in fields else None,
            stacked=fields.flag("stacked", default=False),
        )
    except DashboardRefused as error:
        if "line" in error.details:
            raise
        fields.refuse(error.message)
    fields.end("a panel")
    return panel


def _query(fields: Fields, catalogue: Catalogue, variables: list[str]) -> Query:
    query = Query(fields.text("expr"), fields.text("legend", ""))
    fields.end("a query")
    try:
        check_query(query.expr, catalogue, variables)
    except ConfigurationError as error:
        fields.refuse(error.message, "expr")
    return query


def _limit(fields: Fields) -> Limit:
    limit = Limit(fields.number("at"), fields.choice("colour", _COLOURS))  # type: ignore[arg-type]  # one of them
    fields.end("a limit")
    return limit


def export_dashboards(
    dashboards: Iterable[Dashboard],
    folder: Path,
    *,
    prometheus_url: str = "http://prometheus:9090",
    grafana_folder: str = "/var/lib/grafana/dashboards",
) -> list[Path]:
    """Write what Grafana is provisioned with; returns the files.

    `dashboards/*.json` go to `grafana_folder` on Grafana's machine, `provisioning/` to its provisioning folder.

    Args:
        dashboards: Checked ones.
        folder: Made if it is not there; files of the same names are replaced.
        prometheus_url: Where Grafana finds Prometheus.
        grafana_folder: Where Grafana finds the dashboards.

    Raises:
        DashboardRefused: Two dashboards have the same uid.
    """
    written: list[Path] = []
    for path, content in _files(dashboards, prometheus_url, grafana_folder):
        target = folder / path
        if target in written:
            raise DashboardRefused(f"two dashboards have the uid {target.stem}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
        written.append(target)
    return written


def _files(dashboards: Iterable[Dashboard], prometheus_url: str, grafana_folder: str) -> Iterator[tuple[str, str]]:
    for dashboard in dashboards:
        yield f"dashboards/{dashboard.uid}.json", json.dumps(dashboard.json(), indent=2, ensure_ascii=False) + "\n"
    # JSON is YAML, and quoting is the same everywhere.
    url, path = json.dumps(prometheus_url), json.dumps(grafana_folder)
    yield (
        "provisioning/dashboards/orchestrator.yaml",
        _PROVIDER.format(folder=FOLDER, path=path),
    )
    yield (
        "provisioning/datasources/orchestrator.yaml",
        _SOURCE.format(url=url),
    )
