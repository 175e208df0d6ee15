"""The history of this package's tables."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from calls_databases import migrate
from sqlalchemy import Connection, inspect

from orchestrator_calls.engine import create_engine
from orchestrator_calls.migrations import HISTORY
from orchestrator_calls.tables import METADATA


@pytest.fixture
def sqlite_url(tmp_path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/calls.db"


@pytest.fixture
def postgres_url_async(postgres_database) -> str:
    return postgres_database.replace("postgresql://", "postgresql+asyncpg://")


@pytest.fixture(params=["sqlite_url", pytest.param("postgres_url_async", marks=pytest.mark.server)])
def url(request) -> str:
    return request.getfixturevalue(request.param)


def differences(connection: Connection) -> list[object]:
    options = {"version_table": HISTORY.version_table, "compare_type": True, "compare_server_default": True}
    return compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)


async def test_from_nothing_to_what_the_code_wants_and_back(url):
    engine = create_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    async with engine.begin() as connection:
        assert await connection.run_sync(differences) == []
        await connection.run_sync(migrate)
        tables = await connection.run_sync(lambda each: inspect(each).get_table_names())
        assert set(tables) == {*METADATA.tables, HISTORY.version_table}
    async with engine.begin() as connection:
        await connection.run_sync(lambda each: migrate(each, "base"))
        assert await connection.run_sync(lambda each: inspect(each).get_table_names()) == [HISTORY.version_table]
    await engine.dispose()


async def test_it_keeps_out_of_the_tables_of_others(url):
    engine = create_engine(url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE other_alembic_version (version_num VARCHAR(32))")
        await connection.run_sync(migrate)
        await connection.run_sync(lambda each: migrate(each, "base"))
        tables = await connection.run_sync(lambda each: inspect(each).get_table_names())
        assert sorted(tables) == ["calls_alembic_version", "other_alembic_version"]
    await engine.dispose()


def test_the_history_is_announced():
    [entry] = [each for each in entry_points(group="orchestrator.migrations") if each.name == "calls"]
    announced = entry.load()
    assert announced is HISTORY
    assert announced.metadata() is METADATA
