"""Running promtool, and random counters for it."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator_monitoring._slo.maintenance import excluded
from orchestrator_monitoring._slo.samples import CounterTrail
from orchestrator_monitoring.slo_monitor import (
    BurnRule,
    Counts,
    Maintenance,
    MemorySloStore,
    RatioIndicator,
    Selector,
    Slo,
)

PROMTOOL = shutil.which("promtool") or "promtool"


def promtool(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def judge_rules(*files: str, folder: Path) -> None:
    """Every test of the rules passes, in at most three runs of its file.

    Series of more than 36 hours make promtool compact its store, and what is queried meanwhile can be missing: seen in 1 of 2,000 alerts.
    A rule that is wrong fails each time.
    """
    for file in files:
        for _ in range(3):
            tested = promtool("test", "rules", file, folder=folder)
            if tested.returncode == 0:
                break
        assert tested.returncode == 0, (tested.stdout + tested.stderr)[:3000]


@dataclass(frozen=True)
class Scrapes:
    """What a scrape saw of two counters, one per step; None where it failed."""

    step: int
    part: list[float | None]
    total: list[float | None]

    @property
    def span(self) -> int:
        return self.step * (len(self.part) - 1)


def random_scrapes(
    rng: random.Random, *, step: int, count: int, edges: Iterable[int], failing: float = 0.05
) -> Scrapes:
    """Traffic that comes and goes, restarts, and failed scrapes; the scrapes at the edges of windows did not fail."""
    ratio, rate = rng.choice([0.0, 0.0005, 0.01, 0.2, 0.9, 1.0]), rng.choice([0, 3, 50, 4000])
    part, total = float(rng.randrange(10_000)), float(rng.randrange(10_000, 1_000_000))
    kept = {count - 1 - edge // step for edge in edges} | {0, count - 1}
    scrapes = Scrapes(step, [], [])
    for index in range(count):
        if index and rng.random() < 0.02:
            part = total = 0.0
        if rng.random() < 0.03:
            rate, ratio = rng.choice([0, 3, 50, 4000]), rng.choice([0.0, 0.0005, 0.01, 0.2, 0.9, 1.0])
        more = rng.randrange(rate + 1)
        bad = sum(rng.random() < ratio for _ in range(more)) if more < 10 else round(more * ratio)
        part, total = part + bad, total + more
        failed = index not in kept and rng.random() < failing
        scrapes.part.append(None if failed else part)
        scrapes.total.append(None if failed else total)
    return scrapes


def values(counter: Sequence[float | None]) -> str:
    return " ".join("_" if each is None else f"{each:.0f}" for each in counter)


def counted_slo(number: int, rules: tuple[BurnRule, ...], *, good: bool = False) -> Slo:
    indicator = RatioIndicator(
        Selector.parse(f'all_total{{number="{number}"}}'), Selector.parse(f'part_total{{number="{number}"}}'), good=good
    )
    return Slo(name=f"s{number}", indicator=indicator, objective=0.999, rules=rules)


async def embedded(slo: Slo, scrapes: Scrapes, maintenance: Sequence[Maintenance] = ()) -> dict[int, Counts]:
    """The events in each window, as our own back end counts them at the last scrape."""
    store, trail = MemorySloStore(), CounterTrail(slo.name, "p")
    for index, (part, total) in enumerate(zip(scrapes.part, scrapes.total, strict=True)):
        if part is None or total is None:
            continue
        sample = trail.follow(float(index * scrapes.step), Counts(part, total))
        if sample is not None:
            off = excluded(maintenance, slo.name, sample.since, sample.at)
            await store.add([replace(sample, excluded=off)])
    found = await store.counts([slo], float(scrapes.span))
    return dict(found[slo.name])
