"""Every error as a problem document, around a bare ASGI application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel import exceptions
from orchestrator_kernel.exceptions import (
    AuthenticationError,
    CircuitBreakerOpenError,
    ConfigurationError,
    ExternalServiceError,
    OrchestratorError,
    RateLimitError,
    ValidationError,
)
from orchestrator_utils._problems import describe
from orchestrator_utils.correlation import CorrelationMiddleware
from orchestrator_utils.error_handler import ErrorMiddleware, ProblemConfig, problem_responses, problem_type

KINDS = [getattr(exceptions, name) for name in exceptions.__all__ if name.endswith("Error")]


def failing(error, *, first=()):
    async def app(scope, receive, send):
        for message in first:
            await send(message)
        raise error

    return app


def guarded(error, *, first=(), config=None):
    return CorrelationMiddleware(ErrorMiddleware(failing(error, first=first), config=config))


class TestProblemDocument:
    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
    async def test_every_kind_of_the_house(self, http, kind):
        exchange = await http(guarded(kind("what was wrong")), "/v1/calls/7?secret=1")
        assert exchange.raised is None
        assert exchange.status == kind.default_status == exchange.json["status"]
        assert exchange.json["code"] == kind.default_code
        assert exchange.json["type"] == problem_type(kind.default_code)
        assert exchange.json["title"]
        assert exchange.json["instance"] == "/v1/calls/7"
        assert exchange.json["correlation_id"] == exchange.headers["x-correlation-id"]
        assert exchange.headers["content-type"] == "application/problem+json"
        assert exchange.headers["cache-control"] == "no-store"
        assert int(exchange.headers["content-length"]) == len(exchange.body)
        assert ("what was wrong" in exchange.json["detail"]) == (exchange.status != 500)

    async def test_details_are_told_and_never_replace_a_member(self, http):
        error = ValidationError(
            "no", details={"field": "caller", "status": 999, "type": "x", "rates": [1.5, float("nan")]}
        )
        document = (await http(guarded(error))).json
        assert (document["field"], document["status"], document["type"]) == (
            "caller",
            422,
            "/problems/validation-failed",
        )
        assert document["rates"] == [1.5, "nan"]

    @pytest.mark.parametrize(
        ("after", "header"),
        [(0, "0"), (0.2, "1"), (30, "30"), (29.01, "30"), (-5, "0"), (None, None), (float("inf"), None)],
    )
    async def test_retry_after_is_whole_seconds_rounded_up(self, http, after, header):
        exchange = await http(guarded(RateLimitError("later", retry_after=after)))
        assert exchange.headers.get("retry-after") == header
        assert exchange.json.get("retry_after") == (None if header is None else int(header))
        assert exchange.json["retryable"] is True

    async def test_a_401_names_its_challenge(self, http):
        assert (await http(guarded(AuthenticationError("who?")))).headers["www-authenticate"] == "Bearer"
        config = ProblemConfig(challenge='Bearer realm="calls"')
        exchange = await http(guarded(AuthenticationError("who?"), config=config))
        assert exchange.headers["www-authenticate"] == 'Bearer realm="calls"'

    async def test_statuses_can_be_mapped_by_code(self, http):
        error = ExternalServiceError("gone", code="voice_missing")
        exchange = await http(guarded(error, config=ProblemConfig(statuses={"voice_missing": 503})))
        assert (exchange.status, exchange.json["type"]) == (503, "/problems/voice-missing")

    @pytest.mark.parametrize("status", [0, 99, 100, 600, -1])
    async def test_a_status_that_is_none_becomes_500(self, http, status):
        assert (await http(guarded(ValidationError("no", status=status)))).status == 500

    async def test_a_single_error_of_a_task_group_is_that_error(self, http):
        async def app(scope, receive, send):
            async with asyncio.TaskGroup() as group:
                group.create_task(failing(RateLimitError("later"))(scope, receive, send))

        assert (await http(ErrorMiddleware(app))).status == 429

    async def test_several_errors_of_a_task_group_are_ours(self, http):
        assert (await http(guarded(ExceptionGroup("g", [RateLimitError("a"), RateLimitError("b")])))).status == 500

    async def test_the_path_is_a_uri_reference_whatever_it_was(self, http):
        document = (await http(guarded(ValidationError("no")), "/a b/\u00e4\ud800<script>")).json
        assert document["instance"] == "/a%20b/%C3%A4%3F%3Cscript%3E"
        assert "instance" not in (await http(guarded(ValidationError("no")), "/" + "x" * 2000)).json

    async def test_without_correlation_the_answer_and_the_log_share_an_id_all_the_same(self, http, log):
        exchange = await http(ErrorMiddleware(failing(ValueError("x"))))
        assert exchange.json["correlation_id"] == log.last["correlation_id"]

    @given(st.text())
    def test_every_code_has_a_type(self, code):
        reference = problem_type(code)
        assert reference.startswith("/problems/")
        assert reference.removeprefix("/problems/").replace("-", "a").isalnum()
        assert reference.isascii()


class TestNothingLeaks:
    @pytest.mark.parametrize(
        "error",
        [
            KeyError("tenant-secret"),
            ValueError("tenant-secret"),
            PermissionError("tenant-secret"),
            TimeoutError("tenant-secret"),
            ConnectionError("tenant-secret"),
            AssertionError("tenant-secret"),
            OrchestratorError("tenant-secret", details={"path": "tenant-secret"}),
            ConfigurationError("tenant-secret"),
            ExceptionGroup("tenant-secret", [ValueError("tenant-secret"), KeyError("tenant-secret")]),
        ],
        ids=lambda error: type(error).__name__,
    )
    async def test_a_mistake_of_ours_is_a_500_without_a_word_about_it(self, http, log, error):
        exchange = await http(guarded(error))
        assert exchange.status == 500
        assert b"tenant-secret" not in exchange.body
        assert type(error).__name__.encode() not in exchange.body
        assert "tenant-secret" in log.text

    async def test_the_cause_is_for_the_log_only(self, http, log):
        error = ExternalServiceError("the voice service failed")
        error.__cause__ = OSError("password=hunter2")
        exchange = await http(guarded(error))
        assert exchange.json["detail"] == "the voice service failed"
        assert b"hunter2" not in exchange.body
        assert log.last["exception"][1]["message"] == "password=hunter2"


class TestLog:
    async def test_a_mistake_of_ours_is_logged_in_full_under_the_clients_id(self, http, log):
        local_variable = "never-in-a-log"  # noqa: F841
        exchange = await http(guarded(KeyError("bug")), "/x", "POST")
        event = log.last
        assert (event["level"], event["event"], event["method"], event["path"]) == (
            "error",
            "request failed",
            "POST",
            "/x",
        )
        assert event["correlation_id"] == exchange.json["correlation_id"]
        assert event["exception"][0]["type"] == "KeyError"
        assert "failing" in event["exception"][0]["frames"][-1]
        assert "never-in-a-log" not in log.text
        assert len(log.events) == 1

    @pytest.mark.parametrize(
        ("error", "level", "event"),
        [
            (ValidationError("no"), "info", "request refused"),
            (CircuitBreakerOpenError("no"), "warning", "request failed"),
            (ConfigurationError("no"), "error", "request failed"),
        ],
    )
    async def test_its_level_follows_whose_fault_it_was(self, http, log, error, level, event):
        await http(guarded(error))
        assert (log.last["level"], log.last["event"], log.last["reason"]) == (level, event, "no")
        assert ("exception" in log.last) == (level == "error")


class TestAnswerBegun:
    START = (
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.body", "body": b"a", "more_body": True},
    )

    @pytest.mark.parametrize("kind", [ValueError, RateLimitError])
    async def test_the_error_is_logged_and_the_server_gets_to_cut_the_connection(self, http, log, kind):
        error = kind("too late")
        exchange = await http(guarded(error, first=self.START))
        assert exchange.raised is error
        assert [message["type"] for message in exchange.sent] == ["http.response.start", "http.response.body"]
        assert [(event["level"], event["event"]) for event in log.events] == [
            ("error", "request failed after its answer began")
        ]
        assert log.last["exception"][0]["message"] == "too late"

    async def test_after_its_end_the_connection_can_serve_the_next_request(self, http, log):
        end = {"type": "http.response.body", "body": b"b", "more_body": False}
        exchange = await http(guarded(ValueError("behind it"), first=(*self.START, end)))
        assert exchange.raised is None
        assert exchange.body == b"ab"
        assert [event["level"] for event in log.events] == ["error"]

    async def test_cancellation_is_no_error(self, http, log):
        with pytest.raises(asyncio.CancelledError):
            await http(guarded(asyncio.CancelledError()))
        assert log.events == []


class TestWebSocket:
    ACCEPT = ({"type": "websocket.accept"},)

    @pytest.mark.parametrize(
        ("error", "code", "reason"),
        [
            (KeyError("secret"), 1011, "internal_error"),
            (ExternalServiceError("secret"), 1011, "external_service_failed"),
            (RateLimitError("secret"), 1013, "rate_limited"),
            (CircuitBreakerOpenError("secret"), 1013, "circuit_open"),
            (AuthenticationError("secret"), 1008, "authentication_failed"),
            (ValidationError("secret", code="x" * 200), 1008, "x" * 123),
        ],
    )
    async def test_the_close_frame_says_which_kind(self, websocket, log, error, code, reason):
        exchange = await websocket(guarded(error, first=self.ACCEPT))
        assert exchange.raised is None
        assert exchange.close == (code, reason)
        assert log.last["code"] == (reason if len(reason) < 123 else "x" * 200)

    async def test_before_the_handshake_the_client_gets_the_document(self, websocket):
        exchange = await websocket(guarded(AuthenticationError("who?")), denial=True)
        assert (exchange.status, exchange.json["code"]) == (401, "authentication_failed")
        assert exchange.headers["www-authenticate"] == "Bearer"
        assert exchange.headers["x-correlation-id"] == exchange.json["correlation_id"]

    async def test_and_a_refusal_where_the_server_cannot_send_it(self, websocket):
        exchange = await websocket(guarded(AuthenticationError("who?")))
        assert exchange.sent == [{"type": "websocket.close", "code": 1008, "reason": "authentication_failed"}]

    @pytest.mark.parametrize("last", [{"type": "websocket.close", "code": 1000}])
    async def test_nothing_is_sent_after_a_close(self, websocket, log, last):
        exchange = await websocket(guarded(ValueError("x"), first=(*self.ACCEPT, last)))
        assert exchange.sent[-1] == last
        assert log.last["event"] == "request failed"

    async def test_nothing_is_sent_to_a_client_that_left(self, websocket, log):
        async def app(scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            assert (await receive())["type"] == "websocket.disconnect"
            raise ValueError

        exchange = await websocket(ErrorMiddleware(app), messages=[{"type": "websocket.disconnect", "code": 1006}])
        assert [message["type"] for message in exchange.sent] == ["websocket.accept"]
        assert log.last["event"] == "request failed"


async def test_the_lifespan_passes_untouched():
    with pytest.raises(ValueError, match="at start"):
        await ErrorMiddleware(failing(ValueError("at start")))({"type": "lifespan"}, None, None)


class TestProblemResponses:
    def test_kinds_of_one_status_share_an_entry(self):
        responses = problem_responses(
            RateLimitError, AuthenticationError, 404, CircuitBreakerOpenError, exceptions.DatabaseError, 404
        )
        assert list(responses) == [401, 404, 429, 503]
        content = responses[503]["content"]["application/problem+json"]
        assert list(content["examples"]) == ["circuit_open", "database_failed"]
        assert content["examples"]["circuit_open"]["value"]["type"] == "/problems/circuit-open"
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert "Retry-After" in responses[503]["headers"]
        assert json.dumps(responses)

    @pytest.mark.parametrize(
        ("status", "code"), [(404, "not_found"), (401, "authentication_failed"), (599, "http_599")]
    )
    def test_bare_statuses_have_codes(self, status, code):
        (content,) = problem_responses(status)[status]["content"].values()
        assert list(content["examples"]) == [code]


def test_what_is_personal_stays_out_of_the_document() -> None:
    class Shouting:
        def redact_text(self, text: str, *, call: str | None = None) -> str:
            return text.replace("zoe", "[NAME]")

        def redact(self, value: Any, *, call: str | None = None) -> Any:
            return {name: self.redact_text(str(each)) for name, each in value.items()}

        def know(self, call: str, values: Iterable[str]) -> None: ...

        def forget(self, call: str) -> None: ...

    error = ValidationError("there is no zoe", details={"field": "zoe's"})
    answer = describe(error, ProblemConfig(redactor=Shouting()), path="/v1/zoe", correlation_id="c-1")

    assert b"zoe" not in answer.body()
    assert (answer.problem.detail, answer.problem.instance) == ("there is no [NAME]", "/v1/%5BNAME%5D")


class Knowing:
    """A redactor that knows one name, in one call."""

    def redact_text(self, text: str, *, call: str | None = None) -> str:
        return text.replace("zoe", "[NAME]") if call == "call-1" else text

    def redact(self, value: Any, *, call: str | None = None) -> Any:
        return {name: self.redact_text(str(each), call=call) for name, each in value.items()}

    def know(self, call: str, values: Iterable[str]) -> None: ...

    def forget(self, call: str) -> None: ...


@pytest.mark.parametrize(("call", "told"), [("call-1", False), ("call-2", True)])
async def test_what_is_known_of_a_call_stays_out_of_what_is_said_about_it(http, call: str, told: bool) -> None:
    config = ProblemConfig(redactor=Knowing())
    by_error = await http(
        guarded(ValidationError("no zoe", details={"call_id": call, "who": "zoe"}), config=config), "/"
    )
    assert ("zoe" in by_error.body.decode()) is told

    async def routed(scope, receive, send):
        scope["path_params"] = {"call_id": call}
        raise ValidationError("no zoe", details={"who": "zoe"})

    by_path = await http(ErrorMiddleware(routed, config=config), f"/v1/calls/{call}/zoe")
    assert ("zoe" in by_path.body.decode()) is told
