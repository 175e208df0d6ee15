"""Events from outside: LiveKit's webhooks and the events of media agents."""

from __future__ import annotations

import logging
from typing import Literal

from fastapi import APIRouter, Request, Response

from orchestrator_app.api import Accepted, Action
from orchestrator_app.composition.trial_calls import is_trial
from orchestrator_app.routers._services import DOORS, Agents, Counters, Gaps, Intake, LiveKit, TakingIn
from orchestrator_app.routers._webhook import InvalidJson, Proving, parsed
from orchestrator_auth.fastapi_guard import proved_by
from orchestrator_calls.call import Channel, Turn
from orchestrator_calls.events import TERMINAL, CallState
from orchestrator_calls.journal import CallOfAnotherTenant, JournalUnavailable
from orchestrator_calls.legs.agent import (
    AgentEvent,
    InvalidEvent,
    TranscriptionEvent,
    parse_event,
    parse_transcription,
    to_event,
)
from orchestrator_calls.legs.livekit import parse_webhook
from orchestrator_calls.notices import GapSeen
from orchestrator_calls.responder import HangUp, Transfer
from orchestrator_calls.runtime import Draining, MailboxFull, Receipt, TooManyCalls
from orchestrator_kernel.exceptions import AuthorizationError, ValidationError
from orchestrator_kernel.ports import Erased, WebhookRefused
from orchestrator_security.input_validation import BodyTooLarge, UnsupportedMediaType
from orchestrator_utils.error_handler import problem_responses

__all__ = ["router"]

logger = logging.getLogger(__name__)
router = APIRouter(tags=["events"], dependencies=[proved_by("signature of LiveKit or of a media agent")])

REPLY_SECONDS = 12.0
"""How long an agent waits for the reply in the answer of its request."""


class UnknownTenant(AuthorizationError):
    """The event belongs to no tenant of this service."""

    default_code = "unknown_tenant"


class ReservedCallId(ValidationError):
    """Calls with such an id are test calls of the operators' page, which are counted in no figure."""

    default_code = "reserved_call_id"


_PROBLEMS = problem_responses(
    *(
        InvalidJson,
        *DOORS,
        WebhookRefused,
        UnknownTenant,
        ReservedCallId,
        CallOfAnotherTenant,
        Erased,
        BodyTooLarge,
        UnsupportedMediaType,
    ),
    *(InvalidEvent, MailboxFull, TooManyCalls, Draining, JournalUnavailable),
)


@router.post(
    "/v1/livekit/webhook",
    responses={202: {"model": Accepted}, **_PROBLEMS},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/webhook+json": {"schema": {"type": "object", "title": "LiveKit WebhookEvent"}}},
        }
    },
)
async def livekit_webhook(
    request: Request,
    response: Response,
    door: LiveKit,
    senders: Proving,
    intake: TakingIn,
    metrics: Counters,
    gaps: Gaps,
) -> Accepted:
    """LiveKit's server webhook in its native format, signed by its `Authorization` JWT."""
    body = await senders.body(request, door.verifier, door="livekit")
    parsed(body)
    webhook = parse_webhook(body)
    tenant = await _tenant_of_room(webhook.room, webhook.dialed, intake)
    if webhook.num_dropped and webhook.kind is None:
        gap = GapSeen(webhook.room, tenant, "livekit", webhook.num_dropped, "dropped by the provider")
        metrics.observe(gap)
        gaps.observe(gap)
    event = webhook.event(tenant, intake.clock.now())
    if event is None:
        return Accepted(status="ignored", event=webhook.name, call_id=webhook.room, state="")
    return _accepted(await intake.runtime.submit(event), response)


@router.post(
    "/call/event",
    responses={202: {"model": Accepted}, **_PROBLEMS},
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": AgentEvent.model_json_schema()}}}
    },
)
async def call_event(
    request: Request, response: Response, door: Agents, senders: Proving, intake: TakingIn
) -> Accepted:
    """An event of a media agent. Signed: `X-Orchestrator-Signature: sha256=…` is the hex HMAC-SHA256 of `timestamp.body`.

    The timestamp is that of `X-Orchestrator-Timestamp`, in seconds since 1970. An input of a call without media socket is answered in the response, in `actions`.
    """
    body = await senders.body(request, door.verifier, door="agent")
    return await _take(parsed(body), response, intake)


@router.post(
    "/v1/livekit/transcription",
    responses={202: {"model": Accepted}, **_PROBLEMS},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": TranscriptionEvent.model_json_schema()}},
        }
    },
)
async def transcription(
    request: Request, response: Response, door: Agents, senders: Proving, intake: TakingIn
) -> Accepted:
    """What the caller said, as earlier agents send it; signed like `/call/event`."""
    body = await senders.body(request, door.verifier, door="agent")
    return await _take(parse_transcription(parsed(body)), response, intake)


async def _take(body: object, response: Response, intake: Intake) -> Accepted:
    wire = parse_event(body)
    tenant = wire.tenant_id
    if tenant is None:
        row = await intake.journal.call(wire.call_id)
        if row is None:
            raise InvalidEvent("tenant_id is needed: the call is not known", details={"fields": ["tenant_id"]})
        tenant = row.tenant
    await _require_open(tenant, wire.call_id, intake)
    receipt = await intake.runtime.submit(to_event(wire, tenant, intake.clock.now()), wait=REPLY_SECONDS)
    return _accepted(receipt, response, _reply(receipt))


async def _tenant_of_room(room: str, dialed: str, intake: Intake) -> str:
    row = await intake.journal.call(room) if room else None
    tenant = row.tenant if row else intake.settings.tenant_of_number(dialed) or intake.settings.livekit.tenant
    await _require_open(tenant, room, intake)
    return tenant


async def _require_open(tenant: str, call_id: str, intake: Intake) -> None:
    """A tenant that was removed takes no new calls; those that it has go on. Test calls are the page's alone."""
    if is_trial(call_id):
        raise ReservedCallId("This id is reserved for test calls of the operators' page; choose another.")
    if tenant in intake.settings.tenants:
        return
    row = await intake.journal.call(call_id) if call_id else None
    if row is None or row.tenant != tenant:
        raise UnknownTenant("The tenant is not known here.", details={"field": "tenant_id"})


def _accepted(receipt: Receipt, response: Response, actions: list[Action] | None = None) -> Accepted:
    event, status = receipt.event, _status(receipt)
    if status == "kept":
        response.status_code = 202
    return Accepted(
        status=status,
        event=event.type.value,
        call_id=event.call_id,
        state=receipt.state.value,
        duplicate=receipt.duplicate,
        actions=actions or [],
    )


def _status(receipt: Receipt) -> Literal["processed", "kept", "recorded"]:
    event, state = receipt.event, receipt.state
    # A copy of an input that was answered is told so, whatever became of the call since.
    if not event.is_input or receipt.turn is not None:
        return "processed"
    if state in TERMINAL:
        return "recorded"
    return "kept" if state in {CallState.INITIALIZING, CallState.CONNECTING} else "processed"


def _reply(receipt: Receipt) -> list[Action]:
    """What the sender is to do; nothing where the media socket speaks."""
    if receipt.turn is None or receipt.channel is Channel.MEDIA:
        return []
    return [action for turn in (receipt.turn, *receipt.outcomes) for action in _actions(turn)]


def _actions(turn: Turn) -> list[Action]:
    actions = [
        Action(key=sentence.key, action="speak", text=sentence.text, language=sentence.language)
        for sentence in turn.sentences
    ]
    match turn.command:
        case Transfer(target, reason):
            actions.append(Action(key=f"transfer/{turn.id}", action="transfer", target=target, reason=reason))
        case HangUp(reason):
            actions.append(Action(key=f"hang_up/{turn.id}", action="hang_up", reason=reason))
        case None:
            pass
    return actions
