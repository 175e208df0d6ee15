"""Where memory grows: what was allocated in a short window and is still there, by place and by type.

tracemalloc makes every allocation several times slower while it is on, so it is on for seconds only. What it saw is evaluated on a thread, and the
objects are looked through a few hundred at a time; the event loop goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final, cast

from orchestrator_kernel.exceptions import OrchestratorError

__all__ = ["Growth", "GrowthBusy", "GrowthWindow", "watch_growth"]

_SLICE: Final = 0.0005
_TOP: Final = 20
_FEW: Final = 300_000


class GrowthBusy(OrchestratorError):
    """A window is open already, or somebody else is tracing."""

    default_code = "growth_window_open"
    default_status = 409


@dataclass(frozen=True, slots=True)
class Growth:
    """What grew at one place, or of one type.

    Attributes:
        name: `file:line`, or a type's name.
        bytes: What is still there of what the window saw; 0 for types, whose sizes are not traced.
        count: Blocks, or objects.
    """

    name: str
    bytes: int
    count: int


@dataclass(frozen=True, slots=True)
class GrowthWindow:
    """What a window saw.

    Attributes:
        seconds: How long it was open.
        bytes: What is still there of what was allocated in it.
        by_place: The places with the most bytes.
        by_type: The types with the most objects, of those that can hold others; None when there were too many objects to look through.
    """

    seconds: float
    bytes: int
    by_place: tuple[Growth, ...]
    by_type: tuple[Growth, ...] | None


async def watch_growth(seconds: float = 2.0) -> GrowthWindow:
    """Open a window for so many seconds: a short time, for everything that allocates is several times slower in it.

    Types are those that can hold other objects, counted before and after. Objects that `gc.freeze` has put aside are not looked through; if it
    was not called, all that are there already are put aside for as long as the window is open.

    Raises:
        GrowthBusy: tracemalloc is on already.
    """
    if tracemalloc.is_tracing():
        raise GrowthBusy("memory is being traced already; wait until that has ended")
    began = perf_counter()
    aside = gc.get_freeze_count() == 0
    if aside:
        # This takes no time, however many there are.
        gc.freeze()
    before = await _census()
    tracemalloc.start(1)
    try:
        await asyncio.sleep(seconds)
        after = await _census()
        snapshot = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
        if aside:
            gc.unfreeze()
    places, total = await asyncio.to_thread(_places, snapshot)
    types = None if before is None or after is None else after - before
    return GrowthWindow(perf_counter() - began, total, places, None if types is None else _most(types))


async def _census() -> Counter[str] | None:
    """How many objects there are of each type, of those that are not put aside; None for too many to look through."""
    objects = gc.get_objects()
    if len(objects) > _FEW:
        return None
    counts: Counter[str] = Counter()
    until = perf_counter() + _SLICE
    while objects:
        kind = cast("type[object]", type(objects.pop()))
        counts[f"{kind.__module__}.{kind.__qualname__}"] += 1
        if len(objects) % 50 == 0 and perf_counter() > until:
            await asyncio.sleep(0)
            until = perf_counter() + _SLICE
    return counts


def _most(types: Counter[str]) -> tuple[Growth, ...]:
    return tuple(Growth(name, 0, count) for name, count in types.most_common(_TOP))


def _places(snapshot: tracemalloc.Snapshot) -> tuple[tuple[Growth, ...], int]:
    ours = (tracemalloc.Filter(inclusive=False, filename_pattern=tracemalloc.__file__),)
    found = snapshot.filter_traces(ours).statistics("lineno")
    return tuple(_place(each) for each in found[:_TOP]), sum(each.size for each in found)


def _place(found: tracemalloc.Statistic) -> Growth:
    frame = found.traceback[0]
    return Growth(f"{_short(Path(frame.filename).parts)}:{frame.lineno}", found.size, found.count)


def _short(parts: Iterable[str]) -> str:
    """A file's place below the folder of packages: the rest is the machine's business."""
    kept: list[str] = []
    for part in parts:
        kept = [] if part in {"site-packages", "src", "lib"} else [*kept, part]
    return "/".join(kept[-3:]).lstrip("/")
