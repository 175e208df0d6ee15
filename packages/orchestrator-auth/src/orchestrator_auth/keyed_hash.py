"""Hashes that nobody can make or test without the key: for what is looked up or compared, and too long to guess.

What the user types: `Pepper({"2030-01": key})`, the newest key last. The stored form names its key, so keys rotate without touching what was stored.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["Pepper"]

_KEY_ID: Final = re.compile(r"[a-z0-9-]{1,32}\Z")
_LEAST_BYTES: Final = 32


class Pepper:
    """Keys of at least 32 random bytes by their names; the last one hashes, all compare.

    Raises:
        ConfigurationError: No key, a short key, or a name that is more than small letters, digits and hyphens.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise ConfigurationError("a pepper needs a key")
        for name, key in keys.items():
            if not _KEY_ID.match(name):
                raise ConfigurationError("the name of a pepper's key is small letters, digits and hyphens")
            if len(key) < _LEAST_BYTES:
                raise ConfigurationError("a pepper's key has at least 32 bytes", details={"key": name})
        self._keys = dict(keys)
        self._newest = list(keys)[-1]
        self._oldest = next(iter(keys))

    def __repr__(self) -> str:
        return f"Pepper({', '.join(self._keys)})"

    def hash(self, text: str, purpose: str) -> str:
        """`key:hex`, 64 hexadecimal digits; the same text for another purpose has another hash."""
        return f"{self._newest}:{self._digest(self._newest, text, purpose)}"

    def matches(self, text: str, purpose: str, stored: str) -> bool:
        """Whether `stored` is the hash of `text`, in constant time; false for a key that is gone."""
        key, _, digest = stored.partition(":")
        if key not in self._keys:
            return False
        return hmac.compare_digest(self._digest(key, text, purpose).encode(), digest.encode(errors="replace"))

    def name(self, text: str, purpose: str) -> str:
        """A hash to look something up by: always under the oldest key, which therefore stays as long as such names do."""
        return self._digest(self._oldest, text, purpose)

    def _digest(self, key: str, text: str, purpose: str) -> str:
        return hmac.new(self._keys[key], f"{purpose}\0{text}".encode(errors="replace"), sha256).hexdigest()
