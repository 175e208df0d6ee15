"""Pools of database connections (extras `[sql]`, `[postgres]`): SQLAlchemy's queue, with books, and its connections tried when that is worth it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sqlalchemy import event, make_url, text
from sqlalchemy.exc import ArgumentError, DisconnectionError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_performance._pools.config import PoolConfig
from orchestrator_performance._pools.pools import Observe, Pool
from orchestrator_performance._pools.usage import Lease, PoolClosed, Usage

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Dialect, ExceptionContext
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["SqlPool"]

_DRIVERS: Final = {"postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
_EXTRAS: Final = {"asyncpg": "postgres", "aiosqlite": "sql"}
_IDLE_SINCE: Final = "orchestrator_idle_since"


class _MeasuredPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's queue, with books. One class per pool: SQLAlchemy makes a new instance of it whenever it disposes of one."""

    usage: ClassVar[Usage]
    closed: ClassVar[list[bool]]
    leases: ClassVar[dict[ConnectionPoolEntry, Lease]]

    def _do_get(self) -> ConnectionPoolEntry:
        if self.closed:
            raise PoolClosed(f"the pool {self.usage.name} is closed", details={"pool": self.usage.name})
        began = time.monotonic()
        full = self.usage.in_use >= self.usage.size
        self.usage.waiting += full
        try:
            entry = super()._do_get()
        except PoolTimeoutError:
            self.usage.timeouts += 1
            raise
        except Exception:
            self.usage.failures += 1
            raise
        finally:
            self.usage.waiting -= full
        self.leases[entry] = self.usage.taken(time.monotonic() - began)
        return entry

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        try:
            super()._do_return_conn(record)
        finally:
            lease = self.leases.pop(record, None)
            if lease is not None:
                lease.release()


class SqlPool(Pool):
    """Connections to one database.

    Attributes:
        engine: An SQLAlchemy `AsyncEngine`; do not dispose of it, the pool does.
    """

    def __init__(
        self, config: PoolConfig, make: Callable[..., AsyncEngine] | None = None, observe: Observe | None = None
    ) -> None:
        super().__init__(config)
        self._closed: list[bool] = []
        members = {
            # Under this name SQLAlchemy's pools log, and people set how loud they are.
            "__module__": AsyncAdaptedQueuePool.__module__,
            "usage": self.usage,
            "closed": self._closed,
            "leases": dict[ConnectionPoolEntry, Lease](),
        }
        self.engine = self._make(make or create_async_engine, type("MeasuredPool", (_MeasuredPool,), members))
        self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        if config.ping == "idle":
            _try_idle_connections(self.engine, config.idle_seconds)
        if observe is not None:
            _time_statements(self.engine, config.name, observe)

    def _make(self, make: Callable[..., AsyncEngine], pool_class: type) -> AsyncEngine:
        config = self.config
        wrong = f"pool {config.name}: the URL is not valid; check its user, host and port"
        scheme, _, rest = config.url.partition("://")
        try:
            url = make_url(f"{_DRIVERS.get(scheme, scheme)}://{rest}")
            return make(
                url.render_as_string(hide_password=False),
                poolclass=pool_class,
                pool_size=config.size,
                max_overflow=0,
                pool_timeout=config.acquire_seconds,
                pool_recycle=config.lifetime_seconds,
                pool_pre_ping=config.ping == "always",
            )
        except ModuleNotFoundError as error:
            extra = _EXTRAS.get(str(error.name))
            install = f"orchestrator-performance[{extra}]" if extra else str(error.name)
            raise ConfigurationError(
                f"pool {config.name} needs the driver {error.name}: install {install}",
                details={"pool": config.name, "missing": str(error.name)},
            ) from None
        except NoSuchModuleError:
            raise ConfigurationError(
                f"pool {config.name}: SQLAlchemy knows no {scheme}", details={"setting": "url"}
            ) from None
        except (ArgumentError, ValueError):
            # The cause may quote the password.
            raise ConfigurationError(wrong, details={"setting": "url"}) from None

    @property
    def idle(self) -> int:
        pool: Any = self.engine.pool
        return int(pool.checkedin())

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """A connection in autocommit: each statement by itself, without the round trips that begin and end a transaction. For single reads."""
        if self.engine.dialect.driver != "asyncpg":
            async with self._reading.connect() as connection:
                yield connection
            return
        # The same as above, at a third of its price: this driver keeps the mode on our side alone.
        connection = await self.engine.connect()
        try:
            raw: Any = connection.sync_connection.connection.dbapi_connection  # type: ignore[union-attr]  # it is connected
            raw.autocommit = True
            try:
                yield connection
            finally:
                raw.autocommit = False
        finally:
            await connection.close()

    async def check(self) -> bool:
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))
        return True

    async def warm(self) -> None:
        async with AsyncExitStack() as stack:
            for _ in range(self.config.warm):
                await stack.enter_async_context(self.engine.connect())

    def refuse(self) -> None:
        self._closed.append(True)

    async def shut(self) -> None:
        await self.engine.dispose()


def _try_idle_connections(engine: AsyncEngine, seconds: float) -> None:
    """Try a connection that nobody used for a while before it is given away; the pool replaces one that is dead, and its kin."""
    dialect = engine.dialect

    def checked_in(_connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        entry.info[_IDLE_SINCE] = time.monotonic()

    def checked_out(connection: DBAPIConnection, entry: ConnectionPoolEntry, _fairy: object) -> None:
        since = entry.info.get(_IDLE_SINCE)
        if since is not None and time.monotonic() - since > seconds and not _alive(dialect, connection):
            raise DisconnectionError("the idle connection was closed by the server")

    event.listen(engine.sync_engine, "checkin", checked_in)
    event.listen(engine.sync_engine, "checkout", checked_out)


def _alive(dialect: Dialect, connection: DBAPIConnection) -> bool:
    errors: tuple[type[Exception], ...] = (dialect.loaded_dbapi.Error, OSError)
    try:
        return dialect.do_ping(connection)
    except errors:
        return False


def _time_statements(engine: AsyncEngine, name: str, observe: Observe) -> None:
    """Tell how long each statement took, and whether it failed."""

    def before(
        _connection: Connection, _cursor: object, _statement: str, _parameters: object, context: Any, _many: object
    ) -> None:
        context.orchestrator_began = time.monotonic()

    def after(
        _connection: Connection, _cursor: object, _statement: str, _parameters: object, context: Any, _many: object
    ) -> None:
        observe("sql", name, time.monotonic() - context.orchestrator_began, False)

    def failed(context: ExceptionContext) -> None:
        began = getattr(context.execution_context, "orchestrator_began", None)
        if began is not None and isinstance(context.original_exception, Exception):
            observe("sql", name, time.monotonic() - began, True)

    event.listen(engine.sync_engine, "before_cursor_execute", before)
    event.listen(engine.sync_engine, "after_cursor_execute", after)
    event.listen(engine.sync_engine, "handle_error", failed)
