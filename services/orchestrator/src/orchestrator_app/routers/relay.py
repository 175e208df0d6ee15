"""The socket of Twilio's ConversationRelay: the relay hears and speaks, and text goes to and fro."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from orchestrator_app.composition.twilio import PREFIX
from orchestrator_app.routers._services import Intake, TakingIn, Twilio
from orchestrator_app.routers._sockets import received_text
from orchestrator_app.routers._twilio_socket import FORBIDDEN, TwilioSocket, handshake, tenant_of_call
from orchestrator_app.routers._webhook import Proving
from orchestrator_auth.fastapi_guard import proved_by
from orchestrator_calls.events import EventType
from orchestrator_calls.legs import conversation_relay as wire
from orchestrator_calls.legs.media_session import MediaSession
from orchestrator_calls.legs.relay_leg import RelayLeg
from orchestrator_kernel.ports import Json

__all__ = ["router"]

logger = logging.getLogger(__name__)
router = APIRouter(tags=["twilio"])

SETUP_SECONDS: Final = 10.0
"""How long the relay has for its first message."""

SPEAKING_SECONDS: Final = 4.0
"""So often a caller who goes on speaking counts as heard of, though no words have come yet."""


class _Sink(TwilioSocket):
    """A `RelaySink` on a WebSocket."""

    async def send(self, message: Mapping[str, Json]) -> None:
        await self.send_text(json.dumps(message, separators=(",", ":"), ensure_ascii=False))


@dataclass(slots=True)
class _Session:
    """One relay session; `speaking` while the caller is."""

    setup: wire.Setup
    events: MediaSession
    speaking: bool = False

    async def tell(self, kind: EventType, **payload: Json) -> None:
        """Submit the next event of the session."""
        await self.events.tell(kind, **payload)


@router.websocket(f"{PREFIX}/relay", dependencies=[proved_by("signature of Twilio")])
async def relay(websocket: WebSocket, door: Twilio, senders: Proving, intake: TakingIn) -> None:
    """ConversationRelay's messages; `orchestrator_calls.legs.conversation_relay` has the protocol. The handshake is signed like a webhook."""
    sender = await handshake(websocket, door, senders, intake.settings)
    sink = _Sink(websocket)
    async with sink.closed_for_a_reason():
        try:
            await _serve(websocket, sink, sender.source, intake)
        except WebSocketDisconnect:
            logger.debug("the relay left")
        except wire.RelayProtocolError as error:
            logger.warning("relay socket closed", extra={"reason": error.message})
            await sink.close(error.close_code, error.message)


async def _serve(websocket: WebSocket, sink: _Sink, account: str, intake: Intake) -> None:
    setup = await _setup(websocket)
    if setup.account != account:
        logger.warning("a relay session of another account", extra={"call_id": setup.call})
        await sink.close(FORBIDDEN, "another account")
        return
    tenant = await tenant_of_call(setup.call, intake, setup.called, setup.caller)
    runtime = intake.runtime
    session = _Session(setup, MediaSession(f"relay:{setup.session}", setup.call, tenant, runtime.submit, intake.clock))
    await session.tell(EventType.CALL_STARTED, **_started(setup))
    own = intake.settings.tenants[tenant]
    async with runtime.leg(
        setup.call,
        lambda clock, report, permit: RelayLeg(
            sink,
            clock,
            report,
            language=own.languages[0],
            permit=permit,
            transfers=own.transfer_action is None,
        ),
    ) as leg:
        try:
            await _listen(websocket, session, leg)
        except wire.RelayProtocolError as error:
            await session.tell(EventType.ERROR, code=error.code, message=error.message, fatal=False)
            raise


async def _setup(websocket: WebSocket) -> wire.Setup:
    try:
        async with asyncio.timeout(SETUP_SECONDS):
            frame = wire.parse_frame(await _text(websocket))
    except TimeoutError:
        raise wire.RelayProtocolError("the first message must be setup, within 10 s") from None
    if not isinstance(frame, wire.Setup):
        raise wire.RelayProtocolError("the first message must be setup")
    return frame


def _started(setup: wire.Setup) -> dict[str, Json]:
    """We dial nobody, so whoever calls is the caller, whatever the direction."""
    numbers: dict[str, Json] = {"caller": setup.caller, "dialed": setup.called}
    return {"reply_channel": "media", **{name: number for name, number in numbers.items() if number}}


async def _listen(websocket: WebSocket, session: _Session, leg: RelayLeg) -> None:
    while True:
        try:
            async with asyncio.timeout(SPEAKING_SECONDS if session.speaking else None):
                text = await _text(websocket)
        except TimeoutError:
            await session.tell(EventType.TRANSCRIPTION, text="", final=False)
            continue
        frame = wire.parse_frame(text)
        if isinstance(frame, wire.Setup):
            raise wire.RelayProtocolError("setup comes first and once")
        if isinstance(frame, wire.Prompt | wire.Dtmf | wire.RelayError):
            await _kept(frame, session)
        else:
            await _spoken(frame, session, leg)


async def _kept(frame: wire.Prompt | wire.Dtmf | wire.RelayError, session: _Session) -> None:
    """What becomes an event."""
    match frame:
        case wire.Prompt():
            session.speaking = session.speaking and not frame.last
            await _heard(frame, session)
        case wire.Dtmf(digit):
            await session.tell(EventType.DTMF, digit=digit)
        case wire.RelayError(description):
            await session.tell(EventType.ERROR, code="relay_error", message=description, fatal=False)


async def _spoken(
    frame: wire.Interrupt | wire.Speaking | wire.Played | wire.Unknown, session: _Session, leg: RelayLeg
) -> None:
    """Who speaks, and what of it was heard."""
    match frame:
        case wire.Interrupt():
            if not leg.interrupted(frame):
                await session.tell(EventType.SPEECH_STARTED)
        case wire.Speaking("caller", on):
            session.speaking = on
            if on:
                await session.tell(EventType.TRANSCRIPTION, text="", final=False)
        case wire.Speaking():
            leg.speaking(frame)
        case wire.Played():
            leg.played(frame)
        case wire.Unknown(name):
            logger.debug("the relay said something new", extra={"message_name": name})


async def _heard(prompt: wire.Prompt, session: _Session) -> None:
    payload: dict[str, Json] = {"text": prompt.text, "final": prompt.last}
    if prompt.language:
        payload["language"] = prompt.language
    if prompt.text.strip() or not prompt.last:
        await session.tell(EventType.TRANSCRIPTION, **payload)


async def _text(websocket: WebSocket) -> str:
    return await received_text(websocket, lambda: wire.RelayProtocolError("messages of the relay are JSON text", 1003))
