"""Service level objectives: budgets that are continuous figures, alerts that can fire, and two back ends with one result.

What the user types:

    slos = load_slos(Path("slos.toml"), catalogue=catalogue)          # or OpenSLO v1 in YAML, or default_slos()
    monitor = SloMonitor(slos, MemorySloStore(), read, clock=SystemClock(), process="a")
    await monitor.sample()                                            # every half minute, in every process
    for standing in await monitor.evaluate(): ...                     # budget, burn rates, alerts, forecast
    prometheus_rules(slos)                                            # the same as recording and alerting rules

An objective one of whose alerts could never fire is refused when it is made, with the reason. No traffic is no burn, and the report says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator_monitoring._slo.budgets import AT_RISK, FREEZE, Burn, SloReport, WindowBurn, judge
from orchestrator_monitoring._slo.durations import duration_text, seconds_of
from orchestrator_monitoring._slo.forecasts import Forecast, HourCounts, forecast
from orchestrator_monitoring._slo.indicators import Counts, LatencyIndicator, RatioIndicator, Reading
from orchestrator_monitoring._slo.loading import SloSet, default_slos, load_slos, require_declared
from orchestrator_monitoring._slo.maintenance import Maintenance
from orchestrator_monitoring._slo.monitor import (
    BURN_RATE,
    CONSUMED,
    ERROR_RATIO,
    EVENTS,
    OBJECTIVE,
    SLO_METRICS,
    SloMonitor,
    SloStanding,
)
from orchestrator_monitoring._slo.objectives import BurnRule, Slo, SloRefused, standard_rules
from orchestrator_monitoring._slo.prometheus import PrometheusClient, PrometheusCounts, PrometheusFailed, Series
from orchestrator_monitoring._slo.rule_tests import rule_test_files
from orchestrator_monitoring._slo.rules import prometheus_rules
from orchestrator_monitoring._slo.samples import SloSample
from orchestrator_monitoring._slo.selectors import Matcher, Selector
from orchestrator_monitoring._slo.store import CountsSource, MemorySloStore, SloStore

if TYPE_CHECKING:
    from orchestrator_monitoring._drivers.sql_slo import SqlSloStore

__all__ = [
    "AT_RISK",
    "BURN_RATE",
    "CONSUMED",
    "ERROR_RATIO",
    "EVENTS",
    "FREEZE",
    "OBJECTIVE",
    "SLO_METRICS",
    "Burn",
    "BurnRule",
    "Counts",
    "CountsSource",
    "Forecast",
    "HourCounts",
    "LatencyIndicator",
    "Maintenance",
    "Matcher",
    "MemorySloStore",
    "PrometheusClient",
    "PrometheusCounts",
    "PrometheusFailed",
    "RatioIndicator",
    "Reading",
    "Selector",
    "Series",
    "Slo",
    "SloMonitor",
    "SloRefused",
    "SloReport",
    "SloSample",
    "SloSet",
    "SloStanding",
    "SloStore",
    "SqlSloStore",
    "WindowBurn",
    "default_slos",
    "duration_text",
    "forecast",
    "judge",
    "load_slos",
    "prometheus_rules",
    "require_declared",
    "rule_test_files",
    "seconds_of",
    "standard_rules",
]


def __getattr__(name: str) -> object:
    if name != "SqlSloStore":
        raise AttributeError(name)
    from orchestrator_monitoring._drivers.sql_slo import SqlSloStore as Found  # noqa: PLC0415 - needs the extra [sql]

    return Found
