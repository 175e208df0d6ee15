"""The vocabulary of a call: its states, its events, and which event moves which state.

Events come from outside (a provider's webhook, the media agent, the media socket) or from the orchestrator itself. What the
orchestrator decides is an event too, so that folding the same events again gives the same call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from orchestrator_kernel.ports import Json

__all__ = [
    "ORCHESTRATOR",
    "OWN",
    "TERMINAL",
    "TRANSITIONS",
    "CallState",
    "Event",
    "EventType",
    "Origin",
    "heard_at",
    "text_of",
]

ORCHESTRATOR: Final = "orchestrator"
"""The source of the orchestrator's own events."""

MAX_RECOGNITION_MS: Final = 60_000
"""No leg waits longer for a text."""


class CallState(StrEnum):
    """Where a call stands."""

    INITIALIZING = "initializing"
    CONNECTING = "connecting"
    ACTIVE = "active"
    ON_HOLD = "on_hold"
    TRANSFERRING = "transferring"
    ENDING = "ending"
    ENDED = "ended"
    FAILED = "failed"


TERMINAL: Final = frozenset({CallState.ENDED, CallState.FAILED})


class EventType(StrEnum):
    """Every kind of event that a journal can hold."""

    # From outside.
    AGENT_READY = "agent_ready"
    CALL_STARTED = "call_started"
    PARTICIPANT_JOINED = "participant_joined"
    PARTICIPANT_LEFT = "participant_left"
    TRANSCRIPTION = "transcription"
    DTMF = "dtmf"
    SPEECH_STARTED = "speech_started"
    PLAYBACK_STARTED = "playback_started"
    PLAYBACK_PROGRESS = "playback_progress"
    PLAYBACK_FINISHED = "playback_finished"
    PLAYBACK_CLEARED = "playback_cleared"
    HOLD = "hold"
    RESUME = "resume"
    TRANSFER_REQUESTED = "transfer_requested"
    TRANSFER_COMPLETED = "transfer_completed"
    TRANSFER_FAILED = "transfer_failed"
    CALL_ENDED = "call_ended"
    ERROR = "error"
    # From outside, recorded and nothing more: what earlier agents tell about themselves.
    INTENT_DETECTED = "intent_detected"
    RESPONSE_GENERATED = "response_generated"
    TTS_COMPLETED = "tts_completed"
    # The orchestrator's own decisions and what became of them.
    LEG_ATTACHED = "leg_attached"
    LEG_DETACHED = "leg_detached"
    TURN_OPENED = "turn_opened"
    TURN_ANSWERED = "turn_answered"
    TURN_CLOSED = "turn_closed"
    TURN_INTERRUPTED = "turn_interrupted"
    TIMER_FIRED = "timer_fired"
    TURN_FILLED = "turn_filled"
    SPEECH_INTENDED = "speech_intended"
    SPEECH_CONTINUED = "speech_continued"
    ACTION_STARTED = "action_started"
    ACTION_FINISHED = "action_finished"
    COMMAND_SENT = "command_sent"


class Origin(StrEnum):
    """Who may send an event type."""

    OUTSIDE = "outside"
    ORCHESTRATOR = "orchestrator"

    @classmethod
    def of(cls, kind: EventType) -> Origin:
        """Whether `kind` may come from outside."""
        return cls.ORCHESTRATOR if kind in OWN else cls.OUTSIDE


OWN: Final = frozenset(
    {
        EventType.LEG_ATTACHED,
        EventType.LEG_DETACHED,
        EventType.TURN_OPENED,
        EventType.TURN_ANSWERED,
        EventType.TURN_CLOSED,
        EventType.TURN_INTERRUPTED,
        EventType.TURN_FILLED,
        EventType.SPEECH_INTENDED,
        EventType.SPEECH_CONTINUED,
        EventType.ACTION_STARTED,
        EventType.ACTION_FINISHED,
        EventType.TIMER_FIRED,
        EventType.COMMAND_SENT,
    }
)
"""What only the orchestrator may say: its decisions and what became of them."""

_S, _E = CallState, EventType
_BEFORE_HOLD: Final = (_S.INITIALIZING, _S.CONNECTING, _S.ACTIVE)
_BEFORE_END: Final = (_S.INITIALIZING, _S.CONNECTING, _S.ACTIVE, _S.ON_HOLD, _S.TRANSFERRING, _S.ENDING)

TRANSITIONS: Final[Mapping[tuple[CallState, EventType], CallState]] = MappingProxyType(
    {
        (_S.INITIALIZING, _E.AGENT_READY): _S.CONNECTING,
        (_S.INITIALIZING, _E.PARTICIPANT_JOINED): _S.CONNECTING,
        (_S.INITIALIZING, _E.CALL_STARTED): _S.ACTIVE,
        (_S.CONNECTING, _E.CALL_STARTED): _S.ACTIVE,
        # When two clocks differ, a hold or a transfer may be ordered before the start; it counts all the same.
        **{(state, _E.HOLD): _S.ON_HOLD for state in _BEFORE_HOLD},
        (_S.ON_HOLD, _E.RESUME): _S.ACTIVE,
        **{(state, _E.TRANSFER_REQUESTED): _S.TRANSFERRING for state in (*_BEFORE_HOLD, _S.ON_HOLD)},
        (_S.TRANSFERRING, _E.TRANSFER_FAILED): _S.ACTIVE,
        **{(state, _E.TRANSFER_COMPLETED): _S.ENDING for state in _BEFORE_END},
        **{(state, _E.CALL_ENDED): _S.ENDED for state in _BEFORE_END},
    }
)
"""What each event makes of each state. A pair that is not here changes nothing; a fatal `error` makes `failed` of every state
that is not terminal, and an order to hang up makes `ending`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a call.

    Attributes:
        id: Unique within the tenant; the same id twice is the same event.
        source: Who says so, for example `livekit`, `agent`, `media` or `orchestrator`.
        sequence: The source's own count within the call, from 1 upwards without holes, where it has one.
        occurred_at: The source's clock, aware UTC.
        received_at: Our clock when the event came in, aware UTC.
        payload: What the type needs; personal data, so it is sealed at rest.
        position: The place in the journal, from 1; 0 before it is kept.
    """

    id: str
    call_id: str
    tenant: str
    type: EventType
    source: str
    occurred_at: datetime
    received_at: datetime
    sequence: int | None = None
    payload: Mapping[str, Json] = field(default_factory=dict[str, Json])
    position: int = 0

    @property
    def is_final(self) -> bool:
        """Whether it is what the caller said, and not a guess that is still changing."""
        return self.type is EventType.TRANSCRIPTION and self.payload.get("final") is not False and not self.is_erased

    @property
    def is_input(self) -> bool:
        """Whether it may open a turn."""
        return self.is_final or (self.type is EventType.DTMF and not self.is_erased)

    @property
    def is_fatal(self) -> bool:
        """Whether it ends the call as failed."""
        return self.type is EventType.ERROR and self.payload.get("fatal") is True

    @property
    def is_erased(self) -> bool:
        """Whether the key of its payload was destroyed: all that is known is that it happened."""
        return self.payload.get("erased") is True


def heard_at(event: Event) -> datetime:
    """When the caller was heard in it, by our clock: before it came, by what the recognizer took, where the leg tells that."""
    took = event.payload.get("recognition_ms")
    if not isinstance(took, int | float) or isinstance(took, bool) or not 0 <= took <= MAX_RECOGNITION_MS:
        return event.received_at
    return event.received_at - timedelta(milliseconds=took)


def text_of(payload: Mapping[str, Json], name: str) -> str:
    """A text member; empty when it is absent or of another kind."""
    value = payload.get(name)
    return value if isinstance(value, str) else ""
