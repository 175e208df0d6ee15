"""What becomes of a database's errors, on SQLite and on PostgreSQL."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from sqlalchemy import Column, MetaData, String, Table, select
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orchestrator_kernel.exceptions import ConfigurationError, DatabaseError
from orchestrator_kernel.sql import SqlStore, database_errors, insertion, row_count

THINGS = Table("things", MetaData(), Column("name", String(20), primary_key=True), Column("value", String(20)))
SECRET = "a-value-of-a-person"


class Failed(DatabaseError):
    """Of these tests."""


class Things(SqlStore):
    """Keeps a value for a name, the first one."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, what="things", package="a-package", failed=Failed)

    async def keep(self, name: str, value: str) -> bool:
        async with self._transaction() as connection:
            row = self._insert(THINGS).values(name=name, value=value).on_conflict_do_nothing()
            return row_count(await connection.execute(row)) == 1

    async def keep_and_fail(self, name: str) -> None:
        async with self._transaction() as connection:
            await connection.execute(THINGS.insert().values(name=name, value=SECRET))
            await connection.execute(THINGS.insert().values(name=name, value=SECRET))

    async def value(self, name: str) -> str | None:
        async with self._connection() as connection:
            found = await connection.scalar(select(THINGS.c.value).where(THINGS.c.name == name))
            return None if found is None else str(found)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/things.db"
    return str(request.getfixturevalue("postgres_database")).replace("postgresql://", "postgresql+asyncpg://")


async def test_what_was_kept_first_stays(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(THINGS.metadata.create_all)
    things = Things(engine)
    assert [await things.keep("a", "one"), await things.keep("a", "two")] == [True, False]
    assert await things.value("a") == "one"
    await engine.dispose()


async def test_an_error_undoes_all_and_shows_no_value(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(THINGS.metadata.create_all)
    things = Things(engine)
    with pytest.raises(Failed, match="database of things failed") as caught:
        await things.keep_and_fail("a")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert await things.value("a") is None
    await engine.dispose()


async def test_tables_that_are_missing_are_told_with_whose_migrations_make_them(url: str) -> None:
    engine = create_async_engine(url)
    with pytest.raises(Failed, match="run the migrations of a-package"):
        await Things(engine).value("a")
    await engine.dispose()


async def test_a_server_that_is_not_there_is_the_same_error(unused_tcp_port: int) -> None:
    engine = create_async_engine(f"postgresql+asyncpg://nobody@127.0.0.1:{unused_tcp_port}/nothing")
    with pytest.raises(Failed):
        await Things(engine).value("a")
    await engine.dispose()


def test_another_database_is_refused() -> None:
    class Other:
        dialect = mysql.dialect()

    with pytest.raises(ConfigurationError, match="things can be kept in sqlite or postgresql, not in mysql"):
        insertion(Other(), "things")  # type: ignore[arg-type]


def test_what_is_to_pass_passes() -> None:
    broken = IntegrityError("INSERT", {}, Exception("twice"))
    with pytest.raises(IntegrityError), database_errors("failed", Failed, passing=(IntegrityError,)):
        raise broken
    with pytest.raises(Failed), database_errors("failed", Failed):
        raise broken
