"""HMAC (RFC 2104) with a key whose two blocks are hashed once, which halves the cost of short messages."""

from __future__ import annotations

import hashlib
from binascii import b2a_base64
from typing import Literal, TypeAlias

Algorithm: TypeAlias = Literal["sha1", "sha256", "sha384", "sha512"]
ALGORITHMS: tuple[Algorithm, ...] = ("sha1", "sha256", "sha384", "sha512")


class HmacKey:
    """A key ready to sign; safe to share between threads, because only copies are ever updated."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes, algorithm: Algorithm = "sha256") -> None:
        empty = hashlib.new(algorithm, usedforsecurity=False)  # HMAC-SHA1 is sound; FIPS builds refuse bare SHA-1
        if len(key) > empty.block_size:
            longer = empty.copy()
            longer.update(key)
            key = longer.digest()
        padded = key.ljust(empty.block_size, b"\x00")
        self._inner, self._outer = empty.copy(), empty
        self._inner.update(bytes(byte ^ 0x36 for byte in padded))
        self._outer.update(bytes(byte ^ 0x5C for byte in padded))

    def digest(self, content: bytes) -> bytes:
        """The HMAC of `content`."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(content)
        outer.update(inner.digest())
        return outer.digest()

    def hex(self, content: bytes) -> str:
        """The HMAC of `content` in lower-case hex."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(content)
        outer.update(inner.digest())
        return outer.hexdigest()

    def base64(self, content: bytes) -> str:
        """The HMAC of `content` in base64 with padding."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(content)
        outer.update(inner.digest())
        return b2a_base64(outer.digest(), newline=False).decode()
