"""What the sockets of calls have in common."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import WebSocket, WebSocketDisconnect

__all__ = ["close_reason", "received_text"]


async def received_text(websocket: WebSocket, refused: Callable[[], Exception]) -> str:
    """The next message.

    Args:
        websocket: Accepted.
        refused: Makes the error for a message that is no text.

    Raises:
        WebSocketDisconnect: The other side is gone.
    """
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    if message.get("text") is None:
        raise refused()
    return str(message["text"])


def close_reason(text: str) -> str:
    """As much of the text as the frame of a close holds: 125 bytes, two of them the code (RFC 6455 section 5.5)."""
    return text.encode()[:123].decode(errors="ignore")
