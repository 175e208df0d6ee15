"""Objectives and planned maintenance from files: the short TOML form, and OpenSLO v1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring._slo.documents import Document, Fields, toml_document, yaml_documents
from orchestrator_monitoring._slo.examples import example_series
from orchestrator_monitoring._slo.indicators import Indicator, LatencyIndicator, RatioIndicator
from orchestrator_monitoring._slo.maintenance import Maintenance
from orchestrator_monitoring._slo.objectives import DAY, BurnRule, Severity, Slo, SloRefused, standard_rules
from orchestrator_monitoring._slo.selectors import Selector

if TYPE_CHECKING:
    from orchestrator_monitoring._metrics.catalogue import Catalogue

__all__ = ["SloSet", "default_slos", "load_slos", "require_buckets", "require_declared"]


@dataclass(frozen=True, slots=True)
class SloSet:
    """The objectives of a service, and when nothing counts.

    Raises:
        SloRefused: Two objectives share a name, or a maintenance names none of them.
    """

    slos: tuple[Slo, ...]
    maintenance: tuple[Maintenance, ...] = ()

    def __post_init__(self) -> None:
        names = [each.name for each in self.slos]
        for name in names:
            if names.count(name) > 1:
                raise SloRefused(f"two objectives are called {name}")
        for window in self.maintenance:
            for name in window.slos:
                if name not in names:
                    raise SloRefused(f"a maintenance is for {name}, which is no objective")

    def find(self, name: str) -> Slo | None:
        """An objective by its name."""
        return next((each for each in self.slos if each.name == name), None)

    def __add__(self, other: SloSet) -> SloSet:
        return SloSet((*self.slos, *other.slos), (*self.maintenance, *other.maintenance))


def load_slos(*files: Path, catalogue: Catalogue | None = None) -> SloSet:
    """Read objectives: `.toml` in the short form, `.yaml` and `.yml` as OpenSLO v1. References are resolved over all files.

    Args:
        files: In their order.
        catalogue: All declared metrics; when given, an objective over a metric, label or bucket that nobody declares is refused.

    Raises:
        SloRefused: A file cannot be read, or something in it cannot be used; says file, line and reason.
    """
    slos: list[Slo] = []
    windows: list[Maintenance] = []
    documents: list[Document] = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no UTF-8"
            raise SloRefused(f"{file}: cannot be read: {reason}") from None
        if file.suffix == ".toml":
            found = _short_form(toml_document(text, str(file), SloRefused), catalogue)
            slos += found.slos
            windows += found.maintenance
        elif file.suffix in {".yaml", ".yml"}:
            documents += yaml_documents(text, str(file), SloRefused)
        else:
            raise SloRefused(f"{file}: objectives are read from .toml, .yaml and .yml")
    if documents:
        from orchestrator_monitoring._slo.openslo import read_openslo  # noqa: PLC0415 - only for YAML

        slos += read_openslo(documents, catalogue)
    return SloSet(tuple(slos), tuple(windows))


def default_slos(catalogue: Catalogue | None = None) -> SloSet:
    """The nine objectives that come with the package.

    Raises:
        SloRefused: The catalogue lacks a metric that they count.
    """
    text = (Path(__file__).parent.parent / "data" / "slos.toml").read_text(encoding="utf-8")
    return _short_form(toml_document(text, "slos.toml", SloRefused), catalogue)


def require_declared(slo: Slo, catalogue: Catalogue) -> None:
    """Check that somebody exports what an objective counts.

    Raises:
        ConfigurationError: A metric, a label or a bucket is not declared; says which and what comes nearest.
    """
    require_buckets(slo.indicator, catalogue)


def require_buckets(indicator: Indicator, catalogue: Catalogue) -> None:
    """Check that the metrics, labels and buckets of an indicator are declared.

    Raises:
        ConfigurationError: One is not; says which and what comes nearest.
    """
    ratio = indicator.ratio
    for selector in (ratio.total, ratio.part):
        catalogue.require(selector.metric, *selector.labels)
    for matcher in ratio.part.matchers:
        buckets: tuple[float, ...] = getattr(catalogue.require(ratio.part.metric), "buckets", ())
        if (
            matcher.label == "le"
            and matcher.operator == "="
            and not any(matcher.accepts(f"{each}") for each in buckets)
        ):
            known = ", ".join(f"{each:g}" for each in buckets)
            raise SloRefused(f"{matcher.value} is no bucket of {ratio.part.metric}; there is {known}")


def made(fields: Fields, catalogue: Catalogue | None, **values: object) -> Slo:
    """An objective of these values; what is refused is told with the table's line."""
    try:
        slo = Slo(**values)  # type: ignore[arg-type]  # the callers give what the constructor names
        # Nothing could ever count, or everything always would.
        example_series(slo.indicator.ratio)
        if catalogue is not None:
            require_declared(slo, catalogue)
    except ConfigurationError as error:
        name = str(values["name"])
        fields.refuse(error.message if error.message.startswith(name) else f"{name}: {error.message}")
    return slo


def _short_form(document: Document, catalogue: Catalogue | None) -> SloSet:
    root = document.root()
    slos: list[Slo] = []
    for fields in root.tables("slo"):
        slo = _slo(fields, catalogue)
        if any(each.name == slo.name for each in slos):
            fields.refuse(f"two objectives are called {slo.name}", "name")
        slos.append(slo)
    windows = tuple(_maintenance(each, {slo.name for slo in slos}) for each in root.tables("maintenance"))
    root.end("the file")
    return SloSet(tuple(slos), windows)


def _slo(fields: Fields, catalogue: Catalogue | None) -> Slo:
    name, objective = fields.text("name"), fields.number("objective")
    window, given = fields.seconds("window", 30 * DAY), list(fields.tables("alert"))
    policy = fields.choice("policy", ("standard", "reachable"), "standard")
    if given and "policy" in fields:
        fields.refuse("write either policy or alerts of your own", "policy")
    values: dict[str, object] = {
        "name": name,
        "indicator": _indicator(fields),
        # 99.9 / 100 is not 0.999 in binary.
        "objective": round(objective / 100, 12),
        "window": window,
        "rules": _rules(given, window, round(objective / 100, 12), policy),
        "min_events": fields.whole("min_events", 1),
        "description": fields.text("description", ""),
        "runbook": fields.text("runbook", ""),
    }
    fields.end("an objective")
    return made(fields, catalogue, **values)


def _indicator(fields: Fields) -> Indicator:
    ways = [each for each in ("bad", "good", "latency") if each in fields]
    if len(ways) != 1:
        fields.refuse(
            "say what counts: total with either bad or good, or latency with within", ways[1] if ways else None
        )
    if "latency" in fields:
        within = fields.short_time("within")
        return LatencyIndicator(fields.parsed("latency", Selector.parse), within)
    way = ways[0]
    return RatioIndicator(
        fields.parsed("total", Selector.parse), fields.parsed(way, Selector.parse), good=way == "good"
    )


def _rules(given: Sequence[Fields], window: int, objective: float, policy: str) -> tuple[BurnRule, ...]:
    if not given:
        return standard_rules(window, objective=objective if policy == "reachable" else None)
    rules: list[BurnRule] = []
    for each in given:
        long = each.seconds("long")
        severity = cast("Severity", each.choice("severity", ("page", "ticket")))
        short = each.seconds("short", max(60, long // 12))
        rules.append(BurnRule(factor=each.number("burn"), long=long, short=short, severity=severity))
        each.end("an alert")
    return tuple(rules)


def _maintenance(fields: Fields, names: Iterable[str]) -> Maintenance:
    starts, ends = _instant(fields, "starts"), _instant(fields, "ends")
    slos = fields.texts("slos")
    for name in slos:
        if name not in names:
            fields.refuse(f"a maintenance is for {name}, which is no objective of this file", "slos")
    reason = fields.text("reason", "")
    fields.end("a maintenance")
    try:
        return Maintenance(starts, ends, frozenset(slos), reason)
    except SloRefused as error:
        fields.refuse(error.message)


def _instant(fields: Fields, name: str) -> float:
    value = fields.raw(name)
    if not isinstance(value, datetime) or value.tzinfo is None:
        fields.refuse(f"{name} must be an instant with its offset, such as 2030-01-31T22:00:00Z", name)
    return value.timestamp()
