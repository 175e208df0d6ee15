"""Standard Webhooks, which Svix and others send: `id.timestamp.body`, signed with HMAC (`v1`) or Ed25519 (`v1a`).

Source: the specification at github.com/standard-webhooks/standard-webhooks. One header lists several signatures, separated by
spaces, so that a sender can replace its key; versions that are not known here are passed over.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from orchestrator_kernel.exceptions import ConfigurationError, ValidationError
from orchestrator_kernel.models import require_aware
from orchestrator_kernel.ports import Clock, WebhookRefused, WebhookRequest, WebhookSender
from orchestrator_security._webhooks.decoding import required_headers
from orchestrator_security._webhooks.hmac_key import HmacKey
from orchestrator_security._webhooks.limits import (
    DEFAULT_MAX_BODY,
    DEFAULT_TOLERANCE,
    refuse_size,
    time_within,
    valid_max_body,
    valid_tolerance,
)
from orchestrator_security._webhooks.public_key_ring import (
    PublicKeyRing,
    WebhookPrivateKey,
    WebhookPublicKey,
    ed25519_signature,
)
from orchestrator_security._webhooks.secret_ring import Credential, HmacRing, WebhookSecret, decoded_key, live_ones

HeaderPrefix = Literal["webhook", "svix"]
MOST_SIGNATURES = 16
_identity = re.compile(r"[!-\-/-~]{1,255}").fullmatch
"""Printable ASCII without the separator."""
_PARTS = ("id", "timestamp", "signature")
_V1 = "v1,"
_ONE_V1 = len(_V1) + 44
_BAD_ID = "the id must be 1 to 255 printable ASCII characters without a point"


def standard_secret(text: str) -> bytes:
    """The key in a secret: base64, with `whsec_` in front or not, with padding or not; ValueError for another text."""
    encoded = text.removeprefix("whsec_").rstrip("=")
    return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)


class StandardWebhooksVerifier:
    """A `WebhookVerifier` for Standard Webhooks and for Svix."""

    def __init__(
        self,
        secrets: Sequence[WebhookSecret] = (),
        *,
        public_keys: Sequence[WebhookPublicKey] = (),
        clock: Clock,
        source: str = "standard",
        headers: HeaderPrefix = "webhook",
        tolerance: float = DEFAULT_TOLERANCE,
        max_body: int = DEFAULT_MAX_BODY,
    ) -> None:
        """Set up the verifier.

        Args:
            secrets: For `v1`, in base64, with or without `whsec_`; each at least 16 bytes.
            public_keys: For `v1a`, in base64, with or without `whpk_`.
            clock: Says what time it is.
            source: Names the sender in `WebhookSender.source`.
            headers: What the three headers begin with; Svix's own are `svix-id` and so on.
            tolerance: Seconds between the signed time and ours, past or future.
            max_body: Bytes.

        Raises:
            ConfigurationError: Neither a secret nor a key, or one of them or a limit is not usable.
        """
        if not secrets and not public_keys:
            raise ConfigurationError("a webhook verifier needs at least one secret or public key")
        self.source = source
        self.max_body = valid_max_body(max_body)
        self._secrets = HmacRing(secrets, decode=standard_secret, sign=HmacKey.base64, prefix=_V1) if secrets else None
        self._public_keys = PublicKeyRing(public_keys) if public_keys else None
        self._now = clock.now
        self._tolerance = timedelta(seconds=valid_tolerance(tolerance))
        self._id, self._timestamp, self._signature = (f"{headers}-{name}" for name in _PARTS)
        self._headers = dict.fromkeys((self._id, self._timestamp, self._signature))

    def verify(self, request: WebhookRequest) -> WebhookSender:
        body = request.body
        if len(body) > self.max_body:
            refuse_size(len(body), self.max_body)
        now, found = self._now(), required_headers(request, self._headers)
        delivery_id, stamp, header = found[self._id], found[self._timestamp], found[self._signature]
        signed_at = time_within(stamp, now, self._tolerance)
        if _identity(delivery_id) is None:
            raise WebhookRefused(_BAD_ID)
        content = f"{delivery_id}.{stamp}.".encode() + body
        # Nothing else of that length can be accepted: a signature of another version is longer.
        if self._secrets is not None and len(header) == _ONE_V1:
            key_id = self._secrets.signer(header, content, now).id
        else:
            key_id = self._key_id(header, content, now)
        return WebhookSender(self.source, key_id, signed_at, delivery_id)

    def _key_id(self, header: str, content: bytes, now: datetime) -> str:
        shared, public = _signatures(header)
        matching: list[Credential] = []
        if self._secrets is not None:
            matching += self._secrets.matching(shared, content)
        if self._public_keys is not None:
            signatures = [signature for text in public if (signature := ed25519_signature(text)) is not None]
            matching += self._public_keys.matching(signatures, content)
        return live_ones(matching, now)[0].id


def _signatures(header: str) -> tuple[list[str], list[str]]:
    """The entries of `v1`, and the signatures of `v1a`."""
    entries = header.split(" ")
    if len(entries) > MOST_SIGNATURES:
        raise WebhookRefused(f"{len(entries)} signatures, limit {MOST_SIGNATURES}")
    shared: list[str] = []
    public: list[str] = []
    for entry in entries:
        version, comma, signature = entry.partition(",")
        if not comma or "," in signature:
            raise WebhookRefused("the signature header is no list of version and signature")
        if version in {"v1", "v1a"}:
            if not _is_base64(signature):
                raise WebhookRefused("a signature is not canonical base64")
            if version == "v1":
                shared.append(entry)
            else:
                public.append(signature)
    return shared, public


def _is_base64(text: str) -> bool:
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)) == text.encode()
    except binascii.Error:
        return False


class StandardWebhooksSigner:
    """Signs what this service sends, so that any Standard Webhooks library can verify it."""

    def __init__(
        self,
        secrets: Sequence[WebhookSecret] = (),
        *,
        private_keys: Sequence[WebhookPrivateKey] = (),
        headers: HeaderPrefix = "webhook",
    ) -> None:
        """Set up the signer.

        Args:
            secrets: For `v1`; while one is being replaced, both: the request then carries a signature by each.
            private_keys: For `v1a`.
            headers: What the three headers begin with.

        Raises:
            ConfigurationError: Neither a secret nor a key, or one of them is not usable.
        """
        if not secrets and not private_keys:
            raise ConfigurationError("a webhook signer needs at least one secret or private key")
        self._secrets = [(secret, HmacKey(decoded_key(secret, standard_secret))) for secret in secrets]
        self._private_keys = [(key, key.signer()) for key in private_keys]
        self._prefix = headers

    def sign(self, body: bytes, *, delivery_id: str, at: datetime) -> dict[str, str]:
        """The three headers that prove `body`.

        Args:
            body: The bytes as they will be sent.
            delivery_id: The same for every retry of this delivery; printable ASCII without points.
            at: Now (aware); each retry is signed anew.

        Raises:
            ValidationError: The id or the time does not have that form.
            ConfigurationError: All secrets and keys have expired.
        """
        if _identity(delivery_id) is None:
            raise ValidationError(_BAD_ID, details={"field": "delivery_id"})
        stamp = str(int(require_aware(at, "at").timestamp()))
        content = f"{delivery_id}.{stamp}.".encode() + body
        signatures = [f"v1,{key.base64(content)}" for secret, key in self._secrets if secret.live(at)]
        for private_key, sign in self._private_keys:
            if private_key.live(at):
                signatures.append(f"v1a,{base64.b64encode(sign(content)).decode()}")
        if not signatures:
            raise ConfigurationError("every secret of this webhook signer has expired")
        values = (delivery_id, stamp, " ".join(signatures))
        return {f"{self._prefix}-{name}": value for name, value in zip(_PARTS, values, strict=True)}
