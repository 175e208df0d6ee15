"""The keys of our own tokens: published before they sign, kept until the last token they signed is gone, rotated while everything runs.

What a key may do follows from its two instants and the clock alone, so that processes which know the same keys agree without talking.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from orchestrator_auth._jwt.keys import FOREVER, Algorithm, SigningKey, VerificationKey
from orchestrator_auth.exceptions import AuthStoreFailed
from orchestrator_auth.records import Record, RecordStore
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Clock, Sealer, SealScope

__all__ = ["KeyRing", "KeyRingConfig", "KeySource", "MemoryKeys", "SealedKeys", "SigningKeyStore", "StoredKeys"]

_KIND: Final = "key_ring"
_ATTEMPTS: Final = 20


class KeySource(Protocol):
    """Where a verifier finds the key of a token."""

    generation: int
    """Grows whenever the keys change."""

    fresh_until: float
    """Until when, in monotonic seconds, `ensure_fresh` has nothing to do."""

    def find(self, kid: str) -> VerificationKey | None:
        """The key of this id, if it may verify now."""
        ...

    async def refresh(self, kid: str) -> None:
        """Look for keys that came since, because this one is unknown; does nothing when that was tried a moment ago."""
        ...

    async def ensure_fresh(self) -> None:
        """Return at once when the keys are known to be recent enough."""
        ...


@dataclass(frozen=True, slots=True)
class StoredKeys:
    """All signing keys, and the version at which they were read; 0 when there are none yet."""

    version: int
    keys: tuple[SigningKey, ...] = ()


class SigningKeyStore(Protocol):
    """Keeps the signing keys of all processes."""

    async def load(self) -> StoredKeys:
        """What there is now."""
        ...

    async def save(self, keys: StoredKeys) -> bool:
        """Replace all keys, if the version is still the one given; durable before it returns true."""
        ...


class MemoryKeys:
    """Signing keys of one process; gone with it."""

    def __init__(self) -> None:
        self._stored = StoredKeys(0)

    async def load(self) -> StoredKeys:
        return self._stored

    async def save(self, keys: StoredKeys) -> bool:
        if keys.version != self._stored.version:
            return False
        self._stored = StoredKeys(keys.version + 1, keys.keys)
        return True


class SealedKeys:
    """Signing keys in a record store, sealed, for all processes that share it."""

    def __init__(self, store: RecordStore, sealer: Sealer, *, name: str = "default") -> None:
        self._store = store
        self._sealer = sealer
        self._name = name
        self._scope = SealScope("platform", f"signing-keys-{name}", "auth.signing-keys")
        self._last = StoredKeys(0)

    async def load(self) -> StoredKeys:
        record = await self._store.get(_KIND, self._name)
        if record is None:
            return StoredKeys(0)
        if record.version != self._last.version:
            document = json.loads(await self._sealer.open(bytes.fromhex(record.body), self._scope))
            self._last = StoredKeys(record.version, tuple(SigningKey.from_json(each) for each in document))
        return self._last

    async def save(self, keys: StoredKeys) -> bool:
        plain = json.dumps([key.to_json() for key in keys.keys]).encode()
        body = (await self._sealer.seal(plain, self._scope)).hex()
        record = Record(kind=_KIND, id=self._name, body=body, version=keys.version)
        return await (self._store.replace(record) if keys.version else self._store.add(record))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRingConfig:
    """How keys live. Times in seconds.

    Attributes:
        algorithm: Of new keys; HS256 with `MemoryKeys` only.
        publish_ahead: How long a new key is published before it signs; longer than what verifiers cache, where others verify.
        token_lifetime: The longest life of a token; an old key verifies that much longer, and no more.
        refresh_seconds: How often the store is asked for changes by others. A key that was removed is believed no longer than this.
    """

    algorithm: Algorithm = Algorithm.ES256
    publish_ahead: float = 1.0
    token_lifetime: float = 3_660.0
    refresh_seconds: float = 0.5

    def __post_init__(self) -> None:
        for name in ("publish_ahead", "token_lifetime", "refresh_seconds"):
            if not 0 <= getattr(self, name) <= 31_536_000:
                raise ConfigurationError(f"{name} must be 0 to a year of seconds", details={"setting": name})


@dataclass(slots=True)
class _Snapshot:
    """The keys as last read: replaced as a whole, never changed."""

    version: int = 0
    keys: Mapping[str, SigningKey] = field(default_factory=dict[str, SigningKey])


class KeyRing:
    """Signs with the newest key that has come of age, verifies with all that are not past; a `KeySource`.

    Raises:
        ConfigurationError: HS256 with a store that others can read: whoever checks with its secret can sign with it as well.
    """

    def __init__(self, store: SigningKeyStore, *, clock: Clock, config: KeyRingConfig | None = None) -> None:
        self._store = store
        self._clock = clock
        self._config = config or KeyRingConfig()
        if self._config.algorithm is Algorithm.HS256 and not isinstance(store, MemoryKeys):
            raise ConfigurationError(
                "HS256 is for one process, with MemoryKeys: whoever checks with its secret can sign with it too; use ES256",
                details={"setting": "algorithm"},
            )
        self._snapshot = _Snapshot()
        self.fresh_until = float("-inf")
        self._reading = asyncio.Lock()
        self.generation = 0

    async def open(self) -> None:
        """Read the keys, and make the first one if there is none. Call it at start."""
        await self._load()
        now = self._clock.now()
        for _ in range(_ATTEMPTS):
            if any(key.signs_from <= now < key.verifies_until for key in self._snapshot.keys.values()):
                return
            first = SigningKey.generate(self._config.algorithm, signs_from=now)
            kept = tuple(self._snapshot.keys.values())
            await self._store.save(StoredKeys(self._snapshot.version, (*kept, first)))
            await self._load()
        raise AuthStoreFailed("The first signing key could not be stored; others change the ring all the time.")

    async def signing_key(self) -> SigningKey:
        """The key that signs now."""
        await self.ensure_fresh()
        now = self._clock.now()
        able = [key for key in self._snapshot.keys.values() if key.signs_from <= now < key.verifies_until]
        if not able:
            raise AuthStoreFailed("There is no signing key; open the ring first.")
        return max(able, key=lambda key: (key.signs_from, key.kid))

    def find(self, kid: str) -> SigningKey | None:
        key = self._snapshot.keys.get(kid)
        return key if key is not None and self._clock.now() < key.verifies_until else None

    async def refresh(self, kid: str) -> None:
        if kid not in self._snapshot.keys:
            seen = self.generation
            async with self._reading:
                if self.generation == seen and kid not in self._snapshot.keys:
                    await self._read()

    async def ensure_fresh(self) -> None:
        if self._clock.monotonic() >= self.fresh_until:
            async with self._reading:
                if self._clock.monotonic() >= self.fresh_until:
                    await self._read()

    async def rotate(self) -> SigningKey:
        """Add a key that takes over after `publish_ahead`, let the others run out, and drop those that have."""
        key = self._successor()
        await self._change(lambda keys: self._rotated(keys, key))
        return key

    async def rotate_when_older(self, seconds: float) -> SigningKey | None:
        """Rotate if the newest key has signed for so long; None if it has not. Processes that do this on a schedule make one key together."""
        if (self._clock.now() - max(key.signs_from for key in await self.keys())).total_seconds() < seconds:
            return None
        key, added = self._successor(), True

        def change(keys: Iterable[SigningKey]) -> list[SigningKey]:
            nonlocal added
            present = list(keys)
            # Another process may have been first.
            added = all((key.signs_from - old.signs_from).total_seconds() >= seconds for old in present)
            return self._rotated(present, key) if added else present

        await self._change(change)
        return key if added else None

    def _successor(self) -> SigningKey:
        return SigningKey.generate(self._config.algorithm, signs_from=self._after(self._config.publish_ahead))

    def _rotated(self, keys: Iterable[SigningKey], key: SigningKey) -> list[SigningKey]:
        now, last = self._clock.now(), key.signs_from + timedelta(seconds=self._config.token_lifetime)
        kept = [replace(old, verifies_until=min(old.verifies_until, last)) for old in keys]
        return [*(old for old in kept if old.verifies_until > now), key]

    async def remove(self, kid: str) -> bool:
        """Stop believing a key at once: every token that it signed is refused. For a key that leaked; rotate first.

        Raises:
            ConfigurationError: It is the only one.
        """
        found = False

        def change(keys: Iterable[SigningKey]) -> list[SigningKey]:
            nonlocal found
            all_keys = list(keys)
            kept = [key for key in all_keys if key.kid != kid]
            found = len(kept) < len(all_keys)
            if not kept:
                raise ConfigurationError("the last signing key cannot be removed; rotate first")
            # Whoever is left signs at once, even if it was to wait for verifiers to learn of it.
            now = self._clock.now()
            if not any(key.signs_from <= now < key.verifies_until for key in kept):
                newest = max(kept, key=lambda key: key.signs_from)
                kept = [replace(key, signs_from=now, verifies_until=FOREVER) if key is newest else key for key in kept]
            return kept

        await self._change(change)
        return found

    async def keys(self) -> tuple[SigningKey, ...]:
        """All that are known, oldest first."""
        await self.ensure_fresh()
        return tuple(sorted(self._snapshot.keys.values(), key=lambda key: (key.signs_from, key.kid)))

    async def jwks(self) -> dict[str, list[dict[str, object]]]:
        """The public keys as a JSON Web Key Set (RFC 7517); shared secrets are never in it."""
        now = self._clock.now()
        public = [key.public_jwk() for key in await self.keys() if key.verifies_until > now]
        return {"keys": [jwk for jwk in public if jwk is not None]}

    async def _change(self, change: Callable[[Iterable[SigningKey]], Iterable[SigningKey]]) -> None:
        for _ in range(_ATTEMPTS):
            stored = await self._store.load()
            if await self._store.save(StoredKeys(stored.version, tuple(change(stored.keys)))):
                await self._load()
                return
        raise AuthStoreFailed("The signing keys could not be changed; others change them all the time.")

    async def _load(self) -> None:
        async with self._reading:
            await self._read()

    async def _read(self) -> None:
        asked = self._clock.monotonic()
        stored = await self._store.load()
        if stored.version != self._snapshot.version or not self._snapshot.keys:
            self._snapshot = _Snapshot(stored.version, {key.kid: key for key in stored.keys})
            self.generation += 1
        self.fresh_until = asked + self._config.refresh_seconds

    def _after(self, seconds: float) -> datetime:
        return self._clock.now() + timedelta(seconds=seconds)
