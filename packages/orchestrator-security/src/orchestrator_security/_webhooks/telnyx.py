"""Telnyx: `telnyx-signature-ed25519`, an Ed25519 signature in base64 over `timestamp|body`.

Source: developers.telnyx.com, "Webhook fundamentals" (the account's public key is shown in its portal).
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
from orchestrator_security._webhooks.public_key_ring import PublicKeyRing, WebhookPublicKey, ed25519_signature
from orchestrator_security._webhooks.secret_ring import live_ones

_SIGNATURE, _TIMESTAMP = "telnyx-signature-ed25519", "telnyx-timestamp"
_HEADERS = {_SIGNATURE: None, _TIMESTAMP: None}


class TelnyxVerifier:
    """A `WebhookVerifier` for Telnyx's events."""

    def __init__(
        self,
        public_keys: Sequence[WebhookPublicKey],
        *,
        clock: Clock,
        source: str = "telnyx",
        tolerance: float = DEFAULT_TOLERANCE,
        max_body: int = DEFAULT_MAX_BODY,
    ) -> None:
        """Set up the verifier.

        Args:
            public_keys: Of the account; more than one while it is being replaced.
            clock: Says what time it is.
            source: Names the sender in `WebhookSender.source`.
            tolerance: Seconds between the signed time and ours, past or future.
            max_body: Bytes.

        Raises:
            ConfigurationError: A key or a limit is not usable.
        """
        self.source = source
        self.max_body = valid_max_body(max_body)
        self._ring = PublicKeyRing(public_keys)
        self._now = clock.now
        self._tolerance = timedelta(seconds=valid_tolerance(tolerance))

    def verify(self, request: WebhookRequest) -> WebhookSender:
        body = request.body
        if len(body) > self.max_body:
            refuse_size(len(body), self.max_body)
        now, found = self._now(), required_headers(request, _HEADERS)
        stamp = found[_TIMESTAMP]
        signed_at = time_within(stamp, now, self._tolerance)
        signature = ed25519_signature(found[_SIGNATURE])
        if signature is None:
            raise WebhookRefused("the signature is not 64 bytes in base64")
        key = live_ones(self._ring.matching([signature], f"{stamp}|".encode() + body), now)[0]
        return WebhookSender(source=self.source, key_id=key.id, signed_at=signed_at)
