"""What a measurement found, as an aligned table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from orchestrator_performance.benchmarking import _text as text
from orchestrator_performance.benchmarking._gates import Gate, Verdict, passed
from orchestrator_performance.benchmarking._histogram import LatencyHistogram
from orchestrator_performance.benchmarking._statistics import Estimate
from orchestrator_performance.benchmarking.resources import ResourceUse

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
Json: TypeAlias = dict[str, JsonValue]
Role: TypeAlias = Literal["baseline", "control", "contender"]

PERCENTILES = (50.0, 90.0, 99.0, 99.9)


@dataclass(frozen=True, slots=True)
class Row:
    """One contender of a comparison.

    Attributes:
        name: The contender's.
        role: `baseline`, `control` (the baseline again) or `contender`.
        median: The median time of one operation, in seconds.
        ratio: The median of the paired ratios to the baseline, with its interval.
        calls: Calls per sample.
        gate: The limit, if it has one.
        verdict: What became of the gate; None without one.
        change: Whether a contender is `faster` or `slower` than the baseline beyond the noise; None if that cannot be told.
    """

    name: str
    role: Role
    median: float
    ratio: Estimate
    calls: int
    gate: Gate | None = None
    verdict: Verdict | None = None
    change: Literal["faster", "slower"] | None = None

    def as_json(self) -> Json:
        """The row with plain values; times in seconds."""
        return {
            "name": self.name,
            "role": self.role,
            "median": self.median,
            "ratio": self.ratio.median,
            "interval": [self.ratio.low, self.ratio.high],
            "calls": self.calls,
            "gate": self.gate.as_json() if self.gate else None,
            "verdict": self.verdict,
            "change": self.change,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """A finished comparison.

    Attributes:
        name: What was measured.
        clock: `cpu`, `cpu+children`, `wall`, or `own` for a function.
        rows: The baseline, its A/A control, then the contenders as they were given.
        rounds: How many were taken.
        took: Seconds, for all rounds.
        confidence: Of the intervals.
    """

    name: str
    clock: str
    rows: tuple[Row, ...]
    rounds: int
    took: float
    confidence: float

    @property
    def passed(self) -> bool | None:
        """False if a gate failed; None if none failed and one is void; otherwise true, also without any gate."""
        return passed([row.verdict for row in self.rows if row.verdict])

    @property
    def control(self) -> Row:
        """The baseline against itself: how much of a ratio is noise."""
        return self.rows[1]

    def row(self, name: str) -> Row:
        """The row of this contender.

        Raises:
            KeyError: There is none.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def table(self) -> str:
        """The report as plain text, without a newline at the end."""
        lines = [["", "time", "ratio", f"{self.confidence * 100:g} % interval", "gate", "verdict"]]
        for row in self.rows:
            interval = f"{text.ratio(row.ratio.low)} .. {text.ratio(row.ratio.high)}"
            lines.append(
                [
                    row.name,
                    text.duration(row.median),
                    text.ratio(row.ratio.median),
                    "baseline" if row.role == "baseline" else interval,
                    str(row.gate) if row.gate else "",
                    row.verdict or {"baseline": "", "control": "A/A control"}.get(row.role, row.change or "no change"),
                ]
            )
        title = f"{self.name}  [{self.clock} time, {self.rounds} rounds, {self.took:.1f} s]"
        return "\n".join([title, *text.aligned(lines, right=frozenset({1, 2}))])

    def markdown(self) -> str:
        """The ratios as a table for a README."""
        lines = [[self.name, "ratio", f"{self.confidence * 100:g} % interval", "gate", "verdict"]]
        for row in self.rows:
            if row.role != "control":
                interval = f"{text.ratio(row.ratio.low)} .. {text.ratio(row.ratio.high)}"
                shown = ["1", "baseline"] if row.role == "baseline" else [text.ratio(row.ratio.median), interval]
                gate = str(row.gate) if row.gate else ""
                lines.append([row.name, *shown, gate, row.verdict or row.change or ""])
        return text.markdown(lines)

    def as_json(self) -> Json:
        """The report for `json.dumps`; `kind` is `comparison`, times are in seconds."""
        return {
            "kind": "comparison",
            "name": self.name,
            "clock": self.clock,
            "rounds": self.rounds,
            "took": self.took,
            "confidence": self.confidence,
            "passed": self.passed,
            "rows": [row.as_json() for row in self.rows],
        }


@dataclass(frozen=True, slots=True)
class GateResult:
    """A gate on latency and what became of it; seconds at the gate's percentile, under load and idle."""

    gate: Gate
    verdict: Verdict
    seconds: float
    idle: float


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """Latencies of one operation.

    Attributes:
        name: What was measured.
        latency: Of the operations that succeeded, and the age of those that were given up, in seconds.
        errors: How often each kind of exception ended an operation; `unfinished` counts those that were given up.
        examples: For each kind of exception, the text of the first.
        warmup_errors: Failed operations before the measurement; in no other figure.
        warmup_example: The text of the first of them.
        seconds: The measured time; longer than asked for if operations ended after it.
        rate: Intended arrivals per second; None where one operation followed the other.
        started_late: How late the operations were started, which is part of their latency.
        idle: The event loop's lag without load, before and after.
        gates: Each gate's result.
        resources: What this process, or those that were named, used meanwhile; None where nothing was watched.
    """

    name: str
    latency: LatencyHistogram
    errors: Mapping[str, int]
    examples: Mapping[str, str]
    warmup_errors: int
    seconds: float
    rate: float | None
    started_late: LatencyHistogram
    idle: LatencyHistogram
    gates: tuple[GateResult, ...] = ()
    resources: ResourceUse | None = None
    warmup_example: str = ""

    @property
    def failed(self) -> int:
        """How many measured operations did not succeed, those given up included."""
        return sum(self.errors.values())

    @property
    def succeeded(self) -> int:
        """How many measured operations did."""
        return self.latency.count - self.errors.get("unfinished", 0)

    @property
    def count(self) -> int:
        """How many operations were measured."""
        return self.succeeded + self.failed

    @property
    def achieved_rate(self) -> float:
        """Successes per second."""
        return self.succeeded / self.seconds if self.seconds > 0 else 0.0

    @property
    def passed(self) -> bool | None:
        """False if a gate failed; None if none failed and one is void; otherwise true, also without any gate."""
        return passed([result.verdict for result in self.gates])

    def table(self) -> str:
        """The report as plain text, without a newline at the end."""
        heading = ["", *(f"p{percent:g}" for percent in PERCENTILES), "max", "count"]
        named = (("latency", self.latency), ("started late", self.started_late), ("idle control", self.idle))
        lines = [
            [label, *(text.duration(each.percentile(percent)) for percent in (*PERCENTILES, 100.0)), str(each.count)]
            for label, each in named
        ]
        asked = f"{self.rate:.1f}/s asked, " if self.rate is not None else ""
        title = f"{self.name}  [{asked}{self.achieved_rate:.1f}/s done, {self.seconds:.1f} s, {self.failed} of {self.count} failed]"
        failures = [
            f"{count} x {kind}: {self.examples.get(kind, '')}".rstrip(": ") for kind, count in self.errors.items()
        ]
        if self.warmup_errors:
            told = f": {self.warmup_example}" if self.warmup_example else ""
            failures.append(f"{self.warmup_errors} operations failed in the warm-up{told}")
        gates = [
            f"{each.gate}: {each.verdict} ({text.duration(each.seconds)}, idle {text.duration(each.idle)})"
            for each in self.gates
        ]
        used = [] if self.resources is None else [f"used {self.resources.line()}"]
        figures = text.aligned([heading, *lines], right=frozenset(range(1, 7)))
        return "\n".join([title, *figures, *used, *failures, *gates])

    def markdown(self) -> str:
        """The figures as a table for a README."""
        heading = [self.name, *(f"p{percent:g}" for percent in PERCENTILES), "max", "done", "failed"]
        figures = [text.duration(self.latency.percentile(percent)) for percent in (*PERCENTILES, 100.0)]
        return text.markdown([heading, ["latency", *figures, str(self.count), str(self.failed)]])

    def as_json(self) -> Json:
        """The report for `json.dumps`; `kind` is `latency`, times are in seconds."""
        return {
            "kind": "latency",
            "name": self.name,
            "count": self.count,
            "succeeded": self.succeeded,
            "errors": dict(self.errors),
            "examples": dict(self.examples),
            "warmup_errors": self.warmup_errors,
            "warmup_example": self.warmup_example,
            "seconds": self.seconds,
            "rate": self.rate,
            "achieved_rate": self.achieved_rate,
            "percentiles": percentiles(self.latency),
            "started_late": percentiles(self.started_late),
            "idle": percentiles(self.idle),
            "histogram": self.latency.as_json(),
            "resources": None if self.resources is None else self.resources.as_json(),
            "passed": self.passed,
            "gates": [
                {"gate": each.gate.as_json(), "verdict": each.verdict, "seconds": each.seconds, "idle": each.idle}
                for each in self.gates
            ],
        }


def percentiles(histogram: LatencyHistogram) -> Json:
    """The percentiles that every report states, in seconds."""
    named: Json = {f"p{percent:g}": histogram.percentile(percent) for percent in PERCENTILES}
    return {**named, "max": histogram.maximum}
