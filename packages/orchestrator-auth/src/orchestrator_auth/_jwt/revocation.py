"""Tokens that are to be believed no longer: by their id, their session, their user, their tenant, or all that were issued up to now.

Revocations are few and short-lived (no longer than the tokens they are about), so every process holds all of them and asks the store twice
a second for new ones: one small query per process instead of one per request.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from orchestrator_auth._jwt.claims import VerifiedToken
from orchestrator_auth.models import require_tenant
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.models import require_identifier
from orchestrator_kernel.ports import Clock

__all__ = [
    "Changes",
    "MemoryRevocations",
    "Revocation",
    "RevocationConfig",
    "RevocationKind",
    "RevocationStore",
    "Revocations",
]

_NEVER_ISSUED: Final = 253_402_300_799.0
_PRUNE_SECONDS: Final = 30.0
_INSTANT: Final = 2e-6
"""The smallest time that a float of seconds since 1970 can tell apart, with room to spare."""


class RevocationKind(StrEnum):
    """What a revocation is about."""

    TOKEN = "token"  # noqa: S105 - a kind
    SESSION = "session"
    USER = "user"
    TENANT = "tenant"
    EPOCH = "epoch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Tokens of `value` issued before `cutoff` are refused; forgotten at `expires_at`, when they all are over. Seconds since 1970."""

    kind: RevocationKind
    value: str
    cutoff: float
    expires_at: float

    def __post_init__(self) -> None:
        if self.kind is RevocationKind.TENANT:
            require_tenant(self.value)
        else:
            require_identifier(self.value, "revocation")


@dataclass(frozen=True, slots=True)
class Changes:
    """What was revoked since a version, and the version now. Versions only grow, unless the store lost everything."""

    version: int
    revocations: Sequence[Revocation] = ()


class RevocationStore(Protocol):
    """Keeps revocations for all processes; every method raises `AuthStoreFailed` when it does not answer."""

    async def add(self, revocations: Sequence[Revocation], now: float) -> None:
        """Keep these, durable before it returns; drop those that expired by `now`, at once or within a minute."""
        ...

    async def changes(self, after: int, now: float) -> Changes:
        """All revocations with a version greater than `after` that have not expired by `now`.

        Whoever saw version n has seen every revocation up to n: a later one never gets an earlier version.
        """
        ...


class MemoryRevocations:
    """Revocations of one process."""

    def __init__(self) -> None:
        self._version = 0
        self._prune_at = 0.0
        self._kept: dict[tuple[RevocationKind, str], tuple[int, Revocation]] = {}

    async def add(self, revocations: Sequence[Revocation], now: float) -> None:
        if now >= self._prune_at:
            self._kept = {key: kept for key, kept in self._kept.items() if kept[1].expires_at > now}
            self._prune_at = now + _PRUNE_SECONDS
        for each in revocations:
            self._version += 1
            self._kept.pop((each.kind, each.value), None)  # so that the order stays that of the versions
            self._kept[each.kind, each.value] = self._version, each

    async def changes(self, after: int, now: float) -> Changes:
        news = itertools.takewhile(lambda kept: kept[0] > after, reversed(self._kept.values()))
        return Changes(self._version, [each for _, each in news if each.expires_at > now])


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationConfig:
    """Times in seconds.

    Attributes:
        token_lifetime: The longest life of a token; a revocation is kept that long.
        refresh_seconds: How often the store is asked; a revocation by another process works no later than that.
        skew: How far the clocks of the processes that issue tokens may differ. Tokens issued right after a revocation are dated ahead by up to this, so it is less than the
            verifiers' leeway.
    """

    token_lifetime: float = 3_660.0
    refresh_seconds: float = 0.5
    skew: float = 0.5

    def __post_init__(self) -> None:
        for name in ("token_lifetime", "refresh_seconds", "skew"):
            if not 0 <= getattr(self, name) <= 2_592_000:
                raise ConfigurationError(f"{name} must be 0 to 30 days of seconds", details={"setting": name})


class Revocations:
    """All revocations there are, as this process last heard, and the way to add one."""

    def __init__(self, store: RevocationStore, *, clock: Clock, config: RevocationConfig | None = None) -> None:
        self._store = store
        self._clock = clock
        self._config = config or RevocationConfig()
        self._cutoffs: dict[RevocationKind, dict[str, Revocation]] = {kind: {} for kind in RevocationKind}
        self._version = 0
        self._latest = 0.0
        self._prune_at = 0.0
        self._reading = asyncio.Lock()
        self.generation = 0
        """Grows with every revocation that comes to be known."""
        self.fresh_until = float("-inf")

    async def ensure_fresh(self) -> None:
        """Ask the store for news, unless that was done within `refresh_seconds`."""
        if self._clock.monotonic() >= self.fresh_until:
            async with self._reading:
                if self._clock.monotonic() >= self.fresh_until:
                    await self._read()

    def reason(self, token: VerifiedToken) -> str | None:
        """Why the token is revoked; None if it is not."""
        names = (
            (RevocationKind.TOKEN, token.token_id),
            (RevocationKind.SESSION, token.session_id),
            (RevocationKind.USER, token.subject),
            (RevocationKind.TENANT, token.tenant),
            (RevocationKind.EPOCH, "all"),
        )
        for kind, value in names:
            found = self._cutoffs[kind].get(value)
            if found is not None and token.issued_at < found.cutoff:
                return f"{kind} is revoked"
        return None

    def earliest(self, *, user: str, tenant: str) -> float:
        """The instant from which on a token for this user and tenant counts as issued after all revocations; 0 if there is none."""
        names = ((RevocationKind.USER, user), (RevocationKind.TENANT, tenant), (RevocationKind.EPOCH, "all"))
        found = [self._cutoffs[kind].get(value) for kind, value in names]
        return max((each.cutoff for each in found if each is not None), default=0.0)

    async def revoke_token(self, token_id: str) -> None:
        """Refuse one token."""
        await self._revoke(RevocationKind.TOKEN, token_id, final=True)

    async def revoke_session(self, session_id: str) -> None:
        """Refuse all tokens of a session, for good."""
        await self._revoke(RevocationKind.SESSION, session_id, final=True)

    async def revoke_user(self, user_id: str) -> None:
        """Refuse all tokens that the user has now."""
        await self._revoke(RevocationKind.USER, user_id)

    async def revoke_tenant(self, tenant: str) -> None:
        """Refuse all tokens that are out for the tenant."""
        await self._revoke(RevocationKind.TENANT, tenant)

    async def revoke_everything(self) -> None:
        """Begin a new epoch: refuse every token that is out."""
        await self._revoke(RevocationKind.EPOCH, "all")

    async def _revoke(self, kind: RevocationKind, value: str, *, final: bool = False) -> None:
        async with self._reading:
            await self._read()
        now = self._clock.now().timestamp()
        # Tokens issued right after an earlier revocation are dated ahead, up to its cutoff: this one lies beyond.
        cutoff = _NEVER_ISSUED if final else max(now + self._config.skew, self._latest + _INSTANT)
        lasting = now + self._config.token_lifetime + 2 * self._config.skew
        revocation = Revocation(kind=kind, value=value, cutoff=cutoff, expires_at=lasting)
        await self._store.add([revocation], now)
        async with self._reading:
            await self._read()

    async def _read(self) -> None:
        asked, now = self._clock.monotonic(), self._clock.now().timestamp()
        changes = await self._store.changes(self._version, now)
        if changes.version < self._version:
            # The store lost its memory; ours stays, and all that it has now is new to us.
            changes = await self._store.changes(0, now)
        if changes.revocations:
            self._learn(changes.revocations, now)
        self._version = changes.version
        self.fresh_until = asked + self._config.refresh_seconds

    def _learn(self, revocations: Sequence[Revocation], now: float) -> None:
        if now >= self._prune_at:
            for kind, kept in self._cutoffs.items():
                self._cutoffs[kind] = {value: each for value, each in kept.items() if each.expires_at > now}
            self._prune_at = now + _PRUNE_SECONDS
        for each in revocations:
            known = self._cutoffs[each.kind].get(each.value)
            if known is None or known.cutoff <= each.cutoff:
                self._cutoffs[each.kind][each.value] = each
            if each.cutoff < _NEVER_ISSUED:
                self._latest = max(self._latest, each.cutoff)
        self.generation += 1
