"""A key of each tenant, so that what is made under it cannot be compared between tenants."""

from __future__ import annotations

import hmac

__all__ = ["tenant_key"]


def tenant_key(key: bytes, tenant: str) -> bytes:
    """32 bytes for one tenant: HKDF-Expand with SHA-256 (RFC 5869 section 2.3); without a tenant the key itself."""
    return hmac.digest(key, b"tenant:" + tenant.encode(errors="replace") + b"\x01", "sha256") if tenant else key
