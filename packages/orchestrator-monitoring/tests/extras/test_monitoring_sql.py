"""Objectives and alerts in SQLite and PostgreSQL: the contracts, the migrations, and two processes at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alert_store_contract import AlertStoreContract
from slo_store_contract import NOW, SloStoreContract, sample
from slo_support import DAY, slo
from sqlalchemy import Connection, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orchestrator_kernel.exceptions import ConfigurationError, DatabaseError
from orchestrator_kernel.models import Severity
from orchestrator_kernel.ports import SystemClock
from orchestrator_monitoring._drivers.sql_tables import METADATA
from orchestrator_monitoring.alerting import (
    AlertService,
    AlertStore,
    Condition,
    Found,
    Route,
    Routing,
    SqlAlertStore,
    make_receivers,
)
from orchestrator_monitoring.migrations import HISTORY
from orchestrator_monitoring.slo_monitor import Counts, SloStore, SqlSloStore


async def fresh(url: str) -> AsyncEngine:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        await connection.run_sync(HISTORY.upgrade)
    return engine


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = await fresh(f"sqlite+aiosqlite:///{tmp_path}/monitoring.db")
    yield engine
    await engine.dispose()


@pytest.fixture
async def postgres(postgres_database: str) -> AsyncIterator[AsyncEngine]:
    url = make_url(postgres_database).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
    engine = await fresh(url)
    yield engine
    await engine.dispose()


class TestSloSqlite(SloStoreContract):
    @pytest.fixture(autouse=True)
    def _engine(self, sqlite: AsyncEngine) -> None:
        self.engine = sqlite

    async def make(self) -> SloStore:
        return SqlSloStore(self.engine)


@pytest.mark.server
class TestSloPostgres(SloStoreContract):
    @pytest.fixture(autouse=True)
    def _engine(self, postgres: AsyncEngine) -> None:
        self.engine = postgres

    async def make(self) -> SloStore:
        return SqlSloStore(self.engine)


class TestAlertsSqlite(AlertStoreContract):
    @pytest.fixture(autouse=True)
    def _engine(self, sqlite: AsyncEngine) -> None:
        self.engine = sqlite

    async def make(self) -> AlertStore:
        return SqlAlertStore(self.engine)


@pytest.mark.server
class TestAlertsPostgres(AlertStoreContract):
    @pytest.fixture(autouse=True)
    def _engine(self, postgres: AsyncEngine) -> None:
        self.engine = postgres

    async def make(self) -> AlertStore:
        return SqlAlertStore(self.engine)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.server)])
def engine(request: pytest.FixtureRequest) -> AsyncEngine:
    found: AsyncEngine = request.getfixturevalue(request.param)
    return found


def differences(connection: Connection) -> list[object]:
    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name in METADATA.tables

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": ours})
    return list(compare_metadata(context, METADATA))


async def test_the_migrations_make_what_the_code_expects(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_many_processes_add_at_once(engine: AsyncEngine) -> None:
    stores = [SqlSloStore(engine) for _ in range(8)]
    batches = [[sample(NOW - 60 * minute, 1, 10, process=str(number)) for minute in range(20)] for number in range(8)]
    await asyncio.gather(*(store.add(batch) for store, batch in zip(stores, batches, strict=True)))
    counts = (await stores[0].counts([slo()], NOW))["calls"]
    assert counts[3600] == counts[30 * DAY] == Counts(160, 1600)


async def test_one_of_many_gets_the_lease(engine: AsyncEngine) -> None:
    stores = [SqlAlertStore(engine) for _ in range(8)]
    leases = await asyncio.gather(
        *(store.lease(f"p{number}", now=NOW, seconds=60) for number, store in enumerate(stores))
    )
    assert sum(each is not None for each in leases) == 1


async def test_missing_tables_are_told(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/empty.db")
    with pytest.raises(DatabaseError, match="run the migrations of orchestrator-monitoring"):
        await SqlAlertStore(engine).load(NOW)
    await engine.dispose()


def test_other_databases_are_refused() -> None:
    class Oracle:
        class dialect:  # noqa: N801
            name = "oracle"

    with pytest.raises(ConfigurationError, match="not in oracle"):
        SqlSloStore(Oracle())  # type: ignore[arg-type]


class Disk:
    name = "disk"
    rules = frozenset({"disk_full"})

    async def find(self, now: float) -> Found:
        return Found((Condition(rule="disk_full", severity=Severity.HIGH),), self.rules)


def service(store: AlertStore, process: str) -> AlertService:
    return AlertService(
        routing=Routing((Route(name="all", receivers=("log",), group_wait=0),)),
        store=store,
        sources=[Disk()],
        receivers=make_receivers([], http=None, clock=SystemClock()),
        clock=SystemClock(),
        process=process,
    )


async def test_of_two_processes_one_tells_and_the_other_goes_on_without_telling_again(engine: AsyncEngine) -> None:
    first, second = service(SqlAlertStore(engine), "a"), service(SqlAlertStore(engine), "b")
    assert await first.evaluate()
    assert not await second.evaluate()
    assert first.leads
    assert await first.send_due(first.receivers["log"]) == 0.0
    await first.stop()
    assert await second.evaluate()
    assert await second.send_due(second.receivers["log"]) is None
    (delivery,) = await second.store.deliveries(10)
    assert (delivery.outcome, [each.condition.rule for each in delivery.notice.firing]) == ("sent", ["disk_full"])
