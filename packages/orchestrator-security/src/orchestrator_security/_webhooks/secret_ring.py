"""Several live secrets for one sender, so that a secret can be replaced without a moment in which nobody can get in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.models import require_aware, require_identifier
from orchestrator_kernel.ports import WebhookRefused
from orchestrator_security._webhooks.hmac_key import Algorithm, HmacKey

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
        self._keys = [(secret, prepare(decoded_key(secret, decode))) for secret in secrets]

    def signers(self, given: bytes, now: datetime, sign: Callable[[Key], bytes]) -> list[WebhookSecret]:
        """The live secrets under which `sign` makes `given`; more than one only if two secrets are equal.

        Every secret is tried and compared in constant time, so the time taken does not tell which one matched.

        Raises:
            WebhookRefused: There is none.
        """
        matching = [secret for secret, key in self._keys if compare_digest(sign(key), given)]
        return live_ones(matching, now)


class HmacRing(SecretRing[HmacKey]):
    """The secrets of a sender that signs with HMAC."""

    def __init__(
        self,
        secrets: Sequence[WebhookSecret],
        algorithm: Algorithm = "sha256",
        *,
        decode: Callable[[str], bytes] = str.encode,
        sign: Callable[[HmacKey, bytes], str] = HmacKey.hex,
        prefix: str = "",
    ) -> None:
        """As a `SecretRing`; `prefix` and what `sign` makes are the signature as it stands in the request, in ASCII."""
        super().__init__(secrets, lambda key: HmacKey(key, algorithm), decode)
        self._sign = sign
        self._prefix = prefix

    def signer(self, given: str, content: bytes, now: datetime) -> WebhookSecret:
        """The live secret under which `given` (ASCII) is the signature of `content`, as `signers` finds it."""
        sign, prefix = self._sign, self._prefix
        matching: list[WebhookSecret] = []
        for secret, key in self._keys:
            if compare_digest(prefix + sign(key, content), given):
                matching.append(secret)
        if matching and matching[0].expires_at is None:
            return matching[0]
        return live_ones(matching, now)[0]

    def matching(self, given: Sequence[str], content: bytes) -> list[WebhookSecret]:
        """The secrets, expired or not, under which one of `given` (ASCII) is the signature of `content`."""
        matching: list[WebhookSecret] = []
        for secret, key in self._keys:
            expected = self._prefix + self._sign(key, content)
            # A list, so that all of them are compared.
            if any([compare_digest(expected, each) for each in given]):  # noqa: C419
                matching.append(secret)
        return matching


class Credential(Protocol):
    """A secret or a public key with a name and an end."""

    @property
    def id(self) -> str:
        """Its name."""
        ...

    def live(self, now: datetime) -> bool:
        """Whether it may still be used at `now`."""
        ...


Held = TypeVar("Held", bound=Credential)


def live_ones(matching: Sequence[Held], now: datetime) -> list[Held]:
    """Those of the credentials whose signature matched that may still be used.

    Raises:
        WebhookRefused: There is none.
    """
    live = [each for each in matching if each.live(now)]
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
