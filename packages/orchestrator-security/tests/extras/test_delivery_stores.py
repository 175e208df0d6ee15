"""Deliveries in SQLite, PostgreSQL and Valkey: the contract, transactions, and many processes at once."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import Column, Integer, MetaData, Table, func, make_url, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orchestrator_kernel.exceptions import ConfigurationError, DatabaseError
from orchestrator_security.contracts import DeliveryStoreContract
from orchestrator_security.delivery_store import DeliveryStore, delivery_digest
from orchestrator_security.redis_delivery_store import RedisDeliveryStore
from orchestrator_security.sql_delivery_store import SqlDeliveryStore
from orchestrator_security.tables import DELIVERIES

HOUR = timedelta(hours=1)
EVENTS = Table("test_events", MetaData(), Column("number", Integer, primary_key=True))
PROCESSES, COUNT = 8, 1000


async def fresh(url: str) -> AsyncEngine:
    engine = create_async_engine(url, connect_args={"timeout": 60})
    async with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        for table in (DELIVERIES, EVENTS):
            await connection.run_sync(table.create)
    return engine


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/security.db"


@pytest.fixture
def postgres(postgres_database: str) -> str:
    return make_url(postgres_database).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[AsyncEngine]:
    engine = await fresh(sqlite_url)
    yield engine
    await engine.dispose()


class TestSqlite(DeliveryStoreContract):
    @pytest.fixture(autouse=True)
    def _engine(self, sqlite: AsyncEngine) -> None:
        self.engine = sqlite

    async def make(self) -> DeliveryStore:
        return SqlDeliveryStore(self.engine)


@pytest.mark.server
class TestPostgres(DeliveryStoreContract):
    @pytest.fixture(autouse=True)
    async def _engine(self, postgres: str) -> AsyncIterator[None]:
        self.engine = await fresh(postgres)
        yield
        await self.engine.dispose()

    async def make(self) -> DeliveryStore:
        return SqlDeliveryStore(self.engine)


@pytest.mark.server
class TestValkey(DeliveryStoreContract):
    @pytest.fixture(autouse=True)
    async def _client(self, valkey_database: str) -> AsyncIterator[None]:
        async with Redis.from_url(valkey_database.replace("valkey://", "redis://")) as self.client:
            yield

    async def make(self) -> DeliveryStore:
        return RedisDeliveryStore(self.client)

    async def test_an_acceptance_whose_answer_was_lost_is_still_ours(self) -> None:
        """The client sends the command twice; the second answer must not read as a duplicate."""

        class LostAnswer:
            def __init__(self, client: Redis) -> None:
                self.client = client

            async def set(self, *arguments, **options):
                await self.client.set(*arguments, **options)
                return await self.client.set(*arguments, **options)

        now, digest = datetime.now(UTC), delivery_digest("acme", "evt-1")
        assert await RedisDeliveryStore(LostAnswer(self.client)).accept(digest, now=now, expires_at=now + HOUR)
        assert not await RedisDeliveryStore(self.client).accept(digest, now=now, expires_at=now + HOUR)


async def test_delivery_and_event_are_kept_together_or_not_at_all(sqlite: AsyncEngine) -> None:
    store, now, digest = SqlDeliveryStore(sqlite), datetime.now(UTC), delivery_digest("acme", "evt-1")

    async def receive(number: int, *, crash: bool) -> bool:
        async with sqlite.begin() as connection:
            if not await store.accept_within(connection, digest, now=now, expires_at=now + HOUR):
                return False
            await connection.execute(EVENTS.insert().values(number=number))
            if crash:
                raise InterruptedError
            return True

    with pytest.raises(InterruptedError):
        await receive(1, crash=True)
    assert await receive(2, crash=False)
    assert not await receive(3, crash=False)
    async with sqlite.connect() as connection:
        assert list(await connection.scalars(select(EVENTS.c.number))) == [2]


async def test_purging_keeps_what_is_still_remembered(sqlite: AsyncEngine) -> None:
    store, now = SqlDeliveryStore(sqlite), datetime.now(UTC)
    for number in range(30):
        digest = delivery_digest("acme", str(number))
        await store.accept(digest, now=now, expires_at=now + (HOUR if number % 3 else 2 * HOUR))
    later = now + timedelta(minutes=61)
    assert [await store.purge(now=later, limit=15) for _ in range(3)] == [15, 5, 0]
    async with sqlite.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(DELIVERIES)) == 10


async def test_a_store_that_cannot_tell_says_so(tmp_path: Path) -> None:
    now, digest = datetime.now(UTC), delivery_digest("acme", "evt-1")
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/empty.db")
    with pytest.raises(DatabaseError, match="migrations"):
        await SqlDeliveryStore(engine).accept(digest, now=now, expires_at=now + HOUR)
    await engine.dispose()
    async with Redis.from_url("redis://127.0.0.1:1") as client:
        for call in (
            lambda store: store.accept(digest, now=now, expires_at=now + HOUR),
            lambda store: store.forget(digest),
        ):
            with pytest.raises(DatabaseError, match="server failed"):
                await call(RedisDeliveryStore(client))

    class Mssql:
        class dialect:  # noqa: N801 - as SQLAlchemy spells it
            name = "mssql"

    with pytest.raises(ConfigurationError, match="mssql"):
        SqlDeliveryStore(Mssql())


async def accepted_by_processes(url: str, tmp_path: Path, count: int = COUNT) -> Counter[int]:
    gate, script = tmp_path / "gate", Path(__file__).with_name("delivery_process.py")
    command = [sys.executable, str(script), url, str(count)]
    pipe = asyncio.subprocess.PIPE
    processes = [
        await asyncio.create_subprocess_exec(*command, str(seed), str(gate), stdout=pipe) for seed in range(PROCESSES)
    ]
    for process in processes:
        assert await process.stdout.readline() == b"ready\n"
    gate.touch()
    outputs = [(await process.communicate())[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES
    return Counter(int(number) for output in outputs for number in output.split())


@pytest.mark.slow
async def test_eight_processes_accept_each_delivery_once_in_sqlite(sqlite_url: str, tmp_path: Path) -> None:
    await (await fresh(sqlite_url)).dispose()
    assert await accepted_by_processes(sqlite_url, tmp_path) == Counter(range(COUNT))


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.parametrize("count", [200, pytest.param(COUNT, marks=pytest.mark.soak)])
async def test_eight_processes_accept_each_delivery_once_in_postgres(postgres: str, tmp_path: Path, count: int) -> None:
    await (await fresh(postgres)).dispose()
    assert await accepted_by_processes(postgres, tmp_path, count) == Counter(range(count))


@pytest.mark.slow
@pytest.mark.server
async def test_eight_processes_accept_each_delivery_once_in_valkey(valkey_database: str, tmp_path: Path) -> None:
    url = valkey_database.replace("valkey://", "redis://")
    assert await accepted_by_processes(url, tmp_path) == Counter(range(COUNT))
