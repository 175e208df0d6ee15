"""Limits kept while a request is read."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from security_asgi import ask, echo, json_headers, scope_of

from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_security.input_validation import BodyTooLarge, InputLimits, JsonLimits, RequestLimits

LIMITS = RequestLimits(body=1000, media_types=frozenset({"application/json", "audio/wav"}))
APP = InputLimits(echo, limits=LIMITS)
BODY = json.dumps({"event": "call_started", "nested": [1, {"a": "é"}]}).encode()


async def test_the_application_gets_the_body_to_the_byte() -> None:
    reply = await ask(APP, scope_of(headers=json_headers(BODY)), [BODY[:7], BODY[7:]])
    assert (reply.status, reply.body) == (200, BODY)


@given(st.binary(min_size=1, max_size=999), st.lists(st.integers(0, 999), max_size=6))
async def test_other_bodies_stream_through_unchanged(body: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    chunks = [body[start:end] for start, end in itertools.pairwise(edges)]
    reply = await ask(APP, scope_of(headers=[("content-type", "audio/wav"), ("transfer-encoding", "chunked")]), chunks)
    assert (reply.status, reply.body) == (200, body)


@pytest.mark.parametrize("kind", ["application/json", "audio/wav"])
async def test_a_body_without_length_is_refused_one_chunk_after_the_limit(kind: str) -> None:
    scope = scope_of(headers=[("content-type", kind), ("transfer-encoding", "chunked")])
    reply = await ask(APP, scope, [b" " * 100] * 10_000)
    assert (reply.status, reply.problem["code"]) == (413, "body_too_large")
    assert reply.chunks_read == 11
    assert reply.header("connection") == "close"


async def test_a_body_with_a_length_over_the_limit_is_not_read_at_all() -> None:
    reply = await ask(APP, scope_of(headers=[("content-type", "audio/wav"), ("content-length", "1001")]), [b"x"] * 1001)
    assert (reply.status, reply.chunks_read) == (413, 0)


async def test_a_length_that_lies_changes_nothing() -> None:
    reply = await ask(APP, scope_of(headers=[("content-type", "audio/wav"), ("content-length", "5")]), [b"x" * 600] * 9)
    assert (reply.status, reply.chunks_read) == (413, 2)


async def test_an_application_that_calls_it_a_bad_request_is_overruled() -> None:
    async def catches_all(scope: Any, receive: Any, send: Any) -> None:
        try:
            while (await receive()).get("more_body"):
                pass
        except Exception:  # noqa: BLE001 - what frameworks do
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"bad"})

    scope = scope_of(headers=[("content-type", "audio/wav"), ("transfer-encoding", "chunked")])
    reply = await ask(InputLimits(catches_all, limits=LIMITS), scope, [b"x" * 600] * 9)
    assert (reply.status, reply.problem["code"]) == (413, "body_too_large")


async def test_after_the_answer_began_the_connection_is_broken_not_patched() -> None:
    async def answers_first(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive()).get("more_body"):
            pass

    scope = scope_of(headers=[("content-type", "audio/wav"), ("transfer-encoding", "chunked")])
    with pytest.raises(BodyTooLarge):
        await ask(InputLimits(answers_first, limits=LIMITS), scope, [b"x" * 600] * 9)


async def test_an_error_of_the_application_stays_its_own() -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise BodyTooLarge("mine")

    with pytest.raises(BodyTooLarge, match="mine"):
        await ask(InputLimits(fails, limits=LIMITS), scope_of(method="GET"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("content-type", "text/html")], 415),
        ([], 415),
        ([("content-type", "application/json"), ("content-type", "audio/wav")], 415),
        ([("content-type", "application/json; charset=utf-16")], 415),
        ([("content-type", "application/json; charset=UTF-8")], 200),
        ([("content-type", "Application/JSON")], 200),
        ([("content-type", "application/json"), ("content-encoding", "gzip")], 415),
    ],
)
async def test_kinds_and_encodings(headers: list[tuple[str, str]], status: int) -> None:
    reply = await ask(APP, scope_of(headers=[*headers, ("content-length", "2")]), [b"{}"])
    assert reply.status == status


async def test_a_body_that_no_header_announces_is_refused_when_it_comes() -> None:
    reply = await ask(APP, scope_of(http="2"), [b"{}"])
    assert reply.status == 415


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b'{"a":1,"a":1}', 400, "invalid_json"),
        (b'"\xff"', 400, "invalid_json"),
        (b"[" * 40 + b"]" * 40, 422, "json_limit"),
        (b"[1e999]", 422, "json_limit"),
        (b"9007199254740993", 422, "json_limit"),
    ],
)
async def test_json_is_judged_before_the_application_sees_it(body: bytes, status: int, code: str) -> None:
    async def unreachable(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the application was asked")

    reply = await ask(InputLimits(unreachable, limits=LIMITS), scope_of(headers=json_headers(body)), [body])
    assert (reply.status, reply.problem["code"]) == (status, code)


@pytest.mark.parametrize("kind", ["application/webhook+json", "application/cloudevents+json"])
async def test_every_json_type_is_judged(kind: str) -> None:
    app = InputLimits(echo, limits=RequestLimits(media_types=frozenset({kind})))
    assert (await ask(app, scope_of(headers=json_headers(b"{", kind=kind)), [b"{"])).status == 400


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        (scope_of("/a", query="x" * 9000), 414),
        (scope_of("/a", query="&".join(["a=1"] * 65)), 400),
        (scope_of("/a", query="a=%00"), 400),
        (scope_of("/a", query="a=%zz"), 400),
        (scope_of("/a", query="a=1%0d%0a"), 200),
        (scope_of("/a\nb"), 400),
        (scope_of("/a\x00"), 400),
        (scope_of("/ä/~b"), 200),
        (scope_of(headers=[("x-a", "1")] * 101), 431),
        (scope_of(headers=[("x-a", "1" * 40_000)]), 431),
        (scope_of(headers=[("content-length", "-1")]), 400),
        (scope_of(headers=[("content-length", "1_0")]), 400),
        (scope_of(headers=[("content-length", "9" * 30)]), 400),
        (scope_of(headers=[("content-length", "1"), ("content-length", "2")]), 400),
    ],
)
async def test_heads(scope: dict[str, Any], status: int) -> None:
    assert (await ask(APP, scope)).status == status


async def test_limits_by_path_the_longest_prefix_counts() -> None:
    small, smaller = RequestLimits(body=10, json=JsonLimits(keys=1)), RequestLimits(body=5)
    app = InputLimits(echo, by_path={"/hooks/": small, "/hooks/tiny/": smaller, "/exact": smaller})
    body = b'{"a":1}'
    found = [
        (await ask(app, scope_of(path, headers=json_headers(body)), [body])).status
        for path in ("/hooks/a", "/hooks/tiny/a", "/exact", "/exact/not", "/else")
    ]
    assert found == [200, 413, 413, 200, 200]
    two = b'{"a":1,"b":2}'
    assert (await ask(app, scope_of("/hooks/a", headers=json_headers(two)), [two])).status == 413


async def test_the_error_can_go_to_an_outer_handler_instead() -> None:
    app = InputLimits(echo, limits=LIMITS, raise_errors=True)
    with pytest.raises(OrchestratorError) as error:
        await ask(app, scope_of(headers=json_headers(b"{")), [b"{"])
    assert error.value.code == "invalid_json"


async def test_websockets_are_judged_by_their_head() -> None:
    assert (await ask(APP, scope_of(kind="websocket"))).status == 101
    refused = await ask(APP, scope_of(kind="websocket", query="a=%00"))
    assert (refused.status, refused.closed) == (0, 1008)


async def test_a_client_that_leaves_is_told_to_the_application() -> None:
    heard: list[str] = []

    async def listens(scope: Any, receive: Any, send: Any) -> None:
        heard.append((await receive())["type"])

    async def leaves() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def nothing(message: Any) -> None:
        raise AssertionError("nobody is there")

    scope = scope_of(headers=[("content-type", "application/json"), ("content-length", "5")])
    await InputLimits(listens, limits=LIMITS)(scope, leaves, nothing)
    assert heard == ["http.disconnect"]


async def test_the_lifespan_is_none_of_its_business() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await InputLimits(app)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["lifespan"]
