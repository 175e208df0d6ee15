"""The SQL key store on PostgreSQL: the same contracts, the same tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orchestrator_kernel.contracts import SealerContract
from orchestrator_kernel.ports import Sealer, SystemClock
from orchestrator_secrets.contracts import KeyStoreContract
from orchestrator_secrets.envelope import EnvelopeSealer, KeyStore, MasterKeyFile
from orchestrator_secrets.migrations import HISTORY
from orchestrator_secrets.sql_key_store import METADATA, KeyStoreFailed, SqlKeyStore

pytestmark = pytest.mark.server


@pytest.fixture
async def engine(postgres_database: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(make_url(postgres_database).set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        await connection.run_sync(HISTORY.upgrade)
    yield engine
    await engine.dispose()


class TestSqlKeyStoreOnPostgres(KeyStoreContract):
    @pytest.fixture(autouse=True)
    def _engine(self, engine: AsyncEngine) -> None:
        self.engine = engine

    async def make(self) -> KeyStore:
        return SqlKeyStore(self.engine)


class TestSealerOverPostgres(SealerContract):
    @pytest.fixture(autouse=True)
    def _engine(self, engine: AsyncEngine, tmp_path: Path) -> None:
        self.engine, self.path = engine, tmp_path / "master.keys"

    def make(self) -> Sealer:
        return EnvelopeSealer(MasterKeyFile(self.path), SqlKeyStore(self.engine), clock=SystemClock())


async def test_the_scripts_and_the_code_want_the_same_tables(engine: AsyncEngine) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"version_table": "secrets_alembic_version"})
        return compare_metadata(context, METADATA)

    async with engine.begin() as connection:
        assert await connection.run_sync(differences) == []


@pytest.mark.parametrize("change", [{"port": 1}, {"database": "no_such_database"}])
async def test_a_server_or_database_that_is_not_there(postgres_database: str, change: dict[str, object]) -> None:
    url = make_url(postgres_database).set(drivername="postgresql+asyncpg", **change)
    engine = create_async_engine(url)
    with pytest.raises(KeyStoreFailed) as caught:
        await SqlKeyStore(engine).newest("t1", "alice")
    assert caught.value.retryable
    await engine.dispose()
