"""Keys that sign and verify: each is bound to one algorithm, and says when it signs and how long it verifies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Self, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from orchestrator_auth.exceptions import TokenRefused
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.models import require_aware

FOREVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)

_KEY_ID: Final = re.compile(r"[A-Za-z0-9._~:@+/=-]{1,128}\Z")
_SECRET_BYTES: Final = 32
_RSA_BITS: Final = range(2048, 8193)


class Algorithm(StrEnum):
    """The algorithms there are (RFC 7518, RFC 8037); HS256 only where one process both signs and verifies, and keeps its key in memory."""

    ES256 = "ES256"
    EDDSA = "EdDSA"
    RS256 = "RS256"
    HS256 = "HS256"


_MAKERS: Final[Mapping[Algorithm, Callable[[], Key]]] = {
    Algorithm.ES256: lambda: ECKey.generate_key("P-256"),
    Algorithm.EDDSA: lambda: OKPKey.generate_key("Ed25519"),
    Algorithm.RS256: lambda: RSAKey.generate_key(3072),
    Algorithm.HS256: lambda: OctKey.generate_key(256),
}


def _fits(algorithm: Algorithm, key: Key) -> bool:
    """Whether this is the one kind of key the algorithm takes."""
    match algorithm:
        case Algorithm.ES256:
            return isinstance(key, ECKey) and key.curve_name == "P-256"
        case Algorithm.EDDSA:
            return isinstance(key, OKPKey) and key.curve_name == "Ed25519"
        case Algorithm.RS256:
            return isinstance(key, RSAKey) and _modulus_bits(key) in _RSA_BITS
        case Algorithm.HS256:
            return isinstance(key, OctKey) and len(key.raw_value) >= _SECRET_BYTES


def _modulus_bits(key: RSAKey) -> int:
    public: RSAPublicKey = key.public_key
    return public.key_size


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationKey:
    """What checks signatures of one key id, with one algorithm.

    Attributes:
        signs_from: From when on it signs; published before, so that all verifiers know it by then.
        verifies_until: From when on nothing signed with it is believed.
    """

    kid: str
    algorithm: Algorithm
    key: Key = field(repr=False, compare=False, hash=False)
    signs_from: datetime = ALWAYS
    verifies_until: datetime = FOREVER

    def __post_init__(self) -> None:
        if not _KEY_ID.match(self.kid):
            raise ConfigurationError("a key id is 1 to 128 characters that are safe in a URL")
        if not _fits(self.algorithm, self.key):
            raise ConfigurationError(f"this key is not fit for {self.algorithm}", details={"kid": self.kid})
        require_aware(self.signs_from, "signs_from")
        require_aware(self.verifies_until, "verifies_until")

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, object], **times: datetime) -> Self:
        """Read a JWK that names its `kid` and `alg`.

        Raises:
            ConfigurationError: It is no usable key of one of the algorithms.
        """
        try:
            algorithm = Algorithm(str(jwk["alg"]))
            key = JWKRegistry.import_key(cast("dict[str, Any]", dict(jwk)))
            return cls(kid=cast("str", jwk["kid"]), algorithm=algorithm, key=key, **times)
        except (JoseError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"not a usable JSON Web Key: {type(error).__name__}") from None

    def verify(self, signed: bytes, signature: bytes) -> None:
        """Return if the signature is this key's.

        Raises:
            TokenRefused: It is not.
        """
        try:
            good = JWSRegistry.algorithms[self.algorithm].verify(signed, signature, self.key)
        except (JoseError, InvalidSignature, ValueError, TypeError):
            good = False
        if not good:
            raise TokenRefused("signature does not verify")

    def public_jwk(self) -> dict[str, object] | None:
        """The members that everyone may see (RFC 7517); None for a shared secret."""
        if self.algorithm is Algorithm.HS256:
            return None
        public = cast("dict[str, Any]", self.key.as_dict(private=False))
        return {**public, "kid": self.kid, "alg": str(self.algorithm), "use": "sig"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey(VerificationKey):
    """A key that holds its private part."""

    def __post_init__(self) -> None:
        VerificationKey.__post_init__(self)
        if not self.key.is_private:
            raise ConfigurationError("this key cannot sign: it is public", details={"kid": self.kid})

    @classmethod
    def generate(cls, algorithm: str = Algorithm.ES256, *, kid: str | None = None, **times: datetime) -> Self:
        """A fresh key; its id is its thumbprint (RFC 7638) unless given."""
        try:
            chosen = Algorithm(algorithm)
        except ValueError:
            names = ", ".join(Algorithm)
            raise ConfigurationError(f"{algorithm!r} is not one of {names}") from None
        key = _MAKERS[chosen]()
        return cls(kid=kid or key.thumbprint(), algorithm=chosen, key=key, **times)

    def sign(self, signed: bytes) -> bytes:
        """The signature over the bytes."""
        signature: bytes = JWSRegistry.algorithms[self.algorithm].sign(signed, self.key)
        return signature

    def to_json(self) -> str:
        """All of it, private part included; seal it before it is written anywhere."""
        document = {
            **cast("dict[str, Any]", self.key.as_dict(private=True)),
            "kid": self.kid,
            "alg": str(self.algorithm),
            "signs_from": self.signs_from.isoformat(),
            "verifies_until": self.verifies_until.isoformat(),
        }
        return json.dumps(document)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote.

        Raises:
            ConfigurationError: It is something else.
        """
        try:
            document: dict[str, Any] = json.loads(text)
            times = {name: datetime.fromisoformat(document.pop(name)) for name in ("signs_from", "verifies_until")}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigurationError("not a stored signing key") from error
        return cls.from_jwk(document, **times)
