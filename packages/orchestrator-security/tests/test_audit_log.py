"""Telling the audit what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from orchestrator_kernel import virtual_time
from orchestrator_kernel.exceptions import AuthorizationError, DatabaseError
from orchestrator_kernel.models import AuditEvent, Outcome, Severity
from orchestrator_kernel.ports import Json
from orchestrator_kernel.virtual_time import LoopClock
from orchestrator_security.audit_logging import (
    AuditKind,
    AuditLog,
    AuditLogConfig,
    LawfulBasis,
    audit_pseudonym,
    retention_days,
    rule_of,
)
from orchestrator_security.pii_redactor import PiiRedactor


class Memory:
    """A sink whose failing and slowness a test decides."""

    def __init__(self) -> None:
        self.kept: dict[str, AuditEvent] = {}
        self.failing = False
        self.seconds = 0.0

    async def record(self, event: AuditEvent) -> None:
        await asyncio.sleep(self.seconds)
        if self.failing:
            raise DatabaseError("down")
        self.kept.setdefault(event.id, event)

    @property
    def last(self) -> AuditEvent:
        return list(self.kept.values())[-1]


def log_to(sink: Memory, **more: object) -> AuditLog:
    return AuditLog(sink, clock=LoopClock(), **more)  # type: ignore[arg-type]


def test_there_are_27_kinds_and_each_has_a_rule() -> None:
    assert len(AuditKind) == 27
    assert {kind.value.partition(".")[0] for kind in AuditKind} == {
        "auth",
        "authz",
        "data",
        "pii",
        "system",
        "business",
        "webhook",
    }
    assert all(rule_of(kind).retention_days in {90, 365, 2555} for kind in AuditKind)


@pytest.mark.parametrize(
    ("kind", "days"),
    [("auth.login.failure", 90), ("authz.access.denied", 90), ("business.booking.access", 2555), ("business.payment.process", 2555),
     ("pii.access", 2555), ("system.security.violation", 2555), ("webhook.failed", 365), ("data.read", 365), ("call.journal.gap", 365)],
)  # fmt: skip
def test_retention(kind: str, days: int) -> None:
    assert retention_days(kind) == days


@pytest.mark.parametrize(
    ("name", "severity", "days"),
    [
        ("auth.login.success", "low", 90), ("auth.login.failure", "medium", 90), ("auth.logout", "low", 90),
        ("auth.token.refresh", "low", 90), ("auth.token.revoke", "medium", 90), ("authz.access.granted", "low", 90),
        ("authz.access.denied", "medium", 90), ("authz.permission.check", "low", 90), ("authz.role.assignment", "high", 90),
        ("data.read", "low", 365), ("data.create", "low", 365), ("data.update", "low", 365), ("data.delete", "medium", 365),
        ("data.export", "high", 365), ("pii.access", "medium", 2555), ("pii.redaction", "low", 2555), ("pii.retention", "medium", 2555),
        ("system.config.change", "high", 365), ("system.admin.action", "high", 365), ("system.security.violation", "critical", 2555),
        ("business.call.start", "low", 365), ("business.call.end", "low", 365), ("business.booking.access", "medium", 2555),
        ("business.payment.process", "high", 2555), ("webhook.received", "low", 365), ("webhook.processed", "low", 365),
        ("webhook.failed", "medium", 365),
    ],
)  # fmt: skip
async def test_each_kind_by_its_name(name: str, severity: str, days: int) -> None:
    made = await log_to(Memory()).record(AuditKind(name), action="act")
    assert (made.type, made.severity, made.details["retention_days"]) == (name, severity, days)


async def test_an_event_says_who_what_where_how_it_ended_and_why_it_was_lawful() -> None:
    sink = Memory()
    config = AuditLogConfig(service="calls", region="eu-central-1")
    log = log_to(sink, config=config, pseudonym_key=b"k" * 32, correlation=lambda: "corr-1")
    made = await log.record(
        AuditKind.PII_ACCESS,
        action="read the transcript",
        actor="zoe",
        resource="call:7",
        tenant="hotel-7",
        subject="caller-4f1c",
        lawful_basis=LawfulBasis.CONTRACT,
        client="203.0.113.9",
        session="secret-session",
        details={"turns": 3},
    )
    assert sink.last == made
    assert (made.type, made.actor, made.resource, made.tenant, made.correlation_id) == (
        "pii.access",
        "zoe",
        "call:7",
        "hotel-7",
        "corr-1",
    )
    assert (made.outcome, made.severity) == (Outcome.SUCCESS, Severity.MEDIUM)
    details = dict(made.details)
    client, session = details.pop("client"), details.pop("session")
    assert details == {
        "turns": 3, "service": "calls", "region": "eu-central-1", "subject": "caller-4f1c", "lawful_basis": "contract", "retention_days": 2555,
    }  # fmt: skip
    assert "203.0.113.9" not in repr(made)
    assert "secret-session" not in repr(made)
    again = await log.record(
        AuditKind.PII_ACCESS, action="read", tenant="hotel-7", client="203.0.113.9", session="another"
    )
    assert (again.details["client"], again.details["session"] != session) == (client, True)


async def test_nobody_is_called_alike_by_two_tenants() -> None:
    log, names = log_to(Memory(), pseudonym_key=b"k" * 32), set()
    for tenant in (None, "hotel-1", "hotel-2"):
        made = [
            await log.record(AuditKind.LOGOUT, action="sign out", client="203.0.113.9", session="s", tenant=tenant)
            for _ in range(2)
        ]
        assert (
            made[0].details["client"]
            == made[1].details["client"]
            == audit_pseudonym(b"k" * 32, "client", "203.0.113.9", tenant)
        )
        names |= {made[0].details["client"], made[0].details["session"]}
    assert len(names) == 6


async def test_without_a_key_addresses_are_left_out() -> None:
    made = await log_to(Memory()).record(AuditKind.LOGOUT, action="sign out", client="203.0.113.9")
    assert "client" not in made.details


async def test_personal_data_goes_through_the_redactor() -> None:
    class Masks:
        def redact(self, value: Json, *, call: str | None = None) -> Json:
            assert isinstance(value, dict)
            return {name: "***" if each == "zoe@example.org" else each for name, each in value.items()}

        def redact_text(self, text: str, *, call: str | None = None) -> str:
            return text.replace("zoe@example.org", "***")

        def know(self, call: str, values: Iterable[str]) -> None: ...

        def forget(self, call: str) -> None: ...

    made = await log_to(Memory(), redactor=Masks()).record(
        AuditKind.DATA_READ, action="read", resource="user:zoe@example.org", details={"mail": "zoe@example.org"}
    )
    assert (made.resource, made.details["mail"]) == ("user:***", "***")


async def test_what_is_known_of_a_call_stays_out_of_the_records_about_it() -> None:
    redactor = PiiRedactor()
    redactor.know("c1", ["Zoë Müller"])
    log = log_to(Memory(), redactor=redactor)
    for resource, named in (("call:c1", {}), ("door:agents", {"call_id": "c1"})):
        details = {"reason": "Mueller was refused", **named}
        made = await log.record(AuditKind.PII_ACCESS, action="read", resource=resource, details=details)
        assert (made.resource, made.details["reason"]) == (resource, "[KNOWN] was refused")
    for resource in ("call:c2", "door:agents"):
        made = await log.record(AuditKind.PII_ACCESS, action="read", resource=resource, details={"reason": "Mueller"})
        assert made.details["reason"] == "Mueller"


async def test_what_must_not_be_lost_is_kept_when_record_returns_and_raises_when_it_cannot_be() -> None:
    sink = Memory()
    log = log_to(sink)
    await log.start()
    await log.record(AuditKind.DATA_DELETE, action="delete", event_id="e1")
    assert list(sink.kept) == ["e1"]
    sink.failing = True
    with pytest.raises(DatabaseError):
        await log.record(AuditKind.DATA_DELETE, action="delete")
    sink.failing = False
    await log.stop()


async def test_the_rest_is_written_behind_the_callers_back_once_started() -> None:
    sink = Memory()
    log = log_to(sink)
    await log.record(AuditKind.DATA_READ, action="read", event_id="at-once")
    assert list(sink.kept) == ["at-once"]
    await log.start()
    await log.record(AuditKind.DATA_READ, action="read", event_id="later")
    assert list(sink.kept) == ["at-once"]
    await log.stop()
    assert list(sink.kept) == ["at-once", "later"]


def test_a_sink_that_fails_for_a_while_gets_everything_once_it_works() -> None:
    async def scenario() -> tuple[list[str], float]:
        sink = Memory()
        log = AuditLog(sink, clock=LoopClock(), config=AuditLogConfig(retry_seconds=2.0, stop_seconds=600))
        await log.start()
        sink.failing = True
        for number in range(20):
            await log.record(AuditKind.DATA_READ, action="read", event_id=f"e{number}")
        asyncio.get_running_loop().call_later(31, setattr, sink, "failing", False)
        await log.stop()
        return list(sink.kept), LoopClock().monotonic()

    kept, seconds = virtual_time.run(scenario())
    assert kept == [f"e{number}" for number in range(20)]
    assert 31 <= seconds <= 34


def test_stopping_ends_and_says_what_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        sink = Memory()
        log = AuditLog(sink, clock=LoopClock(), config=AuditLogConfig(stop_seconds=5))
        await log.start()
        sink.failing = True
        await log.record(AuditKind.DATA_READ, action="read")
        await log.stop()

    virtual_time.run(scenario())
    assert "audit events are lost" in caplog.text


def test_when_too_many_wait_their_writers_wait_too() -> None:
    async def scenario() -> float:
        sink = Memory()
        sink.seconds = 1.0
        log = AuditLog(sink, clock=LoopClock(), config=AuditLogConfig(waiting=5))
        await log.start()
        for _ in range(7):
            await log.record(AuditKind.DATA_READ, action="read")
        seconds = LoopClock().monotonic()
        await log.stop()
        assert len(sink.kept) == 7
        return seconds

    assert virtual_time.run(scenario()) >= 1.0


@pytest.mark.parametrize(
    ("error", "outcome", "told"),
    [
        (None, Outcome.SUCCESS, None),
        (AuthorizationError("no"), Outcome.DENIED, "forbidden"),
        (DatabaseError("down"), Outcome.FAILURE, "database_failed"),
        (ValueError("Zoe Quill"), Outcome.FAILURE, "ValueError"),
        (asyncio.CancelledError(), Outcome.FAILURE, "CancelledError"),
    ],
)
async def test_an_operation_is_recorded_with_how_it_ended(
    error: BaseException | None, outcome: Outcome, told: str | None
) -> None:
    sink = Memory()

    async def run() -> None:
        async with log_to(sink).operation(AuditKind.DATA_EXPORT, action="export", actor="zoe") as running:
            running.resource = "export:7"
            running.details["rows"] = 12
            if error is not None:
                raise error

    if error is None:
        await run()
    else:
        with pytest.raises(type(error)):
            await run()
    assert (sink.last.outcome, sink.last.details.get("error")) == (outcome, told)
    assert (sink.last.resource, sink.last.details["rows"]) == ("export:7", 12)
    assert "Quill" not in repr(sink.last)


async def test_an_operation_that_cannot_be_recorded_fails() -> None:
    sink = Memory()
    sink.failing = True
    with pytest.raises(DatabaseError):
        async with log_to(sink).operation(AuditKind.DATA_DELETE, action="delete"):
            pass
