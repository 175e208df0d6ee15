"""Stripe: `Stripe-Signature: t=…,v1=…`, HMAC-SHA256 in hex over `t.body`.

Source: docs.stripe.com/webhooks#verify-manually. While an endpoint's secret is being rolled, the header carries one `v1` per secret;
other schemes (`v0`) are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from orchestrator_kernel.ports import Clock, WebhookRefused, WebhookRequest, WebhookSender
from orchestrator_security._webhooks.decoding import required_headers
from orchestrator_security._webhooks.limits import (
    DEFAULT_MAX_BODY,
    DEFAULT_TOLERANCE,
    refuse_size,
    time_within,
    valid_max_body,
    valid_tolerance,
)
from orchestrator_security._webhooks.secret_ring import HmacRing, WebhookSecret, live_ones

_HEADER = "stripe-signature"
_HEADERS = {_HEADER: None}
MOST_SIGNATURES = 16
_USUAL_LENGTH = len("t=1795305600,v1=") + 64


class StripeVerifier:
    """A `WebhookVerifier` for Stripe's events."""

    def __init__(
        self,
        secrets: Sequence[WebhookSecret],
        *,
        clock: Clock,
        source: str = "stripe",
        tolerance: float = DEFAULT_TOLERANCE,
        max_body: int = DEFAULT_MAX_BODY,
    ) -> None:
        """Set up the verifier.

        Args:
            secrets: Of the endpoint, with their `whsec_`, which is part of the key.
            clock: Says what time it is.
            source: Names the sender in `WebhookSender.source`.
            tolerance: Seconds between the signed time and ours, past or future.
            max_body: Bytes.

        Raises:
            ConfigurationError: A secret or a limit is not usable; the message names it, never its value.
        """
        self.source = source
        self.max_body = valid_max_body(max_body)
        self._ring = HmacRing(secrets)
        self._now = clock.now
        self._tolerance = timedelta(seconds=valid_tolerance(tolerance))

    def verify(self, request: WebhookRequest) -> WebhookSender:
        body = request.body
        if len(body) > self.max_body:
            refuse_size(len(body), self.max_body)
        now = self._now()
        stamp, signatures = _parts(required_headers(request, _HEADERS)[_HEADER])
        signed_at = time_within(stamp, now, self._tolerance)
        content = f"{stamp}.".encode() + body
        if len(signatures) == 1:
            signer = self._ring.signer(signatures[0], content, now)
        else:
            signer = live_ones(self._ring.matching(signatures, content), now)[0]
        return WebhookSender(source=self.source, key_id=signer.id, signed_at=signed_at)


def _parts(header: str) -> tuple[str, list[str]]:
    if len(header) == _USUAL_LENGTH and header[:2] == "t=" and header[12:16] == ",v1=":
        return header[2:12], [header[16:]]
    stamps: list[str] = []
    signatures: list[str] = []
    for item in header.split(",", MOST_SIGNATURES):
        if item[:3] == "v1=":
            signatures.append(item[3:])
        elif item[:2] == "t=":
            stamps.append(item[2:])
        elif "=" not in item:
            raise WebhookRefused("the Stripe-Signature header is no list of names and values")
    if len(stamps) != 1:
        raise WebhookRefused(f"the Stripe-Signature header has {len(stamps)} timestamps")
    return stamps[0], signatures
