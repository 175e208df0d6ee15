"""What the chain and its signature cost over a bare insert."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orchestrator_kernel.models import AuditEvent, Outcome
from orchestrator_kernel.ports import SystemClock
from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, acompare, run_main
from orchestrator_security._audit.chain import GENESIS, SignedHead
from orchestrator_security._audit.linking import link
from orchestrator_security._audit.tables import ENTRIES
from orchestrator_security._drivers.sql_audit import _row
from orchestrator_security.audit_logging import AuditSigner, SqlAuditSink
from orchestrator_security.migrations import HISTORY

TOGETHER = 100
numbers = itertools.count(1)


def events(count: int) -> list[AuditEvent]:
    return [
        AuditEvent(
            id=f"event-{next(numbers)}",
            type="data.read",
            occurred_at=datetime.now(UTC),
            actor="zoe",
            action="read the transcript",
            outcome=Outcome.SUCCESS,
            resource="call:7",
            tenant="hotel-7",
            correlation_id="5f0c1d",
            details={
                "method": "GET",
                "status": 200,
                "service": "orchestrator",
                "region": "eu-central-1",
                "retention_days": 365,
            },
        )
        for _ in range(count)
    ]


async def database(folder: str, name: str) -> AsyncEngine:
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder}/{name}.db")
    async with engine.connect() as connection:
        await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    async with engine.begin() as connection:
        await connection.run_sync(HISTORY.upgrade)
    return engine


async def over_a_bare_insert() -> list[Report]:
    """The same rows into the same table; the baseline's are ready, but for their number and id."""
    head = SignedHead(0, GENESIS.hex(), "", "", "")
    ready = _row(link(events(1), head, lambda _: 365)[0])
    reports: list[Report] = []
    with tempfile.TemporaryDirectory() as folder:
        for count, gate in ((TOGETHER, 3.0), (1, None)):
            bare, ours = await database(folder, f"bare-{count}"), await database(folder, f"ours-{count}")
            sink = SqlAuditSink(ours, AuditSigner(os.urandom(32)), clock=SystemClock())
            await sink.open()
            seqs = itertools.count(1, count)

            async def plain(count: int = count, seqs: itertools.count[int] = seqs, bare: AsyncEngine = bare) -> None:
                first = next(seqs)
                rows = [{**ready, "seq": seq, "event_id": f"event-{seq}"} for seq in range(first, first + count)]
                async with bare.begin() as connection:
                    await connection.execute(insert(ENTRIES), rows)

            async def chained(count: int = count, sink: SqlAuditSink = sink) -> None:
                await sink.append(events(count))

            reports.append(
                await acompare(
                    f"{count} audit events into SQLite",
                    baseline=Contender("bare insert", plain, operations=count),
                    contenders=[Contender("chained and signed", chained, operations=count)],
                    gates={"chained and signed": Gate(at_most=gate)} if gate else {},
                    clock="wall",
                )
            )
            await bare.dispose()
            await ours.dispose()
    return reports


def benches() -> Iterable[Bench]:
    return [over_a_bare_insert]


if __name__ == "__main__":
    sys.exit(run_main(benches))
