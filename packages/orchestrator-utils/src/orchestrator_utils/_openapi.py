"""Problem documents in OpenAPI: what an operation may answer, and the schema they share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from orchestrator_kernel.exceptions import OrchestratorError, ValidationError
from orchestrator_utils._problems import code_of_status, problem_type, title_of

__all__ = ["problem_responses", "with_problems"]

_SCHEMA_NAME: Final = "Problem"
_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_RETRY_STATUSES: Final = frozenset({429, 503})


def problem_responses(*kinds: type[OrchestratorError] | int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a FastAPI route or router: one entry per status, one example per kind of error.

    Args:
        kinds: Error classes, with the code and status they have by default, or bare HTTP statuses.

    The entries refer to the schema `Problem`, which `install` adds to the application's OpenAPI document.
    """
    codes: dict[int, list[str]] = {}
    for kind in kinds:
        status, code = (
            (kind, code_of_status(kind)) if isinstance(kind, int) else (kind.default_status, kind.default_code)
        )
        known = codes.setdefault(status, [])
        if code not in known:
            known.append(code)
    return {status: _response(status, codes[status]) for status in sorted(codes)}


def with_problems(openapi: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """`openapi`, whose document says what is true once every error is a problem document."""

    def openapi_with_problems() -> dict[str, Any]:
        document = openapi()
        schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
        if _SCHEMA_NAME not in schemas:
            for operation in _operations(document):
                _complete(operation)
            schemas[_SCHEMA_NAME] = _schema()
            _drop_unused(document, "HTTPValidationError", "ValidationError")
        return document

    return openapi_with_problems


def _response(status: int, codes: Iterable[str]) -> dict[str, Any]:
    examples = {
        code: {
            "summary": title_of(code),
            "value": {"type": problem_type(code), "title": title_of(code), "status": status, "code": code},
        }
        for code in codes
    }
    response: dict[str, Any] = {
        "description": "; ".join(title_of(code) for code in codes),
        "content": {
            "application/problem+json": {
                "schema": {"$ref": f"#/components/schemas/{_SCHEMA_NAME}"},
                "examples": examples,
            }
        },
    }
    if status in _RETRY_STATUSES:
        response["headers"] = {
            "Retry-After": {"description": "Seconds to wait before another try.", "schema": {"type": "integer"}}
        }
    return response


def _operations(document: dict[str, Any]) -> Iterable[dict[str, Any]]:
    for path in document.get("paths", {}).values():
        yield from (path[method] for method in _METHODS if method in path)


def _complete(operation: dict[str, Any]) -> None:
    """Put right what FastAPI says of invalid input, and add what can happen to every operation."""
    responses: dict[str, Any] = operation.setdefault("responses", {})
    if "HTTPValidationError" in json.dumps(responses.get("422", {})):
        responses["422"] = _response(422, [ValidationError.default_code])
    if "requestBody" in operation:
        responses.setdefault("400", _response(400, ["invalid_json"]))
    responses.setdefault("500", _response(500, [OrchestratorError.default_code]))


def _drop_unused(document: dict[str, Any], *names: str) -> None:
    schemas = document["components"]["schemas"]
    for name in names:
        if name in schemas and f'"#/components/schemas/{name}"' not in json.dumps(document):
            del schemas[name]


def _schema() -> dict[str, Any]:
    texts = {
        "type": "A URI reference that names the kind of problem.",
        "title": "The kind of problem in words.",
        "detail": "What went wrong this time.",
        "instance": "The path of the request.",
        "code": "The machine-readable name of the error.",
        "correlation_id": "Under which the log holds the full story.",
    }
    properties: dict[str, Any] = {name: {"type": "string", "description": text} for name, text in texts.items()}
    properties["status"] = {"type": "integer", "description": "The HTTP status code."}
    properties["retryable"] = {"type": "boolean", "description": "Whether the same request may succeed later."}
    properties["retry_after"] = {"type": "integer", "description": "Seconds to wait before another try."}
    properties["errors"] = {
        "type": "array",
        "description": "Which parts of the request were invalid, and how.",
        "items": {
            "type": "object",
            "required": ["location", "kind"],
            "properties": {
                "location": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
                "kind": {"type": "string"},
            },
        },
    }
    return {
        "type": "object",
        "title": "Problem",
        "description": "A problem document (RFC 9457).",
        "required": ["type", "title", "status", "code"],
        "properties": properties,
        "additionalProperties": True,
    }
