"""The audit log in SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import io
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from audit_support import NEW, OLD, START, event
from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orchestrator_kernel.contracts import AuditSinkContract
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.models import AuditEvent
from orchestrator_kernel.ports import AuditSink
from orchestrator_security._audit.tables import METADATA
from orchestrator_security.audit_logging import (
    AuditKey,
    AuditKeyring,
    AuditQuery,
    AuditSigner,
    AuditStoreFailed,
    SqlAuditSink,
    Verification,
    export_audit,
    show_audit,
    verify_audit,
    verify_export,
)
from orchestrator_security.migrations import HISTORY

ONE_KEY = AuditKeyring([AuditKey(OLD.public)])


class Later:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


async def migrated(url: str) -> AsyncEngine:
    engine = create_async_engine(url)
    if engine.dialect.name == "sqlite":
        async with engine.connect() as connection:
            await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    async with engine.begin() as connection:
        await connection.run_sync(HISTORY.upgrade)
    return engine


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}"
    server: str = request.getfixturevalue("postgres_database")
    return make_url(server).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


@pytest.fixture
async def engine(url: str) -> AsyncIterator[AsyncEngine]:
    engine = await migrated(url)
    yield engine
    await engine.dispose()


async def begun(
    engine: AsyncEngine, *, signer: AuditSigner = OLD, every: int = 4, clock: Later | None = None
) -> SqlAuditSink:
    sink = SqlAuditSink(engine, signer, clock=clock or Later(), checkpoint_every=every)
    await sink.open()
    return sink


def some(count: int, first: int = 0) -> list[AuditEvent]:
    chance = random.Random(first)
    return [event(first + number, chance) for number in range(count)]


async def verified(engine: AsyncEngine, keys: AuditKeyring = ONE_KEY, now: datetime = START) -> Verification:
    return await verify_audit(engine, keys, now=now)


class TestContract(AuditSinkContract):
    @pytest.fixture(autouse=True)
    async def _engine(self, engine: AsyncEngine) -> None:
        self.engine = engine
        await begun(engine)

    def make(self) -> AuditSink:
        return SqlAuditSink(self.engine, OLD, clock=Later(), checkpoint_every=7)

    async def kept(self, sink: AuditSink) -> Sequence[AuditEvent]:
        assert (await verified(self.engine)).intact
        return list(reversed(await show_audit(self.engine, AuditQuery())))


async def test_what_is_kept_verifies_and_comes_back_as_it_was(engine: AsyncEngine) -> None:
    sink = await begun(engine)
    events = some(30)
    await asyncio.gather(*map(sink.record, events))
    result = await verified(engine)
    assert (result.entries, result.intact, result.checkpoints >= 1) == (30, True, True)
    assert list(reversed(await show_audit(engine, AuditQuery()))) == events


async def test_a_batch_with_known_events_keeps_the_others(engine: AsyncEngine) -> None:
    sink = await begun(engine)
    await sink.append(some(5))
    await sink.append([*some(8), *some(8)])
    assert (await verified(engine)).entries == 8
    await sink.append(some(8))
    await sink.append([])
    assert (await verified(engine)).intact


TAMPERINGS = [
    "UPDATE security_audit_entries SET document = replace(document, 'call:', 'cell:') WHERE seq = 5",
    "UPDATE security_audit_entries SET event_type = 'data.read2' WHERE seq = 5",
    "UPDATE security_audit_entries SET tenant = 'other' WHERE seq = 5",
    "UPDATE security_audit_entries SET occurred_at = occurred_at - 1 WHERE seq = 5",
    "UPDATE security_audit_entries SET expires = 0 WHERE seq = 5",
    "UPDATE security_audit_entries SET document = NULL, event_id = NULL, event_type = NULL, tenant = NULL, occurred_at = NULL WHERE seq = 5",
    "DELETE FROM security_audit_entries WHERE seq = 5",
    "DELETE FROM security_audit_entries WHERE seq >= 9",
    "DELETE FROM security_audit_entries",
    "UPDATE security_audit_entries SET seq = seq + 100 WHERE seq >= 5",
    "UPDATE security_audit_entries SET seq = -seq WHERE seq = 1",
    "UPDATE security_audit_entries SET seq = 9223372036854775807 WHERE seq = 10",
    "INSERT INTO security_audit_entries SELECT 11, 'x', event_type, tenant, occurred_at, expires, document, digest, hash FROM security_audit_entries WHERE seq = 10",
    "DELETE FROM security_audit_checkpoints WHERE number = 1",
    "DELETE FROM security_audit_checkpoints",
    "UPDATE security_audit_checkpoints SET hash = (SELECT hash FROM security_audit_head) WHERE number = 1",
    "DELETE FROM security_audit_head",
    "UPDATE security_audit_head SET seq = 9",
    "UPDATE security_audit_head SET at = '2029-01-01T00:00:00+00:00'",
]


@pytest.mark.parametrize("statement", TAMPERINGS)
async def test_sql_against_the_log_is_found(engine: AsyncEngine, statement: str) -> None:
    sink = await begun(engine)
    for start in range(0, 10, 2):
        await sink.append(some(2, start))
    assert (await verified(engine)).intact
    async with engine.begin() as connection:
        await connection.execute(text(statement))
    assert not (await verified(engine)).intact


async def test_a_key_is_rotated_and_the_old_one_signs_no_more(engine: AsyncEngine) -> None:
    clock = Later()
    sink = await begun(engine, clock=clock)
    await sink.append(some(6))
    clock.at += timedelta(days=1)
    new = await begun(engine, signer=NEW, clock=clock)
    await new.append(some(3, 10))
    ring = AuditKeyring([AuditKey(OLD.public, retired_at=clock.at), AuditKey(NEW.public)])
    assert (await verified(engine, ring, clock.at)).intact
    await sink.append(some(1, 20))
    findings = (await verified(engine, ring, clock.at)).findings
    assert {each.kind for each in findings} == {"retired_key"}


async def test_only_documents_whose_retention_is_over_are_purged(engine: AsyncEngine) -> None:
    clock = Later()
    sink = SqlAuditSink(engine, OLD, clock=clock, retention=lambda kind: 90 if kind.startswith("auth.") else 365)
    await sink.open()
    events = some(40)
    await sink.append(events)
    clock.at += timedelta(days=200)
    old = [each for each in events if each.type.startswith("auth.")]
    assert old
    assert (await sink.purge(), await sink.purge()) == (len(old), 0)
    result = await verified(engine, now=clock.at)
    assert (result.intact, result.expired, result.entries) == (True, len(old), 40)
    assert {each.id for each in await show_audit(engine, AuditQuery())} == {each.id for each in events} - {
        each.id for each in old
    }
    await sink.append(some(1, 100))
    assert (await verified(engine, now=clock.at)).intact


async def test_show_filters(engine: AsyncEngine) -> None:
    sink = await begun(engine)
    events = some(60)
    await sink.append(events)
    middle = START + timedelta(microseconds=5 * 10**9)
    for query, fits in [
        (AuditQuery(event_type="auth."), lambda each: each.type.startswith("auth.")),
        (AuditQuery(event_type="data.read"), lambda each: each.type == "data.read"),
        (AuditQuery(event_type="a_th."), lambda each: False),
        (AuditQuery(tenant="hotel-7"), lambda each: each.tenant == "hotel-7"),
        (AuditQuery(since=middle), lambda each: each.occurred_at >= middle),
        (
            AuditQuery(until=middle, tenant="hotel-8"),
            lambda each: each.occurred_at < middle and each.tenant == "hotel-8",
        ),
    ]:
        assert await show_audit(engine, query) == [each for each in reversed(events) if fits(each)]
    assert await show_audit(engine, AuditQuery(limit=3)) == events[:-4:-1]


async def test_an_export_is_checked_without_the_database(engine: AsyncEngine) -> None:
    sink = await begun(engine)
    await sink.append(some(10))
    file = io.StringIO()
    head = await export_audit(engine, file)
    assert head == await sink.head()
    lines = file.getvalue().splitlines(keepends=True)
    assert verify_export(lines, ONE_KEY, now=START).intact
    for wrong in (lines[:-1], [lines[0], *lines[2:]], [*lines[:4], lines[4].replace("event-3", "event-9"), *lines[5:]]):
        assert not verify_export(wrong, ONE_KEY, now=START).intact
    for broken in ([], ["{}"], ["x"], [*lines, "[1]\n"], ['{"format":"another"}']):
        with pytest.raises(ValueError):
            verify_export(broken, ONE_KEY, now=START)
    await sink.append(some(1, 50))
    assert head is not None
    assert (await verify_audit(engine, ONE_KEY, now=START, witnesses=[head])).intact


async def test_the_log_is_not_written_before_it_is_begun(engine: AsyncEngine) -> None:
    sink = SqlAuditSink(engine, OLD, clock=Later())
    for wrong in (sink.record(some(1)[0]), sink.head()):
        with pytest.raises(AuditStoreFailed, match="open"):
            await wrong
    await sink.open()
    await sink.open()
    await sink.record(some(1)[0])
    assert (await verified(engine)).intact


async def test_a_head_set_back_stops_the_log_instead_of_forking_it(engine: AsyncEngine) -> None:
    sink = await begun(engine)
    await sink.append(some(3))
    before = await sink.head()
    await sink.append(some(3, 10))
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE security_audit_head SET seq = :seq, hash = :hash, signature = :signature"),
            {"seq": before.seq, "hash": before.hash, "signature": before.signature},
        )
    with pytest.raises(AuditStoreFailed, match="not where its head says"):
        await sink.append(some(1, 20))


async def test_a_caller_that_leaves_loses_nothing(engine: AsyncEngine) -> None:
    sink = await begun(engine)
    tasks = [asyncio.create_task(sink.record(each)) for each in some(20)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await sink.record(some(1, 50)[0])
    assert (await verified(engine)).entries == 21


async def test_an_event_that_cannot_be_written_does_not_take_the_others_along(engine: AsyncEngine) -> None:
    sink = await begun(engine)
    good = some(9)
    bad = replace(good[4], id="bad", details={"x": object()})  # type: ignore[dict-item]
    results = await asyncio.gather(*map(sink.record, [*good[:4], bad, *good[4:]]), return_exceptions=True)
    assert [type(each) for each in results] == [type(None)] * 4 + [TypeError] + [type(None)] * 5
    result = await verified(engine)
    assert (result.entries, result.intact) == (9, True)


async def test_many_processes_write_one_chain(engine: AsyncEngine, url: str) -> None:
    script = str(Path(__file__).with_name("audit_process.py"))
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, script, url, f"p{n}", "60", stdout=subprocess.PIPE)
        for n in range(3)
    ]
    told: set[str] = set()
    for process in processes:
        out, _ = await process.communicate()
        assert process.returncode == 0
        told.update(out.decode().split())
    assert len(told) == 180
    result = await verified(engine, now=datetime.now(UTC))
    assert (result.intact, result.entries) == (True, 180), result.findings
    assert {each.id for each in await show_audit(engine, AuditQuery(limit=1000))} == told


async def test_what_a_killed_process_said_was_kept_is_there(engine: AsyncEngine, url: str) -> None:
    script = str(Path(__file__).with_name("audit_process.py"))
    chance = random.Random(3)
    told: set[str] = set()
    for turn in range(3):
        process = await asyncio.create_subprocess_exec(
            sys.executable, script, url, f"k{turn}", "100000", stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        for _ in range(chance.randrange(20, 120)):
            told.add((await process.stdout.readline()).decode().strip())
        os.kill(process.pid, signal.SIGKILL)
        rest, _ = await process.communicate()
        # A last line may be cut in the middle.
        told.update(line.decode() for line in rest.split(b"\n")[:-1])
    result = await verified(engine, now=datetime.now(UTC))
    assert result.intact, result.findings
    assert told <= {each.id for each in await show_audit(engine, AuditQuery(limit=10**6))}


async def test_the_scripts_and_the_code_want_the_same_tables(engine: AsyncEngine) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"version_table": HISTORY.version_table})
        return compare_metadata(context, METADATA)

    async with engine.begin() as connection:
        assert await connection.run_sync(differences) == []
        tables = await connection.run_sync(lambda plain: inspect(plain).get_table_names())
    assert all(name.startswith("security_") for name in tables)


async def test_missing_tables_are_told(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(AuditStoreFailed, match="run the migrations of orchestrator-security"):
        await SqlAuditSink(engine, OLD, clock=Later()).open()
    with pytest.raises(AuditStoreFailed):
        await verify_audit(engine, ONE_KEY, now=START)
    await engine.dispose()


def test_other_databases_are_refused() -> None:
    class Engine:
        class dialect:  # noqa: N801
            name = "oracle"

    with pytest.raises(ConfigurationError, match="oracle"):
        SqlAuditSink(Engine(), OLD, clock=Later())  # type: ignore[arg-type]
