"""Envelope encryption: personal data under a key per person, that key under a master key.

What the user types:

    sealer = EnvelopeSealer(MasterKeyFile(Path("master.keys")), MemoryKeyStore(), clock=SystemClock())
    sealed = await sealer.seal(b"the caller said this", SealScope("tenant-1", "caller-7", "calls.journal"))

`EnvelopeSealer` is the kernel's `Sealer`. Each (tenant, subject) has a data key of its own (AES-256-GCM), made at first use and durable
before anything is sealed with it. `destroy` deletes it, and all that was sealed for that person, wherever a copy of it lies, is
noise. The id of the key stands in the header of sealed bytes, so opening costs the same whether there are ten keys or millions.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orchestrator_kernel.exceptions import ConfigurationError, ValidationError
from orchestrator_kernel.ports import Clock, SealBroken, SealScope
from orchestrator_secrets import _format
from orchestrator_secrets._coalesce import Lookup
from orchestrator_secrets._key_cache import KeyCache, OpenedKey, Owner
from orchestrator_secrets._private_file import FileUnsafe
from orchestrator_secrets.key_store import DataKey, KeyStore, MemoryKeyStore, Wrapped
from orchestrator_secrets.master_keys import MasterKeyFile, MasterKeyMissing, MasterKeys

__all__ = [
    "DataKey",
    "EnvelopeConfig",
    "EnvelopeSealer",
    "FileUnsafe",
    "KeyStore",
    "MasterKeyFile",
    "MasterKeyMissing",
    "MasterKeys",
    "MemoryKeyStore",
    "Wrapped",
]

logger = logging.getLogger(__name__)

_MOST_USES = 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeConfig:
    """Limits of an `EnvelopeSealer`.

    Attributes:
        cache_seconds: How long an opened key may open data before the store is asked again: the longest time for which a process
            still opens what another one destroyed.
        seal_trust_seconds: How long a key may seal before the store is asked again. 0 asks each time, which costs a query; with more,
            another process may still seal for so long for a person who was just erased (nothing that could be opened later).
        cached_keys: How many opened keys are kept in memory.
        key_uses: How many times one data key may seal before the subject gets a new one. Nonces are random, so at most 2^32 (NIST
            SP 800-38D section 8.3); the default leaves a margin of four.
        reserved_uses: How many of them a process sets aside at a time, before it uses them: a crash may waste as many, and never
            counts one too few.
        max_bytes: The most that is sealed at once; more would hold up the event loop.
    """

    cache_seconds: float = 60.0
    seal_trust_seconds: float = 0.0
    cached_keys: int = 10_000
    key_uses: int = 2**30
    reserved_uses: int = 4096
    max_bytes: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        for name, value in (("cache_seconds", self.cache_seconds), ("seal_trust_seconds", self.seal_trust_seconds)):
            if not math.isfinite(value) or value < 0:
                raise ConfigurationError(f"{name} must be a number of seconds, not {value}")
        if self.cached_keys < 1 or self.max_bytes < 1:
            raise ConfigurationError("cached_keys and max_bytes must be positive")
        if not 1 <= self.reserved_uses <= self.key_uses <= _MOST_USES:
            raise ConfigurationError(f"1 <= reserved_uses <= key_uses <= {_MOST_USES} must hold")


class EnvelopeSealer:
    """A `Sealer` over master keys and a key store; for one event loop.

    A key destroyed in this process seals and opens nothing from then on. One destroyed in another process seals nothing after
    `seal_trust_seconds` (at once by default: every `seal` asks the store, with one question for all that run at the same time), and
    opens nothing after `cache_seconds`.
    """

    def __init__(
        self, master_keys: MasterKeys, store: KeyStore, *, clock: Clock, config: EnvelopeConfig | None = None
    ) -> None:
        self._master_keys = master_keys
        self._store = store
        self._clock = clock
        self._config = config or EnvelopeConfig()
        self._cache = KeyCache(self._config.cached_keys)
        self._lookup = Lookup(store.get)
        self._locks: WeakValueDictionary[Owner, asyncio.Lock] = WeakValueDictionary()

    async def check(self) -> None:
        """Make sure, at start, that every data key can be unwrapped.

        Raises:
            MasterKeyMissing: The message names the master keys that are missing.
        """
        missing = await self._store.master_keys() - set(await self._master_keys.ids())
        if missing:
            names = ", ".join(sorted(missing))
            raise MasterKeyMissing(f"data keys are under master keys that are missing: {names}; restore them")

    async def seal(self, data: bytes, scope: SealScope) -> bytes:
        _format.require_scope(scope)
        if len(data) > self._config.max_bytes:
            raise ValidationError(f"{len(data)} bytes are too many to seal at once; at most {self._config.max_bytes}")
        key = await self._key_to_seal((scope.tenant, scope.subject))
        return _format.encrypt(key.aead, key.id, data, _format.sealed_context(key.context, scope.purpose))

    async def open(self, sealed: bytes, scope: SealScope) -> bytes:
        _format.require_scope(scope)
        parts, owner = _format.parse(sealed), (scope.tenant, scope.subject)
        key = self._cache.get(parts.key_id)
        if key is None or self._clock.monotonic() - key.seen >= self._config.cache_seconds:
            key = await self._key_to_open(parts.key_id, owner)
        if key.owner != owner:
            raise SealBroken("The sealed data belongs to another scope.")
        return _format.decrypt(key.aead, parts, _format.sealed_context(key.context, scope.purpose))

    async def destroy(self, tenant: str, subject: str) -> bool:
        _format.require_name(tenant, "tenant")
        _format.require_name(subject, "subject")
        try:
            return await self._store.destroy(tenant, subject, self._clock.now())
        finally:
            # Also when cancelled: the store may be done.
            self._cache.forget((tenant, subject))

    async def rewrap(self) -> int:
        """Bring every data key under the newest master key, without touching data; how many were moved.

        May run while everything works, and again after a crash.

        Raises:
            MasterKeyMissing: A master key that is still needed is missing.
            SealBroken: Some wrapped keys were changed; all others are moved, the message tells how many and names one.
        """
        newest, after, moved = (await self._master_keys.ids())[-1], b"", 0
        broken: list[bytes] = []
        while batch := await self._store.wrapped_otherwise(newest, after=after, limit=256):
            changes: list[tuple[DataKey, Wrapped]] = []
            for record in batch:
                try:
                    changes.append((record, await self._wrap(record, await self._unwrap(record))))
                except SealBroken:
                    broken.append(record.id)
            moved += await self._store.rewrap(changes)
            after = batch[-1].id
        logger.info("data keys rewrapped", extra={"moved": moved, "broken": len(broken), "master_key_id": newest})
        if broken:
            raise SealBroken(f"{len(broken)} wrapped data keys were changed, one is {broken[0].hex()}")
        return moved

    async def _key_to_open(self, key_id: bytes, owner: Owner) -> OpenedKey:
        epoch, asked = self._cache.epoch, self._clock.monotonic()
        record = await self._lookup(key_id)
        if record is None:
            self._forget_key(key_id)
            await self._store.newest(*owner)  # tells whether the subject was erased
            raise SealBroken("The key of this data is not in the key store: changed, or from another deployment.")
        key = self._cache.get(key_id) or self._opened(record, await self._unwrap(record), asked)
        if self._cache.epoch == epoch:
            key.seen = max(key.seen, asked)
            self._cache.put(key)
        return key

    def _forget_key(self, key_id: bytes) -> None:
        key = self._cache.get(key_id)
        if key is not None:
            self._cache.forget(key.owner)

    async def _key_to_seal(self, owner: Owner) -> OpenedKey:
        while True:
            asked = self._clock.monotonic()
            key, checked = await self._take_use(owner)
            if checked or asked - key.seen < self._config.seal_trust_seconds:
                return key
            if await self._lookup(key.id) is not None:
                key.seen = max(key.seen, asked)
                return key
            self._cache.forget(owner)

    async def _take_use(self, owner: Owner) -> tuple[OpenedKey, bool]:
        """A key with one use taken from its allowance, and whether the store was asked on the way."""
        key = self._cache.sealing(owner)
        if key is not None and key.allowance:
            key.allowance -= 1
            return key, False
        async with self._locks.setdefault(owner, asyncio.Lock()):
            key = self._cache.sealing(owner)
            checked = key is None or not key.allowance
            if key is None or not key.allowance:
                key = await self._prepare(owner)
            key.allowance -= 1
            return key, checked

    async def _prepare(self, owner: Owner) -> OpenedKey:
        """The subject's newest key, made if need be, with uses set aside for this process."""
        epoch, asked = self._cache.epoch, self._clock.monotonic()
        uses, limit = self._config.reserved_uses, self._config.key_uses
        while True:
            record = await self._store.newest(*owner)
            if record is None or not await self._store.reserve(record.id, uses, limit):
                made = await self._make(owner, 1 if record is None else record.generation + 1)
                record = await self._store.add(made)
                if record.id != made.id:
                    continue  # another process was faster; its key has no uses for us yet
            plain = await self._move_to_newest_master(record)
            if plain is not None:
                break
        key = self._opened(record, plain, asked)
        key.allowance = uses
        if self._cache.epoch == epoch:
            self._cache.put(key, sealing=True)
        return key

    async def _make(self, owner: Owner, generation: int) -> DataKey:
        tenant, subject = owner
        record = DataKey(
            id=os.urandom(_format.KEY_ID_BYTES),
            tenant=tenant,
            subject=subject,
            generation=generation,
            wrapped=Wrapped("", b""),
            reserved=self._config.reserved_uses,
            created_at=self._clock.now(),
        )
        return replace(record, wrapped=await self._wrap(record, os.urandom(_format.KEY_BYTES)))

    async def _move_to_newest_master(self, record: DataKey) -> bytes | None:
        """The plain key, once its stored wrapping is under the newest master key; None if the record changed meanwhile.

        Before a key seals anything, so that no data is sealed under a key whose master key is just being removed.
        """
        plain = await self._unwrap(record)
        while record.wrapped.master_key_id != (await self._master_keys.ids())[-1]:
            wrapped = await self._wrap(record, plain)
            if not await self._store.rewrap([(record, wrapped)]):
                return None
            record = replace(record, wrapped=wrapped)
        return plain

    async def _wrap(self, record: DataKey, plain: bytes) -> Wrapped:
        return await self._master_keys.wrap(plain, _format.data_key_context(record.id, record.tenant, record.subject))

    async def _unwrap(self, record: DataKey) -> bytes:
        return await self._master_keys.unwrap(
            record.wrapped, _format.data_key_context(record.id, record.tenant, record.subject)
        )

    def _opened(self, record: DataKey, plain: bytes, seen: float) -> OpenedKey:
        context = _format.owner_context(record.id, record.tenant, record.subject)
        return OpenedKey(record.id, (record.tenant, record.subject), AESGCM(plain), context, seen)
