"""A run against a stored one. Times of two runs cannot be compared, since machines differ by the minute; ratios that each took inside itself can."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from orchestrator_performance.benchmarking import _text as text
from orchestrator_performance.benchmarking._errors import BenchmarkError
from orchestrator_performance.benchmarking._gates import NEGLIGIBLE
from orchestrator_performance.benchmarking._statistics import Estimate

__all__ = ["Change", "RunComparison", "compare_runs", "load_run"]

Document = Mapping[str, object]
What = Literal["slower", "faster", "no change", "now fails", "now passes", "new", "gone"]


@dataclass(frozen=True, slots=True)
class Change:
    """One contender of both runs.

    Attributes:
        report: The report that it is in.
        name: The contender's, or the gate's of a latency report.
        before: Its ratio to the baseline in the stored run; None for a latency and for one that is new.
        after: The same in the other run.
        what: What became of it.
    """

    report: str
    name: str
    before: Estimate | None
    after: Estimate | None
    what: What


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs side by side."""

    changes: tuple[Change, ...]

    @property
    def worse(self) -> tuple[Change, ...]:
        """What is slower, or fails where it did not."""
        return tuple(each for each in self.changes if each.what in {"slower", "now fails"})

    def table(self) -> str:
        """As plain text: what changed first."""
        changed = [each for each in self.changes if each.what != "no change"]
        lines = [["report", "contender", "before", "after", "by", ""]]
        lines += [
            [each.report, each.name, _shown(each.before), _shown(each.after), _by(each), each.what] for each in changed
        ]
        told = text.aligned(lines, right=frozenset({2, 3, 4})) if len(lines) > 1 else []
        return "\n".join([*told, f"{len(self.changes) - len(changed)} of {len(self.changes)} show no change"])

    def as_json(self) -> dict[str, object]:
        """For `json.dumps`."""
        return {
            "worse": len(self.worse),
            "changes": [
                {
                    "report": each.report,
                    "name": each.name,
                    "before": _plain(each.before),
                    "after": _plain(each.after),
                    "what": each.what,
                }
                for each in self.changes
            ],
        }


def load_run(file: Path) -> Document:
    """A run as `--json` or `--save` wrote it.

    Raises:
        BenchmarkError: The file is not there, or holds no run.
    """
    try:
        document: object = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise BenchmarkError(f"{file} cannot be read as a stored run: {error}") from error
    if not isinstance(document, dict) or not isinstance(cast("dict[str, object]", document).get("reports"), list):
        raise BenchmarkError(f"{file} holds no stored run: it has no list `reports`")
    return cast("Document", document)


def compare_runs(before: Document, after: Document) -> RunComparison:
    """What changed between two runs.

    A contender changed if the intervals of its two ratios do not touch, the medians differ by more than 1 %, and by more than either run's
    A/A control is off. Latencies are absolute, so only what became of their gates is compared.

    Args:
        before: The stored run, as `load_run` gives it.
        after: The other one.

    Raises:
        BenchmarkError: A report in it is not as a run writes it.
    """
    first, second = dict(_entries(before)), dict(_entries(after))
    changes = [
        Change(*key, _ratio(first.get(key)), _ratio(second.get(key)), _what(first.get(key), second.get(key)))
        for key in [*second, *(key for key in first if key not in second)]
    ]
    order: dict[What, int] = {"slower": 0, "now fails": 0, "faster": 1, "now passes": 1}
    return RunComparison(tuple(sorted(changes, key=lambda each: order.get(each.what, 2))))


@dataclass(frozen=True, slots=True)
class _Entry:
    """What one run says about one contender or gate."""

    ratio: Estimate | None
    noise: float
    verdict: str | None


def _entries(run: Document) -> Iterator[tuple[tuple[str, str], _Entry]]:
    for report in cast("Sequence[Mapping[str, object]]", run["reports"]):
        try:
            if report["kind"] == "comparison":
                yield from _contenders(report)
            else:
                yield from _gates(report)
        except (KeyError, TypeError, ValueError) as error:
            raise BenchmarkError(f"a stored report is not as a run writes it: {error!r}") from error


def _contenders(report: Mapping[str, object]) -> Iterator[tuple[tuple[str, str], _Entry]]:
    rows = cast("Sequence[Mapping[str, object]]", report["rows"])
    control = next(float(cast("float", row["ratio"])) for row in rows if row["role"] == "control")
    for row in rows:
        if row["role"] == "contender":
            low, high = cast("Sequence[float]", row["interval"])
            ratio = Estimate(float(cast("float", row["ratio"])), low, high)
            yield (str(report["name"]), str(row["name"])), _Entry(ratio, max(control, 1 / control), _verdict(row))


def _gates(report: Mapping[str, object]) -> Iterator[tuple[tuple[str, str], _Entry]]:
    for number, each in enumerate(cast("Sequence[Mapping[str, object]]", report["gates"]), 1):
        yield (str(report["name"]), f"gate {number}"), _Entry(None, 1.0, _verdict(each))


def _verdict(row: Mapping[str, object]) -> str | None:
    return None if row["verdict"] is None else str(row["verdict"])


def _what(before: _Entry | None, after: _Entry | None) -> What:
    if before is None or after is None:
        return "new" if before is None else "gone"
    if before.ratio is not None and after.ratio is not None:
        moved = after.ratio.median / before.ratio.median
        apart = after.ratio.low > before.ratio.high or after.ratio.high < before.ratio.low
        if apart and max(moved, 1 / moved) > max(NEGLIGIBLE, before.noise, after.noise):
            return "slower" if moved > 1 else "faster"
    if before.verdict != after.verdict and "fail" in {before.verdict, after.verdict}:
        return "now fails" if after.verdict == "fail" else "now passes"
    return "no change"


def _ratio(entry: _Entry | None) -> Estimate | None:
    return None if entry is None else entry.ratio


def _shown(ratio: Estimate | None) -> str:
    return "" if ratio is None else text.ratio(ratio.median)


def _by(change: Change) -> str:
    if change.before is None or change.after is None:
        return ""
    return f"{(change.after.median / change.before.median - 1) * 100:+.0f} %"


def _plain(ratio: Estimate | None) -> list[float] | None:
    return None if ratio is None else [ratio.median, ratio.low, ratio.high]
