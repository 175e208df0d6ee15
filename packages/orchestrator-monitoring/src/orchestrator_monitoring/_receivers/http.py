"""What receivers over HTTP share: one bounded try, and what its answer means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from orchestrator_monitoring._alerting.receiving import NoticeFailed

if TYPE_CHECKING:
    import httpx

__all__ = ["Answer", "post", "refuse"]

_LIMIT: Final = 10.0
_MOST_BYTES: Final = 65_536

Answer = tuple[int, bytes, Mapping[str, str]]
"""Status, body and headers."""


async def post(
    http: httpx.AsyncClient, service: str, url: str, body: bytes, headers: Mapping[str, str], *, method: str = "POST"
) -> Answer:
    """One request; an answer of any status is returned. The URL may be a secret, so no error shows it.

    Raises:
        NoticeFailed: There was no answer; retryable unless the request itself is wrong.
    """
    from orchestrator_kernel.http import deadline, http_errors, read_limited  # noqa: PLC0415 - only with the extra

    async with deadline(_LIMIT, service, kind=NoticeFailed):
        with http_errors(service, kind=NoticeFailed):
            async with http.stream(method, url, content=body, headers=dict(headers)) as response:
                content = await read_limited(response, _MOST_BYTES, service, kind=NoticeFailed)
                return response.status_code, content, response.headers


def refuse(service: str, answer: Answer, reason: str = "") -> NoticeFailed:
    """What an answer that is no success means: 408, 425, 429 and 5xx may work later."""
    status, _, headers = answer
    after = headers.get("retry-after", "").strip()
    return NoticeFailed(
        f"{service} answered {status}{f' ({reason})' if reason else ''}",
        details={"service": service, "upstream_status": status},
        retryable=status in {408, 425, 429} or status >= 500,
        retry_after=float(after) if after.isdecimal() and len(after) < 6 else None,
    )
