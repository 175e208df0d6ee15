"""Pools of connections to Redis or Valkey (extra `[redis]`): redis-py's pool, with a line and books."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import MaxConnectionsError, RedisError

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_performance._pools.config import PoolConfig
from orchestrator_performance._pools.pools import Pool
from orchestrator_performance._pools.usage import Lease, PoolClosed, Slots

__all__ = ["RedisPool"]


class _MeasuredPool(ConnectionPool):
    """Gives its connections away through `Slots`; whoever waits too long gets an error of redis-py's."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.slots: Slots
        self.acquire_seconds = 0.0
        self._leases: dict[AbstractConnection, Lease] = {}

    async def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> AbstractConnection:  # noqa: ARG002 - redis-py's old signature
        try:
            lease = await self.slots.acquire(self.acquire_seconds)
        except TimeoutError:
            raise MaxConnectionsError("no connection became free in time") from None
        except PoolClosed as error:
            raise MaxConnectionsError(error.message) from error
        try:
            connection: AbstractConnection = await super().get_connection()  # type: ignore[no-untyped-call]
        except BaseException as error:
            self.slots.usage.failures += isinstance(error, RedisError | OSError)
            lease.release()
            raise
        self._leases[connection] = lease
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        try:
            await super().release(connection)
        finally:
            lease = self._leases.pop(connection, None)
            if lease is not None:
                lease.release()

    @property
    def idle(self) -> int:
        """Connections that are open and free."""
        return len(self._available_connections)


class RedisPool(Pool):
    """Connections to one server.

    Attributes:
        client: A `redis.asyncio.Redis` that answers bytes; do not close it, the pool does.
    """

    def __init__(self, config: PoolConfig) -> None:
        super().__init__(config)
        scheme, _, rest = config.url.partition("://")
        url = f"{scheme.replace('valkeys', 'rediss').replace('valkey', 'redis')}://{rest}"
        try:
            # No retries here: whoever wants them has a policy for it, and a hidden one multiplies with that.
            self._pool: _MeasuredPool = _MeasuredPool.from_url(
                url,
                max_connections=config.size,
                socket_connect_timeout=config.connect_seconds,
                socket_timeout=config.connect_seconds,
                health_check_interval=0 if config.ping == "never" else config.idle_seconds,
                retry=Retry(NoBackoff(), 0),
            )
        except (ValueError, RedisError):
            raise ConfigurationError(
                f"pool {config.name}: the URL is not valid; check its user, host and port", details={"setting": "url"}
            ) from None
        self._pool.slots = self._slots = Slots(self.usage)
        self._pool.acquire_seconds = config.acquire_seconds
        self.client: Redis = Redis.from_pool(self._pool)

    @property
    def idle(self) -> int:
        return self._pool.idle

    async def check(self) -> bool:
        await self.client.execute_command("PING")  # type: ignore[no-untyped-call]
        return True

    async def warm(self) -> None:
        connections = [await self._pool.get_connection() for _ in range(self.config.warm)]
        for each in connections:
            await self._pool.release(each)

    def refuse(self) -> None:
        self._slots.close()

    async def shut(self) -> None:
        await self.client.aclose()
