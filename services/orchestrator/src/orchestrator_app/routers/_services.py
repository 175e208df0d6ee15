"""What the routes are given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Security
from fastapi.requests import HTTPConnection
from fastapi.security import HTTPBearer

from orchestrator_app.composition.application import AgentDoor, LiveKitDoor
from orchestrator_app.composition.calls import GapAudit
from orchestrator_app.composition.metrics import Metrics
from orchestrator_app.composition.resilience import Resilience
from orchestrator_app.composition.speech import Voices
from orchestrator_app.composition.twilio import TwilioDoor
from orchestrator_app.composition.watching import Watchers
from orchestrator_app.sessions import SessionTokens
from orchestrator_app.settings import AppSettings
from orchestrator_calls.journal import Journal
from orchestrator_calls.runtime import CallRuntime
from orchestrator_kernel.dependencies import provider
from orchestrator_kernel.exceptions import AuthenticationError, RateLimitError, ValidationError
from orchestrator_kernel.lifecycle import Lifecycle
from orchestrator_kernel.ports import AuditSink, Clock
from orchestrator_security.headers_middleware import OriginRefused, UntrustedHost
from orchestrator_security.input_validation import BodyTooLarge, JsonRefused, RequestRefused, UnsupportedMediaType

T = TypeVar("T")


def _given(kind: type[T]) -> Callable[[HTTPConnection], Awaitable[T]]:
    """The kernel's provider, asked on the event loop: FastAPI would take a plain function to a thread, eight times per request."""
    resolve = provider(kind)

    async def given(connection: HTTPConnection) -> T:
        return resolve(connection)

    return given


Settings = Annotated[AppSettings, Depends(_given(AppSettings))]
Runtime = Annotated[CallRuntime, Depends(_given(CallRuntime))]
CallJournal = Annotated[Journal, Depends(_given(Journal))]
Time = Annotated[Clock, Depends(_given(Clock))]
Audit = Annotated[AuditSink, Depends(_given(AuditSink))]
Sessions = Annotated[SessionTokens, Depends(_given(SessionTokens))]
Agents = Annotated[AgentDoor, Depends(_given(AgentDoor))]
LiveKit = Annotated[LiveKitDoor, Depends(_given(LiveKitDoor))]
Twilio = Annotated[TwilioDoor, Depends(_given(TwilioDoor))]
Gaps = Annotated[GapAudit, Depends(_given(GapAudit))]
Counters = Annotated[Metrics, Depends(_given(Metrics))]
Watching = Annotated[Watchers, Depends(_given(Watchers))]
Life = Annotated[Lifecycle, Depends(_given(Lifecycle))]
Speaking = Annotated[Voices, Depends(_given(Voices))]
Policies = Annotated[Resilience, Depends(_given(Resilience))]


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

GUARD = (*DOORS, AuthenticationError)
"""What the doors in front of every guarded route may answer."""

BODY = (BodyTooLarge, UnsupportedMediaType, JsonRefused, JsonLimit)
"""What they may answer besides where a body is sent."""

OPERATOR = Security(HTTPBearer(auto_error=False, description="The operators' access token."))
"""Says in OpenAPI what the route asks for; the doors have checked it before."""
