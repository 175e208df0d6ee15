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
from orchestrator_app.composition.speech import Voices
from orchestrator_app.composition.watching import Watchers
from orchestrator_app.doors import UntrustedHost
from orchestrator_app.sessions import SessionTokens
from orchestrator_app.settings import AppSettings
from orchestrator_calls.journal import Journal
from orchestrator_calls.runtime import CallRuntime
from orchestrator_kernel.dependencies import provider
from orchestrator_kernel.exceptions import AuthenticationError
from orchestrator_kernel.lifecycle import Lifecycle
from orchestrator_kernel.ports import AuditSink, Clock

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
Gaps = Annotated[GapAudit, Depends(_given(GapAudit))]
Counters = Annotated[Metrics, Depends(_given(Metrics))]
Watching = Annotated[Watchers, Depends(_given(Watchers))]
Life = Annotated[Lifecycle, Depends(_given(Lifecycle))]
Speaking = Annotated[Voices, Depends(_given(Voices))]

GUARD = (UntrustedHost, AuthenticationError)
"""What the doors in front of every guarded route may answer."""

OPERATOR = Security(HTTPBearer(auto_error=False, description="The operators' access token."))
"""Says in OpenAPI what the route asks for; `BearerGate` has checked it before."""
