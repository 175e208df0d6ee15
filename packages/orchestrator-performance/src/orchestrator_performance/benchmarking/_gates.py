"""Gates and how they are judged. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from orchestrator_performance.benchmarking._errors import BenchmarkError
from orchestrator_performance.benchmarking._statistics import Estimate

NOISE_LIMIT = 1.1
NEGLIGIBLE = 1.01
IDLE_SHARE = 0.25


class Verdict(StrEnum):
    """What became of a gate."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    VOID = "void"
    """The machine was too busy to tell; neither passed nor failed."""
    INCONCLUSIVE = "inconclusive"
    """More rounds are needed; never in a finished report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A limit that a measurement must keep: on the ratio to a baseline, or on a latency in milliseconds.

    Args:
        at_most: The largest ratio to the baseline's time that passes.
        at_least: The smallest ratio that passes.
        at_most_ms: The largest latency that passes, in milliseconds, at `percentile`.
        percentile: Of the latencies; only with `at_most_ms`.
        error_share: The largest share of failed operations (0 to 1) that passes; only with `at_most_ms`.

    Raises:
        BenchmarkError: No limit, limits of both kinds, or a limit that nothing can keep.
    """

    at_most: float | None = None
    at_least: float | None = None
    at_most_ms: float | None = None
    percentile: float = 99.0
    error_share: float = 0.0

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.at_most, self.at_least, self.at_most_ms) if limit is not None]
        if not limits or (self.at_most_ms is not None and len(limits) > 1):
            raise BenchmarkError("a gate limits a ratio (at_most, at_least) or a latency (at_most_ms)")
        if not all(0 < limit < math.inf for limit in limits):
            raise BenchmarkError(f"a gate's limit is a finite number above 0: {limits}")
        if self.at_most is not None and self.at_least is not None and self.at_least > self.at_most:
            raise BenchmarkError(f"no ratio is at least {self.at_least:g} and at most {self.at_most:g}")
        if not (0 <= self.percentile <= 100 and 0 <= self.error_share <= 1):
            raise BenchmarkError("a percentile lies between 0 and 100, an error share between 0 and 1")

    @property
    def kind(self) -> Literal["ratio", "latency"]:
        """What the gate limits."""
        return "ratio" if self.at_most_ms is None else "latency"

    def admits(self, ratio: float) -> bool:
        """Whether this ratio keeps the limits."""
        return (self.at_least is None or ratio >= self.at_least) and (self.at_most is None or ratio <= self.at_most)

    def as_json(self) -> dict[str, float]:
        """The limits that are set."""
        if self.at_most_ms is not None:
            return {"at_most_ms": self.at_most_ms, "percentile": self.percentile, "error_share": self.error_share}
        limits = {"at_least": self.at_least, "at_most": self.at_most}
        return {name: limit for name, limit in limits.items() if limit is not None}

    def __str__(self) -> str:
        if self.at_most_ms is not None:
            return f"p{self.percentile:g} <= {self.at_most_ms:g} ms"
        parts = [f">= {self.at_least:g}"] if self.at_least is not None else []
        return " and ".join(parts + ([f"<= {self.at_most:g}"] if self.at_most is not None else []))


def judge_ratio(gate: Gate, ratio: Estimate, *, control: float = 1.0, last: bool = True) -> Verdict:
    """Judge a ratio to the baseline.

    - pass: the whole interval keeps the gate;
    - fail: the whole interval misses it on one side;
    - otherwise inconclusive, which asks for more rounds; at the `last` judgement the median alone decides.
    - void, at the last judgement: the A/A control is more than 10 % away from 1, and shifting the median by as much would turn the
      verdict. A gate that is kept or missed by more than the control is off is judged all the same.

    Args:
        gate: A gate on a ratio.
        ratio: The median ratio with its interval.
        control: The median ratio of the A/A control.
        last: Whether no more rounds can be had.
    """
    noise = max(control, 1 / control)
    if noise > NOISE_LIMIT and len({gate.admits(ratio.median * shift) for shift in (1 / noise, 1.0, noise)}) > 1:
        return Verdict.VOID if last else Verdict.INCONCLUSIVE
    if gate.admits(ratio.low) and gate.admits(ratio.high):
        return Verdict.PASS
    below = gate.at_least is not None and ratio.high < gate.at_least
    above = gate.at_most is not None and ratio.low > gate.at_most
    if below or above:
        return Verdict.FAIL
    if not last:
        return Verdict.INCONCLUSIVE
    return Verdict.PASS if gate.admits(ratio.median) else Verdict.FAIL


def changed(ratio: Estimate, control: Estimate) -> Literal["faster", "slower"] | None:
    """Whether a contender differs from the baseline at all.

    It does if its whole interval lies more than 1 % away from 1 and beyond the A/A control's interval: a difference that the machine
    also shows between the baseline and itself is none, and below 1 % even the place of the code in memory matters.
    """
    if ratio.high < min(1 / NEGLIGIBLE, control.low):
        return "faster"
    if ratio.low > max(NEGLIGIBLE, control.high):
        return "slower"
    return None


def judge_latency(gate: Gate, seconds: float, *, idle: float, error_share: float = 0.0) -> Verdict:
    """Judge a percentile of latencies.

    Void if the idle control (the same percentile of the loop's lag without load) exceeds a quarter of the gate, whatever was measured.
    Otherwise it passes when neither the latency nor the share of errors exceeds the gate.

    Args:
        gate: A gate on a latency.
        seconds: The latency at the gate's percentile.
        idle: The idle loop's lag at the gate's percentile, in seconds.
        error_share: Failed operations by all operations, 0 to 1.
    """
    if gate.at_most_ms is None:
        raise BenchmarkError(f"a latency is judged by a gate with at_most_ms, not by {gate}")
    limit = gate.at_most_ms / 1000
    if idle > limit * IDLE_SHARE:
        return Verdict.VOID
    return Verdict.PASS if seconds <= limit and error_share <= gate.error_share else Verdict.FAIL


def passed(verdicts: list[Verdict]) -> bool | None:
    """False if a gate failed; None if none failed and one is void; otherwise true, also without any gate."""
    if Verdict.FAIL in verdicts:
        return False
    return None if Verdict.VOID in verdicts else True
