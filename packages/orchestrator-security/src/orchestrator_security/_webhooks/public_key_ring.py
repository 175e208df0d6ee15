"""Ed25519 public keys of a sender (RFC 8032), several at once so that one can be replaced without a gap."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.models import require_aware, require_identifier

if TYPE_CHECKING:
    from pydantic import SecretStr

SIGNATURE_BYTES = 64
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class WebhookPublicKey:
    """The public half of a sender's Ed25519 key.

    Attributes:
        id: Names the key in logs and in `WebhookSender.key_id`.
        value: The 32 bytes in base64, as the sender shows them; a prefix `whpk_` is read over.
        expires_at: From this instant on (aware) nothing it signed is accepted; None while it is the current one.
    """

    id: str
    value: str
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        require_identifier(self.id, "webhook key id")
        if self.expires_at is not None:
            require_aware(self.expires_at, "expires_at")

    def live(self, now: datetime) -> bool:
        """Whether it may still be used at `now`."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class WebhookPrivateKey:
    """An Ed25519 key of our own.

    Attributes:
        id: Names the key; never part of it.
        value: The 32 bytes of the seed, or the 64 of seed and public key, in base64; a prefix `whsk_` is read over.
        expires_at: From this instant on (aware) it signs nothing any more.
    """

    id: str
    value: SecretStr
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        require_identifier(self.id, "webhook key id")
        if self.expires_at is not None:
            require_aware(self.expires_at, "expires_at")

    def live(self, now: datetime) -> bool:
        """Whether it may still be used at `now`."""
        return self.expires_at is None or now < self.expires_at

    def signer(self) -> Callable[[bytes], bytes]:
        """What signs with it.

        Raises:
            ConfigurationError: It is no Ed25519 private key.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

        seed = _decoded(self.value.get_secret_value().removeprefix("whsk_"))
        if len(seed) not in {_KEY_BYTES, 2 * _KEY_BYTES}:
            raise ConfigurationError(f"webhook key {self.id} is not an Ed25519 private key in base64 (32 or 64 bytes)")
        return Ed25519PrivateKey.from_private_bytes(seed[:_KEY_BYTES]).sign


class PublicKeyRing:
    """The public keys of one verifier, loaded once."""

    def __init__(self, keys: Sequence[WebhookPublicKey]) -> None:
        """Load the keys.

        Raises:
            ConfigurationError: Two have one id, or one is no Ed25519 key.
        """
        # Here, because most services verify HMAC only and need not load it.
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

        if not keys:
            raise ConfigurationError("a webhook verifier needs at least one public key")
        ids = [key.id for key in keys]
        if len(set(ids)) != len(ids):
            raise ConfigurationError(f"webhook key ids must be unique, not {', '.join(ids)}")
        load: Callable[[bytes], Ed25519PublicKey] = Ed25519PublicKey.from_public_bytes
        self._keys = tuple((key, load(_raw(key)).verify) for key in keys)
        self._invalid: type[Exception] = InvalidSignature

    def matching(self, signatures: Iterable[bytes], content: bytes) -> list[WebhookPublicKey]:
        """The keys, expired or not, whose holder made one of `signatures` for `content`."""
        return [
            key for signature in signatures for key, verify in self._keys if self._right(verify, signature, content)
        ]

    def _right(self, verify: Callable[[bytes, bytes], None], signature: bytes, content: bytes) -> bool:
        try:
            verify(signature, content)
        except self._invalid:
            return False
        return True


def _raw(key: WebhookPublicKey) -> bytes:
    raw = _decoded(key.value.removeprefix("whpk_"))
    if len(raw) != _KEY_BYTES:
        raise ConfigurationError(f"webhook key {key.id} is not an Ed25519 public key in base64 (32 bytes)")
    return raw


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def ed25519_signature(text: str) -> bytes | None:
    """The 64 bytes of a signature in canonical base64; None for every other text."""
    signature = _decoded(text)
    canonical = len(signature) == SIGNATURE_BYTES and base64.b64encode(signature) == text.encode()
    return signature if canonical else None
