"""Calls, for operators and for services that announce them."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, WebSocket

from orchestrator_app.api import CallList, CallStart, CallStarted, CallSummary, CallView, EndCall
from orchestrator_app.routers._services import CallJournal, Runtime, Sessions, Settings, Time, Watching
from orchestrator_app.routers.webhooks import UnknownTenant
from orchestrator_app.settings import AppSettings
from orchestrator_calls.events import TERMINAL, Event, EventType
from orchestrator_calls.journal import CallRow
from orchestrator_calls.runtime import CallNotFound
from orchestrator_calls.transcript import as_json
from orchestrator_kernel.exceptions import AuthenticationError, AuthorizationError
from orchestrator_kernel.models import CallId
from orchestrator_utils.error_handler import problem_responses

__all__ = ["router"]

router = APIRouter(tags=["calls"])
Id = Annotated[CallId, Path(description="The call's id.")]


@router.post(
    "/v1/call/start", responses=problem_responses(AuthenticationError, AuthorizationError, 400, 413, 415, 422, 429, 503)
)
async def start_call(
    body: CallStart,
    request: Request,
    runtime: Runtime,
    journal: CallJournal,
    sessions: Sessions,
    settings: Settings,
    clock: Time,
) -> CallStarted:
    """Announce a call and get what its media leg needs. The call itself begins when `call_started` comes."""
    if body.tenant_id not in settings.tenants:
        raise UnknownTenant("The tenant is not known here.", details={"field": "tenant_id"})
    call_id = f"call_{secrets.token_hex(16)}"
    now = clock.now()
    payload = {"caller": body.caller_id, "reply_channel": "media"}
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


@router.get("/v1/calls", responses=problem_responses(AuthenticationError, 422, 503))
async def list_calls(
    journal: CallJournal,
    *,
    tenant: Annotated[str | None, Query(max_length=128)] = None,
    open_only: Annotated[bool, Query(alias="open", description="Only calls that are not over.")] = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[CallId | None, Query(description="The `next` of the page before.")] = None,
) -> CallList:
    """Calls, newest first."""
    last = await journal.call(before) if before else None
    if before and last is None:
        raise CallNotFound(f"there is no call {before} to page from")
    rows = await journal.calls(tenant=tenant, open_only=open_only, limit=limit, before=last)
    return CallList(calls=[_summary(row) for row in rows], next=rows[-1].call_id if len(rows) == limit else None)


def _summary(row: CallRow) -> CallSummary:
    return CallSummary(
        id=row.call_id, tenant=row.tenant, state=row.state.value, created_at=row.created_at, updated_at=row.updated_at
    )


@router.get("/v1/calls/{call_id}", responses=problem_responses(AuthenticationError, CallNotFound, 422, 503))
async def show_call(call_id: Id, runtime: Runtime) -> CallView:
    """One call with its transcript."""
    return CallView.model_validate(as_json(await runtime.view(call_id)))


@router.post(
    "/v1/calls/{call_id}/end", responses=problem_responses(AuthenticationError, CallNotFound, 400, 413, 415, 422, 503)
)
async def end_call(call_id: Id, runtime: Runtime, clock: Time, body: EndCall | None = None) -> CallView:
    """End a call; one that is over already stays as it is."""
    call = await runtime.view(call_id)
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
        await runtime.submit(ended)
    return CallView.model_validate(as_json(await runtime.view(call_id)))


@router.websocket("/v1/calls/{call_id}/events")
async def watch_call(websocket: WebSocket, call_id: str, runtime: Runtime, watchers: Watching) -> None:
    """Everything that happens in a call, live, as JSON; closed when the call is over."""
    call = await runtime.view(call_id)
    with watchers.watch(call_id) as queue:
        await websocket.accept()
        await websocket.send_json({"type": "snapshot", "call": as_json(call)})
        if call.state in TERMINAL:
            await websocket.close(1000, "the call is over")
            return
        listening = asyncio.create_task(_until_closed(websocket))
        try:
            while not listening.done():
                getting = asyncio.create_task(queue.get())
                await asyncio.wait({getting, listening}, return_when=asyncio.FIRST_COMPLETED)
                if not getting.done():
                    getting.cancel()
                    break
                message = getting.result()
                if message is None:
                    await websocket.close(1013, "too slow; connect again")
                    return
                await websocket.send_json(message)
                if message["type"] == "state" and message["state"] in set(TERMINAL):
                    await websocket.close(1000, "the call is over")
                    return
        finally:
            listening.cancel()


async def _until_closed(websocket: WebSocket) -> None:
    """Return when the watcher leaves; what a watcher sends is ignored."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
