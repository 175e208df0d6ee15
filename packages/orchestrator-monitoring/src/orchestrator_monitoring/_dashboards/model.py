"""Dashboards as typed values, and the JSON that Grafana reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Json
from orchestrator_monitoring._dashboards.queries import check_query
from orchestrator_monitoring.metrics import Catalogue

__all__ = ["Dashboard", "DashboardRefused", "Limit", "Panel", "PanelKind", "Query", "Row", "Variable"]

PanelKind = Literal["timeseries", "stat", "gauge", "bargauge", "table", "heatmap"]

_SCHEMA_VERSION: Final = 39
_COLUMNS: Final = 24
_DATASOURCE: Final[dict[str, Json]] = {"type": "prometheus", "uid": "${datasource}"}
_uid = re.compile(r"[a-zA-Z0-9_-]{1,40}")
_variable = re.compile(r"[a-zA-Z_]\w{0,49}")
_duration = re.compile(r"[1-9]\d*[smhd]")


class DashboardRefused(ConfigurationError):
    """A dashboard cannot be shown, or one of its queries can have no answer."""

    default_code = "dashboard_refused"


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel; `legend` may hold labels as `{{route}}`."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """From `at` on the value has this colour."""

    at: float
    colour: Literal["green", "yellow", "orange", "red"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture.

    Attributes:
        unit: Grafana's name of the unit, for example `s`, `reqps`, `percentunit`, `short`.
        description: What it shows and what to do about it; shown behind the panel's (i).
        limits: Where it turns yellow or red.
        width: Of 24 columns.
        height: In rows of 30 pixels.
    """

    title: str
    queries: tuple[Query, ...]
    kind: PanelKind = "timeseries"
    unit: str = "short"
    description: str = ""
    limits: tuple[Limit, ...] = ()
    width: int = 8
    height: int = 8
    minimum: float | None = 0.0
    maximum: float | None = None
    stacked: bool = False

    def __post_init__(self) -> None:
        if not self.title.strip() or not self.queries:
            raise DashboardRefused("a panel needs a title and a query")
        if not 1 <= self.width <= _COLUMNS or not 2 <= self.height <= 40:
            raise DashboardRefused(f"panel {self.title!r}: a width from 1 to 24 and a height from 2 to 40")
        if list(self.limits) != sorted(self.limits, key=lambda limit: limit.at):
            raise DashboardRefused(f"panel {self.title!r}: limits rise")


@dataclass(frozen=True, slots=True)
class Row:
    """Panels below one heading, from left to right."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """Something to choose at the top: the values that a label of a metric has. Queries use it as `$name` in a text."""

    name: str
    metric: str
    label: str
    title: str = ""

    def __post_init__(self) -> None:
        if _variable.fullmatch(self.name) is None or self.name.startswith("__"):
            raise DashboardRefused(f"{self.name!r} is no name of a variable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A page of rows.

    Attributes:
        uid: Stable; part of its address.
        refresh: How often it is drawn anew, for example `30s`.
        since: How far back it shows at first, for example `6h`.
    """

    uid: str
    title: str
    rows: tuple[Row, ...]
    description: str = ""
    tags: tuple[str, ...] = ("orchestrator",)
    variables: tuple[Variable, ...] = ()
    refresh: str = "30s"
    since: str = "6h"
    links: tuple[tuple[str, str], ...] = field(default=())

    def __post_init__(self) -> None:
        if _uid.fullmatch(self.uid) is None:
            raise DashboardRefused(f"{self.uid!r} is no uid: up to 40 letters, digits, - and _")
        if not self.title.strip() or not any(row.panels for row in self.rows):
            raise DashboardRefused(f"dashboard {self.uid} needs a title and a panel")
        for name in ("refresh", "since"):
            if _duration.fullmatch(getattr(self, name)) is None:
                raise DashboardRefused(f"dashboard {self.uid}: {name} is a duration such as 30s or 6h")
        names = [variable.name for variable in self.variables]
        if len(names) != len(set(names)):
            raise DashboardRefused(f"dashboard {self.uid}: two variables have the same name")

    @property
    def panels(self) -> Iterator[Panel]:
        """All panels, row by row."""
        return (panel for row in self.rows for panel in row.panels)

    def check(self, catalogue: Catalogue) -> None:
        """Check that every query can have an answer.

        Raises:
            DashboardRefused: One cannot; names dashboard, panel and reason.
        """
        for variable in self.variables:
            with _named(f"{self.uid}, variable {variable.name}"):
                catalogue.require(variable.metric, variable.label)
        for panel in self.panels:
            for query in panel.queries:
                with _named(f"{self.uid}, panel {panel.title!r}"):
                    check_query(query.expr, catalogue, [variable.name for variable in self.variables])

    def json(self) -> dict[str, Json]:
        """The dashboard as Grafana reads it from a file; the same for the same dashboard."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": list(self.tags),
            "schemaVersion": _SCHEMA_VERSION,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "timezone": "browser",
            "refresh": self.refresh,
            "time": {"from": f"now-{self.since}", "to": "now"},
            "templating": {"list": [_datasource(), *map(_choice, self.variables)]},
            "annotations": {"list": []},
            "links": [
                {"type": "link", "title": title, "url": url, "keepTime": True, "includeVars": True}
                for title, url in self.links
            ],
            "panels": list(_placed(self.rows)),
        }


class _named:  # noqa: N801 - reads as what it does
    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ConfigurationError):
            raise DashboardRefused(f"{self._where}: {error.message}", details=error.details) from error


def _datasource() -> dict[str, Json]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0}


def _choice(variable: Variable) -> dict[str, Json]:
    query = f"label_values({variable.metric}, {variable.label})"
    return {
        "name": variable.name,
        "label": variable.title or variable.name,
        "type": "query",
        "datasource": _DATASOURCE,
        "query": {"query": query, "refId": variable.name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def _placed(rows: tuple[Row, ...]) -> Iterator[Json]:
    """Panels from left to right, a new line where the next one does not fit."""
    number = top = 0
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": top, "w": _COLUMNS, "h": 1},
        }
        top, left, tallest = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > _COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            number += 1
            yield _drawn(panel, number, {"x": left, "y": top, "w": panel.width, "h": panel.height})
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest


def _drawn(panel: Panel, number: int, place: dict[str, Json]) -> dict[str, Json]:
    instant = panel.kind in {"stat", "gauge", "bargauge", "table"}
    targets: list[Json] = [
        {
            "refId": _reference(at),
            "datasource": _DATASOURCE,
            "expr": query.expr,
            "legendFormat": query.legend or "__auto",
            "instant": panel.kind == "table",
            "range": panel.kind != "table",
            "format": {"table": "table", "heatmap": "heatmap"}.get(panel.kind, "time_series"),
        }
        for at, query in enumerate(panel.queries)
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "gridPos": place,
        "targets": targets,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
        if instant
        else _legend(),
    }


def _defaults(panel: Panel) -> dict[str, Json]:
    steps: list[Json] = [{"color": "green", "value": None}]
    steps += [{"color": limit.colour, "value": limit.at} for limit in panel.limits]
    defaults: dict[str, Json] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.minimum is not None:
        defaults["min"] = panel.minimum
    if panel.maximum is not None:
        defaults["max"] = panel.maximum
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "lineWidth": 1,
            "fillOpacity": 25 if panel.stacked else 8,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "line" if panel.limits else "off"},
        }
    return defaults


def _legend() -> dict[str, Json]:
    return {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["mean", "max", "lastNotNull"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _reference(at: int) -> str:
    return chr(ord("A") + at) if at < 26 else f"Q{at}"
