"""HMAC signatures over the raw body (RFC 2104), in the many shapes that senders give them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from orchestrator_kernel.exceptions import ConfigurationError, ValidationError
from orchestrator_kernel.models import require_aware
from orchestrator_kernel.ports import Clock, WebhookRefused, WebhookRequest, WebhookSender
from orchestrator_security._webhooks.decoding import carries_id, required_headers
from orchestrator_security._webhooks.hmac_key import HmacKey
from orchestrator_security._webhooks.limits import (
    DEFAULT_MAX_BODY,
    DEFAULT_TOLERANCE,
    refuse_size,
    time_within,
    valid_max_body,
    valid_tolerance,
)
from orchestrator_security._webhooks.secret_ring import HmacRing, WebhookSecret, decoded_key

if TYPE_CHECKING:
    from pydantic import SecretStr

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PRINTABLE = re.compile(r"[!-~]*")


def _base64_key(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


KEY_DECODERS: Mapping[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "hex": bytes.fromhex,
    "base64": _base64_key,
}
SIGNERS: Mapping[str, Callable[[HmacKey, bytes], str]] = {"hex": HmacKey.hex, "base64": HmacKey.base64}
_ALGORITHMS = ("sha256", "sha384", "sha512")
_BAD_ID = "delivery_id must be 1 to 255 printable ASCII characters without the separator"


@dataclass(frozen=True, slots=True, kw_only=True)
class HmacScheme:
    """How a sender signs: HMAC over `[delivery id, separator,] [timestamp, separator,] raw body`.

    GitHub's scheme is `HmacScheme(signature_header="X-Hub-Signature-256", prefix="sha256=", timestamp_header=None)`.

    Attributes:
        signature_header: Carries `prefix` and the signature.
        timestamp_header: Carries the signed time in Unix seconds. None if the sender signs no time: then a request never grows
            too old, and only its id can stop a replay.
        id_header: Carries the signed id of the delivery; None if the sender signs none.
        algorithm: The hash under the HMAC.
        encoding: Of the signature: lower-case hex, or base64 with padding. Other spellings of the same bytes are refused.
        key_encoding: Of the secret: its text is the key, or stands for it in hex or base64.
        prefix: Stands before the signature, for example `sha256=` or `v1,`.
        separator: Between the signed parts. Not empty and without digits, because `12` and `3…` must not read as `123…`.
    """

    signature_header: str = "X-Webhook-Signature"
    timestamp_header: str | None = "X-Webhook-Timestamp"
    id_header: str | None = None
    algorithm: Literal["sha256", "sha384", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    key_encoding: Literal["utf-8", "hex", "base64"] = "utf-8"
    prefix: str = ""
    separator: str = "."

    def __post_init__(self) -> None:
        self._require_headers()
        for name, value, known in (
            ("algorithm", self.algorithm, _ALGORITHMS),
            ("encoding", self.encoding, SIGNERS),
            ("key_encoding", self.key_encoding, KEY_DECODERS),
        ):
            if value not in known:
                raise ConfigurationError(f"{name} must be one of {', '.join(known)}, not {value}")
        if not _PRINTABLE.fullmatch(self.prefix):
            raise ConfigurationError("prefix must be printable ASCII without spaces")
        if not self.separator or not _PRINTABLE.fullmatch(self.separator) or re.search("[0-9]", self.separator):
            raise ConfigurationError("separator must be printable ASCII without spaces or digits, and not empty")

    def _require_headers(self) -> None:
        names = [name for name in (self.signature_header, self.timestamp_header, self.id_header) if name is not None]
        if not all(_HEADER_NAME.fullmatch(name) for name in names):
            raise ConfigurationError(f"not all of {names} are header names")
        if len({name.lower() for name in names}) != len(names):
            raise ConfigurationError(f"the headers of a scheme must differ, not {names}")

    def sign(
        self, body: bytes, timestamp: datetime | None, secret: SecretStr, *, delivery_id: str | None = None
    ) -> dict[str, str]:
        """The headers that prove `body`.

        Args:
            body: The bytes as they will be sent.
            timestamp: Now (aware); None exactly if the scheme signs no time.
            secret: Shared with the receiver.
            delivery_id: The same for every retry of this delivery; None exactly if the scheme signs no id.

        Raises:
            ValidationError: A part is missing, not wanted, or not of a form that the scheme can carry.
            ConfigurationError: The secret is too short or does not have the scheme's encoding.
        """
        stamp = None if timestamp is None else str(int(require_aware(timestamp, "timestamp").timestamp()))
        headers: dict[str, str] = {}
        for field, header, value in (
            ("timestamp", self.timestamp_header, stamp),
            ("delivery_id", self.id_header, delivery_id),
        ):
            if (header is None) != (value is None):
                wanted = "does not sign" if header is None else "signs"
                raise ValidationError(f"this scheme {wanted} a {field}", details={"field": field})
            if header is not None and value is not None:
                headers[header] = value
        if delivery_id is not None and not self.carries_id(delivery_id):
            raise ValidationError(_BAD_ID, details={"field": "delivery_id"})
        key = HmacKey(decoded_key(WebhookSecret("sender", secret), KEY_DECODERS[self.key_encoding]), self.algorithm)
        signature = SIGNERS[self.encoding](key, self.signed_content(body, stamp, delivery_id))
        return {self.signature_header: self.prefix + signature, **headers}

    def carries_id(self, delivery_id: str) -> bool:
        """Whether the id can be signed unambiguously: 1 to 255 printable ASCII characters that end where the separator begins."""
        return carries_id(delivery_id, self.separator)

    def signed_content(self, body: bytes, stamp: str | None, delivery_id: str | None) -> bytes:
        """The bytes under the HMAC."""
        start = "" if delivery_id is None else delivery_id + self.separator
        return (start + stamp + self.separator).encode() + body if stamp is not None else start.encode() + body


class HmacVerifier:
    """A `WebhookVerifier` for one `HmacScheme`."""

    def __init__(
        self,
        scheme: HmacScheme,
        secrets: Sequence[WebhookSecret],
        *,
        clock: Clock,
        source: str = "webhook",
        tolerance: float = DEFAULT_TOLERANCE,
        max_body: int = DEFAULT_MAX_BODY,
    ) -> None:
        """Set up the verifier.

        Args:
            scheme: How the sender signs.
            secrets: All that may sign now; each at least 16 bytes, ids unique.
            clock: Says what time it is.
            source: Names the sender in `WebhookSender.source`.
            tolerance: Seconds between the signed time and ours, past or future.
            max_body: Bytes.

        Raises:
            ConfigurationError: A secret or a limit is not usable; the message names it, never its value.
        """
        self.source = source
        self.max_body = valid_max_body(max_body)
        self._scheme = scheme
        self._ring = HmacRing(
            secrets,
            scheme.algorithm,
            decode=KEY_DECODERS[scheme.key_encoding],
            sign=SIGNERS[scheme.encoding],
            prefix=scheme.prefix,
        )
        self._now = clock.now
        self._tolerance = timedelta(seconds=valid_tolerance(tolerance))
        self._signature = scheme.signature_header.lower()
        self._timestamp = None if scheme.timestamp_header is None else scheme.timestamp_header.lower()
        self._id = None if scheme.id_header is None else scheme.id_header.lower()
        names = (self._signature, self._timestamp, self._id)
        self._headers = dict.fromkeys(name for name in names if name is not None)

    def verify(self, request: WebhookRequest) -> WebhookSender:
        body = request.body
        if len(body) > self.max_body:
            refuse_size(len(body), self.max_body)
        now, found = self._now(), required_headers(request, self._headers)
        stamp, signed_at, delivery_id = "", None, None
        if self._id is not None:
            delivery_id = found[self._id]
            if not self._scheme.carries_id(delivery_id):
                raise WebhookRefused(_BAD_ID)
        if self._timestamp is not None:
            stamp = found[self._timestamp]
            signed_at = time_within(stamp, now, self._tolerance)
            if delivery_id is None:
                stamp += self._scheme.separator
        if delivery_id is None:
            content = stamp.encode() + body if stamp else body
        else:
            content = self._scheme.signed_content(body, stamp or None, delivery_id)
        signer = self._ring.signer(found[self._signature], content, now)
        return WebhookSender(source=self.source, key_id=signer.id, signed_at=signed_at, delivery_id=delivery_id)
