"""What stands between a browser and the pages: headers, where a change comes from, bodies, and places to go back to."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from hmac import compare_digest
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from orchestrator_kernel.exceptions import AuthorizationError, ValidationError
from orchestrator_kernel.ports.operations import Viewer

__all__ = [
    "CONTENT_SECURITY_POLICY",
    "BodyTooLarge",
    "ForeignRequest",
    "SecureHeaders",
    "check_csrf",
    "check_origin",
    "fields_of",
    "safe_return",
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

CONTENT_SECURITY_POLICY: Final[Mapping[str, tuple[str, ...]]] = {
    "default-src": ("'none'",),
    "script-src": ("'self'",),
    "style-src": ("'self'",),
    "img-src": ("'self'",),
    "connect-src": ("'self'",),
    "form-action": ("'self'",),
    "base-uri": ("'none'",),
    "frame-ancestors": ("'none'",),
}
"""All that the pages need, for those who set headers elsewhere: no inline script or style, nothing from another origin."""

_HEADERS: Final = (
    (b"content-security-policy", "; ".join(f"{k} {' '.join(v)}" for k, v in CONTENT_SECURITY_POLICY.items()).encode()),
    (b"x-content-type-options", b"nosniff"),
    # Not `no-referrer`: under it a form tells no origin, and the check of where a change comes from could not see it.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
_NO_STORE: Final = (b"cache-control", b"no-store")
_MAX_BODY: Final = 16_384
_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"


class ForeignRequest(AuthorizationError):
    """A change that none of our own pages asked for."""

    default_code = "foreign_request"


class BodyTooLarge(ValidationError):
    """More than any form of ours holds."""

    default_code = "body_too_large"
    default_status = 413


class SecureHeaders:
    """Sets the console's headers where the application around it set none. Pure ASGI."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                names = {name.lower() for name, _ in given}
                more = [pair for pair in (*_HEADERS, _NO_STORE) if pair[0] not in names]
                message = {**message, "headers": [*given, *more]}
            await send(message)

        await self._app(scope, receive, with_headers)


def check_origin(request: Request) -> None:
    """Return if one of our own pages asks, as far as the browser tells.

    A sender that tells nothing at all is no browser, and carries no cookie that it did not mean to send.

    Raises:
        ForeignRequest: Another page asks.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        foreign = site not in {"same-origin", "none"}
    else:
        origin = request.headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()
    if foreign:
        raise ForeignRequest("This was not asked for by a page of this console.")


def check_csrf(request: Request, viewer: Viewer, fields: Mapping[str, str]) -> None:
    """Return if the sender knows what only a page of the viewer's session knows.

    Raises:
        ForeignRequest: It does not.
    """
    check_origin(request)
    given = request.headers.get("x-csrf-token") or fields.get("csrf_token", "")
    if not compare_digest(given.encode(), viewer.csrf_token.encode()):
        raise ForeignRequest("The page is too old to change anything. Load it again.")


async def fields_of(request: Request) -> dict[str, str]:
    """The fields of a form, or of a flat JSON object; the last one counts where a name stands twice.

    Raises:
        ValidationError: It is neither, or has more than any form of ours.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_BODY:
            raise BodyTooLarge(f"A form here has at most {_MAX_BODY} bytes.")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == _FORM:
            return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20, errors="strict"))
        found: object = json.loads(body) if kind == _JSON else None
    except (ValueError, RecursionError):
        raise ValidationError("The form cannot be read.") from None
    # JSON may hold lone surrogates, which no answer could be written with.
    pairs = cast("dict[object, object]", found).items() if isinstance(found, dict) else [("", None)]
    if not all(isinstance(value, str) and _is_text(value) for _, value in pairs):
        raise ValidationError("A form is sent as application/x-www-form-urlencoded, or as JSON with texts only.")
    return {str(name): str(value) for name, value in pairs}


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def safe_return(wanted: str, home: str) -> str:
    """Where to go after signing in: `wanted` if it is a page below `home` (which ends in `/`), or else `home`.

    >>> safe_return("/console/calls/c1", "/console/"), safe_return("//evil.example/console/", "/console/")
    ('/console/calls/c1', '/console/')
    """
    inside = wanted.startswith(home) and not wanted.startswith("//")
    # Browsers read a backslash as a slash, and drop control characters.
    clean = (
        wanted.isascii() and wanted.isprintable() and "\\" not in wanted and ".." not in wanted and "//" not in wanted
    )
    return wanted if inside and clean else home
