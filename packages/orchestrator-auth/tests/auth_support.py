"""What several tests need: a clock to turn by hand, audit and sealing in memory, and tokens made by hand."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator_auth.jwt_service import SigningKey, TokenProfile
from orchestrator_kernel.models import AuditEvent
from orchestrator_kernel.ports import SealBroken, SealScope

START = datetime(2030, 1, 1, tzinfo=UTC)
PROFILE = TokenProfile(issuer="https://auth.example", audience="calls")


class HandClock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)


class ListSink:
    """An audit sink that keeps what it got."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    async def record(self, event: AuditEvent) -> None:
        self.events.append(event)

    def types(self) -> list[str]:
        return [event.type for event in self.events]


class BindingSealer:
    """Keeps data in a form that is not the data, bound to its scope; enough to see what is sealed and what is not."""

    async def seal(self, data: bytes, scope: SealScope) -> bytes:
        return json.dumps([scope.tenant, scope.subject, scope.purpose, bytes(b ^ 0x5A for b in data).hex()]).encode()

    async def open(self, sealed: bytes, scope: SealScope) -> bytes:
        *bound, data = json.loads(sealed)
        if bound != [scope.tenant, scope.subject, scope.purpose]:
            raise SealBroken("another scope")
        return bytes(b ^ 0x5A for b in bytes.fromhex(data))

    async def destroy(self, tenant: str, subject: str) -> bool:
        return False


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def good_claims(now: float, **changes: Any) -> dict[str, Any]:
    """The claims of a token that is accepted; a change to None leaves the claim out."""
    claims = {
        "iss": PROFILE.issuer,
        "aud": PROFILE.audience,
        "sub": "u-1",
        "client_id": "web",
        "iat": now,
        "nbf": now,
        "exp": now + 900,
        "jti": "t-1",
        "sid": "s-1",
        "tenant": "hotel-7",
        "roles": ["hotel_staff"],
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def make_token(key: SigningKey, payload: dict[str, Any] | bytes, header: dict[str, Any] | bytes | None = None) -> str:
    """A token with a true signature over whatever header and payload are given."""
    usual = {"alg": str(key.algorithm), "kid": key.kid, "typ": "at+jwt"}
    if header is None:
        header = usual
    elif isinstance(header, dict):
        header = {name: value for name, value in {**usual, **header}.items() if value is not None}
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signed = f"{b64(parts[0])}.{b64(parts[1])}"
    return f"{signed}.{b64(key.sign(signed.encode()))}"
