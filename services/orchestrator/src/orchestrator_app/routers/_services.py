"""What the routes are given."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from orchestrator_app.composition.application import AgentDoor, LiveKitDoor
from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.metrics import Metrics
from orchestrator_app.composition.watching import Watchers
from orchestrator_app.sessions import SessionTokens
from orchestrator_app.settings import AppSettings
from orchestrator_calls.journal import Journal
from orchestrator_calls.runtime import CallRuntime
from orchestrator_kernel.dependencies import provider
from orchestrator_kernel.ports import AuditSink, Clock

Settings = Annotated[AppSettings, Depends(provider(AppSettings))]
Runtime = Annotated[CallRuntime, Depends(provider(CallRuntime))]
CallJournal = Annotated[Journal, Depends(provider(Journal))]
Time = Annotated[Clock, Depends(provider(Clock))]
Audit = Annotated[AuditSink, Depends(provider(AuditSink))]
Sessions = Annotated[SessionTokens, Depends(provider(SessionTokens))]
Agents = Annotated[AgentDoor, Depends(provider(AgentDoor))]
LiveKit = Annotated[LiveKitDoor, Depends(provider(LiveKitDoor))]
Counters = Annotated[Metrics, Depends(provider(Metrics))]
Watching = Annotated[Watchers, Depends(provider(Watchers))]
Stores = Annotated[Databases, Depends(provider(Databases))]
