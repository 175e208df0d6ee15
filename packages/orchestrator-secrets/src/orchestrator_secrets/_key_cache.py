"""The opened data keys of this process: bounded in number, each trusted for a limited time."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Owner = tuple[str, str]
"""Tenant and subject."""


@dataclass(slots=True)
class OpenedKey:
    """A data key ready for use.

    Attributes:
        context: The `owner_context` of what it seals.
        seen: Monotonic seconds at which the store was last asked and still had it.
        allowance: How many more times it may seal, out of the uses reserved for this process.
    """

    id: bytes
    owner: Owner
    aead: AESGCM
    context: bytes
    seen: float
    allowance: int = 0


class KeyCache:
    """Least recently used keys go first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._keys: OrderedDict[bytes, OpenedKey] = OrderedDict()
        self._ids: dict[Owner, set[bytes]] = {}
        self._sealing: dict[Owner, bytes] = {}
        self.epoch = 0
        """Grows with every `forget`: what was read from the store before is not to be kept after."""

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key_id: bytes) -> OpenedKey | None:
        """The key, fresh or not."""
        key = self._keys.get(key_id)
        if key is not None:
            self._keys.move_to_end(key_id)
        return key

    def sealing(self, owner: Owner) -> OpenedKey | None:
        """The key that seals for this owner."""
        key_id = self._sealing.get(owner)
        return None if key_id is None else self.get(key_id)

    def put(self, key: OpenedKey, *, sealing: bool = False) -> None:
        """Keep the key, and drop the least recently used one if that makes too many."""
        self._keys[key.id] = key
        self._keys.move_to_end(key.id)
        self._ids.setdefault(key.owner, set()).add(key.id)
        if sealing:
            self._sealing[key.owner] = key.id
        while len(self._keys) > self._size:
            self._drop(next(iter(self._keys)))

    def forget(self, owner: Owner) -> None:
        """Drop all keys of an owner."""
        self.epoch += 1
        for key_id in list(self._ids.get(owner, ())):
            self._drop(key_id)

    def _drop(self, key_id: bytes) -> None:
        owner = self._keys.pop(key_id).owner
        ids = self._ids[owner]
        ids.remove(key_id)
        if not ids:
            del self._ids[owner]
        if self._sealing.get(owner) == key_id:
            del self._sealing[owner]
