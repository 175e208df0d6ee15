"""Metrics as data: what a metric is called, what it counts and in which unit, and which values its labels may have."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import ClassVar, Final, Literal

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring._metrics.label_bounds import LabelBound

__all__ = ["LATENCY_BUCKETS", "Across", "Counter", "Gauge", "Histogram", "Metric", "MetricKind"]

MetricKind = Literal["counter", "gauge", "histogram"]
Across = Literal["sum", "max", "min"]
"""How the gauges of several processes become one."""

LATENCY_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Seconds; the boundaries that OpenTelemetry's semantic conventions advise for `http.server.request.duration`."""

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LABEL: Final = re.compile(r"[a-z][a-z0-9_]*")
# What Prometheus makes itself, and what would say twice what the type says already.
_SUFFIXES: Final = ("_total", "_bucket", "_count", "_sum", "_created")
_TYPES: Final = frozenset({"counter", "gauge", "histogram", "summary"})
_RESERVED: Final = frozenset({"le", "quantile", "job", "instance"})


@dataclass(frozen=True, slots=True)
class Metric:
    """What all three kinds have: use `Counter`, `Gauge` or `Histogram`.

    Args:
        name: As it is scraped, the unit and a counter's `_total` included: `orchestrator_call_turn_seconds`.
        help: One sentence that says what is counted or measured.
        unit: The base unit that the name ends in (`seconds`, `bytes`, `ratio`); empty for a plain number.
        labels: Every label with the bound of its values, in the order in which they are given.

    Raises:
        ConfigurationError: A name or label that Prometheus's own linter (`promtool check metrics`) would refuse; says why.
    """

    kind: ClassVar[MetricKind]

    name: str
    help: str
    unit: str = field(default="", kw_only=True)
    labels: Mapping[str, LabelBound] = field(default_factory=dict[str, LabelBound], kw_only=True, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", MappingProxyType(dict(self.labels)))
        problem = self._problem()
        if problem is not None:
            raise ConfigurationError(f"metric {self.name!r}: {problem}", details={"metric": self.name})

    @property
    def samples(self) -> tuple[str, ...]:
        """The names under which its values are scraped."""
        return (self.name,)

    @property
    def family(self) -> str:
        """The name that OpenMetrics gives to all its samples together."""
        return self.name.removesuffix("_total") if self.kind == "counter" else self.name

    @property
    def most_series(self) -> int:
        """How many series there can be at most."""
        return math.prod(bound.most for bound in self.labels.values())

    def labels_of(self, sample: str) -> frozenset[str]:
        """The labels of one of its `samples`."""
        return frozenset({*self.labels, "le"} if sample == f"{self.name}_bucket" else self.labels)

    def _problem(self) -> str | None:
        """What is wrong with the declaration."""
        checks = (
            (bool(_NAME.fullmatch(self.name)), "a name is lower-case words joined by `_`"),
            (
                (self.family == self.name) is (self.kind != "counter"),
                "a counter's name ends in `_total`, and no other's",
            ),
            (not self.family.endswith(_SUFFIXES), f"the name must not end in any of {', '.join(_SUFFIXES)}"),
            (not _TYPES & set(self.family.split("_")), "the name must not say what the type says"),
            (not self.unit or self.family.endswith(f"_{self.unit}"), f"the name must end in its unit, _{self.unit}"),
            (bool(self.help.strip()), "say in `help` what it counts"),
            *((_is_label(label), f"{label!r} is no label's name, or Prometheus keeps it") for label in self.labels),
        )
        return next((problem for good, problem in checks if not good), None)


@dataclass(frozen=True, slots=True)
class Counter(Metric):
    """Something that only grows."""

    kind = "counter"


@dataclass(frozen=True, slots=True)
class Gauge(Metric):
    """Something that rises and falls.

    Args:
        across: How the values of several processes become one; only live processes count.
    """

    kind = "gauge"

    across: Across = field(default="sum", kw_only=True)


@dataclass(frozen=True, slots=True)
class Histogram(Metric):
    """How values are spread.

    Args:
        buckets: Upper bounds, rising, without +Inf, which is always there.
    """

    kind = "histogram"

    buckets: tuple[float, ...] = field(default=LATENCY_BUCKETS, kw_only=True)

    @property
    def samples(self) -> tuple[str, ...]:
        """The names under which its values are scraped."""
        return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")

    def le(self, bound: float) -> str:
        """The value of `le` with which a bucket is scraped.

        Raises:
            ConfigurationError: No bucket ends there, so nobody can tell what lies below.
        """
        if bound not in self.buckets and bound != math.inf:
            near = min(self.buckets, key=lambda each: abs(each - bound))
            raise ConfigurationError(
                f"{self.name} has no bucket that ends at {bound:g}; the nearest ends at {near:g}",
                details={"metric": self.name},
            )
        return "+Inf" if bound == math.inf else repr(float(bound))

    def _problem(self) -> str | None:
        if not self.buckets or any(low >= high for low, high in pairwise(self.buckets)):
            return "buckets must rise, and there must be one at least"
        if not all(map(math.isfinite, self.buckets)):
            return "buckets are finite; +Inf is added by itself"
        # A dataclass with slots is made twice, and super() without arguments knows the first one only.
        return super(Histogram, self)._problem()


def _is_label(name: str) -> bool:
    return _LABEL.fullmatch(name) is not None and name not in _RESERVED
