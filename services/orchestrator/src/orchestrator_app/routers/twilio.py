"""Twilio: voice webhooks answered with TwiML. The relay's socket is in `relay.py`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.requests import HTTPConnection

from orchestrator_app.composition.twilio import TwilioPlan
from orchestrator_app.routers._services import DOORS, Intake, TakingIn, Twilio
from orchestrator_app.routers._webhook import Proving, signed_by
from orchestrator_app.routers.webhooks import UnknownTenant
from orchestrator_app.settings import AppSettings, TenantSettings
from orchestrator_auth.fastapi_guard import proved_by
from orchestrator_calls.events import TERMINAL, Event, EventType
from orchestrator_calls.journal import CallOfAnotherTenant, CallRow, JournalUnavailable
from orchestrator_calls.legs import twilio
from orchestrator_calls.legs.agent import InvalidEvent
from orchestrator_calls.legs.media_orders import last_leg_seconds, pending_order
from orchestrator_calls.legs.twilio_media import connect_stream
from orchestrator_calls.runtime import Draining, MailboxFull, TooManyCalls
from orchestrator_kernel.exceptions import AuthorizationError
from orchestrator_kernel.ports import Erased, Json, WebhookRefused
from orchestrator_security.input_validation import BodyTooLarge, UnsupportedMediaType
from orchestrator_utils.error_handler import problem_responses

__all__ = ["OtherAccount", "router", "tenant_of"]

logger = logging.getLogger(__name__)
router = APIRouter(tags=["twilio"], prefix="/v1/twilio", dependencies=[proved_by("signature of Twilio")])

SOURCE: Final = "twilio"
MOST_ATTEMPTS: Final = 5
"""So many relay sessions may break one after the other before the call is given up."""
STEADY_SECONDS: Final = 60.0
"""A session that lasted so long was no failed attempt."""

_PROBLEMS: Final = problem_responses(
    *(*DOORS, WebhookRefused, UnknownTenant, CallOfAnotherTenant, Erased, BodyTooLarge, UnsupportedMediaType),
    *(InvalidEvent, MailboxFull, TooManyCalls, Draining, JournalUnavailable),
)
_FORM: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {"schema": {"type": "object", "title": "Twilio voice webhook"}}
        },
    }
}
_TWIML: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "TwiML", "content": {"application/xml": {}}},
    **_PROBLEMS,
}
_NOTHING: Final[dict[int | str, dict[str, Any]]] = {204: {"description": "Taken in"}, **_PROBLEMS}

Key = Annotated[str, Query(max_length=300)]


class OtherAccount(AuthorizationError):
    """The message is signed by one account and speaks of another."""

    default_code = "other_account"


class _Desk:
    """What the routes need for one proved webhook."""

    def __init__(self, form: twilio.VoiceForm, plan: TwilioPlan, intake: Intake) -> None:
        self.form = form
        self.plan = plan
        self._intake = intake

    async def row(self, call: str = "") -> CallRow | None:
        return await self._intake.journal.call(call or self.form.call)

    def tenant(self, row: CallRow) -> TenantSettings:
        own = self.plan.settings.tenants.get(row.tenant)
        if own is None:
            raise UnknownTenant("The tenant is not known here any more.")
        return own

    async def tell(self, kind: EventType, tenant: str, name: str, payload: Mapping[str, Json], call: str = "") -> None:
        """Submit an event; the same `name` is the same event."""
        now = self._intake.clock.now()
        event = Event(
            id=f"{SOURCE}:{call or self.form.call}:{name}",
            call_id=call or self.form.call,
            tenant=tenant,
            type=kind,
            # Webhooks have no count, and each is a source of its own: what it says counts at once, before the relay connects again.
            source=f"{SOURCE}:{name}",
            sequence=1,
            occurred_at=now,
            received_at=now,
            payload=payload,
        )
        await self._intake.runtime.submit(event)

    async def again(self, row: CallRow, attempt: int = 1) -> Response:
        """Connect the call to the relay or to a media stream, once more."""
        tenant = self.tenant(row)
        if tenant.line == "stream":
            caller, called = self.form.caller, self.form.called
            return _twiml(connect_stream(self.plan.stream(attempt, caller=caller, called=called)))
        return _twiml(twilio.connect(self.plan.relay(tenant, attempt)))

    async def events(self, row: CallRow) -> Sequence[Event]:
        return await self._intake.runtime.events(row.call_id)

    async def over(self, row: CallRow, reason: str) -> Response:
        """The call is over: tell it, unless it is known, and hang up."""
        if row.state not in TERMINAL:
            await self.tell(EventType.CALL_ENDED, row.tenant, "ended", {"reason": reason})
        return _twiml(twilio.hang_up())


async def _desk(request: Request, door: Twilio, senders: Proving, intake: TakingIn) -> _Desk:
    """The webhook of a proved account.

    Raises:
        WebhookRefused, OtherAccount, InvalidEvent: It is none.
    """
    plan = TwilioPlan(intake.settings, public_base(request, intake.settings))
    url = plan.base + request.url.path + (f"?{request.url.query}" if request.url.query else "")
    body = await request.body()
    sender = await senders.prove(signed_by(request, body, url=url), door.verifier, door="twilio")
    form = twilio.parse_form(body)
    if form.account != sender.source:
        raise OtherAccount("The account of the message is not the one that signed it.", details={"field": "AccountSid"})
    return _Desk(form, plan, intake)


Desk = Annotated[_Desk, Depends(_desk)]


def public_base(connection: HTTPConnection, settings: AppSettings) -> str:
    """Scheme and host as the world knows them, for `http` and `https`."""
    base = str(settings.server.public_url or connection.base_url).rstrip("/")
    return base.replace("ws", "http", 1) if base.startswith("ws") else base


def tenant_of(settings: AppSettings, *numbers: str) -> str:
    """The tenant that one of the numbers belongs to.

    Raises:
        UnknownTenant: There is none.
    """
    found = next((name for number in numbers if (name := settings.tenant_of_number(number))), settings.twilio.tenant)
    if found not in settings.tenants:
        raise UnknownTenant("The tenant is not known here.", details={"field": "To"})
    return found


def _named(outcome: str, key: str) -> str:
    """The outcome of one transfer."""
    return f"{outcome}:{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _twiml(document: str) -> Response:
    return Response(document, media_type="application/xml")


@router.post("/voice", response_class=Response, responses=_TWIML, openapi_extra=_FORM)
async def voice(desk: Desk) -> Response:
    """A call comes in: it is connected to the relay. Also the number's fallback URL: a call that is known already is connected again."""
    form, row = desk.form, await desk.row()
    if row is not None and row.state in TERMINAL:
        return _twiml(twilio.hang_up())
    if row is None:
        tenant = tenant_of(desk.plan.settings, form.called)
        payload: dict[str, Json] = {"presumed_channel": "media"}
        if form.caller:
            payload["caller"] = form.caller
        if form.called:
            payload["dialed"] = form.called
        await desk.tell(EventType.PARTICIPANT_JOINED, tenant, "joined", payload)
        row = await desk.row()
    if row is None:
        raise JournalUnavailable("the call was not kept")
    return await desk.again(row)


@router.post("/status", status_code=204, response_class=Response, responses=_NOTHING, openapi_extra=_FORM)
async def status(desk: Desk) -> Response:
    """A call's status changed; its end ends the call here."""
    form, row = desk.form, await desk.row()
    if form.status in twilio.TERMINAL_STATUSES and not form.parent and row is not None and row.state not in TERMINAL:
        await desk.tell(EventType.CALL_ENDED, row.tenant, "ended", {"reason": f"twilio: {form.status}"})
    return Response(status_code=204)


@router.post("/relay/ended", response_class=Response, responses=_TWIML, openapi_extra=_FORM)
async def relay_ended(desk: Desk, attempt: Annotated[int, Query(ge=1, le=1000)] = 1) -> Response:
    """The relay's session is over: by our order, which is carried out now, or because a socket broke, and then the call goes on."""
    form, row = desk.form, await desk.row()
    if row is None:
        return _twiml(twilio.hang_up())
    if form.status in twilio.TERMINAL_STATUSES:
        return await desk.over(row, f"twilio: {form.status}")
    handoff = form.handoff
    if handoff is not None and handoff.reason_code == "transfer":
        return await _transfer(desk, row, handoff)
    if handoff is not None and handoff.reason_code in {"hang_up", "over"}:
        return await desk.over(row, handoff.reason or "hung up")
    if row.state in TERMINAL:
        return _twiml(twilio.hang_up())
    steady = form.session_seconds is not None and form.session_seconds >= STEADY_SECONDS
    attempt = 1 if steady else attempt + 1
    logger.warning("a relay session broke", extra={"call_id": form.call, "attempt": attempt})
    return await desk.over(row, "relay lost") if attempt > MOST_ATTEMPTS else await desk.again(row, attempt)


@router.post("/stream/ended", response_class=Response, responses=_TWIML, openapi_extra=_FORM)
async def stream_ended(desk: Desk, attempt: Annotated[int, Query(ge=1, le=1000)] = 1) -> Response:
    """A media stream is over: by our order, which is carried out now, or because a socket broke, and then the call goes on."""
    form, row = desk.form, await desk.row()
    if row is None:
        return _twiml(twilio.hang_up())
    if form.status in twilio.TERMINAL_STATUSES:
        return await desk.over(row, f"twilio: {form.status}")
    events = await desk.events(row)
    order = pending_order(events)
    if order is not None and order.reason_code == "transfer":
        return await _transfer(desk, row, order)
    if order is not None:
        return await desk.over(row, order.reason or "hung up")
    if row.state in TERMINAL:
        return _twiml(twilio.hang_up())
    seconds = last_leg_seconds(events)
    attempt = 1 if seconds is not None and seconds >= STEADY_SECONDS else attempt + 1
    logger.warning("a media stream broke", extra={"call_id": form.call, "attempt": attempt})
    return await desk.over(row, "stream lost") if attempt > MOST_ATTEMPTS else await desk.again(row, attempt)


async def _transfer(desk: _Desk, row: CallRow, handoff: twilio.Handoff) -> Response:
    number = desk.plan.number(desk.tenant(row), handoff.target)
    if number is None:
        await desk.tell(
            EventType.TRANSFER_FAILED,
            row.tenant,
            _named("unknown", handoff.key),
            {"key": handoff.key, "reason": "unknown target"},
        )
        return await desk.again(row)
    action = desk.plan.url("dial", key=handoff.key)
    answered = desk.plan.url("transfer", key=handoff.key)
    return _twiml(twilio.dial(number, action=action, answered=answered, timeout=desk.plan.settings.twilio.dial_seconds))


@router.post("/transfer", status_code=204, response_class=Response, responses=_NOTHING, openapi_extra=_FORM)
async def transfer_answered(desk: Desk, key: Key = "") -> Response:
    """Somebody answered the transfer: it is completed."""
    call = desk.form.parent or desk.form.call
    row = await desk.row(call)
    if row is not None and row.state not in TERMINAL:
        await desk.tell(EventType.TRANSFER_COMPLETED, row.tenant, _named("completed", key), {"key": key}, call)
    return Response(status_code=204)


@router.post("/dial", response_class=Response, responses=_TWIML, openapi_extra=_FORM)
async def dial_ended(desk: Desk, key: Key = "") -> Response:
    """The transfer is over: after a conversation the call is; where nobody answered, the caller comes back to us."""
    row = await desk.row()
    if row is None or row.state in TERMINAL:
        return _twiml(twilio.hang_up())
    if desk.form.dial_status in {"completed", "answered"}:
        return await desk.over(row, "transferred")
    reason = desk.form.dial_status.replace("-", "_") or "failed"
    await desk.tell(EventType.TRANSFER_FAILED, row.tenant, _named("failed", key), {"key": key, "reason": reason})
    return await desk.again(row)
