"""A static key in the Authorization header, for senders that can do no better."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from orchestrator_kernel.ports import Clock, WebhookRefused, WebhookRequest, WebhookSender
from orchestrator_security._webhooks.decoding import ascii_header
from orchestrator_security._webhooks.limits import DEFAULT_MAX_BODY, require_body_within, valid_max_body
from orchestrator_security._webhooks.secret_ring import SecretRing, WebhookSecret


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class BearerVerifier:
    """Accepts `Authorization: Bearer KEY`.

    It proves that the sender knows the key and nothing else: not the body, not the time. Whoever sees one request can send any
    other, so it is for old senders on encrypted connections, only where they are configured.
    """

    def __init__(
        self,
        secrets: Sequence[WebhookSecret],
        *,
        clock: Clock,
        source: str = "bearer",
        max_body: int = DEFAULT_MAX_BODY,
    ) -> None:
        """Set up the verifier.

        Args:
            secrets: All keys that may be used now; each at least 16 bytes, ids unique.
            clock: Says what time it is, for the expiry of the keys.
            source: Names the sender in `WebhookSender.source`.
            max_body: Bytes.

        Raises:
            ConfigurationError: A key or a limit is not usable; the message names it, never its value.
        """
        self.source = source
        self.max_body = valid_max_body(max_body)
        # Digests have one length, so the comparison does not tell how long a key is.
        self._ring = SecretRing(secrets, _sha256)
        self._clock = clock

    def verify(self, request: WebhookRequest) -> WebhookSender:
        require_body_within(request.body, self.max_body)
        scheme, _, key = ascii_header(request, "authorization").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise WebhookRefused("the Authorization header has no bearer key")
        signer = self._ring.signers(_sha256(key.encode()), self._clock.now(), lambda digest: digest)[0]
        return WebhookSender(source=self.source, key_id=signer.id)
