"""The socket of a Twilio media stream: the call's raw audio, heard and spoken by ourselves."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, WebSocket, WebSocketDisconnect

from orchestrator_app.composition.audio import Hearing
from orchestrator_app.composition.twilio import PREFIX
from orchestrator_app.routers._services import Intake, TakingIn, Twilio, given
from orchestrator_app.routers._sockets import received_text
from orchestrator_app.routers._twilio_socket import FORBIDDEN, TwilioSocket, handshake, tenant_of_call
from orchestrator_app.routers._webhook import Proving
from orchestrator_auth.fastapi_guard import proved_by
from orchestrator_calls.events import EventType
from orchestrator_calls.legs import twilio_media as wire
from orchestrator_calls.legs.media_ear import MediaEar
from orchestrator_calls.legs.media_line import MediaLine
from orchestrator_calls.legs.media_session import MediaSession
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.lifecycle import first_ended
from orchestrator_kernel.ports import Json

__all__ = ["router"]

logger = logging.getLogger(__name__)
router = APIRouter(tags=["twilio"])

START_SECONDS: Final = 10.0
"""How long a stream has for its start."""

MOST_BROKEN: Final = 100
"""So many messages of a stream may be broken before it is given up."""

Ears = Annotated[Hearing, Depends(given(Hearing))]


class _Socket(TwilioSocket):
    """Text messages from Twilio, too."""

    async def text(self) -> str | None:
        """The next message; None when the other side is gone."""
        try:
            return await received_text(self.websocket, _no_text)
        except WebSocketDisconnect:
            return None


def _no_text() -> wire.MediaStreamError:
    return wire.MediaStreamError("messages of a media stream are JSON text", fatal=True)


@dataclass(slots=True)
class _Call:
    """What a stream is served with."""

    socket: _Socket
    started: wire.Started
    tenant: str
    session: MediaSession
    broken: int = 0

    async def forgive(self, error: ValidationError) -> None:
        """The call goes on after a broken message; the first one is told, and too many end the stream."""
        self.broken += 1
        if self.broken == 1:
            logger.warning("a broken message", extra={"call_id": self.started.call, "reason": error.message})
            await self.session.tell(EventType.ERROR, code=error.code, message=error.message, fatal=False)
        if self.broken >= MOST_BROKEN:
            raise wire.MediaStreamError(
                f"{self.broken} broken messages", stream=self.started.stream, fatal=True
            ) from error


@router.websocket(f"{PREFIX}/stream", dependencies=[proved_by("signature of Twilio")])
async def stream(websocket: WebSocket, door: Twilio, senders: Proving, intake: TakingIn, hearing: Ears) -> None:
    """A media stream's messages; `orchestrator_calls.legs.twilio_media` has the protocol. The handshake is signed like a webhook."""
    sender = await handshake(websocket, door, senders, intake.settings)
    socket = _Socket(websocket)
    async with socket.closed_for_a_reason():
        try:
            call = await _begin(socket, sender.source, intake)
            if call is not None:
                await _serve(call, intake, hearing)
        except wire.MediaStreamError as error:
            logger.warning("media stream closed", extra={"reason": error.message})
            await socket.close(1008, error.message)


async def _begin(socket: _Socket, account: str, intake: Intake) -> _Call | None:
    started = await _start(socket)
    if started is None:
        return None
    if started.account != account:
        logger.warning("a media stream of another account", extra={"call_id": started.call})
        await socket.close(FORBIDDEN, "another account")
        return None
    called = started.parameters.get("called", "")
    tenant = await tenant_of_call(started.call, intake, called)
    session = MediaSession(f"stream:{started.stream}", started.call, tenant, intake.runtime.submit, intake.clock)
    numbers: dict[str, Json] = {
        name: started.parameters[given_as]
        for name, given_as in (("caller", "caller"), ("dialed", "called"))
        if started.parameters.get(given_as)
    }
    await session.tell(EventType.CALL_STARTED, reply_channel="media", **numbers)
    return _Call(socket, started, tenant, session)


async def _start(socket: _Socket) -> wire.Started | None:
    try:
        async with asyncio.timeout(START_SECONDS):
            while (text := await socket.text()) is not None:
                message = wire.parse_message(text)
                if isinstance(message, wire.Started):
                    return message
                if not isinstance(message, wire.Other):
                    raise wire.MediaStreamError("a stream begins with its start", fatal=True)
    except TimeoutError:
        raise wire.MediaStreamError("a stream begins with its start, within 10 s", fatal=True) from None
    return None


async def _serve(call: _Call, intake: Intake, hearing: Hearing) -> None:
    own, started = intake.settings.tenants[call.tenant], call.started
    line = MediaLine(
        started.stream,
        call.socket.send_text,
        call.socket.close,
        hearing.audio,
        intake.clock,
        transfers=own.transfer_action is None,
    )
    async with intake.runtime.media(started.call, line) as player:
        ear = MediaEar(
            started.stream,
            audio=hearing.audio,
            codec=hearing.audio.codec(wire.CODEC),
            transcriber=hearing.transcriber,
            tell=call.session.tell,
            speaking=lambda: bool(player.begun),
            clock=intake.clock,
            config=hearing.ear(own),
        )
        line.attach(player, began=lambda: _answered(ear, hearing))
        try:
            ended = await first_ended(asyncio.create_task(ear.run()), asyncio.create_task(_listen(call, line, ear)))
        finally:
            ear.close()
        for task in ended:
            task.result()


def _answered(ear: MediaEar, hearing: Hearing) -> None:
    """The first audio of a sentence went out: of an answer, if somebody waited."""
    if (waited := ear.waited()) is not None:
        hearing.answered(waited)


async def _listen(call: _Call, line: MediaLine, ear: MediaEar) -> None:
    """Take messages until the stream ends."""
    while (text := await call.socket.text()) is not None:
        try:
            message = wire.parse_message(text, stream=call.started.stream)
            if isinstance(message, wire.Audio):
                await ear.hear(message.payload)
                continue
        except ValidationError as error:
            if isinstance(error, wire.MediaStreamError) and error.fatal:
                raise
            await call.forgive(error)
            continue
        match message:
            case wire.Mark(name):
                line.marked(name)
            case wire.Pressed(digit):
                await call.session.tell(EventType.DTMF, digit=digit)
            case wire.Stopped():
                return
            case wire.Started():
                raise wire.MediaStreamError("a stream starts once", stream=call.started.stream, fatal=True)
            case wire.Other(name):
                logger.debug("the stream said something new", extra={"message_name": name})
