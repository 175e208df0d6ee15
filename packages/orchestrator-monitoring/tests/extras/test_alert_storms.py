"""Storms of alerts over a database whose processes die in the middle of what they do: nobody is told twice, and nothing is forgotten."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from orchestrator_kernel.models import Severity
from orchestrator_monitoring.alerting import (
    AlertService,
    Change,
    Condition,
    Delivery,
    Found,
    Lease,
    Notice,
    Route,
    Routing,
    SqlAlertStore,
    fingerprint,
)
from orchestrator_monitoring.migrations import HISTORY

STEP: Final = 30.0
GROUPS: Final = ("harbour", "garden", "lake", "hill", "mill")
ROUTE: Final = Route(
    name="by place", receivers=("ops",), group_by=("place",), group_wait=30, group_interval=300, repeat_interval=14_400
)
ENDS: Final = ("before the commit", "in the transaction", "after the commit", "told, not yet noted")
"""Where a process dies."""


class Crashed(BaseException):
    """The process is gone."""


class Steps:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class MortalStore(SqlAlertStore):
    """The store of a process that dies where it is told to."""

    end = ""

    async def commit(self, change: Change, lease: Lease) -> None:
        self._die("before the commit")
        await super().commit(change, lease)
        self._die("after the commit")

    async def _post(self, connection: AsyncConnection, notice: Notice) -> None:
        await super()._post(connection, notice)
        self._die("in the transaction")

    async def mark(self, delivery: Delivery) -> None:
        self._die("told, not yet noted")
        await super().mark(delivery)

    def _die(self, where: str) -> None:
        if self.end == where:
            raise Crashed(where)


class World:
    """What is wrong now."""

    name = "world"
    rules = frozenset({"slow"})

    def __init__(self) -> None:
        self.conditions: tuple[Condition, ...] = ()

    async def find(self, now: float) -> Found:
        return Found(self.conditions, self.rules)


class Receiver:
    """Takes every notice."""

    name = "ops"
    kind = "test"
    heartbeats = False

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    async def send(self, notice: Notice) -> None:
        self.notices.append(notice)

    async def check(self) -> None:
        pass


class House:
    """One process after the other over one database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock, self.world, self.receiver = Steps(), World(), Receiver()
        self.deaths: list[str] = []
        self.fired: set[str] = set()
        self._begin()

    def _begin(self) -> None:
        self.engine = create_async_engine(self.url)
        self.store = MortalStore(self.engine)
        self.service = AlertService(
            routing=Routing((ROUTE,)),
            store=self.store,
            sources=[self.world],
            receivers=[self.receiver],
            clock=self.clock,
            process=f"process {len(self.deaths)}",
            interval=STEP,
        )

    async def step(self) -> None:
        """What `start` does every half minute; a process that dies is followed by a new one, and says goodbye to nobody."""
        self.clock.seconds += STEP
        try:
            if await self.service.evaluate():
                book = await self.store.load(self.clock.now().timestamp())
                self.fired |= {key for key, each in book.alerts.items() if each.state == "firing"}
                while await self.service.send_due(self.receiver) is not None:
                    pass
        except Crashed as crash:
            self.deaths.append(str(crash))
            await self.engine.dispose()
            self._begin()

    async def steps(self, count: int) -> None:
        for _ in range(count):
            await self.step()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/alerts.db"


@pytest.fixture
def postgres_url(postgres_database: str) -> str:
    return make_url(postgres_database).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite_url", pytest.param("postgres_url", marks=pytest.mark.server)])
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    made = House(str(request.getfixturevalue(request.param)))
    async with made.engine.begin() as connection:
        if made.engine.dialect.name == "sqlite":
            await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        await connection.run_sync(HISTORY.upgrade)
    yield made
    await made.engine.dispose()


def alerts_of(storm: int) -> list[Condition]:
    labels = ({"place": place, "part": f"{storm % 2}/{number}"} for place in GROUPS for number in range(12))
    return [Condition(rule="slow", severity=Severity.HIGH, labels=each) for each in labels]


async def test_storms_while_processes_die_make_one_notice_per_group_and_interval_and_all_is_resolved(
    house: House,
) -> None:
    dice, wanted = random.Random(7), set[str]()
    for storm in range(5):
        alerts = alerts_of(storm)
        wanted |= {fingerprint(each.rule, each.labels) for each in alerts}
        dice.shuffle(alerts)
        # Deaths at the beginning of a storm, while it grows, and at its end.
        for part, steps in ((alerts[:20], 3), (alerts[:40], 6), (alerts, 16), ([], dice.randrange(2, 20))):
            house.world.conditions = tuple(part)
            if dice.random() < 0.7:
                house.store.end = ENDS[(storm + len(part)) % len(ENDS)]
            await house.steps(steps)
    house.store.end = ""
    await house.steps(25)

    assert set(house.deaths) == set(ENDS)
    told = {each.id: each for each in house.receiver.notices}
    again = Counter(each.id for each in house.receiver.notices)
    # Whoever died between telling and noting it was told again under the same id, and nobody else.
    assert sum(again.values()) - len(again) == house.deaths.count("told, not yet noted")
    by_group, firing = defaultdict[str, list[float]](list), set[str]()
    for notice in sorted(told.values(), key=lambda each: each.at):
        by_group[notice.group].append(notice.at)
        assert len({each.condition.labels["place"] for each in (*notice.firing, *notice.resolved)}) == 1
        firing |= {each.fingerprint for each in notice.firing}
        firing -= {each.fingerprint for each in notice.resolved}
    assert len(by_group) == len(GROUPS)
    for times in by_group.values():
        assert all(later - earlier >= ROUTE.group_interval for earlier, later in pairwise(times))
    assert house.fired == wanted
    assert {each.fingerprint for notice in told.values() for each in notice.firing} == wanted
    assert not firing
    book = await house.store.load(house.clock.now().timestamp())
    assert not [each for each in book.alerts.values() if each.state != "resolved"]
