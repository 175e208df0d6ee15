"""Alerts: their states, who is told, and how often; pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from alert_store_contract import NOW, AlertStoreContract, record

from orchestrator_kernel.models import Severity
from orchestrator_monitoring.alerting import (
    AlertingRefused,
    AlertStore,
    Book,
    Condition,
    Escalation,
    Inhibition,
    MemoryAlertStore,
    Route,
    Routing,
    Silence,
    advance,
    fingerprint,
    step,
)
from orchestrator_monitoring.slo_monitor import Matcher


class TestMemory(AlertStoreContract):
    async def make(self) -> AlertStore:
        return MemoryAlertStore()


def condition(rule: str = "slow", *, hold: float = 0.0, severity: Severity = Severity.HIGH, **labels: str) -> Condition:
    return Condition(rule=rule, severity=severity, labels=labels, hold=hold)


class World:
    """A book that steps through time; one evaluation per call."""

    def __init__(
        self, *routes: Route, inhibitions: tuple[Inhibition, ...] = (), heartbeats: tuple[str, ...] = ()
    ) -> None:
        self.routing = Routing(routes or (Route(name="all", receivers=("ops",)),), inhibitions, heartbeats)
        self.book = Book({}, {})
        self.now = NOW
        self.notices: list = []

    def look(self, *conditions: Condition, after: float = 30.0, silences: tuple[Silence, ...] = ()):
        self.now += after
        book = Book(self.book.alerts, self.book.groups, silences)
        alerts = advance(book.alerts, conditions, judged=None, now=self.now)
        change = step(book, alerts, self.routing, self.now)
        groups = {key: each for key, each in book.groups.items() if key not in change.dropped} | dict(change.groups)
        self.book = Book(alerts, groups)
        self.notices += change.notices
        return change.notices

    def acknowledge(self, key: str) -> None:
        alerts = dict(self.book.alerts)
        alerts[key] = replace(alerts[key], acknowledged_by="zoe", acknowledged_at=self.now)
        self.book = Book(alerts, self.book.groups)


def test_a_rule_holds_before_anybody_is_told() -> None:
    world, slow = World(), condition(hold=120)
    for _ in range(4):
        assert not world.look(slow)
    (alert,) = world.book.alerts.values()
    assert alert.state == "pending"
    world.look(slow)
    assert next(iter(world.book.alerts.values())).state == "firing"


def test_what_recovers_while_pending_is_forgotten() -> None:
    world = World()
    world.look(condition(hold=120))
    assert not world.look()
    assert not world.book.alerts


def test_an_alert_fires_is_told_ends_and_fires_again() -> None:
    world = World()
    for _ in range(3):
        told = [notice for _ in range(20) for notice in world.look(condition())]
        assert [len(each.firing) for each in told] == [1]
        ended = [notice for _ in range(20) for notice in world.look()]
        assert [(len(each.firing), len(each.resolved), each.over) for each in ended] == [(0, 1, True)]


def test_a_group_makes_one_notice() -> None:
    world = World()
    many = [condition(tenant=str(number)) for number in range(1000)]
    assert not world.look(*many[:500])
    (notice,) = world.look(*many)
    assert len(notice.firing) == 1000
    assert notice.labels == {"alertname": "slow"}


def test_news_wait_for_the_interval_and_the_rest_is_repeated() -> None:
    world, times = (
        World(Route(name="all", receivers=("ops",), group_wait=0, group_interval=300, repeat_interval=3600)),
        [],
    )
    for tick in range(240):
        extra = [condition(tenant="b")] if tick >= 2 else []
        times += [(round(world.now - NOW), len(each.firing)) for each in world.look(condition(tenant="a"), *extra)]
    assert times == [(30, 1), (330, 2), (3930, 2)]


def test_what_is_acknowledged_is_not_repeated_and_does_not_escalate() -> None:
    route = Route(
        name="all",
        receivers=("ops",),
        group_wait=0,
        group_interval=60,
        repeat_interval=600,
        escalation=(Escalation(900, ("boss",)),),
    )
    for acknowledged, expected in ((False, {"ops": 4, "boss": 2}), (True, {"ops": 2})):
        world = World(route)
        for tick in range(70):
            world.look(condition())
            if acknowledged and tick == 3:
                world.acknowledge(fingerprint("slow", {}))
        # With an answer: the first notice, and that somebody takes care of it.
        assert Counter(each.receiver for each in world.notices) == expected
        ended = [notice for _ in range(3) for notice in world.look()]
        assert {each.receiver: each.over for each in ended} == dict.fromkeys(expected, True)


def test_whoever_was_escalated_to_is_told_of_the_end() -> None:
    route = Route(
        name="all", receivers=("ops",), group_wait=0, group_interval=60, escalation=(Escalation(900, ("boss",)),)
    )
    world = World(route)
    for _ in range(40):
        world.look(condition())
    for _ in range(4):
        world.look()
    assert [(each.receiver, each.over) for each in world.notices[:2]] == [("ops", False), ("boss", False)]
    assert {(each.receiver, each.over) for each in world.notices[2:]} == {("ops", True), ("boss", True)}
    assert len(world.notices) == 4


def silence(label: str, value: str, *, ends: float) -> Silence:
    return Silence(id="s", matchers=(Matcher(label, "=", value),), starts=NOW, ends=NOW + ends, by="zoe")


def test_a_silence_keeps_alerts_quiet_until_it_ends() -> None:
    world, quiet = World(), (silence("tenant", "x", ends=600),)
    for _ in range(19):
        assert not world.look(condition(tenant="x"), silences=quiet)
    told = [notice for _ in range(3) for notice in world.look(condition(tenant="x"), silences=quiet)]
    assert [len(each.firing) for each in told] == [1]


def test_the_end_of_what_was_told_is_told_though_it_is_silenced() -> None:
    world = World()
    world.look(condition(tenant="x"))
    assert world.look(condition(tenant="x"))
    quiet = (silence("tenant", "x", ends=1e6),)
    for _ in range(5):
        assert not world.look(condition(tenant="x"), silences=quiet)
    ended = [notice for _ in range(12) for notice in world.look(silences=quiet)]
    assert [(len(each.resolved), each.over) for each in ended] == [(1, True)]


PAGE_OVER_TICKET = Inhibition(
    (Matcher("severity", "=", "critical"),), (Matcher("severity", "=~", "low|medium"),), ("slo",)
)


def test_a_page_inhibits_the_ticket_about_the_same_thing_only() -> None:
    world = World(inhibitions=(PAGE_OVER_TICKET,))
    page = condition("page", severity=Severity.CRITICAL, slo="calls")
    for _ in range(4):
        world.look(
            page,
            condition("ticket", severity=Severity.MEDIUM, slo="calls"),
            condition("ticket", severity=Severity.MEDIUM, slo="other"),
            condition("plain", severity=Severity.MEDIUM),
        )
    told = {
        (each.condition.rule, each.condition.labels.get("slo")) for notice in world.notices for each in notice.firing
    }
    assert told == {("page", "calls"), ("ticket", "other"), ("plain", None)}


def test_an_alert_does_not_inhibit_itself() -> None:
    world = World(inhibitions=(Inhibition((Matcher("alertname", "=", "slow"),), (Matcher("alertname", "=", "slow"),)),))
    world.look(condition())
    assert world.look(condition())


def test_routes_are_taken_in_order() -> None:
    critical = Route(
        name="critical", receivers=("pager",), matchers=(Matcher("severity", "=", "critical"),), goes_on=True
    )
    high = Route(name="high", receivers=("chat",), matchers=(Matcher("severity", "=~", "high|critical"),))
    routing = Routing((critical, high, Route(name="rest", receivers=("log",))))
    found = {
        severity: [each.receiver for each in routing.targets({"severity": severity})]
        for severity in ("critical", "high", "low")
    }
    assert found == {"critical": ["pager", "chat"], "high": ["chat"], "low": ["log"]}


def test_rules_that_could_not_be_judged_keep_their_alerts() -> None:
    one, two = record("a"), record("b")
    after = advance({each.fingerprint: each for each in (one, two)}, [], judged=frozenset({"a"}), now=NOW)
    assert {each.condition.rule: each.state for each in after.values()} == {"a": "resolved", "b": "firing"}


def test_the_dead_mans_switch_beats() -> None:
    world = World(heartbeats=("watcher",))
    beats = [round(world.now - NOW) for _ in range(10) for notice in world.look() if notice.kind == "heartbeat"]
    assert beats == [30, 90, 150, 210, 270]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Route(name="r", receivers=()), "nobody would be told"),
        (lambda: Route(name="r", receivers=("a",), group_wait=600), "must not be longer"),
        (
            lambda: Route(name="r", receivers=("a",), escalation=(Escalation(60, ("b",)), Escalation(30, ("c",)))),
            "in order",
        ),
        (lambda: Route(name="r", receivers=("a",), escalation=(Escalation(60, ()),)), "names no receiver"),
        (lambda: Routing(()), "fits nowhere"),
        (lambda: Routing((Route(name="r", receivers=("a",), matchers=(Matcher("a", "=", "b"),)),)), "fits nowhere"),
        (lambda: Routing((Route(name="r", receivers=("a",)), Route(name="r", receivers=("a",)))), "two routes"),
    ],
)
def test_routes_that_make_no_sense_are_refused(make, reason: str) -> None:
    with pytest.raises(AlertingRefused, match=reason):
        make()
