"""The application's outer doors: which hosts it answers for, who gets in, and how much they may bring. Pure ASGI."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html

from orchestrator_app.composition import console
from orchestrator_app.composition.auth import REQUEST, RequestAudit, refusal_of
from orchestrator_app.routers._password_page import PAGE
from orchestrator_app.routers.security import CSP_REPORTS
from orchestrator_app.settings import AppSettings, ServerSettings
from orchestrator_auth.fastapi_guard import declared_rules, path_pattern
from orchestrator_auth.fastapi_routes import PUBLIC_PATHS as SIGN_IN
from orchestrator_auth.guard import OWN, Rule
from orchestrator_auth.models import ALL_TENANTS
from orchestrator_kernel.exceptions import Detail
from orchestrator_security.headers_middleware import CSP_REPORT_LIMITS, HeaderPolicy, docs
from orchestrator_security.input_validation import JsonLimits, RequestLimits

__all__ = [
    "DOCS",
    "FORMS",
    "MEDIA_TYPES",
    "PUBLIC",
    "SIGNED",
    "SIGN_IN",
    "Refusals",
    "denial",
    "header_policies",
    "open_docs",
    "public_paths",
    "request_limits",
    "rules",
    "tenant_of",
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PUBLIC: Final = frozenset({"/healthz", "/health/live", "/health/ready", "/health/startup"})
"""Answers anyone, under whatever name of the host."""

DOCS: Final = frozenset({"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"})
"""What the service says of itself."""

FORMS: Final = frozenset(
    f"/v1/twilio/{name}" for name in ("voice", "status", "relay/ended", "stream/ended", "dial", "transfer")
)
"""Where forms are sent instead of JSON."""

SIGNED: Final = FORMS | {"/call/event", "/v1/livekit/webhook", "/v1/livekit/transcription", "/v1/apaleo/webhook"}
"""Whoever sends here signs what is sent; the routes check it."""

MEDIA_TYPES: Final = frozenset({"application/json", "application/webhook+json"})

_FORM: Final = "application/x-www-form-urlencoded"


class _Methods:
    """Which methods a path has, over all its routes; the framework names those of the first one only."""

    def __init__(self) -> None:
        self._routes: list[tuple[re.Pattern[str], frozenset[str]]] | None = None

    def of(self, scope: Scope) -> str:
        """For an `Allow` header (RFC 9110 section 10.2.1)."""
        if self._routes is None:
            found = declared_rules(scope.get("app"))
            self._routes = [(path_pattern(path), methods) for path, methods, _ in found if methods]
        matching = [methods for pattern, methods in self._routes if pattern.match(scope["path"])]
        return ", ".join(sorted(frozenset[str]().union(*matching)))


def _with_header(message: Message, name: bytes, value: str) -> Message:
    others = [pair for pair in message["headers"] if pair[0].lower() != name]
    return {**message, "headers": [*others, (name, value.encode())]}


class Refusals:
    """Lets the audit know why access was denied, and completes what a 401 and a 405 tell. Inside the audit, outside of what answers errors.

    Args:
        audit: Where a refusal goes that no record of the request tells, because the request was answered otherwise.
    """

    def __init__(self, app: App, *, audit: RequestAudit) -> None:
        self._app = app
        self._audit = audit
        self._methods = _Methods()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return

        async def completed(message: Message) -> None:
            challenge, status = scope.get("auth_challenge"), message.get("status")
            if challenge is not None and status == 401:
                message = _with_header(message, b"www-authenticate", challenge)
            if status == 405:
                message = _with_header(message, b"allow", self._methods.of(scope))
            await send(message)

        token = REQUEST.set(scope)
        try:
            await self._app(scope, receive, completed)
        finally:
            if (untold := refusal_of(scope)) is not None:
                await self._audit.keep(untold)
            REQUEST.reset(token)


def denial(scope: Scope) -> Mapping[str, Detail]:
    """What the record of a denied request says besides its status: which check refused, and what was asked for."""
    refusal = refusal_of(scope)
    return {} if refusal is None else {name: value for name, value in refusal.details.items() if value != ""}


def tenant_of(scope: Scope) -> str | None:
    """Where the sender of a request is at home; None for the platform's own, and for nobody."""
    tenant: str | None = getattr(scope.get("principal"), "tenant", None)
    return None if tenant == ALL_TENANTS else tenant


def open_docs(settings: AppSettings) -> bool:
    """Whether the documentation answers anyone."""
    said = settings.auth.open_docs
    return settings.environment != "production" if said is None else said


def public_paths(settings: AppSettings) -> frozenset[str]:
    """Every path that answers without a credential; compared as they are. Routes with another proof say so themselves."""
    return PUBLIC | SIGN_IN | console.PUBLIC | {CSP_REPORTS} | (DOCS if open_docs(settings) else frozenset[str]())


def rules(settings: AppSettings) -> dict[str, Rule]:
    """What the paths need whose routes cannot say it."""
    # The console asks for the permission of each of its parts by itself.
    closed = frozenset[str]() if open_docs(settings) else DOCS
    return dict.fromkeys([*closed, f"{console.PATH}/*"], Rule("", OWN))


def request_limits(server: ServerSettings) -> tuple[RequestLimits, dict[str, RequestLimits]]:
    """What a request may bring, and what differs by path: a signed body is read by nobody before its sender is proved.

    Args:
        server: Has the limits.
    """
    body = server.max_body
    json = JsonLimits(
        depth=server.max_json_depth, string_length=server.max_json_string, array_length=server.max_json_array
    )
    usual = RequestLimits(body=body, media_types=MEDIA_TYPES, json=json)
    signed = RequestLimits(body=body, media_types=MEDIA_TYPES, json=None)
    form = RequestLimits(body=body, media_types=frozenset({_FORM}), json=None)
    by_path = {path: form if path in FORMS else signed for path in SIGNED}
    return usual, by_path | dict.fromkeys(console.FORMS, form) | {CSP_REPORTS: CSP_REPORT_LIMITS}


def header_policies(app: FastAPI) -> dict[str, HeaderPolicy]:
    """The pages need what stands in them; every other answer is data."""
    title, openapi = app.title, app.openapi_url or ""
    swagger = get_swagger_ui_html(
        openapi_url=openapi,
        title=f"{title} - Swagger UI",
        oauth2_redirect_url=app.swagger_ui_oauth2_redirect_url,
        swagger_ui_parameters=app.swagger_ui_parameters,
    )
    redoc = get_redoc_html(openapi_url=openapi, title=f"{title} - ReDoc")
    return {
        "/docs": docs(bytes(swagger.body).decode(), report_to=CSP_REPORTS),
        "/redoc": docs(bytes(redoc.body).decode(), report_to=CSP_REPORTS),
        "/auth/password/set": docs(PAGE, assets=(), report_to=CSP_REPORTS),
        console.PATH: console.header_policy(report_to=CSP_REPORTS),
        f"{console.PATH}/": console.header_policy(report_to=CSP_REPORTS),
    }
