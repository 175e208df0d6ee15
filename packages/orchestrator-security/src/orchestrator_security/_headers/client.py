"""Who is at the other end, once for all that come after: behind one's own proxies the peer of a connection is a proxy. Pure ASGI."""

from __future__ import annotations

from orchestrator_kernel.ports import WebhookRefused
from orchestrator_security._asgi import ASGIApp, Receive, Scope, Send
from orchestrator_security._webhooks.addresses import TrustedProxies

__all__ = ["ClientAddress"]


class ClientAddress:
    """Puts the client's address into `scope["client"]`, as the trusted proxies tell it; outermost, so that limits, lockouts and audit mean the same client.

    Where a hop that would have to be believed cannot be read, the peer stays: nobody gets an address of their own choice.

    Args:
        proxies: Whose `X-Forwarded-For` is believed. The server's own handling of it must be off.
    """

    def __init__(self, app: ASGIApp, *, proxies: TrustedProxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope.get("client")
        if scope["type"] in {"http", "websocket"} and peer:
            headers = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in scope["headers"]
                if name == b"x-forwarded-for"
            ]
            try:
                client = self._proxies.client(str(peer[0]), headers) if headers else str(peer[0])
            except WebhookRefused:
                client = str(peer[0])
            if client != peer[0]:
                # The port is the proxy's, and nobody's here.
                scope["client"] = (client, 0)
        await self._app(scope, receive, send)
