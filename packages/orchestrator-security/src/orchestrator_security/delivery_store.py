"""Each delivery once, over all processes.

What the user types, after a verifier has proved the sender:

    deliveries = Deliveries(store, clock=SystemClock())
    if not await deliveries.first(sender, request):
        return 200  # a retry or a replay: answered, without effect

A delivery is known by its signed id where the scheme signs one, else by an id inside the proved body (`id_of`), else by the hash of
the body. A store keeps hashes only. With `MemoryDeliveryStore`, `RedisDeliveryStore` and `SqlDeliveryStore.accept`, a process that dies
between accepting and acting has lost the event, unless the sender sends it again and `again` was called; where the action is a row in the same database,
`SqlDeliveryStore.accept_within` puts both into one transaction and nothing can be lost.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol, cast

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Clock, WebhookRefused, WebhookRequest, WebhookSender
from orchestrator_security._webhooks.decoding import json_object

__all__ = ["DEFAULT_RETENTION", "Deliveries", "DeliveryStore", "MemoryDeliveryStore", "delivery_digest", "json_id"]

DEFAULT_RETENTION: Final = timedelta(days=7)
"""Longer than any sender known to us retries (Standard Webhooks: about a day; Stripe: three days)."""


class DeliveryStore(Protocol):
    """Remembers digests of deliveries until they expire."""

    async def accept(self, digest: bytes, *, now: datetime, expires_at: datetime) -> bool:
        """True for exactly one caller, in whatever process, until `expires_at`; false for all others.

        Args:
            digest: 32 bytes, see `delivery_digest`.
            now: The caller's time (aware); what expired by then may be accepted again.
            expires_at: Aware, after `now`; kept to the second above.

        Raises:
            DatabaseError: The store cannot tell, so the delivery must not be acted on; the sender tries again.
        """
        ...

    async def forget(self, digest: bytes) -> None:
        """Take back an acceptance whose action failed, so that the sender's next try is accepted; nothing if there is none."""
        ...


class Deliveries:
    """Tells the first copy of a delivery from all later ones."""

    def __init__(
        self,
        store: DeliveryStore,
        *,
        clock: Clock,
        id_of: Callable[[WebhookRequest], str] | None = None,
        retention: timedelta = DEFAULT_RETENTION,
    ) -> None:
        """Set up.

        Args:
            store: Shared by all processes that receive for one sender.
            clock: Says what time it is.
            id_of: Finds the id in a proved request, for senders that put it into the body: `json_id("id")` for Stripe and LiveKit,
                `json_id("data", "id")` for Telnyx. Not used where the scheme signs an id itself.
            retention: How long a delivery is remembered; at least an hour, and longer than the sender retries.

        Raises:
            ConfigurationError: The retention is shorter than the widest time window of a scheme.
        """
        if retention < timedelta(hours=1):
            raise ConfigurationError(
                "retention must be at least an hour: a request is good that long after it was signed"
            )
        self._store = store
        self._clock = clock
        self._id_of = id_of
        self._retention = retention

    async def first(self, sender: WebhookSender, request: WebhookRequest) -> bool:
        """Whether this is the first copy; asks and remembers in one step.

        Raises:
            WebhookRefused: `id_of` finds no id in the body.
            DatabaseError: The store cannot tell.
        """
        now = self._clock.now()
        return await self._store.accept(self.digest(sender, request), now=now, expires_at=now + self._retention)

    async def again(self, sender: WebhookSender, request: WebhookRequest) -> None:
        """The action failed: let the sender's next try count as the first."""
        await self._store.forget(self.digest(sender, request))

    def digest(self, sender: WebhookSender, request: WebhookRequest) -> bytes:
        """What the delivery is known by, for `SqlDeliveryStore.accept_within`."""
        if sender.delivery_id is not None:
            return delivery_digest(sender.source, sender.delivery_id)
        if self._id_of is not None:
            return delivery_digest(sender.source, self._id_of(request))
        # The URL is part of it, because some senders put what happened there (Twilio).
        return delivery_digest(
            sender.source, hashlib.sha256(request.url.encode(errors="replace") + b"\x00" + request.body).hexdigest()
        )


def delivery_digest(source: str, delivery_id: str) -> bytes:
    """32 bytes for one delivery of one source."""
    name = source.encode()
    return hashlib.sha256(len(name).to_bytes(4, "big") + name + delivery_id.encode(errors="replace")).digest()


def json_id(*path: str) -> Callable[[WebhookRequest], str]:
    """Finds the id in a JSON body, at `path`.

    The function raises `WebhookRefused` when the body is no JSON object or has no text there.
    """

    def find(request: WebhookRequest) -> str:
        value: object = json_object(request.body)
        for name in path:
            value = _member(value, name)
        if not isinstance(value, str) or not value:
            raise WebhookRefused(f"missing id: the body has no text at {'.'.join(path)}")
        return value

    return find


def _member(value: object, name: str) -> object:
    return cast("dict[str, object]", value).get(name) if isinstance(value, dict) else None


class MemoryDeliveryStore:
    """A `DeliveryStore` for one process; deliveries are forgotten when it ends."""

    def __init__(self, *, capacity: int = 100_000) -> None:
        """Set up.

        Args:
            capacity: Most deliveries at a time; beyond it those that expire first are forgotten early.

        Raises:
            ConfigurationError: The capacity is not positive.
        """
        if capacity <= 0:
            raise ConfigurationError(f"capacity must be positive, not {capacity}")
        self._capacity = capacity
        self._expiries: dict[bytes, int] = {}
        self._order: list[tuple[int, bytes]] = []

    async def accept(self, digest: bytes, *, now: datetime, expires_at: datetime) -> bool:
        second, end = now.timestamp(), unix_second(expires_at)
        if self._expiries.get(digest, -math.inf) > second:
            return False
        self._make_room(second)
        self._expiries[digest] = end
        heapq.heappush(self._order, (end, digest))
        return True

    async def forget(self, digest: bytes) -> None:
        self._expiries.pop(digest, None)

    def _make_room(self, second: float) -> None:
        while self._order and (self._order[0][0] <= second or len(self._order) >= self._capacity):
            end, digest = heapq.heappop(self._order)
            if self._expiries.get(digest) == end:
                del self._expiries[digest]


def unix_second(instant: datetime) -> int:
    """The instant in Unix seconds, rounded up."""
    return math.ceil(instant.timestamp())
