"""The media socket of a call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from orchestrator_app.routers._services import Runtime, Sessions, Speaking
from orchestrator_app.routers._sockets import close_reason, received_text
from orchestrator_auth.fastapi_guard import proved_by
from orchestrator_calls.events import TERMINAL
from orchestrator_calls.legs.media import Hello, MediaProtocolError, parse_message
from orchestrator_calls.playback import MediaClosed, Player
from orchestrator_calls.runtime import CallNotFound, CallRuntime
from orchestrator_kernel.exceptions import AuthenticationError
from orchestrator_kernel.ports import Json, SpeechUnavailable

__all__ = ["router"]

logger = logging.getLogger(__name__)
router = APIRouter(tags=["media"])

HELLO_SECONDS = 5.0
"""How long a client has for its first message."""

_FAREWELLS: Final = {"restart": (1012, "connect again"), "another leg took over": (1000, "another leg took over")}
"""Code and reason of the close, by the reason of the `bye`."""


class _Socket:
    """A `MediaSink` on a WebSocket."""

    def __init__(self, websocket: WebSocket, *, reports: bool) -> None:
        self._websocket = websocket
        self._reports = reports

    @property
    def reports(self) -> bool:
        return self._reports

    async def audio(self, frame: bytes) -> None:
        try:
            await self._websocket.send_bytes(frame)
        except (WebSocketDisconnect, RuntimeError) as error:
            raise MediaClosed from error

    async def control(self, message: Mapping[str, Json]) -> None:
        try:
            await self._websocket.send_json(message)
            if message["type"] == "bye":
                await self._websocket.close(*_FAREWELLS.get(str(message.get("reason")), (1000, "the call is over")))
        except (WebSocketDisconnect, RuntimeError) as error:
            raise MediaClosed from error


@router.websocket("/v1/calls/{call_id}/media", dependencies=[proved_by("session token of the call")])
async def media(websocket: WebSocket, call_id: str, runtime: Runtime, sessions: Sessions, voices: Speaking) -> None:
    """Speech out as 20 ms frames of PCM16 with marks, reports of playback in; `orchestrator_calls.legs.media` has the protocol."""
    sessions.check(_token(websocket), call_id)
    if await runtime.state(call_id) in TERMINAL:
        raise CallNotFound(f"call {call_id} is over")
    if voices.speech is None:
        raise SpeechUnavailable(voices.missing or "no voice is configured: set speech.backends, with the extra [voice]")
    await websocket.accept()
    try:
        await _serve(websocket, call_id, runtime)
    except (WebSocketDisconnect, RuntimeError):
        logger.debug("media client left", extra={"call_id": call_id})


async def _serve(websocket: WebSocket, call_id: str, runtime: CallRuntime) -> None:
    try:
        hello = await _hello(websocket)
        async with runtime.media(call_id, _Socket(websocket, reports=hello.reports)) as player:
            await _take_reports(websocket, player)
    except MediaProtocolError as error:
        logger.warning("media socket closed", extra={"call_id": call_id, "reason": error.message})
        await websocket.close(1008, close_reason(error.message))


def _token(websocket: WebSocket) -> str:
    kind, _, token = websocket.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return token.strip()
    token = websocket.query_params.get("token", "")
    if not token:
        raise AuthenticationError("Send the session token as `Authorization: Bearer …` or as the query's `token`.")
    return token


async def _hello(websocket: WebSocket) -> Hello:
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            message = parse_message(await _text(websocket))
    except TimeoutError:
        raise MediaProtocolError("the first message must be a hello, within 5 s") from None
    if not isinstance(message, Hello):
        raise MediaProtocolError("the first message must be a hello")
    return message


async def _take_reports(websocket: WebSocket, player: Player) -> None:
    while True:
        report = parse_message(await _text(websocket))
        if isinstance(report, Hello):
            raise MediaProtocolError("hello comes first and once")
        player.reported(report.type, report.key, report.played_ms)


async def _text(websocket: WebSocket) -> str:
    return await received_text(websocket, lambda: MediaProtocolError("messages of the client are JSON text"))
