"""What sealed bytes and wrapped keys look like; pure functions.

    sealed = 1 byte version (1) | 16 bytes key id | 12 bytes nonce | ciphertext | 16 bytes tag

AES-256-GCM (NIST SP 800-38D) with random nonces. Associated data binds a ciphertext to its place: a domain, the key id, and the
scope, each with its length before it, so that no two different lists of fields give the same bytes.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.ports import SealBroken, SealScope

VERSION: Final = b"\x01"
KEY_ID_BYTES: Final = 16
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
OVERHEAD: Final = len(VERSION) + KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES
"""Bytes that sealing adds."""

_LONGEST_NAME = 255


class Sealed(NamedTuple):
    """Sealed bytes, taken apart."""

    key_id: bytes
    nonce: bytes
    ciphertext: bytes


def parse(sealed: bytes) -> Sealed:
    """Take sealed bytes apart.

    Raises:
        SealBroken: Too short, or of a version that does not exist.
    """
    if len(sealed) < OVERHEAD or sealed[:1] != VERSION:
        raise SealBroken("The data is not sealed, or was cut.")
    return Sealed(sealed[1:17], sealed[17:29], sealed[29:])


def encrypt(key: AESGCM, key_id: bytes, data: bytes, context: bytes) -> bytes:
    """Seal `data` under an opened key, bound to `sealed_context`."""
    nonce = os.urandom(NONCE_BYTES)
    return b"".join((VERSION, key_id, nonce, key.encrypt(nonce, data, context)))


def decrypt(key: AESGCM, sealed: Sealed, context: bytes) -> bytes:
    """The data.

    Raises:
        SealBroken: The tag does not fit the bytes, the key or the context.
    """
    try:
        return key.decrypt(sealed.nonce, sealed.ciphertext, context)
    except InvalidTag:
        raise SealBroken("The sealed data was changed, or belongs to another scope.") from None


def require_scope(scope: SealScope) -> None:
    """Check the three names of a scope.

    Raises:
        ValidationError: One is empty, longer than 255 characters, or holds what does not print.
    """
    for field, value in (("tenant", scope.tenant), ("subject", scope.subject), ("purpose", scope.purpose)):
        require_name(value, field)


def require_name(value: str, field: str) -> None:
    """Check one name.

    Raises:
        ValidationError: It is empty, longer than 255 characters, or holds what does not print.
    """
    if not 0 < len(value) <= _LONGEST_NAME or not value.isprintable():
        raise ValidationError(f"{field} must be 1 to {_LONGEST_NAME} printable characters", details={"field": field})


def data_key_context(key_id: bytes, tenant: str, subject: str) -> bytes:
    """What a wrapped data key is bound to."""
    return join(b"orchestrator-secrets/data-key/1", key_id, tenant.encode(), subject.encode())


def owner_context(key_id: bytes, tenant: str, subject: str) -> bytes:
    """The part of `sealed_context` that is the same for all data under one key."""
    return join(b"orchestrator-secrets/sealed/1", key_id, tenant.encode(), subject.encode())


def sealed_context(owner: bytes, purpose: str) -> bytes:
    """What sealed data is bound to, from the `owner_context` of its key."""
    return owner + join(purpose.encode())


def join(*fields: bytes) -> bytes:
    """The fields, each after its length in 4 bytes: an injective encoding of the list."""
    return b"".join([part for field in fields for part in (len(field).to_bytes(4, "big"), field)])
