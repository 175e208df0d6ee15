"""Several live secrets for one sender, so that a secret can be replaced without a moment in which nobody can get in."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.models import require_aware, require_identifier
from orchestrator_kernel.ports import WebhookRefused

if TYPE_CHECKING:
    from pydantic import SecretStr

Key = TypeVar("Key")

MIN_SECRET_BYTES = 16
"""128 bits: below that a signature can be searched for offline."""


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """One secret shared with a sender.

    Attributes:
        id: Names the secret in logs and in `WebhookSender.key_id`; never part of the secret.
        value: At least 16 bytes once decoded.
        expires_at: From this instant on (aware) nothing it signed is accepted; None while it is the current one.
    """

    id: str
    value: SecretStr
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        require_identifier(self.id, "webhook secret id")
        if self.expires_at is not None:
            require_aware(self.expires_at, "expires_at")

    def live(self, now: datetime) -> bool:
        """Whether it may still be used at `now`."""
        return self.expires_at is None or now < self.expires_at


class SecretRing(Generic[Key]):
    """The secrets of one verifier, with their keys made ready once."""

    def __init__(
        self,
        secrets: Sequence[WebhookSecret],
        prepare: Callable[[bytes], Key],
        decode: Callable[[str], bytes] = str.encode,
    ) -> None:
        """Decode and prepare the keys.

        Args:
            secrets: At least one; ids are unique.
            prepare: From the bytes of a key to what signs with it.
            decode: From the text of a secret to its key; a `ValueError` means that the text has another form.

        Raises:
            ConfigurationError: No secret, two with one id, one that cannot be decoded, or one with less than 16 bytes.
        """
        if not secrets:
            raise ConfigurationError("a webhook verifier needs at least one secret")
        ids = [secret.id for secret in secrets]
        if len(set(ids)) != len(ids):
            raise ConfigurationError(f"webhook secret ids must be unique, not {', '.join(ids)}")
        self._keys = tuple((secret, prepare(decoded_key(secret, decode))) for secret in secrets)

    def signers(self, given: bytes, now: datetime, sign: Callable[[Key], bytes]) -> list[WebhookSecret]:
        """The live secrets under which `sign` makes `given`; more than one only if two secrets are equal.

        Every secret is tried and compared in constant time, so the time taken does not tell which one matched.

        Raises:
            WebhookRefused: There is none.
        """
        matching = [secret for secret, key in self._keys if hmac.compare_digest(sign(key), given)]
        live = [secret for secret in matching if secret.live(now)]
        if live:
            return live
        if matching:
            raise WebhookRefused(f"bad signature: made with secret {matching[0].id}, which has expired")
        raise WebhookRefused("bad signature: no secret of ours makes it for this content")


def decoded_key(secret: WebhookSecret, decode: Callable[[str], bytes]) -> bytes:
    """The key behind a secret's text.

    Raises:
        ConfigurationError: `decode` does not take it, or it is shorter than 16 bytes.
    """
    try:
        key = decode(secret.value.get_secret_value())
    except ValueError:
        # The cause would quote the secret.
        raise ConfigurationError(f"webhook secret {secret.id} does not have the encoding of its scheme") from None
    if len(key) < MIN_SECRET_BYTES:
        raise ConfigurationError(
            f"webhook secret {secret.id} has {len(key)} bytes; at least {MIN_SECRET_BYTES} are needed"
        )
    return key
