"""The chain of audit records, without any I/O: how a record is bound to those before it, and how the end of the chain is signed.

    digest(n) = SHA-256(document(n))
    hash(n)   = SHA-256("…entry" ‖ hash(n-1) ‖ n ‖ last day of retention ‖ digest(n))

A document may go when its retention is over; its digest stays, so that the chain still holds. The head (number, hash and time of the last
record, and the digest of the last checkpoint) is signed with Ed25519 in the transaction that appends. A checkpoint is a head that is kept.
Whoever can write the database but has no signing key can therefore change nothing unseen, except put back an older database whole; against that, keep a
signed head elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from orchestrator_kernel.exceptions import ConfigurationError

__all__ = [
    "GENESIS",
    "AuditKey",
    "AuditKeyring",
    "AuditSigner",
    "Entry",
    "SignedHead",
    "digest_of",
    "hash_of",
]

GENESIS: Final = bytes(32)
"""The hash before the first record."""

_ENTRY: Final = b"orchestrator.audit.entry.v1\0"
_HEAD: Final = b"orchestrator.audit.head.v1\0"


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as it lies in the store.

    Attributes:
        seq: 1, 2, 3 … without gaps.
        event_id: The event's id; None once the document is gone.
        event_type: Its type, `tenant` its tenant, `occurred_at` its time in microseconds since 1970 UTC: copies, to search by.
        expires: The last day of its retention, in days since 1970.
        document: The event, or None once its retention is over.
        digest: Of the document.
        hash: Of all the above and the record before.
    """

    seq: int
    event_id: str | None
    event_type: str | None
    tenant: str | None
    occurred_at: int | None
    expires: int
    document: str | None
    digest: bytes
    hash: bytes


def digest_of(document: str) -> bytes:
    """SHA-256 of a document."""
    return hashlib.sha256(document.encode()).digest()


def hash_of(previous: bytes, seq: int, expires: int, digest: bytes) -> bytes:
    """What binds a record to all before it."""
    numbers = seq.to_bytes(8, "big") + expires.to_bytes(8, "big", signed=True)
    return hashlib.sha256(_ENTRY + previous + numbers + digest).digest()


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The end of the chain at one moment, signed.

    Attributes:
        seq: Of the last record; 0 before the first.
        hash: Of the last record, in hexadecimal.
        at: ISO 8601, UTC.
        previous: Digest of the checkpoint before, in hexadecimal; empty for the first.
        key_id: Whose signature it is.
        signature: Ed25519, in hexadecimal.
    """

    seq: int
    hash: str
    at: str
    previous: str
    key_id: str
    signature: str = ""

    def payload(self) -> bytes:
        """What is signed."""
        members = [self.seq, self.hash, self.at, self.previous, self.key_id]
        return _HEAD + json.dumps(members, separators=(",", ":")).encode()

    def digest(self) -> str:
        """Names this head, signature included."""
        return hashlib.sha256(self.payload() + bytes.fromhex(self.signature)).hexdigest()

    def text(self) -> str:
        """One line of JSON, to be kept elsewhere."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def read(cls, text: str) -> SignedHead:
        """What `text` wrote.

        Raises:
            ValueError: It is none.
        """
        try:
            members = cast("Mapping[str, str]", json.loads(text))
            return cls(**{**members, "seq": int(members["seq"])})  # type: ignore[arg-type]
        except (TypeError, KeyError, RecursionError) as error:
            raise ValueError("the text is no signed head") from error


class AuditSigner:
    """Signs heads with one Ed25519 key.

    Args:
        seed: The private key, 32 bytes; derive it from a root secret, or keep what `secrets.token_bytes(32)` gave.
    """

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise ConfigurationError("the seed of an audit signing key has 32 bytes")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()
        self.key_id = key_id_of(self.public)

    def sign(self, *, seq: int, head: bytes, at: datetime, previous: str) -> SignedHead:
        """The signed end of the chain."""
        unsigned = SignedHead(seq, head.hex(), at.astimezone(UTC).isoformat(), previous, self.key_id)
        signature = self._key.sign(unsigned.payload()).hex()
        return SignedHead(unsigned.seq, unsigned.hash, unsigned.at, previous, self.key_id, signature)


def key_id_of(public: bytes) -> str:
    """The name of a public key: the beginning of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class AuditKey:
    """A public key that signs, or has signed.

    Attributes:
        public: 32 bytes.
        retired_at: Since when it must sign nothing more. Retire a key when its successor has signed.
    """

    public: bytes
    retired_at: datetime | None = None


class AuditKeyring:
    """The public keys that a verifier believes, oldest first.

    Raises:
        ConfigurationError: None, or more than one, is not retired, or a key is no Ed25519 key.
    """

    def __init__(self, keys: Iterable[AuditKey]) -> None:
        self._keys: dict[str, tuple[int, AuditKey, Ed25519PublicKey]] = {}
        for order, key in enumerate(keys):
            try:
                public = Ed25519PublicKey.from_public_bytes(key.public)
            except ValueError as error:
                raise ConfigurationError("an audit key is 32 bytes of Ed25519") from error
            self._keys[key_id_of(key.public)] = order, key, public
        if sum(key.retired_at is None for _, key, _ in self._keys.values()) != 1:
            raise ConfigurationError("exactly one audit key signs; all others are retired")

    def order(self, key_id: str) -> int | None:
        """The key's place among all, or None if it is unknown."""
        found = self._keys.get(key_id)
        return None if found is None else found[0]

    def retired(self, key_id: str, at: datetime) -> bool:
        """Whether the key must not have signed at `at`."""
        _, key, _ = self._keys[key_id]
        return key.retired_at is not None and at >= key.retired_at

    def is_retired(self, key_id: str) -> bool:
        """Whether the key has a successor."""
        return self._keys[key_id][1].retired_at is not None

    def proves(self, head: SignedHead) -> bool:
        """Whether the head's signature is that of the key it names."""
        found = self._keys.get(head.key_id)
        if found is None:
            return False
        try:
            found[2].verify(bytes.fromhex(head.signature), head.payload())
        except (InvalidSignature, ValueError):
            return False
        return True
