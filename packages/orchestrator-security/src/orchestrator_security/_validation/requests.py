"""Limits that are kept while a request is read: nothing beyond them is ever held in memory. Pure ASGI."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from orchestrator_kernel.exceptions import OrchestratorError, ValidationError
from orchestrator_security._asgi import (
    ASGIApp,
    ByPath,
    Message,
    Receive,
    Scope,
    Send,
    header,
    headers_named,
    send_problem,
)
from orchestrator_security._validation.errors import BodyTooLarge, RequestRefused, UnsupportedMediaType
from orchestrator_security._validation.json_limits import JsonLimits, parse_json

__all__ = ["InputLimits", "RequestLimits"]

_JSON: Final = re.compile(r"application/(?:[a-z0-9.!#$&^_-]+\+)?json\Z")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_BROKEN_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})|%00|[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """What a request may bring. Sizes in bytes.

    Attributes:
        body: Of the body. Refused as soon as one chunk more than this has come, or at once by its Content-Length.
        media_types: Content types that are taken, in lower case without parameters. The JSON ones among them are parsed and checked.
        json: Limits of JSON bodies; None passes them on unread.
        target: Of path and query as sent.
        parameters: Of the query string.
        header_count: Number of headers.
        headers: Of all names and values together.
    """

    body: int = 1_048_576
    media_types: frozenset[str] = frozenset({"application/json"})
    json: JsonLimits | None = field(default_factory=JsonLimits)
    target: int = 8_192
    parameters: int = 64
    header_count: int = 100
    headers: int = 32_768


class InputLimits:
    """Answers 400, 413, 414, 415, 422 or 431 itself, as a problem document, when a request goes beyond its limits.

    Args:
        limits: For every path without others.
        by_path: Other limits for one path, or for all that begin with a path ending in `/`; the longest that fits counts.
        raise_errors: Raise the error instead of answering, for an application whose outer middleware answers errors.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: RequestLimits | None = None,
        by_path: Mapping[str, RequestLimits] | None = None,
        raise_errors: bool = False,
    ) -> None:
        self._app = app
        self._limits = ByPath(limits or RequestLimits(), by_path or {})
        self._raise = raise_errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        limits = self._limits.of(scope["path"])
        refusal = _judge(scope, limits)
        if refusal is None and scope["type"] == "websocket":
            await self._app(scope, receive, send)
        elif refusal is None:
            refusal = await self._pass_on(scope, receive, send, limits)
        if refusal is not None:
            if self._raise:
                raise refusal
            await _refuse(scope, receive, send, refusal)

    async def _pass_on(
        self, scope: Scope, receive: Receive, send: Send, limits: RequestLimits
    ) -> OrchestratorError | None:
        media_type = header(scope, b"content-type").partition(";")[0].strip().lower()
        body = _Body(receive, send, limits, media_type)
        if limits.json is not None and _JSON.match(media_type) and has_body(scope):
            await body.read_json(limits.json)
            if body.refusal is not None:
                return body.refusal
        try:
            await self._app(scope, body.receive, body.send)
        except Exception:
            if body.refusal is None or body.started:
                raise
        # Whatever the application made of it, the client gets the reason of the refusal.
        return None if body.started else body.refusal


def _judge(scope: Scope, limits: RequestLimits) -> OrchestratorError | None:
    try:
        check_head(scope, limits)
    except ValidationError as error:
        return error
    return None


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: OrchestratorError) -> None:
    if scope["type"] == "http":
        await send_problem(scope, send, refusal)
        return
    await receive()
    await send({"type": "websocket.close", "code": 1008})


class _Body:
    """The body on its way to the application, counted."""

    def __init__(self, receive: Receive, send: Send, limits: RequestLimits, media_type: str) -> None:
        self._receive = receive
        self._send = send
        self._limits = limits
        self._media_type = media_type
        self._received = 0
        self._replay: bytes | None = None
        self._gone: Message | None = None
        self.refusal: OrchestratorError | None = None
        self.started = False

    async def read_json(self, limits: JsonLimits) -> None:
        """Read the whole body, check it, and keep it for the application."""
        chunks: list[bytes] = []
        more = True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                self._gone = message
                return
            chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
            try:
                self._count(chunks[-1])
            except ValidationError as error:
                self.refusal = error
                return
        body = b"".join(chunks)
        try:
            if body:
                parse_json(body, limits)
        except ValidationError as error:
            self.refusal = error
        self._replay = body

    async def receive(self) -> Message:
        if self._gone is not None:
            return self._gone
        if self._replay is not None:
            body, self._replay = self._replay, None
            return {"type": "http.request", "body": body, "more_body": False}
        message = await self._receive()
        if message["type"] == "http.request":
            try:
                self._count(message.get("body", b""))
            except ValidationError as error:
                self.refusal = error
                raise
        return message

    async def send(self, message: Message) -> None:
        if self.refusal is not None and not self.started:
            return
        self.started = True
        await self._send(message)

    def _count(self, chunk: bytes) -> None:
        if not chunk:
            return
        self._received += len(chunk)
        if self._received > self._limits.body:
            raise too_large(self._limits)
        if self._media_type not in self._limits.media_types:
            raise unsupported(self._limits)


def has_body(scope: Scope) -> bool:
    """Whether the head announces a body, or leaves it open as HTTP/2 may."""
    length = header(scope, b"content-length")
    if length:
        return length != "0"
    return bool(header(scope, b"transfer-encoding")) or not scope.get("http_version", "1.1").startswith("1")


def check_head(scope: Scope, limits: RequestLimits) -> None:
    """Refuse a request by its head alone.

    Raises:
        RequestRefused: 400, 414 or 431.
        BodyTooLarge: By its Content-Length.
        UnsupportedMediaType: The content type, character set or encoding is none of those taken.
    """
    _check_target(scope, limits)
    headers = scope["headers"]
    if len(headers) > limits.header_count or sum(len(name) + len(value) for name, value in headers) > limits.headers:
        raise RequestRefused("The request has too many or too large headers.", code="headers_too_large", status=431)
    if scope["type"] == "websocket":
        return
    lengths = headers_named(scope, b"content-length")
    if lengths:
        length = lengths[0]
        if len(lengths) > 1 or not length.isascii() or not length.isdigit() or len(length) > 19:
            raise RequestRefused("Content-Length must be one number.")
        if int(length) > limits.body:
            raise too_large(limits)
    if (lengths and lengths[0] != "0") or header(scope, b"transfer-encoding"):
        _check_kind(scope, limits)


def _check_target(scope: Scope, limits: RequestLimits) -> None:
    query: bytes = scope.get("query_string", b"")
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    if len(raw) + len(query) + 1 > limits.target:
        raise RequestRefused("The path and the query are too long.", code="target_too_long", status=414)
    if _CONTROL.search(scope["path"]) or _BROKEN_ESCAPE.search(query):
        raise RequestRefused("The path or the query holds a character that cannot stand there.")
    if query.count(b"&") >= limits.parameters:
        raise RequestRefused(f"The query may have {limits.parameters} parameters.")


def _check_kind(scope: Scope, limits: RequestLimits) -> None:
    kinds = headers_named(scope, b"content-type")
    media_type, _, parameters = (kinds[0] if len(kinds) == 1 else "").partition(";")
    if media_type.strip().lower() not in limits.media_types:
        raise unsupported(limits)
    charset = re.search(r"charset\s*=\s*\"?([^\";\s]*)", parameters, re.IGNORECASE)
    if charset and charset[1].lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise UnsupportedMediaType("Text must be in UTF-8.")
    if header(scope, b"content-encoding").lower() not in {"", "identity"}:
        raise UnsupportedMediaType("The body must not be compressed.")


def too_large(limits: RequestLimits) -> BodyTooLarge:
    """The error of a body beyond the limit."""
    return BodyTooLarge(f"The body may have {limits.body} bytes.", details={"allowed": limits.body})


def unsupported(limits: RequestLimits) -> UnsupportedMediaType:
    """The error of a content type that is not taken."""
    taken = sorted(limits.media_types)
    return UnsupportedMediaType(
        f"The body must be {' or '.join(taken) or 'empty'}.", details={"accepted": ", ".join(taken)}
    )
