"""Walking the events from outside through the transition table, in canonical order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from orchestrator_calls.events import TERMINAL, TRANSITIONS, CallState, Event, EventType, text_of

__all__ = ["Walk", "step"]


_INTRODUCTIONS: Final = frozenset({EventType.AGENT_READY, EventType.CALL_STARTED, EventType.PARTICIPANT_JOINED})


@dataclass(frozen=True, slots=True)
class Walk:
    """What the events up to a place of the canonical order made of the call."""

    state: CallState = CallState.INITIALIZING
    started_at: datetime | None = None
    language: str = ""
    caller: str = ""
    dialed: str = ""
    channel: str = ""
    ended_at: datetime | None = None
    end_reason: str = ""
    held_since: datetime | None = None
    held: timedelta = timedelta(0)
    recorded_after_end: int = 0


def step(walk: Walk, event: Event, settled: Collection[str]) -> Walk:  # noqa: PLR0911 - one way out per kind of event
    """What `event` makes of the call; `settled` are the keys of transfers whose outcome is known, whatever the clocks say."""
    if walk.state in TERMINAL:
        return replace(walk, recorded_after_end=walk.recorded_after_end + 1)
    kind, payload = event.type, event.payload
    if kind is EventType.ERROR and payload.get("fatal") is True:
        reason = text_of(payload, "reason") or text_of(payload, "message") or "error"
        return replace(walk, state=CallState.FAILED, ended_at=event.occurred_at, end_reason=reason)
    if kind is EventType.TRANSFER_REQUESTED and text_of(payload, "key") in settled:
        return walk
    state = TRANSITIONS.get((walk.state, kind), walk.state)
    if kind in _INTRODUCTIONS:
        return _introduced(walk, event, state)
    if kind is EventType.CALL_ENDED:
        return replace(walk, state=state, ended_at=event.occurred_at, end_reason=text_of(payload, "reason") or "hangup")
    if state is CallState.ON_HOLD and walk.state is not state:
        return replace(walk, state=state, held_since=event.occurred_at)
    if walk.held_since is not None and walk.state is not state:
        return replace(walk, state=state, held_since=None, held=walk.held + (event.occurred_at - walk.held_since))
    return walk if state is walk.state else replace(walk, state=state)


def _introduced(walk: Walk, event: Event, state: CallState) -> Walk:
    """Who calls whom, in which language, answered how: the first in the order who tells it counts, later ones add what is missing."""
    payload = event.payload
    started_at = walk.started_at
    if event.type is EventType.CALL_STARTED:
        started_at = event.received_at if started_at is None else min(started_at, event.received_at)
    return replace(
        walk,
        state=state,
        started_at=started_at,
        channel=walk.channel or text_of(payload, "reply_channel"),
        language=walk.language or text_of(payload, "language"),
        caller=walk.caller or text_of(payload, "caller"),
        dialed=walk.dialed or text_of(payload, "dialed"),
    )
