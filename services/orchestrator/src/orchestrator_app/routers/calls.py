"""Calls, for operators and for services that announce them."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, WebSocket

from orchestrator_app.api import CallList, CallStart, CallStarted, CallSummary, CallView, EndCall
from orchestrator_app.composition.watching import Watched
from orchestrator_app.routers._services import (
    BODY,
    GUARD,
    CallJournal,
    Runtime,
    Sessions,
    Settings,
    Speaking,
    Time,
    Watching,
)
from orchestrator_app.routers._webhook import InvalidJson
from orchestrator_app.routers.webhooks import UnknownTenant
from orchestrator_app.settings import AppSettings
from orchestrator_auth.fastapi_guard import CurrentAccess, requires
from orchestrator_auth.guard import IN_HANDLER
from orchestrator_calls.events import TERMINAL, Event, EventType
from orchestrator_calls.journal import CallRow, JournalUnavailable
from orchestrator_calls.runtime import CallNotFound, Draining, MailboxFull, TooManyCalls
from orchestrator_calls.transcript import as_json
from orchestrator_kernel.lifecycle import first_ended
from orchestrator_kernel.models import CallId, TenantId
from orchestrator_kernel.ports import Erased, Json
from orchestrator_utils.error_handler import problem_responses

__all__ = ["router"]

router = APIRouter(tags=["calls"])

END_SECONDS = 2.0
"""How long the answer to an order to end waits for the end."""

VIEW = requires("call:view", tenant=IN_HANDLER)

Id = Annotated[CallId, Path(description="The call's id.")]


@router.post(
    "/v1/call/start",
    dependencies=[requires("call:start", tenant=IN_HANDLER)],
    responses=problem_responses(
        InvalidJson,
        400,
        *GUARD,
        UnknownTenant,
        *BODY,
        422,
        TooManyCalls,
        Draining,
        JournalUnavailable,
    ),
)
async def start_call(
    body: CallStart,
    request: Request,
    access: CurrentAccess,
    runtime: Runtime,
    journal: CallJournal,
    sessions: Sessions,
    voices: Speaking,
    settings: Settings,
    clock: Time,
) -> CallStarted:
    """Announce a call and get what its media leg needs. The call itself begins when `call_started` comes."""
    await access.to("call:start", tenant=body.tenant_id)
    if body.tenant_id not in settings.tenants:
        raise UnknownTenant("The tenant is not known here.", details={"field": "tenant_id"})
    call_id = f"call_{secrets.token_hex(16)}"
    now = clock.now()
    payload = {"caller": body.caller_id}
    if voices.speech is not None:
        # The leg's own word counts above it.
        payload["presumed_channel"] = "media"
    if body.language != "auto":
        payload["language"] = body.language
    announced = Event(
        id=f"announced:{call_id}",
        call_id=call_id,
        tenant=body.tenant_id,
        type=EventType.PARTICIPANT_JOINED,
        source="api",
        occurred_at=now,
        received_at=now,
        payload=payload,
    )
    await runtime.submit(announced)
    row = await journal.call(call_id)
    return CallStarted(
        call_id=call_id,
        session_token=sessions.issue(call_id),
        websocket_url=f"{_websocket_base(request, settings)}/v1/calls/{call_id}/media",
        region=settings.region,
        encryption_key_id=row.subject if row else call_id,
    )


def _websocket_base(request: Request, settings: AppSettings) -> str:
    base = str(settings.server.public_url or request.base_url).rstrip("/")
    return base.replace("http", "ws", 1)


@router.get(
    "/v1/calls",
    dependencies=[VIEW],
    responses=problem_responses(*GUARD, CallNotFound, 422, JournalUnavailable),
)
async def list_calls(
    journal: CallJournal,
    access: CurrentAccess,
    *,
    tenant: Annotated[TenantId | None, Query()] = None,
    open_only: Annotated[bool, Query(alias="open", description="Only calls that are not over.")] = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[CallId | None, Query(description="The `next` of the page before.")] = None,
) -> CallList:
    """Calls, newest first: those of a tenant, or of all tenants for the platform's own people."""
    tenant = await access.confine("call:view", tenant)
    last = await journal.call(before) if before else None
    if before and (last is None or tenant not in {None, last.tenant}):
        raise CallNotFound(f"there is no call {before} to page from")
    rows = await journal.calls(tenant=tenant, open_only=open_only, limit=limit + 1, before=last)
    page = rows[:limit]
    return CallList(calls=[_summary(row) for row in page], next=page[-1].call_id if len(rows) > limit else None)


def _summary(row: CallRow) -> CallSummary:
    return CallSummary(
        id=row.call_id, tenant=row.tenant, state=row.state.value, created_at=row.created_at, updated_at=row.updated_at
    )


@router.get(
    "/v1/calls/{call_id}",
    dependencies=[VIEW],
    responses=problem_responses(*GUARD, CallNotFound, 422, JournalUnavailable),
)
async def show_call(call_id: Id, runtime: Runtime, access: CurrentAccess) -> CallView:
    """One call with its transcript."""
    call = await runtime.view(call_id)
    await access.to("call:view", tenant=call.tenant)
    return CallView.model_validate(as_json(call))


@router.post(
    "/v1/calls/{call_id}/end",
    dependencies=[requires("call:end", tenant=IN_HANDLER)],
    responses=problem_responses(
        InvalidJson,
        400,
        *GUARD,
        CallNotFound,
        Erased,
        *BODY,
        422,
        MailboxFull,
        Draining,
        JournalUnavailable,
    ),
)
async def end_call(
    call_id: Id,
    runtime: Runtime,
    access: CurrentAccess,
    watchers: Watching,
    clock: Time,
    body: EndCall | None = None,
) -> CallView:
    """End a call; one that is over already stays as it is."""
    call = await runtime.view(call_id)
    await access.to("call:end", tenant=call.tenant)
    if call.state not in TERMINAL:
        now = clock.now()
        reason = (body or EndCall()).reason
        ended = Event(
            id=f"ended:{uuid.uuid4().hex}",
            call_id=call_id,
            tenant=call.tenant,
            type=EventType.CALL_ENDED,
            source="api",
            occurred_at=now,
            received_at=now,
            payload={"reason": reason},
        )
        with watchers.watch(call_id) as queue:
            await runtime.submit(ended)
            await _until_over(queue)
    return CallView.model_validate(as_json(await runtime.view(call_id)))


async def _until_over(queue: Watched) -> None:
    """Return when the call is over, or when that takes long: then its state tells."""
    try:
        async with asyncio.timeout(END_SECONDS):
            while (message := await queue.get()) is not None and not _tells_the_end(message):
                pass
    except TimeoutError:
        return


def _tells_the_end(message: Mapping[str, Json]) -> bool:
    return message["type"] == "state" and message["state"] in set(TERMINAL)


@router.websocket("/v1/calls/{call_id}/events", dependencies=[VIEW])
async def watch_call(
    websocket: WebSocket, call_id: str, runtime: Runtime, access: CurrentAccess, watchers: Watching
) -> None:
    """Everything that happens in a call, live, as JSON; closed when the call is over."""
    call = await runtime.view(call_id)
    await access.to("call:view", tenant=call.tenant)
    with watchers.watch(call_id) as queue:
        await websocket.accept()
        await websocket.send_json({"type": "snapshot", "call": as_json(call)})
        if call.state in TERMINAL:
            await websocket.close(1000, "the call is over")
            return
        telling = asyncio.create_task(_tell(websocket, queue))
        if telling in await first_ended(telling, asyncio.create_task(_until_closed(websocket))):
            telling.result()


async def _tell(websocket: WebSocket, queue: Watched) -> None:
    """Pass on what happens until the call is over."""
    while (message := await queue.get()) is not None:
        await websocket.send_json(message)
        if _tells_the_end(message):
            await websocket.close(1000, "the call is over")
            return
    await websocket.close(1013, "too slow; connect again")


async def _until_closed(websocket: WebSocket) -> None:
    """Return when the watcher leaves; what a watcher sends is ignored."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
