"""Master keys: they wrap data keys and never touch data.

What the user types: `MasterKeyFile(Path("master.keys"))`. At first start the file is made with one fresh key and mode 600. Afterwards it is
the one thing that must be kept apart from the data and never lost: whoever has it and the key store reads everything, and without
it nobody reads anything.

The file holds one JSON object per line, the newest key last; the newest wraps, all unwrap:

    {"id": "mk-5c0f2f6d7f0e4a51", "created_at": "2026-01-01T00:00:00+00:00", "key": "<32 bytes in base64>"}
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import SealBroken
from orchestrator_secrets import _private_file
from orchestrator_secrets._format import KEY_BYTES, NONCE_BYTES, TAG_BYTES, join
from orchestrator_secrets.key_store import Wrapped

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MasterKeyFile", "MasterKeyMissing", "MasterKeys"]


_ID = re.compile(r"[!-~]{1,128}")


class MasterKeyMissing(ConfigurationError):
    """A data key is under a master key that is not at hand."""

    default_code = "master_key_missing"


class MasterKeys(Protocol):
    """Wraps and unwraps data keys; the seam for a key management service."""

    async def ids(self) -> Sequence[str]:
        """The ids of all master keys, the newest last. Never empty."""
        ...

    async def wrap(self, key: bytes, context: bytes) -> Wrapped:
        """The key under the newest master key, bound to `context`."""
        ...

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        """The key that was wrapped in the same context.

        Raises:
            MasterKeyMissing: Its master key is not at hand.
            SealBroken: The wrapping was changed, or belongs to another context.
        """
        ...


@dataclass(frozen=True, slots=True)
class _MasterKey:
    id: str
    created_at: str
    key: bytes = field(repr=False)

    def line(self) -> str:
        members = {"id": self.id, "created_at": self.created_at, "key": base64.b64encode(self.key).decode()}
        return json.dumps(members) + "\n"


@dataclass(frozen=True, slots=True)
class _Ring:
    keys: Mapping[str, _MasterKey]
    newest: _MasterKey
    signature: _private_file.Signature | None


class MasterKeyFile:
    """`MasterKeys` in a private file (POSIX).

    Another process's `add` is seen at the next use: the file is looked at each time, and read again when it was replaced. A random
    96-bit nonce per wrapping allows 2^32 wrappings per master key (NIST SP 800-38D section 8.3).
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Read the file, or make it; blocks for a few file operations.

        Args:
            path: Its folder must exist; not a symbolic link.
            create: Make the file with one fresh key if there is none.

        Raises:
            FileUnsafe: Others may read the file, it belongs to somebody else, or it is a link.
            ConfigurationError: It is missing and `create` is off, cannot be written, or does not have the form above.
        """
        self.path = path
        if create and _private_file.signature(path) is None:
            with _private_file.locked(path):
                if _private_file.signature(path) is None:
                    _private_file.replace(path, _fresh_key().line().encode())
        self._ring = _load(path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def add(self) -> str:
        """Add a fresh key, which wraps from now on, and return its id. Blocks for a few file operations.

        Rewrap the data keys afterwards; until then, and as long as a backup of the key store is to be readable, keep the old keys.
        """
        key = _fresh_key()
        with _private_file.locked(self.path):
            self._write([*_load(self.path).keys.values(), key])
        return key.id

    def remove(self, master_key_id: str, *, in_use: Collection[str]) -> None:
        """Forget a master key for good: what is only under it, backups included, can never be read again.

        Args:
            master_key_id: Not the newest.
            in_use: What `KeyStore.master_keys` answered after the rewrapping.

        Raises:
            ConfigurationError: The key is unknown, the newest, or in use.
        """
        if master_key_id in in_use:
            raise ConfigurationError(f"data keys are still under master key {master_key_id}; rewrap them first")
        with _private_file.locked(self.path):
            ring = _load(self.path)
            if master_key_id not in ring.keys:
                raise ConfigurationError(f"{self.path} has no master key {master_key_id}")
            if master_key_id == ring.newest.id:
                raise ConfigurationError(f"master key {master_key_id} is the newest; add another one first")
            self._write([key for key in ring.keys.values() if key.id != master_key_id])

    def created(self) -> Mapping[str, datetime]:
        """When each key was made (aware), the newest last, which tells when the next one is due. Blocks for a few file operations."""
        told = {key.id: datetime.fromisoformat(key.created_at) for key in self._read_if_replaced().keys.values()}
        return {name: at if at.tzinfo else at.replace(tzinfo=UTC) for name, at in told.items()}

    async def ids(self) -> Sequence[str]:
        return tuple((await self._current()).keys)

    async def wrap(self, key: bytes, context: bytes) -> Wrapped:
        master = (await self._current()).newest
        nonce = os.urandom(NONCE_BYTES)
        return Wrapped(master.id, nonce + AESGCM(master.key).encrypt(nonce, key, _bound(master.id, context)))

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        master = (await self._current()).keys.get(wrapped.master_key_id)
        if master is None:
            raise MasterKeyMissing(
                f"{self.path} lacks the master key {wrapped.master_key_id}, under which data keys are; restore it",
                details={"master_key_id": wrapped.master_key_id},
            )
        if len(wrapped.data) != NONCE_BYTES + KEY_BYTES + TAG_BYTES:
            raise SealBroken("A wrapped data key was cut.")
        nonce, ciphertext = wrapped.data[:NONCE_BYTES], wrapped.data[NONCE_BYTES:]
        try:
            return AESGCM(master.key).decrypt(nonce, ciphertext, _bound(master.id, context))
        except InvalidTag:
            raise SealBroken("A wrapped data key was changed, or belongs to somebody else.") from None

    async def _current(self) -> _Ring:
        ring = await asyncio.to_thread(self._read_if_replaced)
        self._ring = ring
        return ring

    def _read_if_replaced(self) -> _Ring:
        ring = self._ring
        return ring if _private_file.signature(self.path) == ring.signature else _load(self.path)

    def _write(self, keys: list[_MasterKey]) -> None:
        _private_file.replace(self.path, "".join(key.line() for key in keys).encode())
        self._ring = _load(self.path)


def _bound(master_key_id: str, context: bytes) -> bytes:
    return join(b"orchestrator-secrets/master/1", master_key_id.encode(), context)


def _fresh_key() -> _MasterKey:
    return _MasterKey(
        f"mk-{os.urandom(8).hex()}", datetime.now(UTC).isoformat(timespec="seconds"), os.urandom(KEY_BYTES)
    )


def _load(path: Path) -> _Ring:
    # Taken first: a file replaced in between is then read again at the next use.
    signature = _private_file.signature(path)
    lines = _private_file.read(path).splitlines()
    keys = [_parse(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1)]
    by_id = {key.id: key for key in keys}
    if not keys or len(by_id) != len(keys):
        raise ConfigurationError(f"{path} must hold at least one master key, and none twice")
    return _Ring(by_id, keys[-1], signature)


def _parse(line: bytes, where: str) -> _MasterKey:
    try:
        members = cast("dict[str, str]", json.loads(line))
        key = _MasterKey(
            _identifier(members["id"]),
            datetime.fromisoformat(members["created_at"]).isoformat(),
            base64.b64decode(members["key"], validate=True),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        # The cause would quote the line, and with it the key.
        raise ConfigurationError(f"{where} is not a master key") from None
    if len(key.key) != KEY_BYTES:
        raise ConfigurationError(f"{where} holds a key of {len(key.key)} bytes, not {KEY_BYTES}")
    return key


def _identifier(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError("not an identifier")
    return text
