"""Events of a media agent: the JSON that `POST /call/event` and `POST /v1/livekit/transcription` take.

    {"event_id": "ev-17", "type": "transcription", "call_id": "room-1", "tenant_id": "hotel-1", "source": "agent", "sequence": 17,
     "occurred_at": "2030-01-01T12:00:00Z", "data": {"text": "a table for four", "final": true, "language": "en-US", "confidence": 0.93}}

`sequence` counts the source's events of the call from 1 without holes; with it an input is answered at once, without it only after the
reorder window. `agent_ready` and `call_started` may tell `reply_channel`: `answer` (the answer of the request that brings the input
holds the reply; so it is for an agent that tells nothing) or `media` (the media socket; so it is for a call that LiveKit announced). Names that earlier agents use are understood: `event` or `event_type` for `type`, `call_sid` or `room_name` for `call_id`,
`hotel_id` for `tenant_id`, `timestamp` (seconds since 1970) for `occurred_at`, `is_final` for `final`, and the fields of `data` beside it.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeVar, cast

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool
from pydantic import ValidationError as PydanticError

from orchestrator_calls.events import ORCHESTRATOR, Event, EventType
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.models import CallId, EventId, Identifier, TenantId
from orchestrator_kernel.ports import Json

__all__ = ["AgentEvent", "InvalidEvent", "TranscriptionEvent", "parse_event", "parse_transcription", "to_event"]

MAX_TEXT: Final = 8000
"""Characters of what one event may say."""

MAX_AHEAD: Final = timedelta(minutes=5)
"""How far a sender's clock may be ahead of ours."""

Text = Annotated[str, Field(max_length=MAX_TEXT)]
Short = Annotated[str, Field(max_length=200)]
Model = TypeVar("Model", bound=BaseModel)
Milliseconds = Annotated[int, Field(ge=0, le=86_400_000)]


class InvalidEvent(ValidationError):
    """The event does not have the form that its type asks for; `details` names the fields."""

    default_code = "invalid_event"


class _Payload(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True)


class _Started(_Payload):
    caller: Short | None = Field(default=None, alias="caller_id")
    dialed: Short | None = None
    language: Short | None = None
    reply_channel: Literal["answer", "media"] | None = None
    participant: Short | None = None
    reason: Short | None = None


class _Transcription(_Payload):
    text: Text = Field(min_length=1)
    final: StrictBool = Field(default=True, alias="is_final")
    language: Short | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)


class _Dtmf(_Payload):
    digit: Annotated[str, Field(pattern=r"^[0-9*#A-D]$")]


class _Playback(_Payload):
    key: Annotated[str, Field(min_length=1, max_length=300)]
    played_ms: Milliseconds | None = None
    heard: Text | None = None
    reason: Short | None = None


class _Transfer(_Payload):
    key: Annotated[str, Field(max_length=300)] | None = None
    target: Short | None = None
    reason: Short | None = None


class _Reason(_Payload):
    reason: Short | None = None
    participant: Short | None = None


class _Error(_Payload):
    message: Text | None = None
    code: Short | None = None
    reason: Short | None = None
    fatal: StrictBool = False


_PAYLOADS: Final[Mapping[EventType, type[_Payload] | None]] = {
    EventType.AGENT_READY: _Started,
    EventType.CALL_STARTED: _Started,
    EventType.PARTICIPANT_JOINED: _Reason,
    EventType.PARTICIPANT_LEFT: _Reason,
    EventType.TRANSCRIPTION: _Transcription,
    EventType.DTMF: _Dtmf,
    EventType.SPEECH_STARTED: _Reason,
    EventType.PLAYBACK_STARTED: _Playback,
    EventType.PLAYBACK_PROGRESS: _Playback,
    EventType.PLAYBACK_FINISHED: _Playback,
    EventType.PLAYBACK_CLEARED: _Playback,
    EventType.HOLD: _Reason,
    EventType.RESUME: _Reason,
    EventType.TRANSFER_REQUESTED: _Transfer,
    EventType.TRANSFER_COMPLETED: _Transfer,
    EventType.TRANSFER_FAILED: _Transfer,
    EventType.CALL_ENDED: _Reason,
    EventType.ERROR: _Error,
    # What earlier agents tell about themselves is recorded as it is.
    EventType.INTENT_DETECTED: None,
    EventType.RESPONSE_GENERATED: None,
    EventType.TTS_COMPLETED: None,
}

OutsideType = Literal[
    "agent_ready", "call_started", "participant_joined", "participant_left", "transcription", "dtmf", "speech_started",
    "playback_started", "playback_progress", "playback_finished", "playback_cleared", "hold", "resume", "transfer_requested",
    "transfer_completed", "transfer_failed", "call_ended", "error", "intent_detected", "response_generated", "tts_completed",
]  # fmt: skip


class AgentEvent(BaseModel):
    """An event of a media agent."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    type: OutsideType
    call_id: CallId
    tenant_id: TenantId | None = Field(
        default=None, description="Needed with the first event of a call that was not announced."
    )
    event_id: EventId | None = Field(
        default=None, description="Unique within the tenant; the same id again is the same event."
    )
    source: Identifier = Field(default="agent", max_length=64)
    sequence: int | None = Field(
        default=None, ge=1, le=2**62, description="The source's count within the call, from 1."
    )
    occurred_at: AwareDatetime | None = Field(
        default=None, description="The sender's clock; the time of receipt when absent."
    )
    data: dict[str, Any] = Field(default_factory=dict[str, Any], max_length=64)


class TranscriptionEvent(BaseModel):
    """What the caller said, as `POST /v1/livekit/transcription` takes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    call_sid: CallId
    text: Text = Field(min_length=1)
    language: Short | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    is_final: StrictBool = True
    event_id: EventId | None = None
    sequence: int | None = Field(default=None, ge=1, le=2**62)
    occurred_at: AwareDatetime | None = None
    tenant_id: TenantId | None = None


_ENVELOPE: Final = {
    "event": "type",
    "event_type": "type",
    "call_sid": "call_id",
    "room_name": "call_id",
    "hotel_id": "tenant_id",
    "timestamp": "occurred_at",
}


def parse_event(body: object) -> AgentEvent:
    """The event that a JSON body tells.

    Raises:
        InvalidEvent: Naming every field that is wrong, and never its value.
    """
    if not isinstance(body, dict):
        raise InvalidEvent("the body must be a JSON object", details={"fields": ["body"]})
    wire = _validated(AgentEvent, _normalised(cast("dict[str, object]", body)))
    if wire.source == ORCHESTRATOR:
        raise InvalidEvent("source may not be the orchestrator", details={"fields": ["source"]})
    return wire.model_copy(update={"data": _payload(EventType(wire.type), wire.data)})


def to_event(wire: AgentEvent, tenant: str, received_at: datetime) -> Event:
    """The event for the journal.

    Args:
        wire: As `parse_event` gave it.
        tenant: Whose call it is.
        received_at: Our clock, aware UTC.

    Raises:
        InvalidEvent: The sender's clock is far ahead of ours.
    """
    return Event(
        id=wire.event_id or _derived_id(wire),
        call_id=wire.call_id,
        tenant=tenant,
        type=EventType(wire.type),
        source=wire.source,
        sequence=wire.sequence,
        occurred_at=_instant(wire.occurred_at, received_at),
        received_at=received_at,
        payload=wire.data,
    )


def parse_transcription(body: object) -> dict[str, object]:
    """The body of `parse_event` for the body of `POST /v1/livekit/transcription`.

    Raises:
        InvalidEvent: Naming every field that is wrong.
    """
    wire = _validated(TranscriptionEvent, body)
    data = {"text": wire.text, "final": wire.is_final, "language": wire.language, "confidence": wire.confidence}
    envelope = wire.model_dump(include={"event_id", "sequence", "occurred_at", "tenant_id"})
    return {"type": "transcription", "call_id": wire.call_sid, **envelope, "data": data}


def _normalised(body: dict[str, object]) -> dict[str, object]:
    """Old names to present ones; what belongs to no envelope goes to `data`."""
    envelope: dict[str, object] = {}
    data = dict(cast("Mapping[str, object]", body["data"])) if isinstance(body.get("data"), dict) else {}
    for name, value in body.items():
        target = _ENVELOPE.get(name, name)
        if name == "data":
            if not isinstance(value, dict):
                envelope["data"] = value
        elif target in AgentEvent.model_fields:
            envelope.setdefault(target, value)
        else:
            data.setdefault(name, value)
    at = envelope.get("occurred_at")
    if isinstance(at, int | float) and not isinstance(at, bool):
        envelope["occurred_at"] = _from_epoch(at)
    envelope.setdefault("data", data)
    return envelope


def _from_epoch(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        raise InvalidEvent("timestamp is no time", details={"fields": ["timestamp"]}) from None


def _payload(kind: EventType, data: dict[str, Any]) -> dict[str, Json]:
    model = _PAYLOADS[kind]
    if model is None:
        return _recorded(data)
    return _validated(model, data, "data.").model_dump(exclude_none=True)


def _recorded(data: dict[str, Any]) -> dict[str, Json]:
    """Data of no given form, as long as the journal can hold it."""
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        raise InvalidEvent("data is no plain JSON", details={"fields": ["data"]}) from None
    if len(text) > MAX_TEXT * 4:
        raise InvalidEvent("data is too large", details={"fields": ["data"]})
    return data


def _validated(model: type[Model], data: object, prefix: str = "") -> Model:
    try:
        return model.model_validate(data)
    except PydanticError as error:
        problems = [(prefix + field_name(each["loc"]), each["msg"]) for each in error.errors(include_input=False)]
    fields = [field or "body" for field, _ in problems]
    text = "; ".join(f"{field or 'body'}: {message}" for field, message in problems)
    raise InvalidEvent(f"the event is not valid: {text}", details={"fields": fields})


def field_name(location: Iterable[str | int]) -> str:
    """A field's name for an error. Unknown fields are named by the sender, so the name is cut and made printable."""
    return ".".join(str(part) for part in location).encode("unicode_escape").decode()[:100]


def _instant(occurred_at: datetime | None, received_at: datetime) -> datetime:
    if occurred_at is None:
        return received_at
    if occurred_at > received_at + MAX_AHEAD:
        raise InvalidEvent(
            "occurred_at lies in the future; check the sender's clock", details={"fields": ["occurred_at"]}
        )
    try:
        return occurred_at.astimezone(UTC)
    except OverflowError:
        raise InvalidEvent("occurred_at is no time", details={"fields": ["occurred_at"]}) from None


def _derived_id(wire: AgentEvent) -> str:
    """For an event without id: the same content told with the same time and count is the same event."""
    at = wire.occurred_at.isoformat() if wire.occurred_at else None
    told = [wire.call_id, wire.type, wire.source, wire.sequence, at, wire.data]
    if at is None and wire.sequence is None:
        # Nothing tells two equal sentences apart, so each is taken as said.
        return f"received-{uuid.uuid4().hex}"
    return f"derived-{hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:40]}"
