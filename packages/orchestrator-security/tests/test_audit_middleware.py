"""Requests recorded with how they ended."""

from __future__ import annotations

from typing import Any

import pytest
from security_asgi import ask, scope_of

from orchestrator_kernel.exceptions import AuthenticationError, AuthorizationError, DatabaseError
from orchestrator_kernel.models import AuditEvent, Outcome
from orchestrator_kernel.virtual_time import LoopClock
from orchestrator_security.audit_logging import AuditedRoute, AuditKind, AuditLog, AuditMiddleware, LawfulBasis

ROUTES = [
    AuditedRoute(methods={"GET"}, path="/v1/calls/{call_id}", kind=AuditKind.DATA_READ, resource="call:{call_id}", lawful_basis=LawfulBasis.CONTRACT),
    AuditedRoute(methods={"POST"}, path="/auth/login", kind=AuditKind.LOGIN_SUCCESS, failure_kind=AuditKind.LOGIN_FAILURE, action="sign in"),
    AuditedRoute(methods={"WEBSOCKET"}, path="/v1/calls/{call_id}/media", kind=AuditKind.CALL_START),
]  # fmt: skip


class Zoe:
    id = "zoe"

    def may(self, permission: str) -> bool:
        return True

    def may_access(self, tenant: str) -> bool:
        return True


class Sink:
    def __init__(self) -> None:
        self.events: list[AuditEvent] = []
        self.order: list[str] = []
        self.failing = False

    async def record(self, event: AuditEvent) -> None:
        if self.failing:
            raise DatabaseError("down")
        self.order.append("kept")
        self.events.append(event)


def app_with(sink: Sink, status: int = 200, *, error: Exception | None = None) -> AuditMiddleware:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["principal"] = Zoe()
        if error is not None:
            raise error
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"} if status < 400 else {"type": "websocket.close", "code": 1008})
            return
        await send({"type": "http.response.start", "status": status, "headers": []})
        sink.order.append("answered")
        await send({"type": "http.response.body", "body": b"secret answer"})

    return AuditMiddleware(app, log=AuditLog(sink, clock=LoopClock()), routes=ROUTES, tenant_of=lambda scope: "hotel-7")


@pytest.mark.parametrize(
    ("method", "path", "status", "kind", "outcome"),
    [
        ("GET", "/v1/calls/7", 200, AuditKind.DATA_READ, Outcome.SUCCESS),
        ("GET", "/v1/calls/7", 404, AuditKind.DATA_READ, Outcome.FAILURE),
        ("GET", "/v1/calls/7", 403, AuditKind.DATA_READ, Outcome.DENIED),
        ("POST", "/auth/login", 200, AuditKind.LOGIN_SUCCESS, Outcome.SUCCESS),
        ("POST", "/auth/login", 401, AuditKind.LOGIN_FAILURE, Outcome.DENIED),
        ("DELETE", "/anything", 401, AuditKind.ACCESS_DENIED, Outcome.DENIED),
    ],
)
async def test_each_request_with_its_outcome(
    method: str, path: str, status: int, kind: AuditKind, outcome: Outcome
) -> None:
    sink = Sink()
    reply = await ask(app_with(sink, status), scope_of(path, method=method, query="token=secret&name=Zoe"))
    assert reply.status == status
    [event] = sink.events
    assert (event.type, event.outcome, event.actor, event.tenant) == (kind.value, outcome, "zoe", "hotel-7")
    assert (event.details["method"], event.details["status"]) == (method, status)
    assert "secret" not in repr(event)
    assert sink.order == ["kept", "answered"]


async def test_the_resource_is_named_by_the_route() -> None:
    sink = Sink()
    await ask(app_with(sink), scope_of("/v1/calls/7", method="GET"))
    assert (sink.events[0].resource, sink.events[0].details["lawful_basis"]) == ("call:7", "contract")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/other"), ("PUT", "/v1/calls/7"), ("GET", "/v1/calls/7/turns"), ("GET", "/healthz")]
)
async def test_other_requests_are_not_recorded(method: str, path: str) -> None:
    sink = Sink()
    await ask(app_with(sink), scope_of(path, method=method))
    assert sink.events == []


async def test_an_answer_whose_record_cannot_be_kept_does_not_leave() -> None:
    sink = Sink()
    sink.failing = True
    reply = await ask(app_with(sink), scope_of("/auth/login"))
    assert (reply.status, reply.problem["code"]) == (503, "database_failed")
    assert b"secret" not in reply.body


@pytest.mark.parametrize(
    ("path", "error", "outcome", "status"),
    [
        ("/v1/calls/7", LookupError("x"), Outcome.FAILURE, 500),
        ("/v1/calls/7", AuthorizationError("no"), Outcome.DENIED, 403),
        ("/other", AuthenticationError("who?"), Outcome.DENIED, 401),
    ],
)
async def test_an_application_that_raises_is_recorded_as_its_outer_handler_will_answer(
    path: str, error: Exception, outcome: Outcome, status: int
) -> None:
    sink = Sink()
    with pytest.raises(type(error)):
        await ask(app_with(sink, error=error), scope_of(path, method="GET"))
    assert (sink.events[0].outcome, sink.events[0].details["status"]) == (outcome, status)


async def test_an_error_whose_record_cannot_be_kept_becomes_that_of_the_sink() -> None:
    sink = Sink()
    sink.failing = True
    with pytest.raises(DatabaseError) as error:
        await ask(app_with(sink, error=AuthenticationError("who?")), scope_of("/other", method="GET"))
    assert isinstance(error.value.__context__, AuthenticationError)


@pytest.mark.parametrize(("status", "outcome"), [(200, Outcome.SUCCESS), (403, Outcome.DENIED)])
async def test_sockets(status: int, outcome: Outcome) -> None:
    sink = Sink()
    await ask(app_with(sink, status), scope_of("/v1/calls/7/media", kind="websocket"))
    assert (sink.events[0].outcome, sink.events[0].action) == (outcome, "websocket")


async def test_a_socket_whose_record_cannot_be_kept_is_closed() -> None:
    sink = Sink()
    sink.failing = True
    reply = await ask(app_with(sink, 403), scope_of("/other", kind="websocket"))
    assert reply.closed == 1011
