"""From an error to what the client is told: one pure function, `describe`.

The rule: the client learns the kind of problem, and what our own errors say is meant for it. A status of 500 says nothing more than
that, whatever the error says: it is our mistake, and its text is for the log. No cause, no stack and no input value is ever told.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import quote

from orchestrator_kernel.exceptions import (
    AuthenticationError,
    Detail,
    OrchestratorError,
    RateLimitError,
    ValidationError,
)
from orchestrator_kernel.models import Problem
from orchestrator_kernel.ports import Redactor

__all__ = [
    "Answer",
    "ProblemConfig",
    "code_of_status",
    "describe",
    "is_loaded_kind",
    "problem_type",
    "title_of",
    "underlying",
]

_INTERNAL: Final = "Something went wrong on our side. Quote the correlation id when you report it."
_UNREADABLE_BODY: Final = "There was an error parsing the body"
_MAX_FIELD_ERRORS: Final = 20
_MAX_LOCATION_PART: Final = 64
_MAX_INSTANCE: Final = 1024

_CODES: Final[Mapping[int, str]] = {
    401: AuthenticationError.default_code,
    422: ValidationError.default_code,
    429: RateLimitError.default_code,
    500: OrchestratorError.default_code,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemConfig:
    """How errors become problems.

    Attributes:
        statuses: The HTTP status for an error code, where it shall differ from the status the error itself suggests.
        challenge: `WWW-Authenticate` of a 401 whose error brings none (RFC 9110 section 11.6.1 asks for one).
        redactor: Sees what a document says of this one occurrence: its detail, its path and its further members. It is told the call where one is
            known: by the error's details, or by a path parameter `call_id`.
    """

    statuses: Mapping[str, int] = field(default_factory=dict[str, int])
    challenge: str = "Bearer"
    redactor: Redactor | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the client gets (the problem, the invalid fields, further headers), and what the log gets besides."""

    problem: Problem
    invalid: Sequence[Mapping[str, Any]] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    log_fields: Mapping[str, object] = field(default_factory=dict[str, object])

    def body(self) -> bytes:
        """The problem document as JSON (RFC 9457)."""
        document: dict[str, Any] = {name: _finite(value) for name, value in self.problem.as_dict().items()}
        if self.invalid:
            document["errors"] = list(self.invalid)
        return json.dumps(document, default=str).encode()


def describe(
    error: Exception, config: ProblemConfig, *, path: str, correlation_id: str, call: str | None = None
) -> Answer:
    """What to tell the client about `error`; never raises, and knows the errors of FastAPI and Starlette without importing them.

    `call` is the call that the request is about, if that is known: what the redactor knows of it is taken out too. An error that names a call
    (`details["call_id"]`) is about that one.
    """
    error = underlying(error)
    if isinstance(error, OrchestratorError):
        found = _of_house(error, config)
    elif is_loaded_kind(error, "fastapi.exceptions", "RequestValidationError", "WebSocketRequestValidationError"):
        found = _of_validation(error)
    elif is_loaded_kind(error, "starlette.exceptions", "HTTPException"):
        found = _of_http(error)
    else:
        found = _Found(500, OrchestratorError.default_code)
    named = found.extensions.get("call_id")
    return _answer(found, config, path, correlation_id, named if isinstance(named, str) else call)


def is_loaded_kind(error: Exception, module: str, *names: str) -> bool:
    """Whether `error` is an instance of one of the classes; what was never imported cannot have been raised."""
    loaded = sys.modules.get(module)
    return any(isinstance(error, getattr(loaded, name, ())) for name in names)


def problem_type(code: str) -> str:
    """The stable relative reference that names a kind of problem: `/problems/validation-failed`."""
    return "/problems/" + (re.sub(r"[^a-z0-9]+", "-", code.lower()).strip("-") or "unknown")


def title_of(code: str) -> str:
    """The kind of problem in words; the same for every occurrence."""
    return re.sub(r"[^A-Za-z0-9]+", " ", code).strip().capitalize()


def code_of_status(status: int) -> str:
    """The code of an error that brings only an HTTP status."""
    if status in _CODES:
        return _CODES[status]
    try:
        return HTTPStatus(status).name.lower()
    except ValueError:
        return f"http_{status}"


@dataclass(frozen=True, slots=True)
class _Found:
    status: int
    code: str
    detail: str = ""
    extensions: Mapping[str, Detail] = field(default_factory=dict[str, Detail])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    invalid: Sequence[Mapping[str, Any]] = ()
    log_fields: Mapping[str, object] = field(default_factory=dict[str, object])


def _of_house(error: OrchestratorError, config: ProblemConfig) -> _Found:
    status = config.statuses.get(error.code, error.status)
    extensions = dict(error.details)
    headers: dict[str, str] = {}
    if error.retryable:
        extensions.setdefault("retryable", True)
    if error.retry_after is not None and math.isfinite(error.retry_after):
        seconds = max(math.ceil(error.retry_after), 0)
        extensions.setdefault("retry_after", seconds)
        headers["Retry-After"] = str(seconds)
    log_fields = {"reason": error.message, "details": dict(error.details)}
    return _Found(status, error.code, error.message, extensions, headers, log_fields=log_fields)


def _of_http(error: Any) -> _Found:
    status: int = error.status_code
    detail: Any = error.detail
    text: str = detail if isinstance(detail, str) and status < 500 else ""
    extensions: dict[str, Detail] = (
        _scalars(cast("dict[object, object]", detail)) if isinstance(detail, dict) and status < 500 else {}
    )
    headers: dict[str, str] = dict(error.headers or {})
    return _Found(status, code_of_status(status), text, extensions, headers, log_fields={"reason": error.detail})


def _of_validation(error: Any) -> _Found:
    errors: Sequence[Mapping[str, Any]] = error.errors()
    if any(one.get("type") == "json_invalid" for one in errors):
        return _Found(400, "invalid_json", "The body is not valid JSON.", log_fields={"reason": "invalid JSON"})
    count = "One part" if len(errors) == 1 else f"{len(errors)} parts"
    invalid = [
        {"location": _location(one.get("loc", ())), "kind": str(one.get("type", "invalid"))}
        for one in errors[:_MAX_FIELD_ERRORS]
    ]
    detail = f"{count} of the request did not have the form asked for."
    return _Found(422, ValidationError.default_code, detail, invalid=invalid, log_fields={"reason": invalid})


def _answer(found: _Found, config: ProblemConfig, path: str, correlation_id: str, call: str | None) -> Answer:
    status = found.status if 200 <= found.status <= 599 else 500
    ours = status == 500
    headers = dict(found.headers)
    if status == 401 and not any(name.lower() == "www-authenticate" for name in headers):
        headers["WWW-Authenticate"] = config.challenge
    detail = _INTERNAL if ours else found.detail
    extensions: Mapping[str, Detail] = {} if ours else found.extensions
    invalid = found.invalid
    if config.redactor is not None:
        redact, redact_text = (
            partial(config.redactor.redact, call=call),
            partial(config.redactor.redact_text, call=call),
        )
        path, detail = redact_text(path), redact_text(detail)
        extensions = cast("Mapping[str, Detail]", redact(dict(extensions)))
        # An unknown field's name is the sender's own text.
        invalid = [cast("Mapping[str, Any]", redact(dict(each))) for each in invalid]
    problem = Problem(
        type=problem_type(found.code),
        title=title_of(found.code),
        status=status,
        code=found.code,
        detail=detail,
        instance=_instance(path),
        correlation_id=correlation_id,
        extensions=extensions,
    )
    log_fields = found.log_fields if call is None else {"call_id": call, **found.log_fields}
    return Answer(problem=problem, invalid=invalid, headers=headers, log_fields=log_fields)


def underlying(error: Exception) -> Exception:
    """The error that counts: out of a task group that wraps a single one, and out of FastAPI's 400 for every unreadable body.

    FastAPI calls whatever goes wrong while a body is read the client's mistake; only text that cannot be decoded is.
    """
    group: object = error
    if isinstance(group, ExceptionGroup):
        errors = cast("ExceptionGroup[Exception]", group).exceptions
        return underlying(errors[0]) if len(errors) == 1 else error
    cause = error.__cause__
    if getattr(error, "detail", None) == _UNREADABLE_BODY and isinstance(cause, Exception):
        return error if isinstance(cause, ValueError | RecursionError) else underlying(cause)
    return error


def _location(parts: Iterable[object]) -> list[str | int]:
    return [part if isinstance(part, int) else str(part)[:_MAX_LOCATION_PART] for part in parts]


def _scalars(detail: dict[object, object]) -> dict[str, Detail]:
    return {
        name: value
        for name, value in detail.items()
        if isinstance(name, str) and (value is None or isinstance(value, str | int | float))
    }


def _finite(value: Detail) -> Detail:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list | tuple):
        return [str(one) if isinstance(one, float) and not math.isfinite(one) else one for one in value]
    return value


def _instance(path: str) -> str:
    encoded = quote(path, safe="/:@!$&'()*+,;=~-._", errors="replace")
    return encoded if len(encoded) <= _MAX_INSTANCE else ""
