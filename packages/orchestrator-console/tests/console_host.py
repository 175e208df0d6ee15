"""A small host of the console: every port over plain memory, and nothing pretended."""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
import struct
from collections.abc import AsyncGenerator, Callable, Generator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from orchestrator_kernel.exceptions import AuthenticationError, ValidationError
from orchestrator_kernel.models import AuditEvent, HealthState, HealthStatus, Outcome, Severity
from orchestrator_kernel.ports import SystemClock
from orchestrator_kernel.ports.operations import (
    Alert,
    AlertState,
    BurnRate,
    CallSummary,
    CallTranscript,
    CallTurn,
    DependencyPolicy,
    LineClosed,
    LineEvent,
    Objective,
    ObjectiveState,
    RateRule,
    SecondFactorNeeded,
    SignedIn,
    SpeechCut,
    SpeechEnds,
    SpeechSound,
    SpeechStarts,
    TrialCall,
    TrialLine,
    UnknownAlert,
    UnknownTrialCall,
    Viewer,
)

RATE = 16_000


@dataclass(frozen=True)
class Person:
    """Somebody with rights; of one tenant, or of the platform where there is none."""

    id: str
    permissions: frozenset[str] = frozenset()
    tenant: str = ""

    def may(self, permission: str) -> bool:
        return permission in self.permissions

    def may_access(self, tenant: str) -> bool:
        return bool(tenant) and self.tenant in {"", tenant}


ALL = frozenset(
    {
        "call:view",
        "call:start",
        "system:monitor",
        "alert:acknowledge",
        "slo:view",
        "resilience:view",
        "audit:read",
    }
)


@dataclass
class MemorySignIn:
    """People with scrypt hashes and recovery codes, and sessions in a dictionary."""

    people: dict[str, Person] = field(default_factory=dict)
    hashes: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    codes: dict[str, set[str]] = field(default_factory=dict)
    sessions: dict[str, Viewer] = field(default_factory=dict)
    challenges: dict[str, str] = field(default_factory=dict)

    def add(self, login: str, password: str, person: Person, codes: Sequence[str] = ()) -> None:
        salt = secrets.token_bytes(16)
        self.people[login] = person
        self.hashes[login] = salt, self._hash(password, salt)
        self.codes[login] = set(codes)

    @staticmethod
    def _hash(password: str, salt: bytes) -> bytes:
        return hashlib.scrypt(password.encode(), salt=salt, n=2**10, r=8, p=1)

    async def viewer(self, scope: MutableMapping[str, object]) -> Viewer | None:
        return self.sessions.get(self._cookie(scope))

    @staticmethod
    def _cookie(scope: MutableMapping[str, object]) -> str:
        headers = dict(scope["headers"])  # type: ignore[call-overload]
        pairs = (pair.strip().partition("=") for pair in headers.get(b"cookie", b"").decode().split(";"))
        return next((value for name, _, value in pairs if name == "session"), "")

    async def password(self, login: str, password: str, *, address: str, agent: str) -> SignedIn | SecondFactorNeeded:
        salt, known = self.hashes.get(login, (b"-" * 16, b""))
        if not secrets.compare_digest(self._hash(password, salt), known):
            raise AuthenticationError("The name or the password is wrong.")
        if self.codes[login]:
            challenge = secrets.token_urlsafe()
            self.challenges[challenge] = login
            return SecondFactorNeeded(challenge=challenge)
        return self.begin(login)

    async def second_factor(self, challenge: str, code: str, *, agent: str) -> SignedIn:
        login = self.challenges.pop(challenge, "")
        if code not in self.codes.get(login, ()):
            raise AuthenticationError("The code is wrong.")
        self.codes[login].discard(code)
        return self.begin(login)

    def begin(self, login: str) -> SignedIn:
        value, person = secrets.token_urlsafe(), self.people[login]
        self.sessions[value] = Viewer(
            principal=person, name=login, csrf_token=secrets.token_urlsafe(), platform=not person.tenant
        )
        return SignedIn(set_cookie=f"session={value}; Path=/; HttpOnly; SameSite=Lax")

    async def sign_out(self, scope: MutableMapping[str, object]) -> str:
        self.sessions.pop(self._cookie(scope), None)
        return "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"


@dataclass
class MemoryCalls:
    """Calls in a dictionary; those who watch are told of each change."""

    clock: SystemClock = field(default_factory=SystemClock)
    found: dict[str, CallTranscript] = field(default_factory=dict)
    telling: list[Callable[[str], None]] = field(default_factory=list)
    asked: int = 0
    broken: Exception | None = None

    def start(self, call_id: str, tenant: str = "harbour", *, language: str = "en-US", ago: float = 0.0) -> None:
        at = self.clock.now() - timedelta(seconds=ago)
        call = CallSummary(id=call_id, tenant=tenant, state="active", is_open=True, started_at=at, updated_at=at)
        self.put(CallTranscript(call=call, language=language))

    def turn(self, call_id: str, turn: CallTurn) -> None:
        found = self.found[call_id]
        turns = (*found.turns, turn)
        latencies = tuple(each.latency_ms for each in turns if each.latency_ms is not None)[-30:]
        call = replace(found.call, turns=len(turns), latencies_ms=latencies, updated_at=self.clock.now())
        self.put(replace(found, call=call, turns=turns))

    def say(self, call_id: str, caller: str, *spoken: str, latency: float | None = 210.0, kind: str = "speech") -> None:
        number = len(self.found[call_id].turns) + 1
        self.turn(call_id, CallTurn(id=f"t{number}", kind=kind, caller=caller, spoken=spoken, latency_ms=latency))

    def end(self, call_id: str, reason: str = "hung up") -> None:
        found = self.found[call_id]
        call = replace(found.call, state="ended", is_open=False, updated_at=self.clock.now())
        self.put(replace(found, call=call, end_reason=reason))

    def put(self, transcript: CallTranscript) -> None:
        self.found[transcript.call.id] = transcript
        for tell in self.telling:
            tell(transcript.call.id)

    async def calls(self, *, tenants: Callable[[str], bool], open_only: bool, limit: int) -> Sequence[CallSummary]:
        self.asked += 1
        if self.broken is not None:
            raise self.broken
        calls = [each.call for each in self.found.values() if tenants(each.call.tenant)]
        newest = sorted(calls, key=lambda call: call.started_at, reverse=True)
        return [call for call in newest if call.is_open or not open_only][:limit]

    async def call(self, call_id: str) -> CallSummary | None:
        found = self.found.get(call_id)
        return found.call if found else None

    async def transcript(self, call_id: str) -> CallTranscript | None:
        if self.broken is not None:
            raise self.broken
        return self.found.get(call_id)

    @contextmanager
    def watch(self, tell: Callable[[str], None]) -> Generator[None, None, None]:
        self.telling.append(tell)
        try:
            yield
        finally:
            self.telling.remove(tell)


@dataclass
class MemoryAlerts:
    """Alerts in a list."""

    found: list[Alert] = field(default_factory=list)
    answers: list[tuple[str, str]] = field(default_factory=list)

    async def alerts(self) -> Sequence[Alert]:
        return list(self.found)

    async def acknowledge(self, alert_id: str, *, by: str) -> None:
        self._change(alert_id, acknowledged_by=by)
        self.answers.append((alert_id, by))

    async def silence(self, alert_id: str, *, by: str, seconds: float, reason: str) -> None:
        self._change(alert_id, silenced_until=datetime.now(UTC) + timedelta(seconds=seconds))
        self.answers.append((alert_id, reason))

    def _change(self, alert_id: str, **changes: object) -> None:
        for place, alert in enumerate(self.found):
            if alert.id == alert_id and alert.state is AlertState.FIRING:
                self.found[place] = replace(alert, **changes)  # type: ignore[arg-type]
                return
        raise UnknownAlert("There is no such alert.")


@dataclass
class MemoryFigures:
    """Everything that is only read."""

    states: list[HealthStatus] = field(default_factory=list)
    goals: list[Objective] = field(default_factory=list)
    policies: list[DependencyPolicy] = field(default_factory=list)
    limits: list[RateRule] = field(default_factory=list)
    events: list[AuditEvent] = field(default_factory=list)

    async def health(self) -> Sequence[HealthStatus]:
        return list(self.states)

    async def objectives(self) -> Sequence[Objective]:
        return list(self.goals)

    async def dependencies(self) -> Sequence[DependencyPolicy]:
        return list(self.policies)

    async def rules(self) -> Sequence[RateRule]:
        return list(self.limits)

    async def recent(self, limit: int) -> Sequence[AuditEvent]:
        return sorted(self.events, key=lambda event: event.occurred_at, reverse=True)[:limit]


@dataclass
class _Line:
    tenant: str
    heard: asyncio.Queue[LineEvent] = field(default_factory=asyncio.Queue)
    speaking: asyncio.Task[None] | None = None
    count: int = 0


@dataclass
class EchoDesk:
    """A desk that says back what it hears: a tone of as many tenths of a second as the sentence has letters, in real time."""

    calls: MemoryCalls
    lines_open: dict[str, _Line] = field(default_factory=dict)

    async def lines(self) -> Sequence[TrialLine]:
        harbour = TrialLine(tenant="harbour", title="The Harbour House", languages=("en-US", "de-DE"))
        return [harbour, TrialLine(tenant="lake", title="The Lake", languages=("de-DE",))]

    async def place(self, tenant: str, language: str, *, by: str) -> TrialCall:
        line = next((each for each in await self.lines() if each.tenant == tenant), None)
        if line is None or language not in line.languages:
            raise ValidationError("Nobody answers there in this language.")
        call_id = f"test-{secrets.token_hex(8)}"
        self.calls.start(call_id, tenant, language=language)
        self.lines_open[call_id] = _Line(tenant)
        return TrialCall(id=call_id, tenant=tenant, voiced=True)

    async def find(self, call_id: str) -> TrialCall:
        if call_id not in self.lines_open:
            raise UnknownTrialCall("There is no such test call.")
        return TrialCall(id=call_id, tenant=self.lines_open[call_id].tenant, voiced=True)

    async def say(self, call_id: str, text: str) -> None:
        self._answer(call_id, text, f"You said: {text}", "speech")

    async def press(self, call_id: str, keys: str) -> None:
        self._answer(call_id, keys, f"You pressed {keys}", "digits")

    def _answer(self, call_id: str, caller: str, reply: str, kind: str) -> None:
        line = self.lines_open[call_id]
        self._stop(line)
        self.calls.say(call_id, caller, reply, latency=20.0, kind=kind)
        self._speak(line, reply)

    def _speak(self, line: _Line, text: str) -> None:
        line.count += 1
        line.speaking = asyncio.create_task(self._sound(line, f"s{line.count}", text))

    @staticmethod
    async def _sound(line: _Line, key: str, text: str) -> None:
        line.heard.put_nowait(SpeechStarts(key, text, RATE))
        for piece in range(len(text)):
            first = piece * RATE // 10
            samples = [round(9000 * math.sin((first + n) * 2 * math.pi * 440 / RATE)) for n in range(RATE // 10)]
            line.heard.put_nowait(SpeechSound(struct.pack(f"<{len(samples)}h", *samples)))
            await asyncio.sleep(0.1)
        line.heard.put_nowait(SpeechEnds(key))

    @staticmethod
    def _stop(line: _Line) -> None:
        if line.speaking is not None and not line.speaking.done():
            line.speaking.cancel()
            line.heard.put_nowait(SpeechCut(f"s{line.count}"))

    async def hang_up(self, call_id: str) -> None:
        line = self.lines_open.pop(call_id)
        self._stop(line)
        self.calls.end(call_id)
        line.heard.put_nowait(LineClosed("hung up"))

    async def listen(self, call_id: str) -> AsyncGenerator[LineEvent, None]:
        line = self.lines_open.get(call_id)
        if line is None:
            raise UnknownTrialCall("There is no such test call.")
        self._speak(line, "Hello, this is the echo desk.")
        while True:
            event = await line.heard.get()
            yield event
            if isinstance(event, LineClosed):
                return


def firing(alert_id: str, title: str, severity: Severity = Severity.HIGH, **more: object) -> Alert:
    """An alert that fires since two minutes."""
    since = datetime.now(UTC) - timedelta(minutes=2)
    return Alert(id=alert_id, title=title, severity=severity, state=AlertState.FIRING, since=since, **more)  # type: ignore[arg-type]


def audit_event(number: int, **changes: object) -> AuditEvent:
    """An event of the audit."""
    values: dict[str, object] = {
        "id": f"event-{number}",
        "type": "auth.login.success",
        "occurred_at": datetime.now(UTC) - timedelta(seconds=number * 40),
        "actor": "zoe",
        "action": "sign in",
        "outcome": Outcome.SUCCESS,
    }
    return AuditEvent(**{**values, **changes})  # type: ignore[arg-type]


def objective(**changes: object) -> Objective:
    """An objective that is met."""
    values: dict[str, object] = {
        "id": "call-success",
        "title": "Calls that are answered",
        "state": ObjectiveState.MET,
        "target": 0.995,
        "window_seconds": 28 * 86_400.0,
        "achieved": 0.9991,
        "budget_left": 0.82,
        "burn": (BurnRate(window_seconds=300, rate=0.2), BurnRate(window_seconds=3600, rate=0.4)),
    }
    return Objective(**{**values, **changes})  # type: ignore[arg-type]


def status(component: str, state: HealthState = HealthState.HEALTHY, reason: str = "") -> HealthStatus:
    """What a check found just now."""
    return HealthStatus(component=component, state=state, checked_at=datetime.now(UTC), duration=0.0042, reason=reason)
