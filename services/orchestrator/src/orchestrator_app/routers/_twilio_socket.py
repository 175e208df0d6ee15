"""What the two sockets of Twilio have in common: the signed handshake, whose call it is, sending, and closing with a reason."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import WebSocket, WebSocketDisconnect

from orchestrator_app.composition.twilio import TwilioDoor
from orchestrator_app.routers._services import Intake
from orchestrator_app.routers._sockets import close_reason
from orchestrator_app.routers._webhook import Senders, signed_by
from orchestrator_app.routers.twilio import public_base, tenant_of
from orchestrator_app.routers.webhooks import UnknownTenant
from orchestrator_app.settings import AppSettings
from orchestrator_calls.events import TERMINAL
from orchestrator_calls.journal import CallOfAnotherTenant
from orchestrator_calls.playback import MediaClosed
from orchestrator_calls.runtime import CallNotFound
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.ports import WebhookSender

__all__ = ["FORBIDDEN", "TwilioSocket", "handshake", "tenant_of_call"]

logger = logging.getLogger(__name__)

FORBIDDEN: Final = 4403
TRY_AGAIN: Final = 1013


class TwilioSocket:
    """A socket whose messages are text.

    Attributes:
        websocket: As the framework has it.
    """

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket

    async def send_text(self, text: str) -> None:
        """Send a message.

        Raises:
            MediaClosed: The other side is gone.
        """
        try:
            await self.websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError) as error:
            raise MediaClosed from error

    async def close(self, code: int, reason: str) -> None:
        """Close it, unless it is closed already."""
        try:
            await self.websocket.close(code, close_reason(reason))
        except (WebSocketDisconnect, RuntimeError) as error:
            logger.debug("the socket was gone already", exc_info=error)

    @asynccontextmanager
    async def closed_for_a_reason(self) -> AsyncGenerator[None, None]:
        """Close it when the call cannot be served: for good where it never can, otherwise so that Twilio's action URL is asked next and connects the call again."""
        try:
            yield
        except (UnknownTenant, CallOfAnotherTenant) as error:
            await self.close(FORBIDDEN, error.message)
        except CallNotFound:
            await self.close(1000, "the call is over")
        except OrchestratorError as error:
            logger.exception("a socket of Twilio failed", extra={"code": error.code})
            await self.close(TRY_AGAIN, error.code)


async def handshake(websocket: WebSocket, door: TwilioDoor, senders: Senders, settings: AppSettings) -> WebhookSender:
    """The account that opens the socket: its handshake is signed like a webhook. Accepts the socket.

    Raises:
        WebhookRefused: It is not proved; nothing was accepted.
    """
    url = public_base(websocket, settings).replace("http", "ws", 1) + websocket.url.path
    signed = signed_by(websocket, url=url, method="GET")
    sender = await senders.prove(signed, door.verifier, door="twilio")
    await websocket.accept()
    return sender


async def tenant_of_call(call_id: str, intake: Intake, *numbers: str) -> str:
    """Whose call it is: as it was kept, or by the numbers of a new one.

    Raises:
        UnknownTenant: Nobody's.
        CallNotFound: It is over.
    """
    row = await intake.journal.call(call_id)
    if row is None:
        return tenant_of(intake.settings, *numbers)
    if row.state in TERMINAL:
        raise CallNotFound(f"call {call_id} is over")
    if intake.settings.tenants.get(row.tenant) is None:
        raise UnknownTenant("the tenant is not known here any more")
    return row.tenant
