"""Where wrapped data keys are kept.

`KeyStore` is the seam; its promises are tested by `orchestrator_secrets.contracts.KeyStoreContract`. `MemoryKeyStore` forgets everything
when the process ends; `orchestrator_secrets.sql_key_store.SqlKeyStore` does not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from orchestrator_kernel.ports import Erased

__all__ = ["DataKey", "KeyStore", "MemoryKeyStore", "Wrapped", "subject_erased"]


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A key under a master key.

    Attributes:
        master_key_id: The master key that opens it.
        data: Nonce, ciphertext and tag.
    """

    master_key_id: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKey:
    """One key of one subject, as it is stored.

    Attributes:
        id: 16 random bytes; stands in the header of what the key sealed.
        generation: 1 for the subject's first key, 2 for the next.
        reserved: How many uses have been set aside so far; never less than the uses that happened.
        created_at: Aware UTC.
    """

    id: bytes
    tenant: str
    subject: str
    generation: int
    wrapped: Wrapped
    reserved: int
    created_at: datetime


class KeyStore(Protocol):
    """Keeps wrapped data keys, and remembers who was erased. Whatever changes it is durable before it returns."""

    async def get(self, key_ids: Collection[bytes]) -> Mapping[bytes, DataKey]:
        """Those of the keys that exist."""
        ...

    async def newest(self, tenant: str, subject: str) -> DataKey | None:
        """The subject's key of the highest generation; None if there was never one.

        Raises:
            Erased: The subject was erased.
        """
        ...

    async def add(self, key: DataKey) -> DataKey:
        """Keep the key, unless the subject already has one of this generation or a higher one; answer with the newest.

        Raises:
            Erased: The subject was erased.
        """
        ...

    async def reserve(self, key_id: bytes, uses: int, limit: int) -> bool:
        """Set aside `uses` more, unless that makes more than `limit`, or the key is gone; whether it was done."""
        ...

    async def rewrap(self, changes: Collection[tuple[DataKey, Wrapped]]) -> int:
        """Replace the wrappings of these keys, where the stored one is still the one given; how many were replaced."""
        ...

    async def wrapped_otherwise(self, master_key_id: str, *, after: bytes, limit: int) -> Sequence[DataKey]:
        """Up to `limit` keys that are not under this master key, in the order of their ids, from the first beyond `after`."""
        ...

    async def master_keys(self) -> frozenset[str]:
        """The ids of all master keys that some data key is under."""
        ...

    async def destroy(self, tenant: str, subject: str, at: datetime) -> bool:
        """Delete the subject's keys and remember that it was erased; true if there was a key."""
        ...


def subject_erased() -> Erased:
    """The error for a subject without a future."""
    return Erased("The person this data is about was erased; it cannot be read, and nothing new is kept.")


class MemoryKeyStore:
    """Keys in memory: for tests, and for services that keep nothing."""

    def __init__(self) -> None:
        self._keys: dict[bytes, DataKey] = {}
        self._newest: dict[tuple[str, str], bytes] = {}
        self._erased: set[tuple[str, str]] = set()

    async def get(self, key_ids: Collection[bytes]) -> Mapping[bytes, DataKey]:
        return {key_id: self._keys[key_id] for key_id in key_ids if key_id in self._keys}

    async def newest(self, tenant: str, subject: str) -> DataKey | None:
        if (tenant, subject) in self._erased:
            raise subject_erased()
        key_id = self._newest.get((tenant, subject))
        return None if key_id is None else self._keys[key_id]

    async def add(self, key: DataKey) -> DataKey:
        newest = await self.newest(key.tenant, key.subject)
        if newest is not None and newest.generation >= key.generation:
            return newest
        self._keys[key.id] = key
        self._newest[key.tenant, key.subject] = key.id
        return key

    async def reserve(self, key_id: bytes, uses: int, limit: int) -> bool:
        key = self._keys.get(key_id)
        if key is None or key.reserved + uses > limit:
            return False
        self._keys[key_id] = replace(key, reserved=key.reserved + uses)
        return True

    async def rewrap(self, changes: Collection[tuple[DataKey, Wrapped]]) -> int:
        count = 0
        for key, wrapped in changes:
            stored = self._keys.get(key.id)
            if stored is not None and stored.wrapped == key.wrapped:
                self._keys[key.id] = replace(stored, wrapped=wrapped)
                count += 1
        return count

    async def wrapped_otherwise(self, master_key_id: str, *, after: bytes, limit: int) -> Sequence[DataKey]:
        others = (key for key in self._keys.values() if key.wrapped.master_key_id != master_key_id and key.id > after)
        return sorted(others, key=lambda key: key.id)[:limit]

    async def master_keys(self) -> frozenset[str]:
        return frozenset(key.wrapped.master_key_id for key in self._keys.values())

    async def destroy(self, tenant: str, subject: str, at: datetime) -> bool:  # noqa: ARG002 - `at` is part of the protocol
        self._erased.add((tenant, subject))
        gone = [key.id for key in self._keys.values() if (key.tenant, key.subject) == (tenant, subject)]
        for key_id in gone:
            del self._keys[key_id]
        return self._newest.pop((tenant, subject), None) is not None
