"""The stores on SQLite, PostgreSQL and Valkey: the same contracts as in memory, and how they fail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from redis.asyncio import Redis
from sqlalchemy import Connection, event, inspect, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orchestrator_auth.contracts import RecordStoreContract, RevocationStoreContract
from orchestrator_auth.exceptions import AuthStoreFailed
from orchestrator_auth.jwt_service import RevocationStore
from orchestrator_auth.migrations import HISTORY
from orchestrator_auth.records import RecordStore
from orchestrator_auth.redis_store import RedisRecords, RedisRevocations
from orchestrator_auth.sql_store import METADATA, SqlRecords, SqlRevocations
from orchestrator_kernel.exceptions import ConfigurationError


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'auth.db'}")

    @event.listens_for(engine.sync_engine, "connect")
    def wal(connection, _record) -> None:
        connection.execute("PRAGMA journal_mode = WAL")

    async with engine.begin() as connection:
        await connection.run_sync(HISTORY.upgrade)
    yield engine
    await engine.dispose()


@pytest.fixture
async def postgres(postgres_database: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(make_url(postgres_database).set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        await connection.run_sync(HISTORY.upgrade)
    yield engine
    await engine.dispose()


@pytest.fixture
async def valkey(valkey_database: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(valkey_database)
    yield client
    await client.aclose()


class TestRecordsOnSqlite(RecordStoreContract):
    @pytest.fixture(autouse=True)
    def _engine(self, sqlite: AsyncEngine) -> None:
        self.engine = sqlite

    async def make(self) -> RecordStore:
        return SqlRecords(self.engine)


class TestRevocationsOnSqlite(RevocationStoreContract):
    @pytest.fixture(autouse=True)
    def _engine(self, sqlite: AsyncEngine) -> None:
        self.engine = sqlite

    async def make(self) -> RevocationStore:
        return SqlRevocations(self.engine)


@pytest.mark.server
class TestRecordsOnPostgres(RecordStoreContract):
    @pytest.fixture(autouse=True)
    def _engine(self, postgres: AsyncEngine) -> None:
        self.engine = postgres

    async def make(self) -> RecordStore:
        return SqlRecords(self.engine)


@pytest.mark.server
class TestRevocationsOnPostgres(RevocationStoreContract):
    @pytest.fixture(autouse=True)
    def _engine(self, postgres: AsyncEngine) -> None:
        self.engine = postgres

    async def make(self) -> RevocationStore:
        return SqlRevocations(self.engine)


@pytest.mark.server
class TestRecordsOnValkey(RecordStoreContract):
    @pytest.fixture(autouse=True)
    def _client(self, valkey: Redis) -> None:
        self.client = valkey

    async def make(self) -> RecordStore:
        return RedisRecords(self.client)


@pytest.mark.server
class TestRevocationsOnValkey(RevocationStoreContract):
    @pytest.fixture(autouse=True)
    def _client(self, valkey: Redis) -> None:
        self.client = valkey

    async def make(self) -> RevocationStore:
        return RedisRevocations(self.client)


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"version_table": "auth_alembic_version"})
    return compare_metadata(context, METADATA)


async def test_the_scripts_and_the_code_want_the_same_tables_on_sqlite(sqlite: AsyncEngine) -> None:
    async with sqlite.begin() as connection:
        assert await connection.run_sync(differences) == []


@pytest.mark.server
async def test_the_scripts_and_the_code_want_the_same_tables_on_postgres(postgres: AsyncEngine) -> None:
    async with postgres.begin() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_history_is_announced_and_goes_back(sqlite: AsyncEngine) -> None:
    (found,) = entry_points(group="orchestrator.migrations", name="auth")
    assert found.load() is HISTORY

    def back(connection: Connection) -> list[str]:
        from alembic import command

        command.downgrade(HISTORY.config(connection), "base")
        return inspect(connection).get_table_names()

    async with sqlite.begin() as connection:
        assert await connection.run_sync(back) == ["auth_alembic_version"]


async def test_missing_tables_say_what_to_run(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(AuthStoreFailed, match="run the migrations") as caught:
        await SqlRecords(engine).get("user", "secret-id")
    assert "secret-id" not in str(caught.value)
    with pytest.raises(AuthStoreFailed):
        await SqlRevocations(engine).changes(0, 0)
    await engine.dispose()


@pytest.mark.server
async def test_a_database_that_is_not_there(postgres_database: str) -> None:
    url = make_url(postgres_database).set(drivername="postgresql+asyncpg", port=1)
    engine = create_async_engine(url)
    with pytest.raises(AuthStoreFailed) as caught:
        await SqlRecords(engine).get("user", "u")
    assert (caught.value.status, caught.value.retryable) == (503, True)
    await engine.dispose()


async def test_a_server_that_is_not_there() -> None:
    client = Redis.from_url("redis://127.0.0.1:1")
    for call in (RedisRecords(client).get("user", "u"), RedisRevocations(client).changes(0, 0)):
        with pytest.raises(AuthStoreFailed) as caught:
            await call
        assert caught.value.status == 503
    await client.aclose()


def test_another_database_is_refused() -> None:
    class Engine:
        class dialect:  # noqa: N801 - as SQLAlchemy has it
            name = "mysql"

    with pytest.raises(ConfigurationError, match="sqlite or postgresql"):
        SqlRecords(Engine())  # type: ignore[arg-type]
