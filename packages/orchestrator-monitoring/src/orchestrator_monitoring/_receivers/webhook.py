"""A webhook of one's own, signed as Standard Webhooks; it can be the other end of a dead-man's switch.

The signature comes from outside: `sign` is given the body, the id of the delivery and the time, and answers headers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

from orchestrator_kernel.ports import Clock
from orchestrator_monitoring._alerting.documents import record_document
from orchestrator_monitoring._alerting.groups import Notice
from orchestrator_monitoring._receivers.http import post, refuse
from orchestrator_monitoring._receivers.texts import severity, title

if TYPE_CHECKING:
    import httpx

__all__ = ["WebhookReceiver", "WebhookSigner"]

_TYPES: Final = {"alerts": "monitoring.alerts", "heartbeat": "monitoring.heartbeat", "test": "monitoring.test"}


class WebhookSigner(Protocol):
    """Signs what is sent; what orchestrator-security calls `StandardWebhooksSigner` fits."""

    def sign(self, body: bytes, *, delivery_id: str, at: datetime) -> Mapping[str, str]:
        """The headers that prove `body`; the id is the same for every try."""
        ...


class WebhookReceiver:
    """Posts JSON: `type`, `timestamp` and `data`, as Standard Webhooks advises."""

    kind = "webhook"
    heartbeats = True

    def __init__(
        self, name: str, url: str, http: httpx.AsyncClient, *, signer: WebhookSigner | None, clock: Clock
    ) -> None:
        """Set up.

        Args:
            name: As routes name it.
            url: May be a secret.
            http: Used for each request; the caller closes it.
            signer: Signs each try anew; None sends without proof.
            clock: Says what time it is.
        """
        self.name = name
        self._url = url
        self._http = http
        self._signer = signer
        self._clock = clock

    async def send(self, notice: Notice) -> None:
        data = {
            "title": title(notice),
            "severity": severity(notice).value,
            "group": notice.group,
            "labels": dict(notice.labels),
            "firing": [record_document(each) for each in notice.firing],
            "resolved": [record_document(each) for each in notice.resolved],
            "over": notice.over,
        }
        await self._post(_TYPES[notice.kind], notice.id, data)

    async def check(self) -> None:
        await self._post("monitoring.check", f"check-{self._clock.now().timestamp():.0f}", {})

    async def _post(self, kind: str, delivery_id: str, data: Mapping[str, object]) -> None:
        now = self._clock.now()
        body = json.dumps({"type": kind, "timestamp": now.isoformat(timespec="milliseconds"), "data": data}).encode()
        headers = {"content-type": "application/json"}
        if self._signer is not None:
            headers |= self._signer.sign(body, delivery_id=delivery_id, at=now)
        answer = await post(self._http, self.name, self._url, body, headers)
        if not 200 <= answer[0] < 300:
            raise refuse(self.name, answer)
