"""`install` on FastAPI and Starlette: no route, however it fails, answers in another form."""

from __future__ import annotations

import json
from typing import Annotated

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Query, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.exceptions import WebSocketException
from starlette.routing import Route
from starlette.websockets import WebSocketDisconnect

from orchestrator_kernel.exceptions import AuthenticationError, ExternalServiceError, RateLimitError, ValidationError
from orchestrator_utils.correlation import CorrelationMiddleware
from orchestrator_utils.error_handler import ErrorMiddleware, ProblemConfig, install, problem_responses


class Caller(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    turns: list[int]


class Teapot(Exception):
    pass


def dependency_with_cleanup():
    yield
    raise KeyError("cleanup-secret")


def add_socket(app):
    @app.websocket("/socket/{kind}")
    async def socket(socket: WebSocket, kind: str, limit: int = 0):
        if kind != "early":
            await socket.accept()
        if kind == "left":
            await socket.receive_text()
        raise {
            "early": RateLimitError("later"),
            "key": KeyError("socket-secret"),
            "http": HTTPException(404, "socket-secret"),
            "closed": WebSocketException(4001, "see you"),
        }[kind]


def build(**options):
    app = FastAPI(**options)

    @app.post("/callers/{number}", responses=problem_responses(AuthenticationError, RateLimitError, 404))
    async def callers(number: int, caller: Caller, limit: Annotated[int, Query(le=10)] = 1):
        return {"number": number}

    @app.get("/fail/{kind}")
    async def fail(kind: str):
        raise {
            "key": KeyError("key-secret"),
            "value": ValueError("value-secret"),
            "rate": RateLimitError("too many calls", retry_after=2.5),
            "auth": AuthenticationError("no token"),
            "http401": HTTPException(401, "token?", {"WWW-Authenticate": "Basic"}),
            "http409": HTTPException(409, {"field": "turn", "nested": {"a": 1}}),
            "http418": HTTPException(418),
            "http500": HTTPException(500, "value-secret"),
            "http503": HTTPException(503, "value-secret", {"Retry-After": "9"}),
            "http304": HTTPException(304, headers={"ETag": '"x"'}),
        }[kind]

    @app.get("/sync")
    def sync():
        raise ExternalServiceError("the voice service failed") from OSError("value-secret")

    @app.get("/response-model", response_model=Caller)
    async def response_model():
        return {"name": "value-secret", "turns": "value-secret"}

    @app.get("/cleanup")
    async def cleanup(_: Annotated[None, Depends(dependency_with_cleanup)]):
        return "ok"

    @app.get("/stream")
    async def stream(kind: str):
        async def chunks():
            yield b"first"
            raise {"key": KeyError("stream-secret"), "rate": RateLimitError("late")}[kind]

        return StreamingResponse(chunks())

    @app.get("/background")
    async def background(tasks: BackgroundTasks):
        tasks.add_task(lambda: {}["background-secret"])
        return "ok"

    add_socket(app)
    return app


@pytest.fixture
def app():
    built = build()
    install(built)
    built.add_middleware(CorrelationMiddleware)
    return built


class TestRoutes:
    async def test_invalid_input_names_place_and_kind_and_not_the_input(self, app, http, log):
        body = json.dumps({"name": ["zoe-secret"], "turns": [1, "zoe-secret"], "extra": "zoe-secret"}).encode()
        headers = {"content-type": "application/json"}
        exchange = await http(app, "/callers/zoe-secret?limit=99", "POST", headers, body)
        assert (exchange.status, exchange.json["code"]) == (422, "validation_failed")
        assert exchange.json["errors"] == [
            {"location": ["path", "number"], "kind": "int_parsing"},
            {"location": ["query", "limit"], "kind": "less_than_equal"},
            {"location": ["body", "name"], "kind": "string_type"},
            {"location": ["body", "turns", 1], "kind": "int_parsing"},
            {"location": ["body", "extra"], "kind": "extra_forbidden"},
        ]
        shown = {**exchange.json, "instance": ""}
        assert "zoe-secret" not in json.dumps(shown)
        assert log.last["reason"] == exchange.json["errors"]
        assert "zoe-secret" not in json.dumps({**log.last, "path": ""})

    async def test_a_body_that_is_no_json_is_a_400(self, app, http):
        exchange = await http(app, "/callers/1", "POST", {"content-type": "application/json"}, b'{"zoe-secret')
        assert (exchange.status, exchange.json["code"]) == (400, "invalid_json")
        assert b"zoe-secret" not in exchange.body

    async def test_many_errors_and_long_names_are_bounded(self, app, http):
        body = json.dumps({"name": "n", "turns": ["x"] * 500, "k" * 5000: 1}).encode()
        exchange = await http(app, "/callers/1", "POST", {"content-type": "application/json"}, body)
        assert len(exchange.json["errors"]) == 20
        assert len(exchange.body) < 3000

    @pytest.mark.parametrize(
        ("path", "method", "status", "code"),
        [
            ("/nowhere", "GET", 404, "not_found"),
            ("/sync", "DELETE", 405, "method_not_allowed"),
            ("/fail/key", "GET", 500, "internal_error"),
            ("/fail/value", "GET", 500, "internal_error"),
            ("/fail/rate", "GET", 429, "rate_limited"),
            ("/fail/auth", "GET", 401, "authentication_failed"),
            ("/fail/http401", "GET", 401, "authentication_failed"),
            ("/fail/http409", "GET", 409, "conflict"),
            ("/fail/http418", "GET", 418, "im_a_teapot"),
            ("/fail/http500", "GET", 500, "internal_error"),
            ("/fail/http503", "GET", 503, "service_unavailable"),
            ("/sync", "GET", 502, "external_service_failed"),
            ("/response-model", "GET", 500, "internal_error"),
        ],
    )
    async def test_every_error_is_a_problem_document(self, app, http, log, path, method, status, code):
        exchange = await http(app, path, method)
        assert exchange.raised is None
        assert (exchange.status, exchange.json["status"], exchange.json["code"]) == (status, status, code)
        assert exchange.headers["content-type"] == "application/problem+json"
        assert exchange.json["correlation_id"] == exchange.headers["x-correlation-id"] == log.last["correlation_id"]
        assert b"secret" not in exchange.body
        assert len(log.events) == 1

    async def test_headers_of_the_error_are_kept(self, app, http):
        assert (await http(app, "/fail/rate")).headers["retry-after"] == "3"
        assert (await http(app, "/fail/auth")).headers["www-authenticate"] == "Bearer"
        assert (await http(app, "/fail/http401")).headers["www-authenticate"] == "Basic"
        assert (await http(app, "/fail/http503")).headers["retry-after"] == "9"
        assert (await http(app, "/sync", "DELETE")).headers["allow"] == "GET"

    async def test_a_structured_detail_gives_its_scalars(self, app, http):
        document = (await http(app, "/fail/http409")).json
        assert document["field"] == "turn"
        assert "nested" not in document

    async def test_what_is_no_error_stays_none(self, app, http):
        exchange = await http(app, "/fail/http304")
        assert (exchange.status, exchange.body, exchange.headers["etag"]) == (304, b"", '"x"')

    async def test_the_log_has_the_cause(self, app, http, log):
        await http(app, "/sync")
        assert [one["message"] for one in log.last["exception"]] == ["the voice service failed", "value-secret"]

    async def test_a_response_that_breaks_its_model_does_not_put_its_values_into_the_log(self, app, http, log):
        await http(app, "/response-model")
        assert log.last["exception"][0]["type"] == "fastapi.exceptions.ResponseValidationError"
        assert "value-secret" not in log.text

    async def test_debug_mode_shows_no_stack_either(self, http):
        app = build(debug=True)
        install(app)
        exchange = await http(app, "/fail/key", headers={"accept": "text/html"})
        assert exchange.status == 500
        assert b"secret" not in exchange.body
        assert b"Traceback" not in exchange.body


class TestAfterTheAnswerBegan:
    @pytest.mark.parametrize("kind", ["key", "rate"])
    async def test_a_stream_that_fails_is_logged_once_and_cut(self, app, http, log, kind):
        exchange = await http(app, f"/stream?kind={kind}")
        assert exchange.raised is not None
        assert exchange.sent[-1]["more_body"] is True
        assert [(event["level"], event["event"]) for event in log.events] == [
            ("error", "request failed after its answer began")
        ]
        assert log.last["correlation_id"] == exchange.headers["x-correlation-id"]

    @pytest.mark.parametrize("path", ["/background", "/cleanup"])
    async def test_what_fails_behind_the_route_is_logged(self, app, http, log, path):
        exchange = await http(app, path)
        assert exchange.raised is None
        assert b"secret" not in exchange.body
        assert [event["level"] for event in log.events] == ["error"]


class TestMiddleware:
    async def test_errors_of_middleware_inside_are_answered(self, http):
        class Gate:
            def __init__(self, app):
                self.app = app

            async def __call__(self, scope, receive, send):
                raise AuthenticationError("no token") if scope["path"] == "/who" else KeyError("gate-secret")

        app = build()
        app.add_middleware(Gate)
        install(app)
        app.add_middleware(CorrelationMiddleware)
        assert (await http(app, "/who")).status == 401
        assert (await http(app, "/x")).status == 500

    async def test_errors_of_middleware_added_later_are_answered_and_correlated_too(self, http, log):
        class Outer:
            def __init__(self, app):
                self.app = app

            async def __call__(self, scope, receive, send):
                raise KeyError("outer-secret")

        app = build()
        install(app)
        app.add_middleware(Outer)
        app.add_middleware(CorrelationMiddleware)
        exchange = await http(app, "/x", headers={"X-Correlation-ID": "mine"})
        assert (exchange.status, exchange.json["correlation_id"]) == (500, "mine")
        assert b"secret" not in exchange.body
        assert log.last["correlation_id"] == "mine"

    async def test_the_applications_own_handlers_keep_their_say(self, http):
        app = build()

        @app.exception_handler(Teapot)
        async def teapot(request, error):
            return PlainTextResponse("short and stout", 418)

        @app.get("/tea")
        async def tea():
            raise Teapot

        install(app)
        assert (await http(app, "/tea")).body == b"short and stout"

    async def test_starlette_alone(self, http):
        async def fail(request):
            raise ValidationError("no") if "v" in request.query_params else KeyError("secret")

        app = Starlette(routes=[Route("/", fail)])
        install(app, config=ProblemConfig(statuses={"validation_failed": 400}))
        assert (await http(app, "/?v=1")).status == 400
        assert (await http(app, "/")).status == 500
        assert (await http(app, "/nowhere")).json["code"] == "not_found"


class TestWebSocket:
    @pytest.mark.parametrize(
        ("path", "close"),
        [
            ("/socket/key", (1011, "internal_error")),
            ("/socket/http", (1008, "not_found")),
            ("/socket/closed", (4001, "see you")),
            ("/socket/early", (1013, "rate_limited")),
            ("/socket/key?limit=zoe-secret", (1008, "validation_failed")),
        ],
    )
    async def test_errors_close_with_code_and_reason(self, app, websocket, path, close):
        exchange = await websocket(app, path)
        assert exchange.raised is None
        assert exchange.close == close

    @pytest.mark.parametrize(("path", "status"), [("/socket/early", 429), ("/socket/key?limit=zoe-secret", 422)])
    async def test_before_the_handshake_the_answer_is_a_problem_document(self, app, websocket, path, status):
        exchange = await websocket(app, path, denial=True)
        assert (exchange.status, exchange.json["status"]) == (status, status)
        assert b"zoe-secret" not in exchange.body

    async def test_a_client_that_leaves_is_no_error(self, app, websocket, log):
        exchange = await websocket(app, "/socket/left", messages=[{"type": "websocket.disconnect", "code": 1001}])
        assert exchange.raised is None
        assert [event["level"] for event in log.events] == ["debug"]

    async def test_a_wrapped_application_without_install_is_closed_too(self, websocket):
        async def bare(scope, receive, send):
            raise WebSocketDisconnect(1001) if scope["path"] == "/left" else WebSocketException(4000, "x" * 300)

        assert (await websocket(ErrorMiddleware(bare), "/")).close == (4000, "x" * 123)
        assert (await websocket(ErrorMiddleware(bare), "/left")).sent == []


class TestReadingTheBody:
    """FastAPI answers 400 to whatever goes wrong while a body is read."""

    async def post(self, app, error):
        exchange = []

        async def receive():
            if isinstance(error, bytes):
                return {"type": "http.request", "body": error, "more_body": False}
            raise error

        async def send(message):
            exchange.append(message)

        scope = {"type": "http", "method": "POST", "path": "/callers/1", "query_string": b"", "root_path": ""}
        scope |= {"headers": [(b"content-type", b"application/json")], "client": None, "server": None}
        await app({**scope, "http_version": "1.1"}, receive, send)
        return exchange[0]["status"]

    async def test_a_limit_below_keeps_its_own_status(self, app):
        assert await self.post(app, ValidationError("too large", code="content_too_large", status=413)) == 413

    async def test_a_mistake_of_ours_is_not_the_clients(self, app):
        assert await self.post(app, KeyError("receive-secret")) == 500

    async def test_what_cannot_be_decoded_is_the_clients(self, app):
        assert await self.post(app, b"\xff\xfe\xfd") == 400
        assert await self.post(app, b"[" * 100_000) == 400


async def test_a_client_that_leaves_while_it_sends_is_no_error(app, log):
    sent = []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/callers/1", "query_string": b"", "root_path": ""}
    scope |= {
        "headers": [(b"content-type", b"application/json")],
        "client": None,
        "server": None,
        "http_version": "1.1",
    }
    await app(scope, receive, send)
    assert [event["level"] for event in log.events if event["logger"].startswith("orchestrator")] == ["debug"]


class TestOpenApi:
    @pytest.fixture
    def document(self, app):
        return app.openapi()

    def test_every_error_answer_is_a_problem(self, document):
        for path in document["paths"].values():
            for operation in path.values():
                errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
                assert "500" in errors
                for answer in errors.values():
                    (media, content), *rest = answer["content"].items()
                    assert (media, rest) == ("application/problem+json", [])
                    assert content["schema"] == {"$ref": "#/components/schemas/Problem"}

    def test_every_status_is_there(self, document):
        assert set(document["paths"]["/callers/{number}"]["post"]["responses"]) == {
            *("200", "400", "401", "404", "422", "429", "500")
        }
        assert set(document["paths"]["/sync"]["get"]["responses"]) == {"200", "500"}

    def test_only_schemas_in_use_are_there(self, document):
        assert set(document["components"]["schemas"]) == {"Caller", "Problem"}

    def test_asking_again_gives_the_same(self, app):
        first = json.dumps(app.openapi())
        assert json.dumps(app.openapi()) == first

    async def test_a_real_answer_fits_the_schema(self, app, http, document):
        schema = document["components"]["schemas"]["Problem"]
        answer = (await http(app, "/callers/x", "POST", {"content-type": "application/json"}, b"{}")).json
        assert set(schema["required"]) <= set(answer) <= set(schema["properties"])


@given(st.text(max_size=200), st.binary(max_size=200))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_no_body_gets_another_form_of_answer(app, http, query, body):
    path = "/callers/1?limit=" + query.replace("?", "").encode("utf-8", "replace").hex()
    exchange = await http(app, path, "POST", {"content-type": "application/json"}, body)
    assert exchange.status in {200, 400, 422}
    assert exchange.status == 200 or exchange.headers["content-type"] == "application/problem+json"


def test_the_name_of_an_unknown_field_is_redacted_too() -> None:
    from fastapi.exceptions import RequestValidationError

    from orchestrator_utils._problems import describe

    class Shouting:
        def redact_text(self, text, *, call=None):
            return text.replace("zoe", "[NAME]")

        def redact(self, value, *, call=None):
            if isinstance(value, str):
                return self.redact_text(value)
            if isinstance(value, dict):
                return {name: self.redact(each) for name, each in value.items()}
            return [self.redact(each) for each in value] if isinstance(value, list) else value

        def know(self, call, values): ...

        def forget(self, call): ...

    error = RequestValidationError([{"loc": ("body", "zoe@example.org"), "type": "extra_forbidden"}])
    answer = describe(error, ProblemConfig(redactor=Shouting()), path="/", correlation_id="c-1")

    assert b"zoe" not in answer.body()
    assert b"[NAME]@example.org" in answer.body()
