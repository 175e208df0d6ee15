"""A whole service's authentication in memory: for tests of what comes in over HTTP."""

from __future__ import annotations

from auth_support import PROFILE, HandClock, ListSink

from orchestrator_auth.api_keys import ApiKeys, MemoryKeyLimiter, NewKey
from orchestrator_auth.audit import Auditor
from orchestrator_auth.authenticator import Authenticator
from orchestrator_auth.guard import Guard
from orchestrator_auth.jwt_service import (
    KeyRing,
    MemoryKeys,
    MemoryRevocations,
    Revocations,
    TokenIssuer,
    TokenRequest,
    TokenVerifier,
)
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.models import ALL_TENANTS, KeyLimits, UserContext
from orchestrator_auth.rbac import StaticPolicy, default_policy
from orchestrator_auth.records import MemoryRecords
from orchestrator_auth.sessions import Begin, Sessions

PEPPER = Pepper({"one": b"1" * 32})
ORIGIN = "https://calls.example"
POLICY = default_policy()


class World:
    """Tokens, keys and cookies for anybody."""

    def __init__(self) -> None:
        self.clock, self.sink, self.records = HandClock(), ListSink(), MemoryRecords()
        self.audit = Auditor(self.sink, clock=self.clock)
        self.policies = StaticPolicy(POLICY)
        self.revocations = Revocations(MemoryRevocations(), clock=self.clock)
        self.ring = KeyRing(MemoryKeys(), clock=self.clock)
        self.issuer = TokenIssuer(PROFILE, self.ring, clock=self.clock, revocations=self.revocations)
        self.verifier = TokenVerifier(PROFILE, self.ring, clock=self.clock, revocations=self.revocations)
        self.roles: dict[str, frozenset[str]] = {}
        self.keys = ApiKeys(
            self.records, pepper=PEPPER, audit=self.audit, clock=self.clock, limiter=MemoryKeyLimiter(self.clock)
        )
        self.sessions = Sessions(
            self.records,
            self.issuer,
            self.revocations,
            pepper=PEPPER,
            roles_of=self.roles_of,
            audit=self.audit,
            clock=self.clock,
        )
        self.authenticator = Authenticator(
            self.policies, verifier=self.verifier, api_keys=self.keys, sessions=self.sessions, origins=[ORIGIN]
        )
        self.guard = Guard(self.policies, audit=self.audit, clock=self.clock)

    async def roles_of(self, user: str, tenant: str) -> frozenset[str] | None:
        return self.roles.get(user, frozenset())

    async def token(self, *roles: str, user: str = "u-1", tenant: str = "hotel-7", fresh: bool = False) -> str:
        at = self.clock.now() if fresh else None
        request = TokenRequest(subject=user, tenant=tenant, roles=roles, session_id="s-1", second_factor_at=at)
        return await self.issuer.issue(request)

    async def key(self, *permissions: str, tenant: str = "hotel-7", limits: KeyLimits | None = None) -> str:
        admin = UserContext(
            user_id="u-a", tenant=ALL_TENANTS, permissions=POLICY.permissions(ALL_TENANTS, {"system_admin"})
        )
        new = NewKey(service="billing", tenant=tenant, permissions=set(permissions), limits=limits or KeyLimits())
        return (await self.keys.create(new, by=admin)).text

    async def cookie(self, *roles: str, user: str = "u-1", tenant: str = "hotel-7") -> tuple[str, str]:
        """The cookie, and the CSRF token that belongs to it."""
        self.roles[user] = frozenset(roles)
        session, value = await self.sessions.begin_browser(Begin(user_id=user, tenant=tenant))
        return value, self.sessions.csrf_token(session)

    async def open(self) -> World:
        await self.ring.open()
        return self
