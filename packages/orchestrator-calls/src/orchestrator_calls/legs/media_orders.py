"""What a media stream's end means: the stream says nothing itself, so it is read from the call's events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator_calls.events import Event, EventType, text_of
from orchestrator_calls.legs.twilio import Handoff

__all__ = ["last_leg_seconds", "pending_order"]

_SETTLED: Final = frozenset({EventType.TRANSFER_FAILED, EventType.TRANSFER_COMPLETED, EventType.TURN_OPENED})
"""After one of these an earlier order is carried out, or taken back."""


def pending_order(events: Sequence[Event]) -> Handoff | None:
    """The order that was given to the leg last and is not settled; None where the stream broke without one."""
    for event in reversed(events):
        key = text_of(event.payload, "key")
        if event.type is EventType.TRANSFER_REQUESTED and key:
            target, reason = text_of(event.payload, "target"), text_of(event.payload, "reason")
            return Handoff(reason_code="transfer", target=target, reason=reason, key=key)
        if event.type is EventType.COMMAND_SENT and key.startswith("hang_up/"):
            return Handoff(reason_code="hang_up", key=key)
        if event.type in _SETTLED:
            return None
    return None


def last_leg_seconds(events: Sequence[Event]) -> float | None:
    """How long the last leg was there; None when there was none."""
    until = None
    for event in reversed(events):
        if event.type is EventType.LEG_DETACHED and until is None:
            until = event.received_at
        if event.type is EventType.LEG_ATTACHED:
            return ((until or events[-1].received_at) - event.received_at).total_seconds()
    return None
