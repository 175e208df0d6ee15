"""The second level, as a cache sees it: a store that several processes share, and that may be out at any time.

Nothing here raises for a store that is out: reading answers `OUT`, writing answers False. What was to be invalidated meanwhile is told to the store
as soon as it is back, before anything of it is believed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from orchestrator_kernel.exceptions import CacheError
from orchestrator_kernel.ports import Erased, SealBroken, Sealer, SealScope
from orchestrator_performance._cache.serializers import NotSerializable, Serializer

__all__ = ["OUT", "Envelope", "Invalidation", "Listener", "Outage", "Sealing", "SharedLevel", "SharedValue"]

_FORM: Final = b"\x01"


class Outage(CacheError):
    """The shared store cannot be reached, or did not answer in time."""

    default_code = "cache_unreachable"


class _Out:
    """What reading answers when the store cannot be asked."""


OUT: Final = _Out()


@dataclass(frozen=True, slots=True)
class SharedValue:
    """What the shared store holds under a name; times in seconds from now.

    Attributes:
        data: The sealed or plain bytes; None when there is no such name.
        stamp: The store's time of this look, with which a value that is loaded now is written.
        fresh: How much longer the value is fresh; negative when it is past its time and still of use.
        last: How much longer it is kept.
        cost: How long loading it took.
        tags: What it was written with.
    """

    data: bytes | None
    stamp: int
    fresh: float = 0.0
    last: float = 0.0
    cost: float = 0.0
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Invalidation:
    """What must not be believed any more, in one space: names, tags, or with neither everything."""

    space: str
    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class Listener(Protocol):
    """A cache that hears what other processes invalidate."""

    @property
    def space(self) -> str:
        """Which keys are its own."""
        ...

    def invalidated(self, what: Invalidation) -> None:
        """Another process removed something."""
        ...

    def missed(self) -> None:
        """Invalidations may have been missed: believe nothing."""
        ...


class SharedLevel(Protocol):
    """A store that several processes share."""

    def join(self, listener: Listener) -> None:
        """Tell the listener what others invalidate in its space."""
        ...

    def leave(self, listener: Listener) -> None:
        """Tell it no more."""
        ...

    async def read(self, space: str, name: str) -> SharedValue | _Out:
        """What there is under a name."""
        ...

    async def write(
        self,
        space: str,
        name: str,
        data: bytes,
        *,
        stamp: int,
        fresh: float,
        last: float,
        cost: float,
        tags: Sequence[str],
    ) -> bool | None:
        """Keep the bytes; False if they were invalidated since `stamp`, None if the store is out."""
        ...

    async def invalidate(self, what: Invalidation) -> bool:
        """Remove, and tell the other processes; False if that has to wait until the store is back."""
        ...

    async def lease(self, space: str, name: str, seconds: float) -> bool:
        """Whether this process, and no other for so long, loads the name anew ahead of its time."""
        ...

    async def start(self) -> bool:
        """Connect; whether it is there."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True)
class Sealing:
    """Seal what goes to the second level.

    Attributes:
        sealer: Holds the keys; destroying the subject's key makes all that was cached under it unreadable.
        subject: Whose data it is, in the sense of `SealScope`.
        tenant: Of caches without partitions; a partition's name is its tenant otherwise.
    """

    sealer: Sealer
    subject: str
    tenant: str = "all"


class Envelope:
    """Values as bytes for the shared store: a form, the serializer's name, the value; sealed if asked for, and bound to its place."""

    def __init__(self, serializer: Serializer[Any], sealing: Sealing | None, tenant: str | None, purpose: str) -> None:
        self._serializer = serializer
        self._sealing = sealing
        self._head = _FORM + serializer.name.encode() + b"\x00"
        if sealing is not None:
            self._scope = SealScope(tenant or sealing.tenant, sealing.subject, purpose)

    async def close(self, value: object, name: str) -> bytes | None:
        """The bytes; None when the sealer refuses, because the subject was erased.

        Raises:
            NotSerializable: The value has no bytes.
        """
        data = self._head + self._serializer.dumps(value)
        if self._sealing is None:
            return data
        try:
            # The name inside keeps sealed values from being exchanged for one another.
            return await self._sealing.sealer.seal(name.encode() + b"\x00" + data, self._scope)
        except Erased:
            return None

    async def open(self, data: bytes, name: str) -> object:
        """The value.

        Raises:
            NotSerializable: These are no bytes of ours, or of another place, or erased.
        """
        if self._sealing is not None:
            try:
                data = await self._sealing.sealer.open(data, self._scope)
            except (SealBroken, Erased) as error:
                raise NotSerializable(f"the sealed value cannot be opened: {error.code}") from None
            place = name.encode() + b"\x00"
            if not data.startswith(place):
                raise NotSerializable("the sealed value belongs under another key")
            data = data[len(place) :]
        if not data.startswith(self._head):
            raise NotSerializable("the value was written by another version, or with another serializer")
        return self._serializer.loads(data[len(self._head) :])
