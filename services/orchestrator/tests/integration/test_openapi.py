"""The OpenAPI document is complete and true. That each answer of the other tests is documented, `app_support.as_documented` checks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_support import SHORT, settings

from orchestrator_app.app import create_app
from orchestrator_app.doors import PUBLIC, SIGN_IN, SIGNED
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_utils.error_handler import problem_type


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return create_app(settings(tmp_path_factory.mktemp("openapi"), tenants=SHORT)).openapi()


REPORTED = {
    f"/health/{name}"
    for name in ("live", "ready", "startup", "", "detailed", "vault", "connectors", "dependencies", "database")
} | {
    "/monitoring/health/detailed",
    "/monitoring/operational/status",
}
"""Where a 503 is a report of health, and no problem."""


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def test_the_routes_are_these(document: dict[str, Any]) -> None:
    assert {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods} == {
        "POST /v1/call/start",
        "GET /v1/calls",
        "GET /v1/calls/{call_id}",
        "POST /v1/calls/{call_id}/end",
        "POST /call/event",
        "POST /v1/livekit/webhook",
        "POST /v1/livekit/transcription",
        "POST /v1/apaleo/webhook",
        "POST /v1/twilio/voice",
        "POST /v1/twilio/status",
        "POST /v1/twilio/relay/ended",
        "POST /v1/twilio/stream/ended",
        "GET /performance/audio-optimizer",
        "GET /performance/overview",
        "GET /performance/connection-pools",
        "GET /performance/caches",
        "GET /performance/alerts",
        "GET /performance/metrics/history",
        "GET /performance/prometheus",
        "GET /performance/health",
        "POST /performance/optimize",
        "POST /performance/optimize/cache/clear",
        "POST /v1/twilio/dial",
        "POST /v1/twilio/transfer",
        "GET /",
        "GET /healthz",
        "GET /health/live",
        "GET /health/ready",
        "GET /health/startup",
        "GET /health/",
        "GET /health/detailed",
        "GET /health/vault",
        "GET /health/connectors",
        "GET /health/dependencies",
        "GET /health/database",
        "GET /metrics",
        "GET /monitoring/metrics",
        "GET /monitoring/metrics/business",
        "GET /monitoring/performance/summary",
        "GET /monitoring/health/detailed",
        "GET /monitoring/circuit-breakers",
        "GET /monitoring/circuit-breakers/metrics",
        "GET /monitoring/operational/status",
        "GET /monitoring/traces",
        "POST /monitoring/traces/flush",
        "GET /monitoring/dashboards",
        "GET /monitoring/dashboards/{uid}",
        "GET /monitoring/alerts",
        "POST /monitoring/alerts/{alert_id}/acknowledge",
        "POST /monitoring/alerts/{alert_id}/silence",
        "GET /monitoring/sla/status",
        "GET /monitoring/receivers",
        "POST /monitoring/receivers/{name}/check",
        "POST /monitoring/receivers/{name}/test",
        "GET /monitoring/pagerduty/health",
        "GET /monitoring/pagerduty/status",
        "POST /monitoring/pagerduty/test-alert",
        "GET /slo/status",
        "GET /slo/definitions",
        "GET /slo/error-budget",
        "GET /slo/burn-rate",
        "GET /slo/health",
        "POST /slo/evaluate",
        "GET /resilience/health",
        "GET /resilience/metrics",
        "GET /resilience/circuit-breakers",
        "GET /resilience/circuit-breakers/{name}",
        "GET /resilience/backpressure",
        "GET /resilience/backpressure/{name}",
        "GET /resilience/tts-clients",
        "GET /resilience/rate-limits/{client}",
        "GET /resilience/config",
        "POST /resilience/circuit-breakers/reset-all",
        "POST /resilience/circuit-breakers/{name}/reset",
        "POST /resilience/tts-clients/reset-circuit-breakers",
        "POST /resilience/rate-limits/{client}/reset",
        "POST /auth/login",
        "POST /auth/login/second-factor",
        "POST /auth/refresh",
        "POST /auth/logout",
        "GET /auth/sessions",
        "GET /auth/me",
        "GET /auth/service-info",
        "GET /auth/csrf",
        "POST /auth/introspect",
        "POST /auth/password",
        "POST /auth/password/reset",
        "POST /auth/password/set",
        "GET /auth/password/set",
        "POST /auth/mfa/enroll",
        "POST /auth/mfa/enroll/verify",
        "POST /auth/mfa/verify",
        "GET /auth/mfa/status",
        "POST /auth/mfa/disable",
        "POST /auth/mfa/recovery-codes/regenerate",
        "GET /auth/mfa/audit-log",
        "GET /auth/admin/mfa/users/{user_id}/status",
        "POST /auth/admin/mfa/users/{user_id}/disable",
        "POST /auth/users",
        "GET /auth/users",
        "GET /auth/users/{user_id}",
        "POST /auth/users/{user_id}/disable",
        "POST /auth/users/{user_id}/enable",
        "PUT /auth/users/{user_id}/roles/{role}",
        "DELETE /auth/users/{user_id}/roles/{role}",
        "POST /auth/api-keys",
        "GET /auth/api-keys",
        "POST /auth/api-keys/{key_id}/rotate",
        "DELETE /auth/api-keys/{key_id}",
        "GET /.well-known/jwks.json",
    }


def test_every_guarded_operation_lists_its_401_and_says_how_to_prove_oneself(document: dict[str, Any]) -> None:
    assert list(document["components"]["securitySchemes"]) == ["Bearer", "ApiKey", "Session"]
    ways = [{"Bearer": []}, {"ApiKey": []}, {"Session": []}]
    for path, operation in operations(document):
        guarded = path not in PUBLIC | SIGN_IN
        assert ("401" in operation["responses"]) or not guarded, path
        assert operation.get("security") == (ways if guarded and path not in SIGNED else None), path


def test_every_error_is_a_problem_with_an_example_of_its_own(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) < 400 or (status == "503" and path in REPORTED):
                continue
            [(media_type, content)] = response["content"].items()
            assert media_type == "application/problem+json", (path, status)
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            for code, example in content["examples"].items():
                assert example["value"]["code"] == code
                assert example["value"]["status"] == int(status)
                assert example["value"]["type"] == problem_type(code)


@pytest.mark.parametrize("path", sorted([*SIGNED, "/v1/call/start"]))
def test_what_takes_a_body_lists_what_can_be_wrong_with_it(document: dict[str, Any], path: str) -> None:
    responses = document["paths"][path]["post"]["responses"]

    assert {"400", "401", "403", "413", "415", "422", "429", "500", "503"} <= set(responses)
    assert "Retry-After" in responses["429"]["headers"]
    assert "Retry-After" in responses["503"]["headers"]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for each in node.values():
                yield from references(each)
        elif isinstance(node, list):
            for each in node:
                yield from references(each)

    found = set(references(document))
    assert found
    for reference in found:
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        assert target


def test_bodies_are_described_by_their_present_names(document: dict[str, Any]) -> None:
    start = document["components"]["schemas"]["CallStart"]
    event = document["paths"]["/call/event"]["post"]["requestBody"]["content"]["application/json"]["schema"]

    assert start["required"] == ["caller_id", "tenant_id"]
    assert {"type", "call_id", "tenant_id", "event_id", "source", "sequence", "occurred_at", "data"} == set(
        event["properties"]
    )
    assert "call_started" in event["properties"]["type"]["enum"]
    assert "turn_opened" not in event["properties"]["type"]["enum"]


def test_every_operation_is_told_in_words(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        assert operation["description"], path
        assert operation["tags"], path
    assert len({operation["operationId"] for _, operation in operations(document)}) == len(list(operations(document)))


def test_it_is_plain_json(document: dict[str, Any], tmp_path: Path) -> None:
    assert json.loads(json.dumps(document)) == document


def test_every_problem_type_of_the_document_is_a_house_error(document: dict[str, Any]) -> None:
    def kinds(kind: type[OrchestratorError]) -> Iterator[str]:
        yield kind.default_code
        for below in kind.__subclasses__():
            yield from kinds(below)

    listed = {
        code
        for _, operation in operations(document)
        for response in operation["responses"].values()
        for code in response.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }
    # FastAPI's own word for a body whose bytes are no text.
    assert listed - {"bad_request"} <= set(kinds(OrchestratorError))
