"""What the hotel system tells of reservations: taken in once, and written down for those who answer for it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic import ValidationError as Invalid

from orchestrator_app.composition.hotel_events import At, HotelDoor
from orchestrator_app.routers._services import DOORS, given
from orchestrator_app.routers._webhook import InvalidJson, Proving, parsed, signed_by
from orchestrator_auth.fastapi_guard import proved_by
from orchestrator_kernel.exceptions import DatabaseError, ValidationError
from orchestrator_kernel.models import AuditEvent, Outcome, Severity
from orchestrator_kernel.ports import WebhookRefused
from orchestrator_security.input_validation import BodyTooLarge, UnsupportedMediaType
from orchestrator_utils.error_handler import problem_responses

__all__ = ["router"]

router = APIRouter(tags=["events"], dependencies=[proved_by("signature of the hotel system")])

Hotel = Annotated[HotelDoor, Depends(given(HotelDoor))]
Short = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]


class InvalidHotelEvent(ValidationError):
    """The event is not one of the hotel system's."""

    default_code = "invalid_event"


class Entity(BaseModel):
    """What the event is about."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    entity_id: Short = Field(alias="entityId", description="For example the number of a reservation.")


class HotelEvent(BaseModel):
    """An event of the hotel system; members that are not named here are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    id: Short = Field(description="Of the delivery; the same for every copy.")
    topic: Short = Field(description="What it is about, for example Reservation.")
    type: Short = Field(description="What happened, for example created.")
    property_id: Short | None = Field(default=None, alias="propertyId")
    data: Entity | None = None


def _schema() -> dict[str, object]:
    """The event's schema in one piece: a document has no `$defs` of a route."""
    schema = HotelEvent.model_json_schema()
    schema["properties"]["data"] = {"anyOf": [schema.pop("$defs")["Entity"], {"type": "null"}], "default": None}
    return schema


class HotelEventTaken(BaseModel):
    """What became of the event."""

    status: Literal["recorded", "duplicate"] = Field(description="duplicate: it was recorded before.")
    topic: str
    type: str


@router.post(
    "/v1/apaleo/webhook",
    responses=problem_responses(
        InvalidJson, *DOORS, WebhookRefused, BodyTooLarge, UnsupportedMediaType, InvalidHotelEvent, DatabaseError
    ),
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _schema()}}}},
)
async def hotel_event(request: Request, door: Hotel, senders: Proving) -> HotelEventTaken:
    """An event of the hotel system. Signed: `X-Webhook-Signature: sha256=…` is the hex HMAC-SHA256 of `timestamp.body`.

    It is written to the audit log before it is answered; a copy is answered and has no effect.
    """
    signed = signed_by(request, await request.body())
    peer = request.client.host if request.client else ""
    sender = await senders.prove(signed, At(door, peer), door="hotel")
    try:
        event = HotelEvent.model_validate(parsed(signed.body))
    except Invalid as error:
        fields = sorted({".".join(map(str, each["loc"])) for each in error.errors(include_input=False)})
        raise InvalidHotelEvent("The event does not fit.", details={"fields": fields}) from None
    digest = door.deliveries.digest(sender, signed).hex()
    # The record's id is the delivery's: whatever crashes between the two writes, it is written once.
    await senders.audit.record(
        AuditEvent(
            id=f"hotel-{digest}",
            type="webhook.processed",
            occurred_at=senders.clock.now(),
            actor=f"webhook:{sender.source}",
            action=event.type,
            outcome=Outcome.SUCCESS,
            resource=f"{event.topic}:{event.data.entity_id if event.data else ''}",
            severity=Severity.LOW,
            details={"delivery": event.id, "property": event.property_id or ""},
        )
    )
    first = await door.deliveries.first(sender, signed)
    return HotelEventTaken(status="recorded" if first else "duplicate", topic=event.topic, type=event.type)
