"""What the routes are given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends
from fastapi.requests import HTTPConnection

from orchestrator_app.composition.application import AgentDoor, LiveKitDoor
from orchestrator_app.composition.calls import GapAudit
from orchestrator_app.composition.metrics import Metrics
from orchestrator_app.composition.resilience import Resilience
from orchestrator_app.composition.speech import Voices
from orchestrator_app.composition.twilio import TwilioDoor
from orchestrator_app.composition.watching import Watchers
from orchestrator_app.sessions import SessionTokens
from orchestrator_app.settings import AppSettings
from orchestrator_auth.exceptions import (
    AccessDenied,
    AuthStoreFailed,
    CredentialRefused,
    KeyLimitReached,
    SecondFactorRequired,
    TokenRefused,
)
from orchestrator_auth.fastapi_guard import requires
from orchestrator_auth.guard import OWN, PLATFORM, HandlerForgot
from orchestrator_calls.journal import Journal
from orchestrator_calls.runtime import CallRuntime
from orchestrator_kernel.dependencies import provider
from orchestrator_kernel.exceptions import RateLimitError, ValidationError
from orchestrator_kernel.lifecycle import Lifecycle
from orchestrator_kernel.ports import AuditSink, Clock
from orchestrator_security.headers_middleware import OriginRefused, UntrustedHost
from orchestrator_security.input_validation import BodyTooLarge, JsonRefused, RequestRefused, UnsupportedMediaType

T = TypeVar("T")


def given(kind: type[T]) -> Callable[[HTTPConnection], Awaitable[T]]:
    """The kernel's provider, asked on the event loop: FastAPI would take a plain function to a thread, eight times per request."""
    resolve = provider(kind)

    async def given(connection: HTTPConnection) -> T:
        return resolve(connection)

    return given


Settings = Annotated[AppSettings, Depends(given(AppSettings))]
Runtime = Annotated[CallRuntime, Depends(given(CallRuntime))]
CallJournal = Annotated[Journal, Depends(given(Journal))]
Time = Annotated[Clock, Depends(given(Clock))]
Audit = Annotated[AuditSink, Depends(given(AuditSink))]
Sessions = Annotated[SessionTokens, Depends(given(SessionTokens))]
Agents = Annotated[AgentDoor, Depends(given(AgentDoor))]
LiveKit = Annotated[LiveKitDoor, Depends(given(LiveKitDoor))]
Twilio = Annotated[TwilioDoor, Depends(given(TwilioDoor))]
Gaps = Annotated[GapAudit, Depends(given(GapAudit))]
Counters = Annotated[Metrics, Depends(given(Metrics))]
Watching = Annotated[Watchers, Depends(given(Watchers))]
Life = Annotated[Lifecycle, Depends(given(Lifecycle))]
Speaking = Annotated[Voices, Depends(given(Voices))]
Policies = Annotated[Resilience, Depends(given(Resilience))]


@dataclass(frozen=True, slots=True)
class Intake:
    """What it takes to take an event of a call in."""

    runtime: CallRuntime
    journal: Journal
    settings: AppSettings
    clock: Clock


async def _intake(runtime: Runtime, journal: CallJournal, settings: Settings, clock: Time) -> Intake:
    return Intake(runtime, journal, settings, clock)


TakingIn = Annotated[Intake, Depends(_intake)]


class JsonLimit(ValidationError):
    """The body is JSON beyond a limit: too deep, too long, or with too many members."""

    default_code = "json_limit"


class TargetTooLong(RequestRefused):
    """Path and query are longer than they may be."""

    default_status = 414


class HeadersTooLarge(RequestRefused):
    """The headers are more, or larger, than they may be."""

    default_status = 431


OPEN = (OriginRefused, RequestRefused, TargetTooLong, HeadersTooLarge)
"""What the doors in front of a public route may answer; probes are asked under any name, and as often as they like."""

DOORS = (UntrustedHost, RateLimitError, *OPEN)
"""What the doors in front of every route may answer."""

GUARD = (
    *(*DOORS, CredentialRefused, TokenRefused, AccessDenied, SecondFactorRequired, KeyLimitReached),
    *(AuthStoreFailed, HandlerForgot),
)
"""What the doors in front of every guarded route may answer."""

BODY = (BodyTooLarge, UnsupportedMediaType, JsonRefused, JsonLimit)
"""What they may answer besides where a body is sent."""

KNOWN = requires("", tenant=OWN)
"""For everybody who is known, person or service."""

MONITOR = requires("system:monitor", tenant=PLATFORM)
"""For those who run the platform."""

OPERATOR = requires("system:admin", tenant=PLATFORM)
"""For the platform's administrators, where no narrower permission fits."""
