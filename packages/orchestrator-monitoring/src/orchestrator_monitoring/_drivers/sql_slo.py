"""Samples in SQLite or PostgreSQL (extra `[sql]` or `[postgres]`), shared by all processes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import case, delete, false, func, select, update

from orchestrator_kernel.sql import row_count
from orchestrator_monitoring._drivers.sql_common import SqlBase
from orchestrator_monitoring._drivers.sql_tables import HOURS, MAINTENANCE, SAMPLES
from orchestrator_monitoring._slo.indicators import Counted, Counts
from orchestrator_monitoring._slo.maintenance import Maintenance, excluded
from orchestrator_monitoring._slo.objectives import DAY, HOUR, Slo
from orchestrator_monitoring._slo.samples import KEPT_SECONDS, SloSample, hour_of, window_counts
from orchestrator_monitoring._slo.store import filled_hours

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["SqlSloStore"]

_RAW = 3 * DAY


class SqlSloStore(SqlBase):
    """A `SloStore` that outlives its processes. One transaction per batch of samples; the sums of hours are kept with them."""

    async def add(self, samples: Sequence[SloSample]) -> None:
        if not samples:
            return
        async with self._transaction() as connection:
            windows = await _maintenance(connection, min(each.since for each in samples))
            # In one order everywhere, so that two processes never wait for each other.
            for each in sorted(samples, key=lambda sample: (sample.slo, sample.at)):
                await self._add(connection, each, off=each.excluded or excluded(windows, each.slo, each.since, each.at))

    async def _add(self, connection: AsyncConnection, sample: SloSample, *, off: bool) -> None:
        row = {name: getattr(sample, name) for name in ("slo", "process", "at", "since", "part", "total")}
        added = self._insert(SAMPLES).values(**row, excluded=off).on_conflict_do_nothing()
        if row_count(await connection.execute(added)) == 1 and not off:
            await self._add_hour(connection, sample.slo, hour_of(sample.at), Counts(sample.part, sample.total))

    async def _add_hour(self, connection: AsyncConnection, slo: str, hour: int, more: Counts) -> None:
        if not any(more):
            more = Counts(0.0, 0.0)
        statement = self._insert(HOURS).values(slo=slo, hour=hour, part=more.part, total=more.total)
        sums = {"part": HOURS.c.part + more.part, "total": HOURS.c.total + more.total}
        await connection.execute(statement.on_conflict_do_update(index_elements=["slo", "hour"], set_=sums))

    async def exclude(self, window: Maintenance) -> None:
        row = {"id": str(uuid4()), "starts": window.starts, "ends": window.ends, "reason": window.reason}
        touched = (SAMPLES.c.since < window.ends) & (SAMPLES.c.at > window.starts) & (SAMPLES.c.excluded == false())
        if window.slos:
            touched &= SAMPLES.c.slo.in_(sorted(window.slos))
        columns = (SAMPLES.c.slo, SAMPLES.c.at, SAMPLES.c.part, SAMPLES.c.total)
        async with self._transaction() as connection:
            await connection.execute(self._insert(MAINTENANCE).values(**row, slos=json.dumps(sorted(window.slos))))
            changed = update(SAMPLES).where(touched).values(excluded=True).returning(*columns)
            for slo, at, part, total in sorted(map(tuple, await connection.execute(changed))):
                await self._add_hour(connection, slo, hour_of(at), Counts(-part, -total))

    async def maintenance(self, since: float) -> Sequence[Maintenance]:
        async with self._transaction() as connection:
            return await _maintenance(connection, since)

    async def counts(self, slos: Sequence[Counted], at: float) -> Mapping[str, Mapping[int, Counts]]:
        windows = sorted({each for slo in slos for each in slo.windows})
        async with self._transaction() as connection:
            short = await _short(connection, at, [each for each in windows if each <= _RAW])
            hours = await _hours(connection, at - max(windows, default=0) - HOUR)
        found: dict[str, dict[int, Counts]] = {}
        for slo in slos:
            long = window_counts((), hours[slo.name], at, [each for each in slo.windows if each > _RAW])
            known = short.get(slo.name, {})
            found[slo.name] = {each: long.get(each) or known.get(each, Counts(0.0, 0.0)) for each in slo.windows}
        return found

    async def hours(self, slo: Slo, at: float) -> Sequence[Counts]:
        async with self._transaction() as connection:
            known = await _hours(connection, at - slo.window, slo.name)
        return filled_hours(known[slo.name], at - slo.window, at)

    async def purge(self, at: float) -> None:
        async with self._transaction() as connection:
            await connection.execute(delete(SAMPLES).where(SAMPLES.c.at <= at - KEPT_SECONDS))
            await connection.execute(delete(HOURS).where(HOURS.c.hour <= at - 100 * DAY))
            await connection.execute(delete(MAINTENANCE).where(MAINTENANCE.c.ends <= at - 100 * DAY))


async def _maintenance(connection: AsyncConnection, since: float) -> list[Maintenance]:
    columns = (MAINTENANCE.c.starts, MAINTENANCE.c.ends, MAINTENANCE.c.slos, MAINTENANCE.c.reason)
    rows = await connection.execute(select(*columns).where(MAINTENANCE.c.ends > since).order_by(MAINTENANCE.c.starts))
    return [Maintenance(starts, ends, frozenset(json.loads(slos)), reason) for starts, ends, slos, reason in rows]


async def _short(connection: AsyncConnection, at: float, windows: Sequence[int]) -> dict[str, dict[int, Counts]]:
    """One pass over the samples for all windows."""
    if not windows:
        return {}
    columns = [
        func.sum(case((SAMPLES.c.since >= at - window, column), else_=0.0))
        for window in windows
        for column in (SAMPLES.c.part, SAMPLES.c.total)
    ]
    inside = (SAMPLES.c.at > at - windows[-1]) & (SAMPLES.c.at <= at) & (SAMPLES.c.excluded == false())
    rows = await connection.execute(select(SAMPLES.c.slo, *columns).where(inside).group_by(SAMPLES.c.slo))
    return {
        name: {window: Counts(*sums[2 * index : 2 * index + 2]) for index, window in enumerate(windows)}
        for name, *sums in rows
    }


async def _hours(connection: AsyncConnection, since: float, slo: str | None = None) -> dict[str, dict[int, Counts]]:
    asked = HOURS.c.hour >= since
    if slo is not None:
        asked &= HOURS.c.slo == slo
    found: dict[str, dict[int, Counts]] = defaultdict(dict)
    for name, hour, part, total in await connection.execute(select(HOURS).where(asked)):
        found[name][hour] = Counts(part, total)
    return found
