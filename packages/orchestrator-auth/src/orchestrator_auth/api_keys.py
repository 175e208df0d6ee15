"""API keys for programs: shown once, found by a prefix, checked by a keyed hash, scoped, limited, rotated with an overlap.

What the user types:

    keys = ApiKeys(records, pepper=pepper, audit=auditor, clock=clock, limiter=MemoryKeyLimiter(clock))
    made = await keys.create(NewKey(service="billing", tenant="hotel-7", permissions={"call:view"}), by=admin)
    print(made.text)                                    # ork_…, this once
    service = await keys.verify(made.text)

The text is `ork_`, 16 characters that name the key, 43 that are secret, and 6 of a checksum: a typing error or a made-up key costs no look-up, and scanners for leaked
secrets can tell a real one.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from orchestrator_auth._rbac.policy import Actor, reaches
from orchestrator_auth._rbac.tenants import TenantUnknown, require_tenant
from orchestrator_auth.audit import Auditor
from orchestrator_auth.exceptions import AccessDenied, CredentialRefused, KeyLimitReached
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.models import KeyLimits, ServiceContext
from orchestrator_auth.records import RecordStore, Table, owner_of
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.ports import Clock

__all__ = [
    "ApiKey",
    "ApiKeyNotFound",
    "ApiKeys",
    "KeyLimiter",
    "MadeKey",
    "MemoryKeyLimiter",
    "NewKey",
    "TenantUnknown",
]

_KIND: Final = "api_key"
_PREFIX: Final = "ork_"
_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID, _SECRET, _CHECK = 16, 43, 6
_LENGTH: Final = len(_PREFIX) + _ID + _SECRET + _CHECK
_TOUCH_SECONDS: Final = 60.0
_CACHE_SIZE: Final = 10_000


class ApiKeyNotFound(ValidationError):
    """No key of this id, or none that you may see."""

    default_code = "api_key_not_found"
    default_status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What a key shall be.

    Attributes:
        permissions: Its scopes; none beyond those of whoever makes it.
        lifetime: Until it expires; a year unless given.
    """

    service: str
    tenant: str
    permissions: AbstractSet[str]
    limits: KeyLimits = field(default_factory=KeyLimits)
    lifetime: timedelta = timedelta(days=365)
    label: str = ""

    def __post_init__(self) -> None:
        if not timedelta(0) < self.lifetime <= timedelta(days=3_660):
            raise ValidationError("a key lasts up to ten years", details={"field": "lifetime"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is kept and listed; its secret is nowhere.

    Attributes:
        last_used_at: To the minute.
        replaced_by: The id of the key that it was rotated to.
    """

    id: str
    service: str
    tenant: str
    permissions: frozenset[str]
    limits: KeyLimits
    secret_hash: str = field(repr=False)
    created_at: datetime
    created_by: str
    expires_at: datetime
    label: str = ""
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    replaced_by: str = ""


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key, with its text for this once."""

    key: ApiKey
    text: str = field(repr=False)


class KeyLimiter(Protocol):
    """Counts the requests of each key."""

    async def count(self, key_id: str, limits: KeyLimits) -> None:
        """Count one request.

        Raises:
            KeyLimitReached: It would be one too many; it is not counted, and `retry_after` says when the next may come.
        """
        ...


class MemoryKeyLimiter:
    """Counts in this process, per minute, hour and day of the clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: dict[str, dict[int, tuple[int, int]]] = {}

    async def count(self, key_id: str, limits: KeyLimits) -> None:
        now = self._clock.now().timestamp()
        counts = self._counts.setdefault(key_id, {})
        after: dict[int, tuple[int, int]] = {}
        for seconds, limit in windows(limits):
            window = int(now // seconds)
            counted_in, count = counts.get(seconds, (window, 0))
            count = count + 1 if counted_in == window else 1
            if count > limit:
                raise KeyLimitReached(f"{limit} in {seconds} s", retry_after=(window + 1) * seconds - now)
            after[seconds] = window, count
        counts.update(after)


def windows(limits: KeyLimits) -> list[tuple[int, int]]:
    """The windows that are limited: seconds, and how many requests."""
    pairs = ((60, limits.per_minute), (3_600, limits.per_hour), (86_400, limits.per_day))
    return [(seconds, limit) for seconds, limit in pairs if limit is not None]


class ApiKeys:
    """All API keys.

    Args:
        store: Of the keys; SQL, or Vault.
        pepper: For their hashes.
        audit: Told of every key made, refused, rotated and revoked.
        limiter: Counts their requests; None for no limits.
        cache_seconds: How long a verified key is believed without asking the store: how late a revocation may work.
        tenants: Those that there are; None lets a key be made for any name.
    """

    def __init__(
        self,
        store: RecordStore,
        *,
        pepper: Pepper,
        audit: Auditor,
        clock: Clock,
        limiter: KeyLimiter | None = None,
        cache_seconds: float = 1.0,
        tenants: Collection[str] | None = None,
    ) -> None:
        self._table = Table(store, _KIND, ApiKey)
        self._pepper = pepper
        self._audit = audit
        self._clock = clock
        self._limiter = limiter
        self._cache_seconds = cache_seconds
        self._tenants = tenants
        self._cache: dict[bytes, tuple[float, ApiKey]] = {}

    async def create(self, new: NewKey, *, by: Actor) -> MadeKey:
        """A new key. Nobody makes one that may do more, or elsewhere, than they.

        Raises:
            AccessDenied: The scopes go beyond those of `by`.
            TenantUnknown: There is no such tenant.
            ValidationError: Service, tenant or a permission is none.
        """
        ServiceContext(service=new.service, key_id="new", tenant=new.tenant, permissions=new.permissions)
        more = not all(map(by.may, new.permissions))
        if more or not reaches(by, new.tenant) or not by.may("api_key:create"):
            await self._audit.refuse("api_key.created", "more than the maker holds", actor=by.id)
            raise AccessDenied("the key may do more than its maker, or elsewhere")
        require_tenant(new.tenant, self._tenants)
        made = await self._make(new, by.id)
        await self._tell("api_key.created", made.key, by.id)
        return made

    async def verify(self, text: str) -> ServiceContext:
        """The program behind a key's text; counts one request.

        Raises:
            CredentialRefused: It is none of ours, revoked, or expired.
            KeyLimitReached: It has used up a limit.
        """
        key = await self._known(text)
        if self._limiter is not None:
            await self._limiter.count(key.id, key.limits)
        return ServiceContext(
            service=key.service,
            key_id=key.id,
            tenant=key.tenant,
            permissions=key.permissions,
            limits=key.limits,
            expires_at=key.expires_at,
        )

    async def rotate(self, key_id: str, *, by: Actor, overlap: timedelta = timedelta(hours=24)) -> MadeKey:
        """A new key like the old one, which works for `overlap` longer.

        Raises:
            ApiKeyNotFound: There is none, it is over, or it is not open to `by`.
            AccessDenied: It may do more than `by`.
        """
        key = await self._open_to(key_id, by, "api_key:create")
        now = self._clock.now()
        if key.revoked_at is not None or now >= key.expires_at:
            raise ApiKeyNotFound("The key is over; make a new one.")
        lifetime = key.expires_at - key.created_at
        new = NewKey(
            service=key.service,
            tenant=key.tenant,
            permissions=key.permissions,
            limits=key.limits,
            lifetime=lifetime,
            label=key.label,
        )
        made = await self.create(new, by=by)
        await self._change(
            key_id,
            lambda found: replace(found, expires_at=min(found.expires_at, now + overlap), replaced_by=made.key.id),
        )
        await self._tell("api_key.rotated", key, by.id)
        return made

    async def revoke(self, key_id: str, *, by: Actor) -> None:
        """Refuse the key from now on: here at once, elsewhere within `cache_seconds`.

        Raises:
            ApiKeyNotFound: There is none, or it is not open to `by`.
        """
        key = await self._open_to(key_id, by, "api_key:revoke")
        now = self._clock.now()
        await self._change(key_id, lambda found: replace(found, revoked_at=found.revoked_at or now))
        self._cache.clear()
        await self._tell("api_key.revoked", key, by.id)

    async def of_tenant(self, tenant: str) -> list[ApiKey]:
        """All keys of the tenant, those that are over included."""
        return await self._table.owned(owner_of(tenant))

    async def _known(self, text: str) -> ApiKey:
        digest = hashlib.sha256(text.encode(errors="replace")).digest()
        until, key = self._cache.get(digest, (0.0, None))
        now = self._clock.now()
        if key is None or self._clock.monotonic() >= until:
            key = await self._find(text)
            while len(self._cache) >= _CACHE_SIZE and digest not in self._cache:
                del self._cache[next(iter(self._cache))]
            self._cache[digest] = self._clock.monotonic() + self._cache_seconds, key
            key = await self._touch(key, now)
        if now >= key.expires_at:
            raise await self._refuse("key is expired", key)
        return key

    async def _find(self, text: str) -> ApiKey:
        key_id, secret = _parts(text)
        if not key_id:
            raise await self._refuse("not an API key", None)
        key = await self._table.get(key_id)
        if not self._pepper.matches(secret, "api-key", key.secret_hash if key is not None else "") or key is None:
            raise await self._refuse("key is unknown", key)
        if key.revoked_at is not None:
            raise await self._refuse("key is revoked", key)
        return key

    async def _touch(self, key: ApiKey, now: datetime) -> ApiKey:
        last = key.last_used_at
        if last is None or (now - last).total_seconds() >= _TOUCH_SECONDS:
            await self._change(key.id, lambda found: replace(found, last_used_at=now))
        return key

    async def _make(self, new: NewKey, by: str) -> MadeKey:
        key_id, secret = _random(_ID), _random(_SECRET)
        now = self._clock.now()
        key = ApiKey(
            id=key_id,
            service=new.service,
            tenant=new.tenant,
            permissions=frozenset(new.permissions),
            limits=new.limits,
            secret_hash=self._pepper.hash(secret, "api-key"),
            created_at=now,
            created_by=by,
            expires_at=now + new.lifetime,
            label=new.label[:100],
        )
        await self._table.add(key_id, key, owner=owner_of(new.tenant))
        return MadeKey(key, f"{_PREFIX}{key_id}{secret}{_checksum(key_id + secret)}")

    async def _open_to(self, key_id: str, by: Actor, permission: str) -> ApiKey:
        key = await self._table.get(key_id) if key_id.isascii() and key_id.isalnum() and len(key_id) == _ID else None
        if key is None or not reaches(by, key.tenant) or not by.may(permission):
            await self._audit.refuse("api_key.change", "unknown, or not open", actor=by.id)
            raise ApiKeyNotFound("There is no such key among those that you may change.")
        return key

    async def _change(self, key_id: str, change: _Change) -> None:
        await self._table.change(key_id, lambda found: (None if found is None else change(found), None))

    async def _refuse(self, reason: str, key: ApiKey | None) -> CredentialRefused:
        await self._audit.refuse(
            "auth.api_key.failure", reason, actor="anonymous" if key is None else f"service:{key.service}"
        )
        return CredentialRefused(reason)

    async def _tell(self, kind: str, key: ApiKey, by: str) -> None:
        details: Mapping[str, str] = {"service": key.service}
        await self._audit.record(kind, actor=by, resource=f"api_key:{key.id}", tenant=key.tenant, details=details)


class _Change(Protocol):
    def __call__(self, found: ApiKey, /) -> ApiKey: ...


def _random(length: int) -> str:
    return "".join(secrets.choice(_DIGITS) for _ in range(length))


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECK):
        number, rest = divmod(number, len(_DIGITS))
        digits = _DIGITS[rest] + digits
    return digits


def _parts(text: str) -> tuple[str, str]:
    """The key's id and its secret; empty when it is no text of a key."""
    body = text.removeprefix(_PREFIX)
    if len(text) != _LENGTH or len(body) != _LENGTH - len(_PREFIX) or not (body.isascii() and body.isalnum()):
        return "", ""
    named, check = body[:-_CHECK], body[-_CHECK:]
    return (named[:_ID], named[_ID:]) if _checksum(named) == check else ("", "")
