"""LiveKit's server webhooks in their own format (`application/webhook+json`).

Source: the `WebhookEvent` message of livekit/protocol, as JSON. The webhooks tell who is in the room; what is said comes from the agent.
LiveKit promises no order between resources and gives whole seconds, and tells with `numDropped` how many events it gave up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic import ValidationError as PydanticError

from orchestrator_calls.events import Event, EventType
from orchestrator_calls.legs.agent import InvalidEvent, field_name
from orchestrator_kernel.models import IDENTIFIER
from orchestrator_kernel.ports import Json

__all__ = ["LiveKitWebhook", "parse_webhook"]

SOURCE: Final = "livekit"
LAST_SECOND: Final = 253_402_300_799
"""The end of the year 9999: later than that there is no time."""
LONGEST_NUMBER: Final = 100
"""Characters of a number, a SIP address or a client's name."""
Name = Annotated[str, StringConstraints(pattern=IDENTIFIER)]
Text = Annotated[str, StringConstraints(max_length=500)]


class _Message(BaseModel):
    # A newer server may send members that this version does not know.
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, hide_input_in_errors=True)


class _Room(_Message):
    name: Name
    sid: Text = ""


class _Participant(_Message):
    sid: Text = ""
    identity: Text = ""
    kind: Text | int = "STANDARD"
    attributes: dict[str, str] = Field(default_factory=dict[str, str], max_length=200)

    @property
    def is_caller(self) -> bool:
        return self.kind in {"SIP", 3}

    @property
    def is_agent(self) -> bool:
        return self.kind in {"AGENT", 4}


class _Webhook(_Message):
    event: Text
    id: Name
    created_at: int = Field(alias="createdAt", ge=0, le=LAST_SECOND)
    num_dropped: int = Field(default=0, alias="numDropped", ge=0, le=2**31)
    room: _Room | None = None
    participant: _Participant | None = None


@dataclass(frozen=True, slots=True)
class LiveKitWebhook:
    """A parsed webhook.

    Attributes:
        id: LiveKit's id of the webhook.
        name: LiveKit's name of the event.
        room: The room's name, which is the call's id; empty for events without a room.
        dialed: The number that was called, where it told one.
        num_dropped: How many webhooks the server gave up before this one.
        kind: What it means for the call; None for what means nothing (tracks, egress, ingress).
        payload: What goes with it.
        occurred_at: The server's clock, whole seconds, UTC.
    """

    id: str
    name: str
    room: str
    dialed: str
    num_dropped: int
    kind: EventType | None
    payload: dict[str, Json]
    occurred_at: datetime

    def event(self, tenant: str, received_at: datetime) -> Event | None:
        """The event for the journal, once the tenant is known."""
        if self.kind is None or not self.room:
            return None
        payload: dict[str, Json] = (
            {**self.payload, "num_dropped": self.num_dropped} if self.num_dropped else self.payload
        )
        return Event(
            id=f"{SOURCE}:{self.id}"[:128],
            call_id=self.room,
            tenant=tenant,
            type=self.kind,
            source=SOURCE,
            occurred_at=self.occurred_at,
            received_at=received_at,
            payload=payload,
        )


def parse_webhook(body: bytes) -> LiveKitWebhook:
    """The webhook in a verified body.

    Raises:
        InvalidEvent: The body is no webhook event; naming what is wrong, never a value.
    """
    try:
        webhook = _Webhook.model_validate_json(body)
    except PydanticError as error:
        fields = [field_name(each["loc"]) or "body" for each in error.errors(include_input=False)]
        raise InvalidEvent(f"no webhook event: check {', '.join(fields)}", details={"fields": fields}) from None
    kind, payload = _meaning(webhook)
    return LiveKitWebhook(
        id=webhook.id,
        name=webhook.event,
        room=webhook.room.name if webhook.room else "",
        dialed=str(payload.get("dialed") or ""),
        num_dropped=webhook.num_dropped,
        kind=kind if webhook.room else None,
        payload=payload,
        occurred_at=datetime.fromtimestamp(webhook.created_at, UTC),
    )


def _meaning(webhook: _Webhook) -> tuple[EventType | None, dict[str, Json]]:
    kind, payload = _told(webhook)
    if kind is None and webhook.num_dropped:
        # It means nothing itself, but what was dropped may have.
        return EventType.ERROR, {"code": "events_dropped"}
    return kind, payload


def _told(webhook: _Webhook) -> tuple[EventType | None, dict[str, Json]]:
    if webhook.event == "room_finished":
        return EventType.CALL_ENDED, {"reason": "room finished"}
    participant = webhook.participant
    if participant is None:
        return None, {}
    who: dict[str, Json] = {"participant": participant.identity}
    if webhook.event == "participant_joined":
        return _joined(participant, who)
    if webhook.event in {"participant_left", "participant_connection_aborted"}:
        if participant.is_caller:
            return EventType.CALL_ENDED, {**who, "reason": "caller left"}
        return EventType.PARTICIPANT_LEFT, who
    return None, {}


def _joined(participant: _Participant, who: dict[str, Json]) -> tuple[EventType, dict[str, Json]]:
    if participant.is_agent:
        return EventType.AGENT_READY, who
    if not participant.is_caller:
        return EventType.PARTICIPANT_JOINED, who
    numbers = {
        "caller": participant.attributes.get("sip.phoneNumber", ""),
        "dialed": participant.attributes.get("sip.trunkPhoneNumber", ""),
    }
    known = {name: number[:LONGEST_NUMBER] for name, number in numbers.items() if number}
    # The answer of a webhook reaches nobody. An agent that takes replies in the answers of its own requests says so itself.
    return EventType.CALL_STARTED, {**who, **known, "presumed_channel": "media"}
