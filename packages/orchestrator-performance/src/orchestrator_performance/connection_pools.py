"""Pools of connections to what a service depends on: HTTP services, Redis or Valkey, databases.

What the user types:

    pools = Pools()
    hotels = pools.http(PoolConfig(name="hotels", url="https://hotels.example", size=50)).client
    database = pools.sql(PoolConfig(name="database", url="postgresql://…", size=10, warm=2))
    async with pools:
        async with database.reading() as connection: ...

- A name is a pool: asked for again with the same settings it is the same one, with others it is an error.
- Every pool tells its size, who is in it, who waits and how long (`Pools.stats`), and who keeps a connection for too long (`Pools.leaks`).
- A caller that is cancelled costs no place, whatever it was waiting for.
"""

from __future__ import annotations

from orchestrator_performance._pools.config import PoolConfig, PoolKind, kind_of
from orchestrator_performance._pools.pools import Observe, Pool, Pools
from orchestrator_performance._pools.usage import Held, PoolClosed, PoolStats

__all__ = ["Held", "Observe", "Pool", "PoolClosed", "PoolConfig", "PoolKind", "PoolStats", "Pools", "kind_of"]
