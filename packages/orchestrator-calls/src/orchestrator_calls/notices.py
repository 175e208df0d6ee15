"""What the runtime tells about itself while it works: for metrics, the audit and people who watch a call live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator_calls.events import CallState, Event
from orchestrator_kernel.ports import Json

__all__ = ["ActionEnded", "CallResumed", "EventKept", "GapSeen", "Notice", "StateChanged", "TurnTimed"]


@dataclass(frozen=True, slots=True)
class EventKept:
    """An event of the call is in the journal, the orchestrator's own ones included."""

    event: Event


@dataclass(frozen=True, slots=True)
class CallResumed:
    """This process goes on with a call that it read from the journal. `caller` (a number) and `memory` are personal."""

    call_id: str
    tenant: str
    caller: str
    memory: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The call moved from one state to another."""

    call_id: str
    tenant: str
    before: CallState
    after: CallState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TurnTimed:
    """From the input to the first audio frame sent, or to the reply handed over; seconds."""

    call_id: str
    tenant: str
    turn: str
    channel: str
    seconds: float


@dataclass(frozen=True, slots=True)
class GapSeen:
    """Events of a source are missing: a hole in its count, or the provider told that it dropped some."""

    call_id: str
    tenant: str
    source: str
    missing: int
    detail: str


@dataclass(frozen=True, slots=True)
class ActionEnded:
    """An action of the call has ended, `seconds` after its start; `status` is the outcome's."""

    call_id: str
    tenant: str
    action: str
    status: str
    seconds: float


Notice = ActionEnded | CallResumed | EventKept | StateChanged | TurnTimed | GapSeen
