"""A clock that stands, and requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from orchestrator_kernel.ports import WebhookRefused, WebhookRequest, WebhookVerifier

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))


class StandingClock:
    def __init__(self, now: datetime = NOW) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


def webhook(
    headers: Mapping[str, str] | Sequence[tuple[str, str]], body: bytes, url: str = "https://calls.example/hook"
) -> WebhookRequest:
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    return WebhookRequest(method="POST", url=url, headers=pairs, body=body)


def refusal(verifier: WebhookVerifier, request: WebhookRequest, status: int = 401) -> str:
    with pytest.raises(WebhookRefused) as caught:
        verifier.verify(request)
    assert caught.value.status == status
    assert caught.value.reason not in str(caught.value)
    return caught.value.reason
