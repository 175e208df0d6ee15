"""Alive, ready, started, degraded: what is answered, and what it costs whoever is asked."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError, DatabaseError, ValidationError
from orchestrator_kernel.virtual_time import LoopClock, run
from orchestrator_monitoring._health.judgement import Judgement
from orchestrator_monitoring.health import (
    HEALTH_METRICS,
    Change,
    Check,
    Finding,
    Health,
    HealthState,
    Need,
)
from orchestrator_monitoring.metrics import Metrics

HEALTHY, DEGRADED, UNHEALTHY = HealthState.HEALTHY, HealthState.DEGRADED, HealthState.UNHEALTHY


class Thing:
    """Something that can be well or not, and counts who asks."""

    def __init__(self, found: Finding | Exception | None = None, seconds: float = 0.0) -> None:
        self.found = found
        self.seconds = seconds
        self.asked = 0

    async def probe(self) -> Finding | None:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def scenario(test: Callable[[Health], Awaitable[None]]) -> Callable[[], None]:
    """Run a test in virtual time with a fresh `Health`."""

    def outer() -> None:
        async def inner() -> None:
            health = Health(clock=LoopClock())
            try:
                await test(health)
            finally:
                health.close()

        run(inner())

    outer.__name__ = test.__name__  # type: ignore[attr-defined]
    return outer


@scenario
async def test_only_what_is_required_decides_whether_work_may_come(health: Health) -> None:
    journal, voice = Thing(), Thing(DatabaseError("postgres://user:password@db is down"))
    health.add(Check(component="journal", probe=journal.probe, need=Need.REQUIRED))
    health.add(Check(component="voice", probe=voice.probe, consequence="Callers hear the embedded voice."))
    ready = await health.ready()
    assert (ready.state, ready.http_status) == (HEALTHY, 200)
    assert list(ready.components) == ["journal"]
    assert voice.asked == 0
    everything = await health.detailed()
    assert (everything.state, everything.http_status) == (DEGRADED, 200)
    journal.found = ConnectionError("refused")
    assert (await health.detailed("journal", fresh=True)).state is UNHEALTHY
    assert (await health.ready()).http_status == 503


@scenario
async def test_an_answer_shows_codes_and_never_the_text_of_an_error(health: Health) -> None:
    health.add(Check(component="database", probe=Thing(DatabaseError("postgres://user:password@db")).probe))
    health.add(Check(component="cache", probe=Thing(ConnectionError("10.0.0.7 refused")).probe))
    text = json.dumps((await health.detailed()).document(version="1.2", service="orchestrator"))
    assert "password" not in text
    assert "10.0.0.7" not in text
    assert '"database_failed"' in text
    assert '"ConnectionError"' in text


@scenario
async def test_checks_run_together_and_within_their_limits(health: Health) -> None:
    clock = LoopClock()
    for number in range(20):
        health.add(Check(component=f"slow-{number}", probe=Thing(seconds=60).probe, limit=2.0))
    began = clock.monotonic()
    report = await health.detailed()
    assert clock.monotonic() - began == pytest.approx(2.0)
    assert {each.status.reason for each in report.components.values()} == {"timed_out"}


@scenario
async def test_a_probe_that_does_not_heed_its_cancellation_holds_nobody_up(health: Health) -> None:
    clock, running = LoopClock(), 0

    async def stubborn() -> None:
        nonlocal running
        running += 1
        until = clock.monotonic() + 30
        while clock.monotonic() < until:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                continue
        running -= 1

    health.add(Check(component="stubborn", probe=stubborn, limit=2.0, fresh=1.0))
    began = clock.monotonic()
    assert (await health.detailed()).components["stubborn"].status.reason == "timed_out"
    assert clock.monotonic() - began == pytest.approx(2.0)
    await asyncio.sleep(5)
    assert (await health.detailed()).components["stubborn"].status.reason == "still_running"
    assert running == 1
    await asyncio.sleep(40)
    await health.detailed()
    assert running == 1


@scenario
async def test_what_was_found_is_believed_for_a_while(health: Health) -> None:
    thing = Thing()
    health.add(Check(component="thing", probe=thing.probe, need=Need.REQUIRED, fresh=5.0))
    for _ in range(10):
        await health.ready()
    assert thing.asked == 1
    await asyncio.sleep(5.1)
    await health.ready()
    assert thing.asked == 2
    await health.detailed("thing", fresh=True)
    assert thing.asked == 3


@scenario
async def test_a_thousand_who_ask_at_once_make_one_look_and_one_who_leaves_does_not_end_it(health: Health) -> None:
    thing = Thing(seconds=1)
    health.add(Check(component="thing", probe=thing.probe, need=Need.REQUIRED))
    first = asyncio.create_task(health.ready())
    others = [asyncio.create_task(health.ready()) for _ in range(1000)]
    await asyncio.sleep(0.5)
    first.cancel()
    reports = await asyncio.gather(*others)
    assert thing.asked == 1
    assert {report.state for report in reports} == {HEALTHY}


@scenario
async def test_alive_is_asked_of_nobody_else(health: Health) -> None:
    thing = Thing(ConnectionError())
    health.add(Check(component="thing", probe=thing.probe, need=Need.REQUIRED))
    assert health.live().http_status == 200
    assert thing.asked == 0


@scenario
async def test_a_loop_that_is_not_heard_of_makes_the_process_dead(health: Health) -> None:
    timers = health.heartbeat("timers", within=30)
    await asyncio.sleep(29)
    assert health.live().http_status == 200
    await asyncio.sleep(2)
    report = health.live()
    assert report.http_status == 503
    assert report.components["timers"].status.reason == "silent"
    timers.beat()
    assert health.live().http_status == 200


@scenario
async def test_started_is_ready_once_and_stays_so(health: Health) -> None:
    thing = Thing(ConnectionError())
    health.add(Check(component="thing", probe=thing.probe, need=Need.REQUIRED, fresh=0.1))
    assert (await health.started()).http_status == 503
    thing.found = None
    await asyncio.sleep(1)
    assert (await health.started()).http_status == 200
    thing.found = ConnectionError()
    await asyncio.sleep(1)
    assert (await health.started()).http_status == 200
    assert (await health.ready()).http_status == 503


def test_a_process_that_is_ending_is_not_ready_and_asks_nobody() -> None:
    async def main() -> None:
        thing = Thing()
        health = Health(clock=LoopClock(), draining=lambda: True)
        health.add(Check(component="thing", probe=thing.probe, need=Need.REQUIRED))
        report = await health.ready()
        assert report.http_status == 503
        assert report.components["process"].status.reason == "draining"
        assert thing.asked == 0
        assert health.live().http_status == 200

    run(main())


@scenario
async def test_every_change_is_told_with_its_consequence(health: Health) -> None:
    told: list[Change] = []
    voice = Thing()
    health.on_change(told.append)
    health.add(Check(component="voice", probe=voice.probe, fresh=1.0, consequence="Callers hear the embedded voice."))
    for found in (None, Finding(state=DEGRADED, reason="slow"), ConnectionError(), ConnectionError(), None):
        voice.found = found
        await health.detailed()
        await asyncio.sleep(2)
    assert [(each.before, each.after, each.reason) for each in told] == [
        (HEALTHY, DEGRADED, "slow"),
        (DEGRADED, UNHEALTHY, "ConnectionError"),
        (UNHEALTHY, HEALTHY, ""),
    ]
    assert [each.consequence for each in told] == ["Callers hear the embedded voice."] * 2 + [""]


@scenario
async def test_an_observer_that_fails_makes_nobody_sick(health: Health) -> None:
    def broken(_change: Change) -> None:
        raise LookupError("the pager is off")

    health.on_change(broken)
    health.add(Check(component="voice", probe=Thing(ConnectionError()).probe))
    report = await health.detailed()
    assert report.components["voice"].status.reason == "ConnectionError"


@scenario
async def test_the_history_tells_what_was_found_and_when_it_changed(health: Health) -> None:
    thing = Thing()
    health.add(Check(component="thing", probe=thing.probe, fresh=0.5, kind="datastore"))
    for found in (None, ConnectionError(), ConnectionError(), None):
        thing.found = found
        await health.detailed()
        await asyncio.sleep(1)
    document = (await health.detailed()).document()
    [told] = document["checks"]["thing:responseTime"]  # type: ignore[index,call-overload]
    assert [each["status"] for each in told["history"]] == ["pass", "fail", "fail", "pass", "pass"]
    assert [(each["from"], each["to"]) for each in told["changes"]] == [("pass", "fail"), ("fail", "pass")]
    assert told["componentType"] == "datastore"
    assert "history" not in (await health.detailed(history=False)).document()["checks"]["thing:responseTime"][0]  # type: ignore[index,call-overload]


@scenario
async def test_the_history_is_bounded(health: Health) -> None:
    thing = Thing()
    health.add(Check(component="thing", probe=thing.probe, fresh=0.1))
    for _ in range(200):
        await health.detailed(fresh=True)
    assert len((await health.detailed()).components["thing"].history) == 50


def test_the_document_is_health_json() -> None:
    async def main() -> None:
        health = Health(clock=LoopClock())
        health.add(Check(component="disk", probe=Thing(Finding(state=DEGRADED, reason="low", observed=5.0, unit="GB")).probe,
                         kind="system", consequence="Recordings may stop."))  # fmt: skip
        document = (await health.detailed(history=False)).document(version="1.2.3", service="orchestrator")
        assert document == {
            "status": "warn",
            "releaseId": "1.2.3",
            "serviceId": "orchestrator",
            "checks": {
                "disk:responseTime": [
                    {
                        "componentType": "system",
                        "observedValue": 0.0,
                        "observedUnit": "ms",
                        "status": "warn",
                        "time": "2030-01-01T00:00:00+00:00",
                        "need": "helpful",
                        "output": "low",
                        "consequence": "Recordings may stop.",
                        "measured": {"value": 5.0, "unit": "GB"},
                    }
                ]
            },
        }

    run(main())


@scenario
async def test_what_nobody_has_looked_at_is_not_said_to_be_well(health: Health) -> None:
    health.add(Check(component="one", probe=Thing().probe), Check(component="two", probe=Thing().probe))
    assert dict(health.known().components) == {}
    await health.detailed("one")
    assert list(health.known().components) == ["one"]
    assert list((await health.detailed("two", "three")).components) == ["two"]


def test_looking_is_counted_by_component_and_state() -> None:
    async def main() -> None:
        metrics = Metrics(HEALTH_METRICS)
        thing = Thing(seconds=0.3)
        health = Health(clock=LoopClock(), metrics=metrics)
        health.add(Check(component="thing", probe=thing.probe, fresh=1.0))
        stopping = asyncio.Event()
        watching = asyncio.create_task(health.watch(stopping, every=10))
        await asyncio.sleep(25)
        thing.found = ConnectionError()
        await asyncio.sleep(10)
        stopping.set()
        await watching
        found = {
            (each.name, *each.labels.values()): each.value
            for each in metrics.read()
            if each.name.startswith("orchestrator_health")
        }
        assert found["orchestrator_health_checks_total", "thing", "healthy"] == 3
        assert found["orchestrator_health_checks_total", "thing", "unhealthy"] == 1
        assert found["orchestrator_health_state", "thing", "healthy"] == 0
        assert found["orchestrator_health_state", "thing", "unhealthy"] == 1
        assert found["orchestrator_health_check_seconds_sum", "thing"] == pytest.approx(1.2)

    run(main())


@scenario
async def test_a_watch_that_is_stopped_ends_its_look_and_is_missed_by_nobody(health: Health) -> None:
    thing, stopping = Thing(seconds=1.5), asyncio.Event()
    health.add(Check(component="thing", probe=thing.probe))
    watching = asyncio.create_task(health.watch(stopping))
    await asyncio.sleep(10.5)
    with pytest.raises(ConfigurationError, match="heartbeat health is there already"):
        await health.watch(asyncio.Event())
    # In the middle of the second look, which began at 11.5.
    await asyncio.sleep(1.5)
    stopping.set()
    await watching
    assert (thing.asked, len((await health.detailed()).components["thing"].history)) == (2, 2)
    await asyncio.sleep(1000)
    assert health.live().http_status == 200


@scenario
async def test_a_watch_that_is_stopped_between_two_looks_is_not_waited_for(health: Health) -> None:
    stopping, began = asyncio.Event(), asyncio.get_running_loop().time()
    watching = asyncio.create_task(health.watch(stopping, every=3600))
    await asyncio.sleep(1)
    stopping.set()
    await watching
    assert asyncio.get_running_loop().time() - began == 1


@scenario
async def test_a_watch_that_hangs_makes_the_process_dead(health: Health) -> None:
    watching = asyncio.create_task(health.watch(asyncio.Event(), silent_after=60))
    await asyncio.sleep(300)
    assert health.live().http_status == 200
    watching.cancel()
    await asyncio.sleep(61)
    assert health.live().http_status == 503


def test_a_component_is_checked_once_and_has_a_name() -> None:
    health = Health()
    health.add(Check(component="thing", probe=Thing().probe))
    for taken in ("thing", "process"):
        with pytest.raises(ConfigurationError, match="already"):
            health.add(Check(component=taken, probe=Thing().probe))
    with pytest.raises(ValidationError):
        Check(component="a b", probe=Thing().probe)
    with pytest.raises(ConfigurationError, match="limit must be positive"):
        Check(component="thing", probe=Thing().probe, limit=0)
    health.heartbeat("loop", within=1)
    for name, within in (("loop", 1.0), ("other", 0.0)):
        with pytest.raises(ConfigurationError):
            health.heartbeat(name, within=within)


def test_a_failed_look_is_in_the_log_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        health = Health(clock=LoopClock())
        health.add(Check(component="thing", probe=Thing(ConnectionError("10.0.0.7 refused")).probe))
        for _ in range(5):
            await health.detailed(fresh=True)

    with caplog.at_level(logging.WARNING):
        run(main())
    assert caplog.text.count("10.0.0.7 refused") == 1


@given(st.lists(st.sampled_from(HealthState)), st.integers(1, 4), st.integers(1, 4))
def test_a_state_takes_as_many_looks_as_it_was_told(looks: list[HealthState], fall: int, rise: int) -> None:
    judgement = Judgement(fall, rise)
    before: HealthState | None = None
    for at, seen in enumerate(looks):
        state = judgement.look(seen)
        if state is UNHEALTHY and before not in {None, UNHEALTHY}:
            assert looks[max(0, at - fall + 1) : at + 1] == [UNHEALTHY] * fall
        if state is HEALTHY and before not in {None, HEALTHY}:
            assert looks[max(0, at - rise + 1) : at + 1] == [HEALTHY] * rise
        if at >= max(fall, rise) and len(set(looks[at - max(fall, rise) + 1 : at + 1])) == 1:
            assert state is seen
        before = state
