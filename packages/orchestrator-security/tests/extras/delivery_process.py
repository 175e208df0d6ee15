"""One of many receivers: tries to accept every delivery of a list, and prints the numbers of those that it was the first for."""

from __future__ import annotations

import asyncio
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator_security.delivery_store import DeliveryStore, delivery_digest


async def accept_all(store: DeliveryStore, count: int, seed: int) -> list[int]:
    numbers = list(range(count))
    # Half of the deliveries arrive at all processes in one order, so that they meet; the rest in an order of the process's own.
    tail = numbers[count // 2 :]
    random.Random(seed).shuffle(tail)
    accepted: list[int] = []

    async def work(part: list[int]) -> None:
        for number in part:
            now = datetime.now(UTC)
            if await store.accept(
                delivery_digest("acme", f"evt-{number}"), now=now, expires_at=now + timedelta(hours=1)
            ):
                accepted.append(number)

    mixed = numbers[: count // 2] + tail
    async with asyncio.TaskGroup() as group:
        for start in range(4):
            group.create_task(work(mixed[start::4]))
    return accepted


async def main(url: str, count: int, seed: int, gate: Path) -> None:
    if url.startswith("redis"):
        from redis.asyncio import Redis

        from orchestrator_security.redis_delivery_store import RedisDeliveryStore

        async with Redis.from_url(url) as client:
            await client.ping()
            await opened(gate)
            accepted = await accept_all(RedisDeliveryStore(client), count, seed)
    else:
        from sqlalchemy import text
        from sqlalchemy.ext.asyncio import create_async_engine

        from orchestrator_security.sql_delivery_store import SqlDeliveryStore

        engine = create_async_engine(url, connect_args={"timeout": 60})
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        await opened(gate)
        accepted = await accept_all(SqlDeliveryStore(engine), count, seed)
        await engine.dispose()
    sys.stdout.write(" ".join(map(str, accepted)))


async def opened(gate: Path) -> None:
    """All begin when the file is there."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not gate.exists():
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
