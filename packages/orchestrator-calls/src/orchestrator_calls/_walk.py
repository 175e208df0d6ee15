"""Walking the events from outside through the transition table, in canonical order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from orchestrator_calls.events import TERMINAL, TRANSITIONS, CallState, Event, EventType, text_of

__all__ = ["Walk", "step"]

_INTRODUCTIONS: Final = frozenset({EventType.AGENT_READY, EventType.CALL_STARTED, EventType.PARTICIPANT_JOINED})
_OUTCOMES: Final = frozenset({EventType.TRANSFER_COMPLETED, EventType.TRANSFER_FAILED})


@dataclass(frozen=True, slots=True)
class Walk:
    """What the events up to a place of the canonical order made of the call.

    Attributes:
        started_by: The event that told first that the call was answered.
        channel: What a leg declared for the replies.
        presumed_channel: What a provider that cannot take replies presumes; a leg's own word counts above it.
        settled: The keys of the transfers whose outcome is known.
        failures: The keys of those that failed, and why.
    """

    state: CallState = CallState.INITIALIZING
    started_at: datetime | None = None
    started_by: str = ""
    language: str = ""
    caller: str = ""
    dialed: str = ""
    channel: str = ""
    presumed_channel: str = ""
    ended_at: datetime | None = None
    end_reason: str = ""
    held_since: datetime | None = None
    held: timedelta = timedelta(0)
    settled: frozenset[str] = frozenset()
    failures: Mapping[str, str] = field(default_factory=dict[str, str])
    recorded_after_end: int = 0


def step(walk: Walk, event: Event) -> Walk:
    """What `event` makes of the call."""
    if walk.state in TERMINAL:
        return _after_the_end(walk, event)
    kind, payload = event.type, event.payload
    if event.is_fatal:
        reason = text_of(payload, "reason") or text_of(payload, "message") or "error"
        return replace(walk, state=CallState.FAILED, ended_at=event.occurred_at, end_reason=reason)
    if kind is EventType.TRANSFER_REQUESTED and text_of(payload, "key") in walk.settled:
        # By a clock that is behind, the outcome was told before the request.
        return walk
    state = TRANSITIONS.get((walk.state, kind), walk.state)
    if kind in _INTRODUCTIONS:
        return replace(_introduced(walk, event), state=state)
    if kind is EventType.CALL_ENDED:
        return replace(walk, state=state, ended_at=event.occurred_at, end_reason=text_of(payload, "reason") or "hangup")
    if kind in _OUTCOMES and (key := text_of(payload, "key")):
        walk = replace(walk, settled=walk.settled | {key})
        if kind is EventType.TRANSFER_FAILED and key not in walk.failures:
            walk = replace(walk, failures={**walk.failures, key: text_of(payload, "reason")})
    return walk if state is walk.state else _moved(walk, event, state)


def _moved(walk: Walk, event: Event, state: CallState) -> Walk:
    """Into another state, with the time on hold counted. A clock that was set back holds for no time, never for less."""
    if state is CallState.ON_HOLD:
        return replace(walk, state=state, held_since=event.occurred_at)
    if walk.held_since is None:
        return replace(walk, state=state)
    held = max(timedelta(0), event.occurred_at - walk.held_since)
    return replace(walk, state=state, held_since=None, held=walk.held + held)


def _introduced(walk: Walk, event: Event) -> Walk:
    """Who calls whom, in which language, answered how: the first in the order who tells it counts, later ones add what is missing."""
    payload = event.payload
    started_at, started_by = walk.started_at, walk.started_by
    if event.type is EventType.CALL_STARTED:
        started_at = event.received_at if started_at is None else min(started_at, event.received_at)
        started_by = started_by or event.id
    return replace(
        walk,
        started_at=started_at,
        started_by=started_by,
        channel=walk.channel or text_of(payload, "reply_channel"),
        presumed_channel=walk.presumed_channel or text_of(payload, "presumed_channel"),
        language=walk.language or text_of(payload, "language"),
        caller=walk.caller or text_of(payload, "caller"),
        dialed=walk.dialed or text_of(payload, "dialed"),
    )


def _after_the_end(walk: Walk, event: Event) -> Walk:
    """Recorded, and nothing more; but a clock that is ahead may put the introduction behind the end, and who called is worth knowing."""
    if event.type in _INTRODUCTIONS:
        walk = _introduced(walk, event)
    return replace(walk, recorded_after_end=walk.recorded_after_end + 1)
