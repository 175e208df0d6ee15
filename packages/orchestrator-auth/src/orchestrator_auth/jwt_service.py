"""Access tokens: made, checked, revoked; the keys they are signed with, rotated while everything runs.

What the user types:

    profile = TokenProfile(issuer="https://calls.example", audience="calls")
    ring = KeyRing(MemoryKeys(), clock=clock)
    await ring.open()
    issuer = TokenIssuer(profile, ring, clock=clock)
    verifier = TokenVerifier(profile, ring, clock=clock)
    verified = await verifier.verify(await issuer.issue(TokenRequest(subject="u-1", tenant="hotel-7")))

Every check of RFC 9068 and RFC 8725 is on. `RemoteKeys` and `IntrospectionClient` stand for another authority (extra `[http]`). Refresh tokens belong to
sessions: `orchestrator_auth.sessions`.
"""

from orchestrator_auth._jwt.claims import TokenProfile, VerifiedToken
from orchestrator_auth._jwt.introspection import IntrospectionClient, IntrospectionConfig
from orchestrator_auth._jwt.issuer import TokenIssuer, TokenRequest
from orchestrator_auth._jwt.key_ring import (
    KeyRing,
    KeyRingConfig,
    KeySource,
    MemoryKeys,
    SealedKeys,
    SigningKeyStore,
    StoredKeys,
)
from orchestrator_auth._jwt.keys import Algorithm, SigningKey, VerificationKey
from orchestrator_auth._jwt.remote_keys import RemoteKeys, RemoteKeysConfig, read_key_set
from orchestrator_auth._jwt.revocation import (
    Changes,
    MemoryRevocations,
    Revocation,
    RevocationConfig,
    RevocationKind,
    Revocations,
    RevocationStore,
)
from orchestrator_auth._jwt.verifier import TokenVerifier, introspect

__all__ = [
    "Algorithm",
    "Changes",
    "IntrospectionClient",
    "IntrospectionConfig",
    "KeyRing",
    "KeyRingConfig",
    "KeySource",
    "MemoryKeys",
    "MemoryRevocations",
    "RemoteKeys",
    "RemoteKeysConfig",
    "Revocation",
    "RevocationConfig",
    "RevocationKind",
    "RevocationStore",
    "Revocations",
    "SealedKeys",
    "SigningKey",
    "SigningKeyStore",
    "StoredKeys",
    "TokenIssuer",
    "TokenProfile",
    "TokenRequest",
    "TokenVerifier",
    "VerificationKey",
    "VerifiedToken",
    "introspect",
    "read_key_set",
]
