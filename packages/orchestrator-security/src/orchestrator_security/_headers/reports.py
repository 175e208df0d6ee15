"""Where browsers send what a policy stopped. Pure ASGI."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from orchestrator_kernel.exceptions import ValidationError
from orchestrator_security._asgi import Receive, Scope, Send
from orchestrator_security._validation.json_limits import JsonLimits, parse_json
from orchestrator_security._validation.names import log_text
from orchestrator_security._validation.requests import InputLimits, RequestLimits

__all__ = ["CSP_REPORT_LIMITS", "CspReports", "CspViolation"]

CSP_REPORT_LIMITS: Final = RequestLimits(
    body=32_768, media_types=frozenset({"application/csp-report", "application/reports+json"}), json=None
)
"""What a request with reports may bring; for an `InputLimits` that stands before the route."""
_MAX_REPORTS: Final = 20


@dataclass(frozen=True, slots=True)
class CspViolation:
    """What a browser says it stopped. It is a stranger's word: every field is one safe line of at most 200 characters.

    Attributes:
        document: The page, without its query.
        blocked: What was to be loaded, without its query.
        directive: Which directive stopped it.
        disposition: `enforce` or `report`.
    """

    document: str
    blocked: str
    directive: str
    disposition: str


class CspReports:
    """An ASGI application for the path that `report_to` names: hands each violation to `observe` and answers 204.

    Takes both shapes: `report-uri` (application/csp-report) and the Reporting API (application/reports+json), at most 20 reports and 32 KB.
    """

    def __init__(self, observe: Callable[[CspViolation], None]) -> None:
        self._observe = observe
        self._limited = InputLimits(self._take, limits=CSP_REPORT_LIMITS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._limited(scope, receive, send)

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 405
        if scope["method"] == "POST":
            body, more = b"", True
            while more:
                message = await receive()
                body, more = body + message.get("body", b""), message.get("more_body", False)
            status = self._read(body)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def _read(self, body: bytes) -> int:
        try:
            tree = parse_json(body, JsonLimits(depth=8, string_length=32_768))
        except ValidationError:
            return 400
        for violation in _violations(tree):
            self._observe(violation)
        return 204


def _violations(tree: object) -> Iterator[CspViolation]:
    reports = cast("list[object]", tree)[:_MAX_REPORTS] if isinstance(tree, list) else [tree]
    for report in reports:
        if not isinstance(report, dict):
            continue
        found = cast("Mapping[str, object]", report)
        body = found.get("csp-report", found.get("body"))
        if not isinstance(body, dict) or found.get("type", "csp-violation") != "csp-violation":
            continue
        said = cast("Mapping[str, object]", body)
        yield CspViolation(
            document=_place(said, "document-uri", "documentURL"),
            blocked=_place(said, "blocked-uri", "blockedURL"),
            directive=_text(said, "effective-directive", "effectiveDirective", "violated-directive"),
            disposition=_text(said, "disposition"),
        )


def _text(said: Mapping[str, object], *names: str) -> str:
    value = next((said[name] for name in names if name in said), "")
    return log_text(value, limit=200) if isinstance(value, str) else ""


def _place(said: Mapping[str, object], *names: str) -> str:
    """Queries and fragments may hold tokens and names."""
    return _text(said, *names).partition("?")[0].partition("#")[0]
