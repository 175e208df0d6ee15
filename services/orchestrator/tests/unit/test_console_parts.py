"""What stands behind the ports of the operators' page: kept promises, and figures that are those of the parts below."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from orchestrator_app.composition.console import ConsoleDoor
from orchestrator_app.composition.console_calls import CallBoard
from orchestrator_app.composition.console_figures import AlertDesk, ObjectiveBoard
from orchestrator_calls.dialogue.scripted import ScriptedResponder, load_script
from orchestrator_calls.events import Event, EventType
from orchestrator_calls.journal import MemoryJournal
from orchestrator_calls.notices import TurnTimed
from orchestrator_calls.runtime import CallRuntime
from orchestrator_kernel.contracts.operations import AlertsContract, LiveCallsContract
from orchestrator_kernel.models import AuditEvent, Severity
from orchestrator_kernel.ports import SystemClock
from orchestrator_kernel.ports.operations import Alerts, LiveCalls, ObjectiveState, UnknownAlert
from orchestrator_monitoring.alerting import AlertRecord, AlertStore, Change, Condition, MemoryAlertStore, fingerprint
from orchestrator_monitoring.slo_monitor import MemorySloStore, Reading, SloMonitor, SloSet, default_slos
from orchestrator_security.audit_logging import AuditLog

CLOCK = SystemClock()


class Kept:
    """An audit sink that keeps events in a list."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    async def record(self, event: AuditEvent) -> None:
        self.events.append(event)


async def kept_alert(store: AlertStore, rule: str = "TurnsAreSlow") -> str:
    """An alert that fires, as an evaluation leaves it."""
    now = CLOCK.now().timestamp()
    condition = Condition(rule=rule, severity=Severity.HIGH, labels={"tenant": "harbour"}, summary="Turns are slow")
    key = fingerprint(rule, condition.labels)
    record = AlertRecord(fingerprint=key, condition=condition, state="firing", since=now - 60, fired_at=now - 30)
    lease = await store.lease("test", now=now, seconds=60)
    assert lease is not None
    await store.commit(Change({key: record}, frozenset(), {}, frozenset(), ()), lease)
    await store.release(lease)
    return key


class TestAlertDesk(AlertsContract):
    alert_id = fingerprint("TurnsAreSlow", {"tenant": "harbour"})

    async def make(self) -> Alerts:
        store = MemoryAlertStore()
        await kept_alert(store)
        return AlertDesk(store, AuditLog(Kept(), clock=CLOCK), CLOCK)


async def test_what_people_do_about_alerts_is_recorded() -> None:
    store, sink = MemoryAlertStore(), Kept()
    log = AuditLog(sink, clock=CLOCK)
    await log.start()
    key = await kept_alert(store)
    desk = AlertDesk(store, log, CLOCK)
    await desk.acknowledge(key, by="u-zoe")
    await desk.silence(key, by="u-zoe", seconds=1800, reason="being mended")
    with pytest.raises(UnknownAlert):
        await desk.acknowledge("0" * 32, by="u-zoe")
    await log.stop()
    told = [(each.action, each.actor, each.resource) for each in sink.events if each.action.endswith("an alert")]
    assert told == [
        ("acknowledge an alert", "u-zoe", f"alert:{key}"),
        ("silence an alert", "u-zoe", f"alert:{key}"),
    ]
    [alert] = await desk.alerts()
    assert alert.labels == (("tenant", "harbour"),)
    assert alert.silenced_until is not None
    assert timedelta(minutes=29) < alert.silenced_until - datetime.now(UTC) <= timedelta(minutes=30)


async def test_objectives_without_traffic_say_so() -> None:
    slos = default_slos()
    board = ObjectiveBoard(SloMonitor(slos, MemorySloStore(), list, clock=CLOCK, process="test"), CLOCK)
    found = await board.objectives()
    assert [each.id for each in found] == [slo.name for slo in slos.slos]
    assert {each.state for each in found} == {ObjectiveState.NO_TRAFFIC}
    assert {(each.achieved, each.budget_left, each.exhausted_at) for each in found} == {(None, None, None)}


async def test_an_objective_is_judged_from_its_least_number_of_events_on() -> None:
    ended = 0.0
    slos = SloSet(tuple(slo for slo in default_slos().slos if slo.name == "goal_conversion"))
    least = slos.slos[0].min_events

    def read() -> list[Reading]:
        return [("orchestrator_calls_ended_total", {}, ended), ("orchestrator_calls_converted_total", {}, 0.0)]

    monitor = SloMonitor(slos, MemorySloStore(), read, clock=CLOCK, process="test")
    await monitor.sample()
    ended = least - 1
    await monitor.sample()
    [few] = await ObjectiveBoard(monitor, CLOCK).objectives()
    assert (few.state, few.events, few.min_events) == (ObjectiveState.TOO_FEW_EVENTS, least - 1, least)
    assert (few.achieved, few.budget_left, few.exhausted_at) == (0.0, None, None)
    assert {each.rate for each in few.burn} == {None}
    ended = least
    await monitor.sample()
    await monitor.evaluate()
    [enough] = await ObjectiveBoard(monitor, CLOCK).objectives()
    assert (enough.state, enough.events) == (ObjectiveState.EXHAUSTED, least)
    assert enough.budget_left is not None
    assert enough.budget_left < 0


class TestCallBoard(LiveCallsContract):
    @pytest.fixture(autouse=True)
    async def _runtime(self) -> object:
        journal = MemoryJournal(CLOCK)
        self.board = CallBoard(journal, CLOCK)
        responder = ScriptedResponder(load_script(None))
        async with CallRuntime(
            journal=journal, responder=lambda _: responder, clock=CLOCK, observe=self.board.observe
        ) as runtime:
            self.runtime = runtime
            self.board.serve(runtime)
            yield

    async def send(self, kind: EventType, **payload: str | bool) -> None:
        now = CLOCK.now()
        event = Event(
            id=f"{kind}-{now.timestamp()}",
            call_id=self.call_id,
            tenant=self.tenant,
            type=kind,
            source="agent",
            occurred_at=now,
            received_at=now,
            payload=payload,
        )
        await self.runtime.submit(event, wait=5)

    async def make(self) -> LiveCalls:
        await self.send(EventType.CALL_STARTED)
        return self.board

    async def touch(self, calls: LiveCalls) -> None:
        await self.send(EventType.TRANSCRIPTION, text="I'd like to book a table", final=True)

    async def test_turns_and_latencies_are_those_of_the_call(self) -> None:
        calls = await self.make()
        await self.touch(calls)
        one, whole = await calls.call(self.call_id), await calls.transcript(self.call_id)
        assert one is not None
        assert whole is not None
        assert one.turns == 2
        assert len(one.latencies_ms) == 2
        assert [turn.kind for turn in whole.turns] == ["greeting", "speech"]
        assert whole.turns[1].caller == "I'd like to book a table"
        # A board that saw nothing of it reads the same from the journal.
        late = CallBoard(cast("CallBoard", calls)._journal, CLOCK)
        late.serve(self.runtime)
        [found] = await late.calls(tenants=lambda _: True, open_only=True, limit=10)
        assert found.turns == 2
        # Nor does it count from nothing when it hears of it first.
        deaf = CallBoard(cast("CallBoard", calls)._journal, CLOCK)
        deaf.serve(self.runtime)
        deaf.observe(TurnTimed(self.call_id, self.tenant, "t", "media", 0.3))
        [found] = await deaf.calls(tenants=lambda _: True, open_only=True, limit=10)
        assert found.turns == 2

    async def test_a_call_that_is_over_is_in_no_open_list_and_costs_no_memory(self) -> None:
        calls = await self.make()
        await self.send(EventType.CALL_ENDED, reason="hung up")
        # At once: the journal's own list may say so a moment later.
        while self.runtime.running():
            await asyncio.sleep(0)
        assert not await calls.calls(tenants=lambda _: True, open_only=True, limit=10)
        one = await calls.call(self.call_id)
        assert one is not None
        assert (one.state, one.is_open) == ("ended", False)
        assert len(await calls.calls(tenants=lambda _: True, open_only=False, limit=10)) == 1
        assert self.board._seen == {}


@pytest.mark.parametrize(
    ("path", "method", "accept", "location"),
    [
        ("/console", "GET", "text/html", "/console/login"),
        ("/console/calls/a", "GET", "text/html,*/*", "/console/login?next=%2Fconsole%2Fcalls%2Fa"),
        ("/console/login", "GET", "text/html", None),
        ("/console/events", "GET", "text/event-stream", None),
        ("/console/alerts/acknowledge", "POST", "text/html", None),
        ("/consoles", "GET", "text/html", None),
        ("/v1/calls", "GET", "text/html", None),
    ],
)
async def test_only_people_at_the_page_are_led_to_the_door(
    path: str, method: str, accept: str, location: str | None
) -> None:
    sent: list[dict[str, object]] = []

    async def inner(*_: object) -> None:
        sent.append({"inner": True})

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "method": method, "headers": [(b"accept", accept.encode())]}
    await ConsoleDoor(inner)(scope, cast("object", None), send)  # type: ignore[arg-type]
    if location is None:
        assert sent == [{"inner": True}]
    else:
        assert dict(sent[0]["headers"])[b"location"].decode() == location  # type: ignore[call-overload]
