"""Who gets in, and what bad input gets."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from app_support import (
    AGENT_SECRET,
    AUTHORIZED,
    BEARER_KEY,
    TENANT,
    TOKEN,
    Client,
    livekit_webhook,
    new_call,
    sign_livekit,
    sip_caller,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUARDED = [
    ("GET", "/"),
    ("POST", "/v1/call/start"),
    ("GET", "/v1/calls"),
    ("GET", "/v1/calls/call-1"),
    ("POST", "/v1/calls/call-1/end"),
    ("GET", "/metrics"),
    ("GET", "/docs/"),
    ("GET", "/openapi.json/x"),
    ("POST", "/auth/logout"),
    ("GET", "/auth/me"),
    ("GET", "/v1/calls/call-1/media"),
    ("GET", "/v1/calls/call-1/events"),
    ("GET", "/does-not-exist"),
    ("DELETE", "/v1/calls"),
    ("OPTIONS", "/v1/calls"),
    # What only begins like a public or a signed path is neither.
    ("GET", "/healthz/"),
    ("GET", "/healthz/../v1/calls"),
    ("GET", "//healthz"),
    ("GET", "/health"),
    ("GET", "/health/live/x"),
    ("GET", "/health/readyx"),
    ("GET", "/HEALTHZ"),
    ("POST", "/call/event/"),
    ("POST", "/call/events"),
    ("POST", "/v1/livekit/webhook/x"),
    ("POST", "/v1/livekit/transcription%2f"),
    ("GET", "/authx"),
]


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of an answer, which has this status and code."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert (document["status"], document["code"]) == (status, code)
    assert document["type"] == f"/problems/{code.replace('_', '-')}"
    assert document["title"]
    assert document["correlation_id"] == answer.headers["x-correlation-id"]
    return document


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_without_the_token_nothing_answers(service: Client, method: str, path: str) -> None:
    answer = await service.http.request(method, path)

    problem(answer, 401, "authentication_failed")
    assert answer.headers["www-authenticate"] == 'Bearer realm="orchestrator", ApiKey realm="orchestrator"'


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN.upper()}",
     f"Bearer {AGENT_SECRET}", f"Bearer {BEARER_KEY}", "Bearer ünïcödé"],
)  # fmt: skip
async def test_a_wrong_token_is_no_token(service: Client, authorization: str) -> None:
    answer = await service.http.get("/v1/calls", headers={b"authorization": authorization.encode("latin-1")})

    # RFC 6750 section 3.1: what was brought as a token and is none is told apart from nothing.
    brought = authorization.startswith("Bearer ") and authorization != "Bearer "
    problem(answer, 401, "invalid_token" if brought else "authentication_failed")
    assert ('error="invalid_token"' in answer.headers["www-authenticate"]) == brought


async def test_headers_of_a_proxy_let_nobody_in(service: Client) -> None:
    headers = {"x-internal": "true", "x-forwarded-for": "127.0.0.1", "x-real-ip": "10.0.0.1", "x-api-key": TOKEN}

    answer = await service.http.get("/v1/calls", headers=headers)

    problem(answer, 401, "authentication_failed")


async def test_the_token_in_the_query_opens_no_http_route(service: Client) -> None:
    problem(await service.http.get("/v1/calls", params={"token": TOKEN}), 401, "authentication_failed")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_token_lets_in(service: Client, scheme: str) -> None:
    answer = await service.http.get("/v1/calls", headers={"authorization": f"{scheme} {TOKEN}"})

    assert answer.status_code == 200


async def test_public_paths_answer_anyone(service: Client) -> None:
    banner = (await service.http.get("/healthz")).json()
    ready = await service.http.get("/health/ready")

    assert banner == {"status": "healthy", "region": "eu-central-1", "version": "0.1.0", "checks": {}}
    assert (await service.http.get("/health/live")).json()["status"] == "healthy"
    assert (ready.status_code, ready.json()["checks"]) == (200, {"journal": "ok"})


async def test_operators_get_banner_docs_and_metrics(service: Client) -> None:
    assert (await service.get("/")).json()["docs"] == "/docs"
    assert "swagger" in (await service.get("/docs")).text
    assert (await service.get("/openapi.json")).json()["info"]["title"] == "Voice-call orchestrator"
    metrics = await service.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=")
    for line in ("# TYPE orchestrator_call_events_total counter", "# TYPE python_info gauge", "process_open_fds"):
        assert line in metrics.text


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::2]", "a:b:80"]
)
async def test_a_strangers_host_is_not_answered(service: Client, host: str) -> None:
    answer = await service.http.get("/v1/calls", headers={**AUTHORIZED, "host": host})

    problem(answer, 400, "untrusted_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]", "[::1]:8080"])
async def test_its_own_hosts_are_answered(service: Client, host: str) -> None:
    assert (await service.http.get("/v1/calls", headers={**AUTHORIZED, "host": host})).status_code == 200


async def test_a_probe_asks_by_address(service: Client) -> None:
    for path in ("/healthz", "/health/live", "/health/ready"):
        assert (await service.http.get(path, headers={"host": "10.1.2.3:8080"})).status_code == 200


# --- bodies -------------------------------------------------------------------------------------------------------------------


class Upload:
    """A body in chunks that would be huge; counts how much of it was asked for."""

    def __init__(self, size: int, chunk: int = 64 * 1024) -> None:
        self.sent = 0
        self._size = size
        self._chunk = chunk

    async def __aiter__(self) -> Any:
        while self.sent < self._size:
            self.sent += self._chunk
            yield b" " * self._chunk


LIMIT = 1024 * 1024


@pytest.mark.parametrize("path", ["/call/event", "/v1/livekit/webhook", "/v1/livekit/transcription", "/v1/call/start"])
async def test_a_body_that_says_it_is_too_large_is_not_read(service: Client, path: str) -> None:
    upload = Upload(10 * LIMIT)
    headers = {**AUTHORIZED, "content-type": "application/json", "content-length": str(10 * LIMIT)}

    answer = await service.http.post(path, content=upload, headers=headers)

    assert problem(answer, 413, "body_too_large")["detail"] == "The body may have 1048576 bytes."
    assert upload.sent <= 64 * 1024  # the transport asks for the first chunk before the application does


@pytest.mark.parametrize("path", ["/call/event", "/v1/livekit/webhook", "/v1/livekit/transcription", "/v1/call/start"])
async def test_a_body_that_turns_out_too_large_is_not_read_whole(service: Client, path: str) -> None:
    upload = Upload(10_000 * LIMIT)

    answer = await service.http.post(path, content=upload, headers={**AUTHORIZED, "content-type": "application/json"})

    problem(answer, 413, "body_too_large")
    assert upload.sent <= LIMIT + 2 * 64 * 1024


@pytest.mark.parametrize("length", ["-1", "1e3", "٣", "0x10", "99999999999999999999999999", " 5"])
async def test_a_strange_content_length_is_no_length(service: Client, length: str) -> None:
    headers = {**AUTHORIZED, "content-type": "application/json", "content-length": length.encode()}

    answer = await service.http.post("/v1/call/start", content=b"{}", headers=headers)

    assert (answer.status_code, answer.json()["code"]) in {(400, "request_refused"), (413, "body_too_large")}


@pytest.mark.parametrize(
    "media_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"]
)
@pytest.mark.parametrize("path", ["/call/event", "/v1/livekit/webhook", "/v1/livekit/transcription", "/v1/call/start"])
async def test_another_media_type_is_refused(service: Client, path: str, media_type: str) -> None:
    headers = {**AUTHORIZED, "content-type": media_type} if media_type else AUTHORIZED

    answer = await service.http.post(path, content=b"{}", headers=headers)

    problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON; charset=utf-8", "application/webhook+json"]
)
async def test_json_by_any_of_its_names_is_taken(service: Client, media_type: str) -> None:
    body = json.dumps({"caller_id": "+4915112345678", "tenant_id": TENANT}).encode()

    answer = await service.http.post("/v1/call/start", content=body, headers={**AUTHORIZED, "content-type": media_type})

    assert answer.status_code == 200


NO_JSON = [
    b"",
    b"{",
    b"not json",
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b"1" * 5_000,
    b"\x00",
]


@pytest.mark.parametrize("body", NO_JSON, ids=range(len(NO_JSON)))
async def test_what_is_no_json_is_refused_by_agents_doors(service: Client, body: bytes) -> None:
    for path in ("/call/event", "/v1/livekit/transcription"):
        document = problem(await service.signed(body, path=path), 400, "invalid_json")
        assert document["detail"] == "The body is not valid JSON."


@pytest.mark.parametrize("body", NO_JSON, ids=range(len(NO_JSON)))
async def test_what_is_no_json_is_refused_by_livekits_door(service: Client, body: bytes) -> None:
    problem(await service.webhook(body), 400, "invalid_json")


@pytest.mark.parametrize("body", [b"{", b"not json", b"\xff\xfe\x00"], ids=range(3))
async def test_what_is_no_json_is_refused_by_operators_doors(service: Client, body: bytes) -> None:
    headers = {**AUTHORIZED, "content-type": "application/json"}

    answer = await service.http.post("/v1/call/start", content=body, headers=headers)

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


SECRET_VALUE = "Frau Marianne Schuster, +4917612345"

BAD_EVENTS: list[tuple[dict[str, Any], list[str]]] = [
    ({"type": "telepathy"}, ["type"]),
    ({"type": SECRET_VALUE}, ["type"]),
    ({"type": None}, ["type"]),
    ({"type": "turn_opened"}, ["type"]),
    ({"call_id": SECRET_VALUE}, ["call_id"]),
    ({"call_id": "a" * 129}, ["call_id"]),
    ({"tenant_id": "../etc"}, ["tenant_id"]),
    ({"event_id": SECRET_VALUE}, ["event_id"]),
    ({"sequence": 0}, ["sequence"]),
    ({"sequence": 2**63}, ["sequence"]),
    ({"sequence": SECRET_VALUE}, ["sequence"]),
    ({"occurred_at": SECRET_VALUE}, ["occurred_at"]),
    ({"occurred_at": "2026-01-01T00:00:00"}, ["occurred_at"]),
    ({"source": "orchestrator"}, ["source"]),
    ({"source": "x" * 65}, ["source"]),
    ({"data": SECRET_VALUE}, ["data"]),
    ({"data": {"text": ["a", SECRET_VALUE]}}, ["data.text"]),
    ({"data": {"text": ""}}, ["data.text"]),
    ({"data": {"text": "x" * 8001}}, ["data.text"]),
    ({"data": {"text": "hello", "final": SECRET_VALUE}}, ["data.final"]),
    ({"data": {"text": "hello", "confidence": 1.5}}, ["data.confidence"]),
    ({"data": {"text": "hello", "mood": SECRET_VALUE}}, ["data.mood"]),
    ({"type": "dtmf", "data": {"digit": "12"}}, ["data.digit"]),
    ({"type": "dtmf", "data": {}}, ["data.digit"]),
    ({"type": "playback_progress", "data": {"key": "k", "played_ms": -1}}, ["data.played_ms"]),
    ({"type": "call_started", "data": {"reply_channel": "pigeon"}}, ["data.reply_channel"]),
    ({"type": "telepathy", "sequence": -3, "event_id": ""}, ["type", "sequence", "event_id"]),
]


@pytest.mark.parametrize(("change", "fields"), BAD_EVENTS, ids=[",".join(fields) for _, fields in BAD_EVENTS])
async def test_a_bad_event_is_told_by_its_fields_and_never_by_their_values(
    service: Client, change: dict[str, Any], fields: list[str]
) -> None:
    event = {"type": "transcription", "call_id": new_call(), "tenant_id": TENANT, "data": {"text": "hello"}, **change}

    answer = await service.signed(json.dumps(event).encode())

    document = problem(answer, 422, "invalid_event")
    assert sorted(document["fields"]) == sorted(fields)
    assert all(field.split(".")[-1] in document["detail"] for field in fields)
    assert "Marianne" not in answer.text
    assert "4917612345" not in answer.text


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"7", b"null", b"true"])
async def test_an_event_is_an_object(service: Client, body: bytes) -> None:
    assert problem(await service.signed(body), 422, "invalid_event")["fields"] == ["body"]
    problem(await service.webhook(body), 422, "invalid_event")


@pytest.mark.parametrize(
    ("change", "location"),
    [
        ({"caller_id": SECRET_VALUE}, ["body", "caller_id"]),
        ({"caller_id": "0151123"}, ["body", "caller_id"]),
        ({"caller_id": None}, ["body", "caller_id"]),
        ({"tenant_id": "../etc"}, ["body", "tenant_id"]),
        ({"language": SECRET_VALUE}, ["body", "language"]),
        ({"sip_headers": {"X": SECRET_VALUE * 100}}, ["body", "sip_headers", "X"]),
        ({"mood": SECRET_VALUE}, ["body", "mood"]),
    ],
)
async def test_a_bad_start_is_told_by_its_fields(service: Client, change: dict[str, Any], location: list[str]) -> None:
    body = {"caller_id": "+4915112345678", "tenant_id": TENANT, **change}

    answer = await service.post("/v1/call/start", body)

    assert [error["location"] for error in problem(answer, 422, "validation_failed")["errors"]] == [location]
    assert "Marianne" not in answer.text


async def test_bad_parameters_are_told_by_name(service: Client) -> None:
    for path, location in (
        ("/v1/calls?limit=0", ["query", "limit"]),
        ("/v1/calls?limit=501", ["query", "limit"]),
        ("/v1/calls?open=perhaps", ["query", "open"]),
        ("/v1/calls?before=a%20b", ["query", "before"]),
        ("/v1/calls/a%20b", ["path", "call_id"]),
    ):
        errors = problem(await service.get(path), 422, "validation_failed")["errors"]
        assert [error["location"] for error in errors] == [location]


@pytest.mark.parametrize("surrogate", ['"\\ud800"', '"a\\udfffb"'])
@pytest.mark.parametrize("kind", ["transcription", "intent_detected", "error"])
async def test_half_a_character_is_no_text(service: Client, kind: str, surrogate: str) -> None:
    """JSON can write it, UTF-8 cannot keep it."""
    call_id = new_call()
    for data in (f'{{"text": {surrogate}}}', f'{{"message": {surrogate}}}', f'{{{surrogate}: "x"}}'):
        body = f'{{"type": "{kind}", "call_id": "{call_id}", "tenant_id": "{TENANT}", "data": {data}}}'.encode()

        answer = await service.signed(body)

        problem(answer, 422, "invalid_event")


async def test_nested_data_has_an_end(service: Client) -> None:
    deep = json.loads("[" * 900 + "]" * 900)
    event = {"type": "intent_detected", "call_id": new_call(), "tenant_id": TENANT, "data": {"a": deep}}

    answer = await service.signed(json.dumps(event).encode())

    assert answer.status_code in {200, 202, 400, 422}


async def test_an_unknown_tenant_is_forbidden(service: Client) -> None:
    event = {"type": "call_started", "call_id": new_call(), "tenant_id": "nobody"}

    for answer in (
        await service.signed(json.dumps(event).encode()),
        await service.post("/v1/call/start", {"caller_id": "+4915112345678", "tenant_id": "nobody"}),
    ):
        assert problem(answer, 403, "unknown_tenant")["field"] == "tenant_id"
        assert "nobody" not in answer.text.replace('"instance"', "")


async def test_a_call_belongs_to_one_tenant(service: Client) -> None:
    call_id = new_call()
    await service.event(call_id, "call_started")
    event = {"type": "transcription", "call_id": call_id, "tenant_id": "garden", "data": {"text": "hello"}}

    problem(await service.signed(json.dumps(event).encode()), 403, "call_of_another_tenant")


async def test_the_first_event_of_a_call_names_the_tenant(service: Client) -> None:
    event = {"type": "call_started", "call_id": new_call()}

    assert problem(await service.signed(json.dumps(event).encode()), 422, "invalid_event")["fields"] == ["tenant_id"]


async def test_unknown_paths_and_methods_are_problems_too(service: Client) -> None:
    problem(await service.get("/nowhere"), 404, "not_found")
    problem(await service.http.delete("/v1/calls", headers=AUTHORIZED), 405, "method_not_allowed")
    problem(await service.http.get("/call/event"), 405, "method_not_allowed")
    problem(await service.get("/v1/calls/call-unknown"), 404, "call_not_found")
    problem(await service.post("/v1/calls/call-unknown/end"), 404, "call_not_found")
    problem(await service.get("/v1/calls", before="call-unknown"), 404, "call_not_found")


# --- agents' signatures -------------------------------------------------------------------------------------------------------


def started(**members: Any) -> bytes:
    return json.dumps({"type": "call_started", "call_id": new_call(), "tenant_id": TENANT, **members}).encode()


async def test_agents_sign_with_hmac(service: Client) -> None:
    assert (await service.signed(started())).status_code == 200


async def test_earlier_agents_have_a_static_key(service: Client) -> None:
    headers = {"authorization": f"Bearer {BEARER_KEY}", "content-type": "application/json"}

    answer = await service.http.post("/call/event", content=started(), headers=headers)

    assert answer.status_code == 200


async def test_a_test_calls_id_is_not_for_agents(service: Client) -> None:
    """Test calls are counted in no business figure: no agent may leave the figures by a name."""
    name = f"test_{secrets.token_hex(16)}"
    for answer in (
        await service.signed(started(call_id=name)),
        await service.webhook(livekit_webhook("room_started", name)),
    ):
        problem(answer, 422, "reserved_call_id")
    assert (await service.signed(started(call_id=f"{name}0"))).status_code == 200


@pytest.mark.parametrize("skew", [timedelta(minutes=6), timedelta(minutes=-6), timedelta(days=400)])
async def test_a_skewed_clock_is_refused_both_ways(service: Client, skew: timedelta) -> None:
    document = problem(await service.signed(started(), at=datetime.now(UTC) + skew), 401, "webhook_refused")

    assert "skew" not in json.dumps(document)  # which check it was is for the log


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong-key-0123456789"},
        {"authorization": f"Bearer {TOKEN}"},
        {"x-orchestrator-signature": "sha256=00"},
        {"x-orchestrator-signature": "sha256=" + "0" * 64, "x-orchestrator-timestamp": "1"},
        {"x-orchestrator-signature": "é", "x-orchestrator-timestamp": "é"},
    ],
)
async def test_what_is_not_proved_is_refused(service: Client, headers: dict[str, str]) -> None:
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    for path in ("/call/event", "/v1/livekit/transcription"):
        answer = await service.http.post(
            path, content=started(), headers={"content-type": b"application/json", **encoded}
        )
        document = problem(answer, 401, "webhook_refused")
        assert document["detail"] == "The webhook could not be verified."


async def test_a_signature_is_for_its_body_and_its_secret(service: Client) -> None:
    problem(await service.signed(started(), secret="another-secret-0123456789"), 401, "webhook_refused")
    answer = await service.signed(started())
    changed = answer.request.content.replace(b"call_started", b"agent_ready ")
    headers = {name: value for name, value in answer.request.headers.items() if name != "content-length"}
    problem(await service.http.post("/call/event", content=changed, headers=headers), 401, "webhook_refused")


async def test_a_refused_webhook_is_counted_and_audited(service: Client) -> None:
    await service.http.post("/call/event", content=started(), headers={"content-type": "application/json"})

    metrics = (await service.get("/metrics")).text
    assert 'orchestrator_webhooks_refused_total{door="agent"}' in metrics
    last = await service.audited("webhook.failed")
    assert (last.outcome, last.resource) == ("denied", "door:agent")
    assert "missing header" in str(last.details["reason"])


async def test_livekit_is_not_asked_for_an_agents_proof_nor_the_other_way_round(service: Client) -> None:
    body = livekit_webhook("participant_joined", new_call(), participant=sip_caller())
    answer = await service.signed(body, path="/v1/livekit/webhook")
    problem(answer, 401, "webhook_refused")

    event = started()
    headers = {"authorization": sign_livekit(event), "content-type": "application/json"}
    problem(await service.http.post("/call/event", content=event, headers=headers), 401, "webhook_refused")


# --- correlation --------------------------------------------------------------------------------------------------------------


async def test_every_answer_can_be_found_in_the_log(service: Client) -> None:
    headers = {**AUTHORIZED, "x-correlation-id": "order-7"}

    assert (await service.http.get("/nowhere", headers=headers)).json()["correlation_id"] == "order-7"
    assert (await service.http.get("/healthz", headers=headers)).headers["x-correlation-id"] == "order-7"
    assert (await service.http.get("/healthz", headers={"x-correlation-id": "a b\x7f"})).headers[
        "x-correlation-id"
    ] != "a b\x7f"
