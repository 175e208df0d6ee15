"""All pools of a process: each made once, warmed, checked, and closed in order."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.models import HealthState, HealthStatus
from orchestrator_kernel.ports import Clock, SystemClock
from orchestrator_performance._pools.config import PoolConfig, kind_of
from orchestrator_performance._pools.usage import Held, PoolStats, Usage

if TYPE_CHECKING:
    import httpx
    from sqlalchemy.ext.asyncio import AsyncEngine

    from orchestrator_performance._drivers.http_pool import HttpPool
    from orchestrator_performance._drivers.redis_pool import RedisPool
    from orchestrator_performance._drivers.sql_pool import SqlPool

__all__ = ["Observe", "Pool", "Pools"]

logger = logging.getLogger(__name__)

P = TypeVar("P", bound="Pool")

Observe = Callable[[str, str, float, bool], None]
"""Told of each request: the pool's kind (`http`, `sql`) and name, seconds, and whether it failed."""

_POLL = 0.01


class Pool(ABC):
    """What all pools have in common."""

    def __init__(self, config: PoolConfig) -> None:
        self.config = config
        self.usage = Usage(
            config.name, kind_of(config), config.size, hold_seconds=config.hold_seconds, stacks=config.stacks
        )

    @property
    @abstractmethod
    def idle(self) -> int | None:
        """Connections that are open and free; None if the client does not tell."""

    @abstractmethod
    async def check(self) -> bool | None:
        """Ask the service something; None if there is nothing to ask for.

        Raises:
            Exception: What the client raises when the service does not answer.
        """

    @abstractmethod
    async def warm(self) -> None:
        """Open `config.warm` connections."""

    @abstractmethod
    def refuse(self) -> None:
        """Give no more connections away."""

    @abstractmethod
    async def shut(self) -> None:
        """Close all connections."""

    def stats(self) -> PoolStats:
        """The pool now."""
        return self.usage.stats(self.idle)

    async def close(self, drain_seconds: float = 5.0) -> None:
        """Give nothing away any more, wait for what is in use, and close."""
        self.refuse()
        until = time.monotonic() + drain_seconds
        while self.usage.in_use and time.monotonic() < until:  # noqa: ASYNC110 - an event would cost every release, this costs an end
            await asyncio.sleep(_POLL)
        if self.usage.in_use:
            logger.warning(
                "a pool is closed while it is used", extra={"pool": self.config.name, "in_use": self.usage.in_use}
            )
        await self.shut()


class Pools:
    """The pools of one process, for one event loop.

    Args:
        clock: For the instants of health checks.
        drain_seconds: How long `close` waits, for each pool, for what is in use.
        observe: Told of each HTTP request (until its answer begins) and of each SQL statement.
    """

    def __init__(
        self, *, clock: Clock | None = None, drain_seconds: float = 5.0, observe: Observe | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self._drain_seconds = drain_seconds
        self._observe = observe
        self._pools: dict[str, Pool] = {}
        self._replaced: list[Pool] = []
        self._watch: asyncio.Task[None] | None = None

    def http(
        self,
        config: PoolConfig,
        *,
        wrap: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] | None = None,
        replace: bool = False,
    ) -> HttpPool:
        """A pool of HTTP connections (extra `[http]`); `client` is an `httpx.AsyncClient`.

        Args:
            config: The pool.
            wrap: As for the kernel's `create_client`.
            replace: Take the place of a pool of this name that is set otherwise; that one works on for those who have it, until all are closed.

        Raises:
            ConfigurationError: The name is taken by a pool that is set otherwise, the URL is none, or the extra is not installed.
        """
        try:
            from orchestrator_performance._drivers.http_pool import HttpPool  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise _missing(config, "http", error) from None
        found = self._pools.get(config.name)
        if replace and found is not None and found.config != config:
            self._replaced.append(self._pools.pop(config.name))
        return self._once(config, "http", HttpPool, lambda: HttpPool(config, wrap, self._observe))

    def redis(self, config: PoolConfig) -> RedisPool:
        """A pool of connections to Redis or Valkey (extra `[redis]`); `client` is a `redis.asyncio.Redis`.

        Raises:
            ConfigurationError: As for `http`.
        """
        try:
            from orchestrator_performance._drivers.redis_pool import RedisPool  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise _missing(config, "redis", error) from None
        return self._once(config, "redis", RedisPool, lambda: RedisPool(config))

    def sql(self, config: PoolConfig, *, make: Callable[..., AsyncEngine] | None = None) -> SqlPool:
        """A pool of database connections (extras `[sql]`, `[postgres]`); `engine` is an SQLAlchemy `AsyncEngine`.

        Args:
            config: The pool.
            make: Makes the engine of the URL and of SQLAlchemy's keywords; `create_async_engine` without.

        Raises:
            ConfigurationError: As for `http`.
        """
        try:
            from orchestrator_performance._drivers.sql_pool import SqlPool  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise _missing(config, "sql", error) from None
        return self._once(config, "sql", SqlPool, lambda: SqlPool(config, make, self._observe))

    def _once(self, config: PoolConfig, kind: str, of: type[P], make: Callable[[], P]) -> P:
        found = self._pools.get(config.name)
        if found is None:
            if kind_of(config) != kind:
                raise ConfigurationError(
                    f"pool {config.name}: its URL is for {kind_of(config)}, not for {kind}", details={"setting": "url"}
                )
            made = self._pools[config.name] = make()
            return made
        if not isinstance(found, of) or found.config != config:
            raise ConfigurationError(
                f"there is a pool {config.name} already, and it is set otherwise", details={"pool": config.name}
            )
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """In the order in which they were made."""
        return tuple(self._pools)

    def __getitem__(self, name: str) -> Pool:
        return self._pools[name]

    def stats(self) -> list[PoolStats]:
        """Every pool now."""
        return [each.stats() for each in self._pools.values()]

    def leaks(self) -> list[Held]:
        """Who keeps a connection for longer than its pool's `hold_seconds`."""
        return [held for each in self._pools.values() for held in each.usage.leaks()]

    async def check(self, seconds: float = 2.0) -> list[HealthStatus]:
        """Ask every service, all at once, within so many seconds; those that cannot be asked are left out."""
        found = await asyncio.gather(*[self._checked(each, seconds) for each in self._pools.values()])
        return [each for each in found if each is not None]

    async def _checked(self, pool: Pool, seconds: float) -> HealthStatus | None:
        began, reason = time.monotonic(), ""
        try:
            async with asyncio.timeout(seconds):
                if await pool.check() is None:
                    return None
        except TimeoutError:
            reason = f"no answer within {seconds:g} s"
        except OrchestratorError as error:
            reason = error.code
        except Exception as error:  # noqa: BLE001 - whatever a driver raises; its text may hold the address and more
            reason = type(error).__name__
        return HealthStatus(
            component=pool.config.name,
            state=HealthState.UNHEALTHY if reason else HealthState.HEALTHY,
            checked_at=self._clock.now(),
            duration=time.monotonic() - began,
            reason=reason,
        )

    async def start(self) -> None:
        """Open the connections that are to be warm, and watch for leaks from now on. A service that is not there yet is only logged."""
        for pool in self._pools.values():
            if pool.config.warm:
                try:
                    async with asyncio.timeout(pool.config.connect_seconds):
                        await pool.warm()
                except Exception:
                    logger.warning("a pool could not be warmed", extra={"pool": pool.config.name}, exc_info=True)
        if self._watch is None:
            self._watch = asyncio.create_task(self._watching(), name="pools")

    async def _watching(self) -> None:
        while True:
            await asyncio.sleep(
                max(1.0, min((each.config.hold_seconds for each in self._pools.values()), default=30) / 2)
            )
            for pool in list(self._pools.values()):
                for held in pool.usage.leaks(new=True):
                    logger.warning(
                        "a connection is held for long",
                        extra={
                            "pool": held.pool,
                            "seconds": round(held.seconds, 1),
                            "task_name": held.task,
                            "stack": list(held.stack),
                        },
                    )

    async def drain(self, limit: float) -> None:
        """Wait until nothing is in use; for `Lifecycle.add(drain=...)`."""
        until = time.monotonic() + limit
        while any(each.usage.in_use for each in self._pools.values()) and time.monotonic() < until:  # noqa: ASYNC110 - as above
            await asyncio.sleep(_POLL)

    async def close(self) -> None:
        """Drain and close every pool, the last one made first; one that fails does not keep the others.

        Raises:
            ExceptionGroup: Of what failed; everything was tried all the same.
        """
        if self._watch is not None:
            await cancel(self._watch)
            self._watch = None
        errors: list[Exception] = []
        while self._pools or self._replaced:
            pool = self._replaced.pop() if self._replaced else self._pools.popitem()[1]
            try:
                await pool.close(self._drain_seconds)
            except Exception as error:  # noqa: BLE001 - raised below, with the others
                errors.append(error)
        if errors:
            raise ExceptionGroup("some pools did not close cleanly", errors)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def _missing(config: PoolConfig, extra: str, error: ModuleNotFoundError) -> ConfigurationError:
    return ConfigurationError(
        f"pool {config.name} needs {error.name}: install orchestrator-performance[{extra}]",
        details={"pool": config.name, "missing": str(error.name)},
    )
