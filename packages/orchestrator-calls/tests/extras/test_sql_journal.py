"""The journal in SQLite and PostgreSQL, with a real sealer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from calls_databases import database, journal, real_sealer
from sqlalchemy import event, text

from orchestrator_calls.contracts import SharedJournalContract
from orchestrator_calls.contracts._journal import made
from orchestrator_calls.engine import create_engine
from orchestrator_calls.events import CallState
from orchestrator_calls.journal import CallNotDeclared, JournalUnavailable, SharedJournal
from orchestrator_calls.sql_journal import SqlJournal
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import SealBroken, Sealer
from orchestrator_secrets.envelope import EnvelopeSealer


class SqlContract(SharedJournalContract):
    """The contract with the database of `url`."""

    folder: Path
    url: str
    _sealer: EnvelopeSealer

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[SharedJournal]:
        self._sealer = real_sealer(self.folder)
        async with database(self.url) as engine, journal(engine, self._sealer) as opened:
            yield opened

    @property
    def sealer(self) -> Sealer | None:
        return getattr(self, "_sealer", None) or real_sealer(self.folder)


class TestSqlite(SqlContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path):
        self.folder, self.url = tmp_path, f"sqlite+aiosqlite:///{tmp_path}/calls.db"


@pytest.mark.server
class TestPostgres(SqlContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path, postgres_database):
        self.folder, self.url = tmp_path, postgres_database.replace("postgresql://", "postgresql+asyncpg://")


# --- what only a database can do wrong --------------------------------------------------------------------------------------


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/calls.db"


@asynccontextmanager
async def declared(
    url: str, tmp_path: Path, *calls: str, sealer: EnvelopeSealer | None = None, **options: int
) -> AsyncIterator[SqlJournal]:
    async with database(url) as engine, journal(engine, sealer or real_sealer(tmp_path), **options) as opened:
        for call in calls:
            await opened.bind("t1", call)
        yield opened


async def test_every_commit_of_a_file_is_durable_and_many_writers_share_it(url, tmp_path):
    async with declared(url, tmp_path, "c1") as opened:
        commits = opened._writing._commits
        settings, count = {}, 0

        def counted(_connection: object) -> None:
            nonlocal count
            count += 1

        event.listen(commits._engine, "commit", counted)
        with commits._engine.connect() as connection:
            for pragma in ("synchronous", "journal_mode", "secure_delete", "foreign_keys"):
                settings[pragma] = connection.execute(text(f"PRAGMA {pragma}")).scalar()
        await asyncio.gather(*(opened.append([made(f"e{n}")]) for n in range(100)))
        assert settings == {"synchronous": 2, "journal_mode": "wal", "secure_delete": 1, "foreign_keys": 1}
        assert count < 10


async def test_with_a_batch_of_one_every_write_has_its_own_commit(url, tmp_path):
    async with declared(url, tmp_path, "c1", max_batch=1) as opened:
        count = 0

        def counted(_connection: object) -> None:
            nonlocal count
            count += 1

        event.listen(opened._writing._commits._engine, "commit", counted)
        await asyncio.gather(*(opened.append([made(f"e{n}")]) for n in range(20)))
        assert count == 20


async def test_what_was_kept_is_there_after_the_journal_was_opened_again(url, tmp_path):
    sealer = real_sealer(tmp_path)
    async with declared(url, tmp_path, "c1", sealer=sealer) as opened:
        await opened.append([made("e1", text="hello")])
        await opened.mark("c1", CallState.ACTIVE)
    async with declared(url, tmp_path, sealer=sealer) as opened:
        [row] = await opened.calls()
        assert (row.call_id, row.state) == ("c1", CallState.ACTIVE)
        [again] = await opened.append([made("e1")])
        assert again.duplicate


async def test_closing_writes_what_is_queued(url, tmp_path):
    async with declared(url, tmp_path, "c1") as opened:
        tasks = [asyncio.create_task(opened.append([made(f"e{n}")])) for n in range(50)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await opened.close()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        kept = {event.id for event in await opened.read("c1")}
        for n, outcome in enumerate(outcomes):
            assert (f"e{n}" in kept) is (not isinstance(outcome, JournalUnavailable))
        with pytest.raises(JournalUnavailable, match="not open"):
            await opened.append([made("late")])


async def test_one_write_that_the_database_refuses_does_not_spoil_the_others_of_its_batch(url, tmp_path):
    async with declared(url, tmp_path, "c1", "gone") as opened:
        await opened.append([made("first", "gone")])
        async with opened._engine.begin() as connection:
            await connection.execute(text("DELETE FROM calls_event"))
            await connection.execute(text("DELETE FROM calls_call WHERE call_id = 'gone'"))
        events = [made("e1"), made("bad", "gone"), made("e2")]
        outcomes = await asyncio.gather(*(opened.append([each]) for each in events), return_exceptions=True)
        assert [isinstance(each, JournalUnavailable) for each in outcomes] == [False, True, False]
        assert [each.id for each in await opened.read("c1")] == ["e1", "e2"]
        assert "hello" not in str(outcomes[1])


async def test_a_database_that_cannot_be_opened_is_told_in_one_sentence(tmp_path):
    for url, why in (
        (f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/calls.db", "unable to open"),
        (f"sqlite+aiosqlite:///{tmp_path}/empty.db", "no such table"),
    ):
        engine = create_engine(url)
        with pytest.raises(JournalUnavailable, match=why) as refused:
            await SqlJournal(engine, real_sealer(tmp_path)).open()
        assert "SELECT" not in str(refused.value)
        await engine.dispose()


@pytest.mark.parametrize("place", ["", ":memory:"])
async def test_a_database_in_memory_is_refused(tmp_path, place):
    engine = create_engine(f"sqlite+aiosqlite:///{place}")
    with pytest.raises(ConfigurationError, match="MemoryJournal"):
        await SqlJournal(engine, real_sealer(tmp_path)).open()
    await engine.dispose()


async def test_an_unreachable_server_is_told_in_one_sentence(tmp_path, unused_tcp_port):
    engine = create_engine(f"postgresql+asyncpg://nobody@127.0.0.1:{unused_tcp_port}/none")
    with pytest.raises(JournalUnavailable, match="cannot be read"):
        await SqlJournal(engine, real_sealer(tmp_path)).open()
    await engine.dispose()


async def test_the_journal_goes_on_after_the_database_was_locked_away(url, tmp_path):
    async with declared(url, tmp_path, "c1") as opened:
        commits = opened._writing._commits
        broken = [True]

        def fail(_connection: object) -> None:
            if broken.pop() if broken else False:
                raise OSError("disk I/O error")

        event.listen(commits._engine, "commit", fail)
        with pytest.raises(JournalUnavailable, match="disk I/O error"):
            await opened.append([made("e1")])
        [appended] = await opened.append([made("e1")])
        assert not appended.duplicate


async def test_nobody_can_read_or_move_what_was_said(url, tmp_path):
    words, number = "a confidential remark", "+4917012345"
    async with declared(url, tmp_path, "c1", "c2") as opened:
        await opened.append([made("e1", text=words, caller=number)])
        await opened.append([made("e2", "c2")])
        stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("calls.db"))
        assert len(stored) > 4096
        assert words.encode() not in stored
        assert number.encode() not in stored
        assert number.strip("+").encode() not in stored
        async with opened._engine.begin() as connection:
            await connection.execute(text("UPDATE calls_event SET call_id = 'c2' WHERE event_id = 'e1'"))
        with pytest.raises(SealBroken):
            await opened.read("c2")


async def test_the_rows_of_calls_are_remembered_up_to_a_limit(url, tmp_path, monkeypatch):
    monkeypatch.setattr("orchestrator_calls._drivers.sql_journal._KNOWN_CALLS", 3)
    async with declared(url, tmp_path, *(f"c{n}" for n in range(9))) as opened:
        assert len(opened._known) == 3
        [appended] = await opened.append([made("e1", "c0")])
        assert not appended.duplicate
        with pytest.raises(CallNotDeclared):
            await opened.append([made("e2", "c9")])


async def test_thousands_of_duplicates_are_looked_up_in_parts(url, tmp_path):
    async with declared(url, tmp_path, "c1") as opened:
        events = [made(f"e{n}") for n in range(1200)]
        await opened.append(events)
        assert all(each.duplicate for each in await opened.append(events))
