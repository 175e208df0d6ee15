"""Rules, routes, receivers and promises from a TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.models import Severity
from orchestrator_monitoring._alerting.routing import AlertingRefused, Escalation, Inhibition, Route, Routing
from orchestrator_monitoring._alerting.rules import AlertRule, Check, EventsCheck, GaugeCheck, RatioCheck
from orchestrator_monitoring._alerting.specs import ReceiverSpec, default_routing
from orchestrator_monitoring._slo.documents import Document, Fields, toml_document
from orchestrator_monitoring._slo.indicators import LatencyIndicator, RatioIndicator
from orchestrator_monitoring._slo.loading import require_buckets
from orchestrator_monitoring._slo.selectors import Matcher, Selector

if TYPE_CHECKING:
    from orchestrator_monitoring._metrics.catalogue import Catalogue

__all__ = ["AlertingConfig", "SlaTarget", "default_alerting", "load_alerting"]

_SEVERITIES = tuple(each.value for each in Severity)


@dataclass(frozen=True, slots=True)
class SlaTarget:
    """What is promised to customers about an objective.

    Attributes:
        name: Tells it from others.
        slo: The objective that is measured.
        objective: The good share, between 0 and 1.
    """

    name: str
    slo: str
    objective: float


@dataclass(frozen=True, slots=True)
class AlertingConfig:
    """All of it.

    Attributes:
        rules: When somebody is told, besides the objectives.
        routing: Who.
        receivers: How.
        slas: Promises.
    """

    rules: tuple[AlertRule, ...]
    routing: Routing
    receivers: tuple[ReceiverSpec, ...] = ()
    slas: tuple[SlaTarget, ...] = ()

    def with_receivers(self, *more: ReceiverSpec, heartbeats: tuple[str, ...] = ()) -> AlertingConfig:
        """The same with further receivers, routed as usual; only without routes of one's own."""
        specs, known = (*self.receivers, *more), self.routing
        beats = (*known.heartbeats, *heartbeats)
        routing = default_routing(
            specs, inhibitions=known.inhibitions, heartbeats=beats, heartbeat_every=known.heartbeat_every
        )
        return replace(self, receivers=specs, routing=routing)


def default_alerting(catalogue: Catalogue | None = None) -> AlertingConfig:
    """The rules and promises that come with the package, told to the log.

    Raises:
        AlertingRefused: The catalogue lacks a metric that they watch.
    """
    text = (Path(__file__).parent.parent / "data" / "alerts.toml").read_text(encoding="utf-8")
    return _read(toml_document(text, "alerts.toml", AlertingRefused), catalogue, {})


def load_alerting(
    file: Path, *, catalogue: Catalogue | None = None, environment: Mapping[str, str] | None = None
) -> AlertingConfig:
    """Read rules, routes, receivers and promises.

    Args:
        file: TOML.
        catalogue: All declared metrics; when given, a rule over one that nobody declares is refused.
        environment: Where `url_env` and its like look.

    Raises:
        AlertingRefused: The file cannot be read, or something in it cannot be used; says file, line and reason.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise AlertingRefused(f"{file}: cannot be read: {reason}") from None
    return _read(toml_document(text, str(file), AlertingRefused), catalogue, environment or {})


def _read(document: Document, catalogue: Catalogue | None, environment: Mapping[str, str]) -> AlertingConfig:
    from orchestrator_monitoring._alerting.receiver_loading import read_receiver  # noqa: PLC0415 - mail costs an import

    root = document.root()
    rules: list[AlertRule] = []
    for fields in root.tables("rule"):
        rule = _rule(fields, catalogue)
        if any(each.name == rule.name for each in rules):
            fields.refuse(f"two rules are called {rule.name}", "name")
        rules.append(rule)
    receivers: list[ReceiverSpec] = []
    for fields in root.tables("receiver"):
        spec = read_receiver(fields, environment)
        if any(each.name == spec.name for each in receivers) or spec.name == "log":
            fields.refuse(f"two receivers are called {spec.name}", "name")
        receivers.append(spec)
    slas = tuple(_sla(fields) for fields in root.tables("sla"))
    routing = _routing(root, receivers)
    root.end("the file")
    return AlertingConfig(tuple(rules), routing, tuple(receivers), slas)


def _rule(fields: Fields, catalogue: Catalogue | None) -> AlertRule:
    name, check = fields.text("name"), _check(fields)
    severity = Severity(fields.choice("severity", _SEVERITIES))
    hold = fields.seconds("for", 0)
    try:
        rule = AlertRule(
            name=name,
            check=check,
            severity=severity,
            hold=hold,
            labels=fields.mapping("labels"),
            summary=fields.text("summary", ""),
            description=fields.text("description", ""),
            runbook=fields.text("runbook", ""),
        )
        if catalogue is not None:
            _require_declared(rule, catalogue)
    except ConfigurationError as error:
        if "line" in error.details:
            raise
        fields.refuse(error.message if error.message.startswith(name) else f"{name}: {error.message}")
    fields.end("a rule")
    return rule


def _check(fields: Fields) -> Check:
    ways = [each for each in ("bad", "good", "latency", "events", "gauge") if each in fields]
    if len(ways) != 1:
        fields.refuse(
            "say what is watched: total with bad or good, latency with within, events, or gauge",
            ways[1] if ways else None,
        )
    way = ways[0]
    if way == "gauge":
        return _gauge(fields)
    window, above = fields.seconds("window"), fields.number("above")
    if way == "events":
        return EventsCheck(fields.parsed("events", Selector.parse), window, above)
    least = fields.whole("min_events", 1)
    if way == "latency":
        indicator = LatencyIndicator(fields.parsed("latency", Selector.parse), fields.short_time("within"))
        return RatioCheck(indicator, window, above, least)
    total, part = fields.parsed("total", Selector.parse), fields.parsed(way, Selector.parse)
    return RatioCheck(RatioIndicator(total, part, good=way == "good"), window, above, least)


def _gauge(fields: Fields) -> GaugeCheck:
    directions = [each for each in ("above", "below") if each in fields]
    if len(directions) != 1:
        fields.refuse("a gauge needs either above or below")
    direction = cast("Literal['above', 'below']", directions[0])
    combine = cast("Literal['sum', 'max', 'min']", fields.choice("combine", ("sum", "max", "min"), "sum"))
    return GaugeCheck(fields.parsed("gauge", Selector.parse), fields.number(direction), direction, combine)


def _require_declared(rule: AlertRule, catalogue: Catalogue) -> None:
    if isinstance(rule.check, GaugeCheck):
        catalogue.require(rule.check.selector.metric, *rule.check.selector.labels)
    else:
        require_buckets(rule.check.indicator, catalogue)


def _sla(fields: Fields) -> SlaTarget:
    objective = fields.number("objective")
    if not 0 < objective < 100:
        fields.refuse("objective must lie between 0 and 100 %", "objective")
    sla = SlaTarget(fields.text("name"), fields.text("slo"), round(objective / 100, 12))
    fields.end("a promise")
    return sla


def _routing(root: Fields, receivers: list[ReceiverSpec]) -> Routing:
    names = {"log", *(each.name for each in receivers)}
    inhibitions = tuple(_inhibition(fields) for fields in root.tables("inhibit"))
    beat = root.table("heartbeat")
    heartbeats, every = ((), 60.0) if beat is None else (beat.texts("receivers"), float(beat.seconds("every", 60)))
    if beat is not None:
        _known(beat, "receivers", heartbeats, names)
        beat.end("the heartbeat")
    routes = tuple(_route(fields, names) for fields in root.tables("route"))
    try:
        if not routes:
            return default_routing(receivers, inhibitions=inhibitions, heartbeats=heartbeats, heartbeat_every=every)
        return Routing(routes, inhibitions, heartbeats, every)
    except AlertingRefused as error:
        root.document.refuse(("route", len(routes) - 1) if routes else ("heartbeat",), error.message)


def _route(fields: Fields, names: set[str]) -> Route:
    receivers, steps = fields.texts("receivers"), list[Escalation]()
    _known(fields, "receivers", receivers, names)
    for each in fields.tables("escalate"):
        later = each.texts("receivers")
        _known(each, "receivers", later, names)
        steps.append(Escalation(float(each.seconds("after")), later))
        each.end("an escalation step")
    try:
        route = Route(
            name=fields.text("name"),
            receivers=receivers,
            matchers=_matchers(fields, "match") if "match" in fields else (),
            group_by=fields.texts("group_by", ("alertname",)),
            group_wait=fields.seconds("group_wait", 30),
            group_interval=fields.seconds("group_interval", 300),
            repeat_interval=fields.seconds("repeat_interval", 14_400),
            escalation=tuple(steps),
            goes_on=fields.flag("continue", default=False),
        )
    except AlertingRefused as error:
        fields.retell(error)
    fields.end("a route")
    return route


def _known(fields: Fields, member: str, named: tuple[str, ...], names: set[str]) -> None:
    for each in named:
        if each not in names:
            fields.refuse(f"no receiver is called {each}; there is {', '.join(sorted(names))}", member)


def _inhibition(fields: Fields) -> Inhibition:
    rule = Inhibition(_matchers(fields, "source"), _matchers(fields, "target"), fields.texts("equal"))
    fields.end("an inhibition")
    return rule


def _matchers(fields: Fields, name: str) -> tuple[Matcher, ...]:
    """Matchers in braces, as Prometheus writes them; the braces may be left out."""
    found = fields.parsed(
        name, lambda text: Selector.parse("alert{" + text.strip().removeprefix("{").removesuffix("}") + "}")
    )
    if not found.matchers:
        fields.refuse(f"{name} needs at least one matcher", name)
    return found.matchers
