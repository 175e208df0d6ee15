"""What requests did, recorded with how they ended. Pure ASGI."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from orchestrator_kernel.exceptions import DatabaseError, Detail, OrchestratorError
from orchestrator_kernel.models import Outcome
from orchestrator_kernel.ports import Principal
from orchestrator_security._asgi import ASGIApp, Message, Receive, Scope, Send, send_problem
from orchestrator_security._audit.kinds import AuditKind, LawfulBasis
from orchestrator_security._audit.log import AuditLog

__all__ = ["AuditMiddleware", "AuditedRoute"]

_DENIED: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedRoute:
    """Requests that are recorded.

    Attributes:
        methods: HTTP methods; `WEBSOCKET` for sockets.
        path: A template, `/v1/calls/{call_id}`; a parameter stands for one part.
        kind: What such a request is.
        failure_kind: What it is when it fails or is denied; `kind` when absent.
        action: In words; the method in lower case when empty.
        resource: As `kind:{parameter}`; the path itself when empty.
    """

    methods: Collection[str]
    path: str
    kind: AuditKind
    failure_kind: AuditKind | None = None
    action: str = ""
    resource: str = ""
    lawful_basis: LawfulBasis | None = None


class AuditMiddleware:
    """Records every request of its routes, and every other one that is answered 401 or 403, before its answer leaves.

    If a record that must not be lost cannot be kept, the client gets 503 instead of the answer. Query strings, bodies and headers are never
    recorded. Put it inside the middleware that sets `scope["principal"]`, or outside: it is read when the answer begins.

    Args:
        recorded_by_app: Paths whose denials the application records itself, with the real reason.
        tenant_of: The tenant of a request, when the answer begins.
        details_of: What else there is to say of a request, when the answer begins: why it was denied.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        log: AuditLog,
        routes: Sequence[AuditedRoute] = (),
        recorded_by_app: Collection[str] = (),
        tenant_of: Callable[[Scope], str | None] = lambda _: None,
        details_of: Callable[[Scope], Mapping[str, Detail]] = lambda _: {},
    ) -> None:
        self._app = app
        self._log = log
        self._about = tenant_of, details_of
        self._passed = frozenset(recorded_by_app)
        self._routes = [(route, frozenset(route.methods), _pattern(route.path)) for route in routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"} or scope["path"] in self._passed:
            await self._app(scope, receive, send)
            return
        request = _Audited(self._log, scope, send, *self._about, *self._route_of(scope))
        try:
            await self._app(scope, receive, request.send)
        except BaseException as error:
            await request.failed(error)
            raise

    def _route_of(self, scope: Scope) -> tuple[AuditedRoute | None, Mapping[str, str]]:
        method = "WEBSOCKET" if scope["type"] == "websocket" else scope["method"]
        for route, methods, pattern in self._routes:
            if method in methods and (match := pattern.match(scope["path"])):
                return route, match.groupdict()
        return None, {}


class _Audited:
    """One request until its outcome is known."""

    def __init__(
        self,
        log: AuditLog,
        scope: Scope,
        send: Send,
        tenant_of: Callable[[Scope], str | None],
        details_of: Callable[[Scope], Mapping[str, Detail]],
        route: AuditedRoute | None,
        parameters: Mapping[str, str],
    ) -> None:
        self._log = log
        self._scope = scope
        self._send = send
        self._tenant_of = tenant_of
        self._details_of = details_of
        self._route = route
        self._parameters = parameters
        self._known = False
        self._refused = False

    async def send(self, message: Message) -> None:
        status = _status(message, self._scope)
        if status is not None and not self._known:
            self._known = True
            try:
                await self._record(status)
            except DatabaseError as error:
                self._refused = True
                if self._scope["type"] == "http":
                    await send_problem(self._scope, self._send, error)
                else:
                    await self._send({"type": "websocket.close", "code": 1011})
        if not self._refused:
            await self._send(message)

    async def failed(self, error: BaseException) -> None:
        """The application raised; if nothing was answered yet, that is how the request ended: an outer handler will answer so."""
        if not self._known:
            self._known = True
            status: object = (
                error.status if isinstance(error, OrchestratorError) else getattr(error, "status_code", 500)
            )
            await self._record(status if isinstance(status, int) else 500)

    async def _record(self, status: int) -> None:
        route, denied = self._route, status in _DENIED
        if route is None and not denied:
            return
        outcome = Outcome.DENIED if denied else Outcome.SUCCESS if status < 400 else Outcome.FAILURE
        kind = AuditKind.ACCESS_DENIED if route is None else route.kind
        if route is not None and route.failure_kind is not None and outcome is not Outcome.SUCCESS:
            kind = route.failure_kind
        method = cast("str", self._scope.get("method", "WEBSOCKET"))
        principal = cast("Principal | None", self._scope.get("principal"))
        client = cast("Sequence[str] | None", self._scope.get("client"))
        details: Mapping[str, Detail] = {**self._details_of(self._scope), "method": method, "status": status}
        await self._log.record(
            kind,
            action=(route.action if route else "") or method.lower(),
            outcome=outcome,
            actor="anonymous" if principal is None else principal.id,
            resource=_resource(route, self._parameters, self._scope["path"]),
            tenant=self._tenant_of(self._scope),
            lawful_basis=route.lawful_basis if route else None,
            client=client[0] if client else "",
            details=details,
        )


def _status(message: Message, scope: Scope) -> int | None:
    """The status that a message tells, if it is the one that tells it."""
    kind = message["type"]
    if kind in {"http.response.start", "websocket.http.response.start"}:
        return cast("int", message["status"])
    if kind == "websocket.accept":
        return 101
    # Closing before accepting is how an application refuses; servers answer it with 403.
    return 403 if kind == "websocket.close" and scope["type"] == "websocket" else None


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{([a-z_]+)\}", template)
    return re.compile(
        "".join(f"(?P<{each}>[^/]+)" if index % 2 else re.escape(each) for index, each in enumerate(parts)) + r"\Z"
    )


def _resource(route: AuditedRoute | None, parameters: Mapping[str, str], path: str) -> str:
    if route is None or not route.resource:
        return f"path:{path[:256]}"
    return route.resource.format_map(parameters)[:256]
