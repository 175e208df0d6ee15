"""The SQL key store on SQLite files: the contracts, what lies in the files, and how it fails."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, event, inspect
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orchestrator_kernel.contracts import SealerContract
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Erased, Sealer, SealScope, SystemClock
from orchestrator_secrets.contracts import KeyStoreContract, data_key
from orchestrator_secrets.envelope import EnvelopeSealer, KeyStore, MasterKeyFile
from orchestrator_secrets.migrations import HISTORY
from orchestrator_secrets.sql_key_store import METADATA, KeyStoreFailed, SqlKeyStore

ALICE = SealScope("t1", "alice", "notes")


class Database:
    """A SQLite file with the tables, and engines on it that are closed with the test."""

    def __init__(self, path: Path, stack: AsyncExitStack) -> None:
        self.path = path
        self._stack = stack

    def engine(self, **pragmas: str) -> AsyncEngine:
        engine = create_async_engine(f"sqlite+aiosqlite:///{self.path}")
        self._stack.push_async_callback(engine.dispose)

        @event.listens_for(engine.sync_engine, "connect")
        def configure(connection, _record) -> None:
            cursor = connection.cursor()
            for name, value in pragmas.items():
                cursor.execute(f"PRAGMA {name} = {value}")
            cursor.close()

        return engine

    def store(self, **pragmas: str) -> SqlKeyStore:
        return SqlKeyStore(self.engine(**pragmas))

    def bytes_on_disk(self) -> bytes:
        files = [self.path.with_name(self.path.name + suffix) for suffix in ("", "-wal", "-shm", "-journal")]
        return b"".join(file.read_bytes() for file in files if file.exists())


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with AsyncExitStack() as stack:
        database = Database(tmp_path / "keys.db", stack)
        migrating = database.engine(journal_mode="WAL")
        async with migrating.begin() as connection:
            await connection.run_sync(HISTORY.upgrade)
        await migrating.dispose()
        yield database


class TestSqlKeyStore(KeyStoreContract):
    @pytest.fixture(autouse=True)
    def _database(self, database: Database) -> None:
        self.database = database

    async def make(self) -> KeyStore:
        return self.database.store()


class TestSqlKeyStoreWithRollbackJournal(TestSqlKeyStore):
    async def make(self) -> KeyStore:
        return self.database.store(journal_mode="DELETE")


class TestSealerOverSql(SealerContract):
    @pytest.fixture(autouse=True)
    def _database(self, database: Database) -> None:
        self.database = database

    def make(self) -> Sealer:
        keys = MasterKeyFile(self.database.path.with_name("master.keys"))
        return EnvelopeSealer(keys, self.database.store(), clock=SystemClock())


def sealer(database: Database) -> EnvelopeSealer:
    keys = MasterKeyFile(database.path.with_name("master.keys"))
    return EnvelopeSealer(keys, database.store(), clock=SystemClock())


# --- what lies in the files


async def test_no_plain_key_lies_in_the_files(database: Database) -> None:
    sealing = sealer(database)
    await sealing.seal(b"data", ALICE)
    store = database.store()
    record = await store.newest("t1", "alice")
    assert record is not None
    plain = await sealing._unwrap(record)
    files = database.bytes_on_disk()
    assert record.wrapped.data in files
    assert plain not in files
    assert MasterKeyFile(database.path.with_name("master.keys"))._ring.newest.key not in files


@pytest.mark.parametrize("journal_mode", ["WAL", "DELETE"])
async def test_a_destroyed_key_is_gone_from_the_files(database: Database, journal_mode: str) -> None:
    store = database.store(journal_mode=journal_mode, secure_delete="OFF")
    keys = [data_key(f"s{number}") for number in range(50)]
    for key in keys:
        await store.add(key)
    for key in keys[::2]:
        await store.destroy("t1", key.subject, datetime.now(UTC))
    files = database.bytes_on_disk()
    for destroyed, kept in zip(keys[::2], keys[1::2], strict=True):
        assert destroyed.wrapped.data not in files
        assert destroyed.wrapped.data[:16] not in files
        assert kept.wrapped.data in files


async def test_a_reader_puts_the_scrubbing_off_and_is_told(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    store, key = database.store(), data_key()
    await store.add(key)
    reader = database.engine()
    async with reader.connect() as connection:
        await connection.exec_driver_sql("BEGIN")
        await connection.exec_driver_sql("SELECT * FROM secrets_data_keys")
        await store.add(data_key("bob"))
        assert await store.destroy("t1", "alice", datetime.now(UTC)) is True
        assert "write-ahead log" in caplog.text
        assert await store.scrub() is False
        assert key.wrapped.data in database.bytes_on_disk()
        await connection.rollback()
    assert await store.scrub() is True
    assert key.wrapped.data not in database.bytes_on_disk()


async def test_an_engine_made_for_speed_is_made_safe(database: Database) -> None:
    engine = database.engine(synchronous="OFF")
    async with engine.connect() as connection:  # a connection that is in the pool already
        assert (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one() == 0
    await SqlKeyStore(engine).add(data_key())
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one() == 2
        assert (await connection.exec_driver_sql("PRAGMA secure_delete")).scalar_one() == 1
        assert (await connection.exec_driver_sql("PRAGMA busy_timeout")).scalar_one() == 5000


# --- several processes


async def test_engines_over_one_file_agree(database: Database) -> None:
    stores = [database.store() for _ in range(4)]
    answers = await asyncio.gather(*[store.add(data_key()) for store in stores for _ in range(5)])
    assert len({answer.id for answer in answers}) == 1
    key_id = answers[0].id
    reserved = await asyncio.gather(*[store.reserve(key_id, 10, 110) for store in stores for _ in range(5)])
    assert sum(reserved) == 10


async def test_a_destroy_on_one_engine_is_seen_by_the_next_seal_on_another(database: Database) -> None:
    here, there = sealer(database), sealer(database)
    sealed = await there.seal(b"data", ALICE)
    assert await here.open(sealed, ALICE) == b"data"
    assert await here.destroy("t1", "alice") is True
    for step in (there.seal(b"more", ALICE), there.open(sealed, ALICE), here.open(sealed, ALICE)):
        with pytest.raises(Erased):
            await step


# --- failing


async def test_missing_tables_are_told_in_one_sentence(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(KeyStoreFailed, match="run the migrations of orchestrator-secrets"):
        await SqlKeyStore(engine).newest("t1", "alice")
    await engine.dispose()


async def test_no_database_at_all(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'missing' / 'keys.db'}")
    with pytest.raises(KeyStoreFailed) as caught:
        await SqlKeyStore(engine).newest("t1", "alice")
    assert caught.value.retryable
    await engine.dispose()
    # The thread of a connection that could not be opened may otherwise outlive the loop that it reports to.
    workers = [thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name]
    for worker in workers:
        await asyncio.to_thread(worker.join, 5)


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "keys.db").write_bytes(b"not a database " * 100)
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'keys.db'}")
    with pytest.raises(KeyStoreFailed):
        await SqlKeyStore(engine).newest("t1", "alice")
    await engine.dispose()


async def test_a_failure_shows_no_parameters(database: Database) -> None:
    store, key = database.store(), data_key("caller-4711")
    async with database.engine().begin() as connection:
        await connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON secrets_data_keys BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    with pytest.raises(KeyStoreFailed) as caught:
        await store.add(key)
    shown = "".join(traceback.format_exception(caught.value))
    assert "no room" in shown
    assert "caller-4711" not in shown
    assert await store.newest("t1", "caller-4711") is None


def test_other_databases_are_refused() -> None:
    class Dialect:
        name = "mysql"

    class Engine:
        dialect = Dialect

    with pytest.raises(ConfigurationError, match="sqlite or postgresql, not in mysql"):
        SqlKeyStore(Engine())


# --- migrations


def test_the_history_is_announced_and_makes_the_tables_of_the_code(tmp_path: Path) -> None:
    (announced,) = [each for each in entry_points(group="orchestrator.migrations") if each.name == "secrets"]
    assert announced.load() is HISTORY
    assert HISTORY.metadata() is METADATA


def differences(connection: Connection) -> list[object]:
    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name in METADATA.tables

    context = MigrationContext.configure(
        connection, opts={"include_name": ours, "compare_type": True, "compare_server_default": True}
    )
    return compare_metadata(context, METADATA)


async def test_the_scripts_and_the_code_want_the_same_tables(database: Database) -> None:
    async with database.engine().begin() as connection:
        assert await connection.run_sync(differences) == []
        await connection.run_sync(HISTORY.upgrade)  # again: nothing happens
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert set(names) == {"secrets_subjects", "secrets_data_keys", "secrets_alembic_version"}


async def test_the_history_goes_down_and_up_beside_another_package(database: Database) -> None:
    from alembic import command

    def down(connection: Connection) -> None:
        command.downgrade(HISTORY.config(connection), "base")

    async with database.engine().begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE calls_events (id INTEGER)")
        await connection.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)")
        await connection.run_sync(down)
        await connection.run_sync(HISTORY.upgrade)
        assert await connection.run_sync(differences) == []
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert {"calls_events", "alembic_version", "secrets_data_keys"} <= set(names)
