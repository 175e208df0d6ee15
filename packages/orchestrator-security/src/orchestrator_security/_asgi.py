"""The shapes of ASGI 3.0, spelled as Starlette spells them, and the few things that every middleware here needs."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Generic, TypeAlias, TypeVar

from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.models import Problem

__all__ = ["ASGIApp", "ByPath", "Message", "Receive", "Scope", "Send", "header", "headers_named", "send_problem"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Value = TypeVar("Value")


class ByPath(Generic[Value]):
    """What holds for one path, for all that begin with a path ending in `/`, and for the rest; the longest that fits counts."""

    def __init__(self, usual: Value, by_path: Mapping[str, Value]) -> None:
        self._usual = usual
        self._exact = dict(by_path)
        self._prefixes = sorted((path for path in self._exact if path.endswith("/")), key=len, reverse=True)

    def of(self, path: str) -> Value:
        """What holds for `path`."""
        if not self._exact:
            return self._usual
        if path in self._exact:
            return self._exact[path]
        fitting = next((prefix for prefix in self._prefixes if path.startswith(prefix)), None)
        return self._usual if fitting is None else self._exact[fitting]


def header(scope: Scope, name: bytes) -> str:
    """The first header of that lower-case name, or an empty string."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def headers_named(scope: Scope, name: bytes) -> list[str]:
    """All headers of that lower-case name."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


async def send_problem(scope: Scope, send: Send, error: OrchestratorError) -> None:
    """Answer an HTTP request with the error's problem document (RFC 9457), and close a connection whose body was not read."""
    problem = Problem(
        type="/problems/" + re.sub(r"[^a-z0-9]+", "-", error.code.lower()).strip("-"),
        title=error.code.replace("_", " ").capitalize(),
        status=error.status,
        code=error.code,
        detail=error.message,
        extensions=error.details,
    )
    body = json.dumps(problem.as_dict()).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    if scope.get("http_version", "1.1").startswith("1"):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
