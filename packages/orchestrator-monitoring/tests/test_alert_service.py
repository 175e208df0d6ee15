"""The service on virtual time: storms, restarts, receivers that are down, and several processes."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import pytest

from orchestrator_kernel.exceptions import DatabaseError, ExternalServiceError
from orchestrator_kernel.models import Severity
from orchestrator_kernel.virtual_time import LoopClock, run
from orchestrator_monitoring.alerting import (
    EVALUATION_FAILED,
    AlertingRefused,
    AlertService,
    Condition,
    Found,
    MemoryAlertStore,
    Notice,
    Route,
    Routing,
    fingerprint,
)

ROUTE = Route(name="all", receivers=("ops",), group_wait=30, group_interval=300, repeat_interval=4 * 3600)


class World:
    """What is wrong, as a test says."""

    name = "world"
    rules = frozenset({"slow", "down"})

    def __init__(self) -> None:
        self.conditions: list[Condition] = []
        self.fails = False

    async def find(self, now: float) -> Found:
        if self.fails:
            raise DatabaseError("gone")
        return Found(tuple(self.conditions), self.rules)


class Receiver:
    """Takes notices, or is down, or slow."""

    kind = "test"
    heartbeats = False

    def __init__(self, name: str = "ops") -> None:
        self.name = name
        self.notices: list[Notice] = []
        self.error: ExternalServiceError | None = None
        self.seconds = 0.0
        self.tries = 0

    async def send(self, notice: Notice) -> None:
        self.tries += 1
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        self.notices.append(notice)

    async def check(self) -> None:
        pass


def service(
    world: World,
    store: MemoryAlertStore,
    *receivers: Receiver,
    routing: Routing | None = None,
    process: str = "a",
    interval: float = 30.0,
):
    return AlertService(
        routing=routing or Routing((ROUTE,)),
        store=store,
        sources=[world],
        receivers=receivers,
        clock=LoopClock(),
        process=process,
        interval=interval,
    )


def slow(number: int = 0) -> Condition:
    return Condition(rule="slow", severity=Severity.HIGH, labels={"part": str(number)})


def check_told(notices: Sequence[Notice], fired: set[str], *, interval: float) -> None:
    """One notice per group and interval, no alert lost, and every one that was told has been told its end."""
    by_group: defaultdict[str, list[float]] = defaultdict(list)
    firing: set[str] = set()
    told: set[str] = set()
    for notice in notices:
        by_group[notice.group].append(notice.at)
        firing |= {each.fingerprint for each in notice.firing}
        told |= {each.fingerprint for each in notice.firing}
        firing -= {each.fingerprint for each in notice.resolved}
    assert told == fired
    assert not firing
    for times in by_group.values():
        assert all(later - earlier >= interval for earlier, later in pairwise(times))


@pytest.mark.slow
def test_a_hundred_storms_of_a_thousand_alerts_with_restarts_in_between() -> None:
    async def scenario() -> None:
        rng, world, store, receiver = random.Random(20), World(), MemoryAlertStore(), Receiver()
        fired: set[str] = set()
        running = service(world, store, receiver, interval=60.0)
        await running.start()
        for storm in range(100):
            alerts = [slow(1000 * (storm % 3) + number) for number in range(1000)]
            for part in (alerts[:300], alerts[:700], alerts):
                world.conditions = part
                await asyncio.sleep(rng.uniform(61, 200))
                if rng.random() < 0.4:
                    await running.stop()
                    await asyncio.sleep(rng.uniform(0, 30))
                    running = service(world, store, receiver, process=f"p{storm}", interval=60.0)
                    await running.start()
            await asyncio.sleep(400)
            fired |= {fingerprint(each.rule, each.labels) for each in alerts}
            world.conditions = []
            await asyncio.sleep(rng.uniform(61, 500))
        await asyncio.sleep(900)
        await running.stop()
        check_told(receiver.notices, fired, interval=299)
        # A storm takes 31 to 1,500 s: not more than a notice each five minutes, whatever number of alerts.
        assert len(receiver.notices) <= 100 * 6
        assert max(len(each.firing) for each in receiver.notices) == 1000

    run(scenario())


def test_a_receiver_that_is_down_delays_nobody_and_is_told_when_it_is_back() -> None:
    async def scenario() -> None:
        world, store, down, well = World(), MemoryAlertStore(), Receiver("down"), Receiver("well")
        down.error = ExternalServiceError("no", retryable=True)
        down.seconds = 1000.0
        route = Route(name="all", receivers=("down", "well"), group_wait=0, group_interval=60)
        running = service(world, store, down, well, routing=Routing((route,)))
        await running.start()
        world.conditions = [slow()]
        await asyncio.sleep(31)
        assert [len(each.firing) for each in well.notices] == [1]
        world.conditions = []
        await asyncio.sleep(3600)
        assert [each.over for each in well.notices] == [False, True]
        down.error, down.seconds = None, 0.0
        await asyncio.sleep(400)
        # One notice in place of two: it is over.
        assert [(each.over, len(each.resolved)) for each in down.notices] == [(True, 1)]
        await running.stop()

    run(scenario())


def test_a_refusal_for_good_is_not_tried_again_and_the_next_notice_is() -> None:
    async def scenario() -> None:
        world, store, receiver = World(), MemoryAlertStore(), Receiver()
        receiver.error = ExternalServiceError("bad key", retryable=False)
        running = service(world, store, receiver)
        await running.start()
        world.conditions = [slow()]
        await asyncio.sleep(200)
        assert receiver.tries == 1
        assert [each.outcome for each in await store.deliveries(5)] == ["refused"]
        receiver.error, world.conditions = None, []
        await asyncio.sleep(400)
        assert [each.over for each in receiver.notices] == [True]
        await running.stop()

    run(scenario())


def test_a_receiver_that_never_comes_back_is_given_up_after_a_day() -> None:
    async def scenario() -> None:
        world, store, receiver = World(), MemoryAlertStore(), Receiver()
        receiver.error = ExternalServiceError("no", retryable=True)
        route = Route(name="all", receivers=("ops",), group_wait=0, repeat_interval=10 * 86_400)
        running = service(world, store, receiver, routing=Routing((route,)))
        await running.start()
        world.conditions = [slow()]
        await asyncio.sleep(2 * 86_400)
        (delivery,) = await store.deliveries(5)
        assert (delivery.outcome, delivery.attempts) == ("refused", receiver.tries)
        assert 250 < receiver.tries < 400
        await running.stop()

    run(scenario())


def test_only_one_of_several_processes_tells_and_another_takes_over() -> None:
    async def scenario() -> None:
        world, store = World(), MemoryAlertStore()
        receivers = [Receiver() for _ in range(3)]
        running = [service(world, store, each, process=f"p{number}") for number, each in enumerate(receivers)]
        for each in running:
            await each.start()
        world.conditions = [slow()]
        await asyncio.sleep(100)
        assert sorted(len(each.notices) for each in receivers) == [0, 0, 1]
        assert sum(each.leads for each in running) == 1
        leader = next(number for number, each in enumerate(running) if each.leads)
        await running[leader].stop()
        world.conditions = []
        await asyncio.sleep(600)
        told = [each for receiver in receivers for each in receiver.notices]
        assert sorted(each.over for each in told) == [False, True]
        for each in running:
            await each.stop()

    run(scenario())


def test_a_process_that_dies_is_followed_when_its_lease_runs_out() -> None:
    async def scenario() -> None:
        world, store, first, second = World(), MemoryAlertStore(), Receiver(), Receiver()
        dying, next_one = service(world, store, first), service(world, store, second, process="b")
        assert await dying.evaluate()
        assert not await next_one.evaluate()
        await asyncio.sleep(200)
        assert await next_one.evaluate()
        assert not dying.leads

    run(scenario())


def test_what_cannot_be_judged_stays_and_says_so() -> None:
    async def scenario() -> None:
        world, store, receiver = World(), MemoryAlertStore(), Receiver()
        running = service(world, store, receiver)
        await running.start()
        world.conditions = [slow()]
        await asyncio.sleep(100)
        world.fails = True
        await asyncio.sleep(600)
        states = {each.condition.rule: each.state for each in (await store.load(0)).alerts.values()}
        assert states == {"slow": "firing", EVALUATION_FAILED: "firing"}
        world.fails = False
        await asyncio.sleep(600)
        states = {each.condition.rule: each.state for each in (await store.load(0)).alerts.values()}
        assert states == {"slow": "firing", EVALUATION_FAILED: "resolved"}
        await running.stop()

    run(scenario())


class FailingStore(MemoryAlertStore):
    down = False

    async def load(self, now: float):
        if self.down:
            raise DatabaseError("gone")
        return await super().load(now)


def test_a_store_that_fails_for_a_while_loses_nothing() -> None:
    async def scenario() -> None:
        world, store, receiver = World(), FailingStore(), Receiver()
        running = service(world, store, receiver)
        await running.start()
        world.conditions = [slow()]
        await asyncio.sleep(100)
        store.down = True
        await asyncio.sleep(1000)
        store.down, world.conditions = False, []
        await asyncio.sleep(100)
        await running.stop()
        assert [each.over for each in receiver.notices] == [False, True]

    run(scenario())


def test_alerts_of_rules_that_are_no_more_end() -> None:
    async def scenario() -> None:
        world, store, receiver = World(), MemoryAlertStore(), Receiver()
        old = World()
        old.rules = frozenset({"old"})
        old.conditions = [Condition(rule="old", severity=Severity.LOW)]
        before = service(old, store, receiver)
        await before.evaluate()
        await before.stop()
        await service(world, store, receiver).evaluate()
        assert [each.state for each in (await store.load(0)).alerts.values()] == ["resolved"]

    run(scenario())


def test_a_notice_that_was_cut_off_is_sent_again_under_its_id() -> None:
    async def scenario() -> None:
        world, store, receiver = World(), MemoryAlertStore(), Receiver()
        receiver.seconds = 10.0
        running = service(world, store, receiver)
        await running.start()
        world.conditions = [slow()]
        await asyncio.sleep(36)
        assert receiver.tries == 1
        await running.stop()
        again = service(world, store, receiver, process="b")
        await again.start()
        await asyncio.sleep(100)
        await again.stop()
        assert receiver.tries == 2
        assert len(receiver.notices) == 1

    run(scenario())


def test_tests_of_receivers() -> None:
    async def scenario() -> None:
        world, store, receiver = World(), MemoryAlertStore(), Receiver()
        running = service(world, store, receiver)
        await running.start()
        await asyncio.sleep(1)
        await running.post(Notice(id="t", receiver="ops", group="", kind="test", at=LoopClock().now().timestamp()))
        await asyncio.sleep(1)
        assert [each.kind for each in receiver.notices] == ["test"]
        with pytest.raises(AlertingRefused, match="no receiver boss"):
            await running.post(Notice(id="t", receiver="boss", group=""))
        await running.stop()

    run(scenario())


def test_receivers_that_are_not_there_or_cannot_are_refused() -> None:
    async def scenario() -> None:
        with pytest.raises(AlertingRefused, match="names the receiver ops; there is boss"):
            service(World(), MemoryAlertStore(), Receiver("boss"))
        with pytest.raises(AlertingRefused, match="dead-man"):
            service(World(), MemoryAlertStore(), Receiver(), routing=Routing((ROUTE,), (), ("ops",)))

    run(scenario())
