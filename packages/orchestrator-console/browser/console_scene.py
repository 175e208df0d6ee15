"""A service with something going on, for people to look at and for axe to judge."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from console_host import audit_event, firing, objective, status
from console_support import Host

from orchestrator_kernel.models import HealthState, Outcome, Severity
from orchestrator_kernel.ports.operations import Alert, AlertState, BurnRate, DependencyPolicy, ObjectiveState, RateRule

SAID = (
    ("I'd like to book a table for four on Friday at seven", "A table for four on Friday at 7 pm. Under which name?"),
    ("Harbour", "Thank you. Shall I book the table for four on Friday at 7 pm under Harbour?"),
    ("Yes, please", "It is booked. You get a message with the details. Is there anything else?"),
    ("Do you have parking?", "There is a car park behind the house; it is free for guests of the restaurant."),
)


def fill(host: Host, calls: int = 14) -> None:
    """Calls in all states, and something wrong in every part."""
    _calls(host, calls)
    _alerts(host)
    host.figures.goals += _objectives()
    host.figures.policies += [
        DependencyPolicy(name="tts_service", circuit="closed", calls=84, failures=2, limit=200, running=9),
        DependencyPolicy(
            name="chat_service", circuit="half_open", calls=20, failures=9, limit=200, running=3, refused=41
        ),
        DependencyPolicy(
            name="actions", circuit="open", calls=20, failures=14, refused=112, retry_after=12, limit=50, waiting=4
        ),
    ]
    host.figures.limits += [
        RateRule(name="anonymous", scope="addresses, everywhere", limits="120/minute; 1200/hour"),
        RateRule(name="calls", scope="operators, /v1/call*", limits="30/second; 1500/minute; 50000/hour"),
    ]
    host.figures.events += [
        audit_event(
            0, type="auth.login.failure", action="sign in", outcome=Outcome.DENIED, details={"reason": "password"}
        ),
        audit_event(1, details={"method": "password and code"}),
        audit_event(2, type="pii.access", action="read a transcript", resource="call:call_a09b3c", actor="u-max"),
        audit_event(3, type="admin.action", action="reset", resource="circuit:tts_service"),
        *(
            audit_event(number, type="call.start", action="announce a call", actor="service:pbx")
            for number in range(4, 16)
        ),
    ]


def _calls(host: Host, calls: int) -> None:
    dice = random.Random(7)
    for number in range(calls):
        call_id = f"call_{dice.getrandbits(64):016x}"
        host.calls.start(call_id, ("harbour", "lake", "hill")[number % 3], ago=30 + dice.random() * 400)
        host.calls.say(
            call_id, "", "Good evening, this is the Harbour House. How can I help?", kind="greeting", latency=120
        )
        for caller, desk in SAID[: 1 + number % 4] * (1 + number % 2):
            host.calls.say(call_id, caller, desk, latency=dice.lognormvariate(5.6, 0.7))


def _alerts(host: Host) -> None:
    host.alerts.found += [
        firing(
            "a1",
            "Turns are slow for harbour",
            Severity.CRITICAL,
            detail="p95 1 840 ms over 5 min, target 800 ms. The voice answers late.",
            labels=(("tenant", "harbour"), ("stage", "speech")),
            runbook="https://runbooks.example/turn-latency",
        ),
        firing("a2", "Error budget of “Calls that are answered” burns 6 times too fast", Severity.MEDIUM),
        firing("a3", "One of two voices is missing", Severity.LOW, acknowledged_by="u-max"),
        Alert(
            id="a4",
            title="Disk is filling",
            severity=Severity.MEDIUM,
            state=AlertState.RESOLVED,
            since=datetime.now(UTC) - timedelta(minutes=14),
        ),
    ]
    host.figures.states += [
        status("journal"),
        status("database"),
        status("voice", HealthState.DEGRADED, "embedded: not installed; router answers"),
        status("booking service", HealthState.UNHEALTHY, "no answer within 2 s"),
        status("audit log"),
    ]


def _objectives() -> list[object]:
    day = 86_400.0
    return [
        objective(),
        objective(
            id="latency",
            title="Turns below 800 ms",
            state=ObjectiveState.BURNING,
            target=0.95,
            achieved=0.9612,
            budget_left=0.18,
            burn=(BurnRate(window_seconds=300, rate=6.4), BurnRate(window_seconds=3600, rate=3.1)),
            exhausted_at=datetime.now(UTC) + timedelta(days=3),
        ),
        objective(
            id="api",
            title="API answers",
            state=ObjectiveState.EXHAUSTED,
            target=0.999,
            window_seconds=30 * day,
            achieved=0.99871,
            budget_left=-0.29,
            burn=(BurnRate(window_seconds=300, rate=0.0), BurnRate(window_seconds=3600, rate=14.2)),
        ),
        objective(
            id="bookings",
            title="Bookings that are confirmed",
            state=ObjectiveState.NO_TRAFFIC,
            target=0.99,
            achieved=None,
            budget_left=None,
            burn=(BurnRate(window_seconds=300, rate=None),),
        ),
        objective(
            id="goals",
            title="Calls that reach their goal",
            state=ObjectiveState.TOO_FEW_EVENTS,
            target=0.9,
            achieved=0.0,
            budget_left=None,
            burn=(BurnRate(window_seconds=300, rate=None),),
            events=1,
            min_events=20,
        ),
    ]
