"""Appends to an audit log and says which events are kept: `python audit_process.py URL NAME COUNT`."""

from __future__ import annotations

import asyncio
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from audit_support import OLD, event
from sqlalchemy.ext.asyncio import create_async_engine

from orchestrator_kernel.ports import SystemClock
from orchestrator_security.audit_logging import SqlAuditSink


async def append(url: str, name: str, count: int) -> None:
    engine = create_async_engine(url)
    sink = SqlAuditSink(engine, OLD, clock=SystemClock(), checkpoint_every=50)
    await sink.open()
    chance = random.Random(name)

    async def one(number: int) -> None:
        made = event(number, chance, datetime.now(UTC))
        made = type(made)(**{each: getattr(made, each) for each in made.__slots__} | {"id": f"{name}-{number}"})
        await sink.record(made)
        sys.stdout.write(made.id + "\n")
        sys.stdout.flush()

    for start in range(0, count, 10):
        await asyncio.gather(*[one(number) for number in range(start, min(start + 10, count))])
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(append(sys.argv[1], sys.argv[2], int(sys.argv[3])))
