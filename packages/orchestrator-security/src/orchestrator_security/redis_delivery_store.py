"""Deliveries in Valkey or Redis (extra `[redis]`).

What the user types: `RedisDeliveryStore(redis.asyncio.Redis.from_url("redis://127.0.0.1:6379"))`. One `SET NX GET PX` per delivery
(Valkey, Redis 7 or newer); the server forgets by itself. A server that evicts keys under memory pressure forgets early: give it `maxmemory-policy noeviction`.
"""

from __future__ import annotations

import math
from datetime import datetime
from secrets import token_bytes
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from orchestrator_kernel.exceptions import DatabaseError

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisDeliveryStore"]


class RedisDeliveryStore:
    """A `DeliveryStore` shared by every process that uses the server."""

    def __init__(self, client: Redis, *, prefix: str = "orchestrator:security:delivery:") -> None:
        """Use `client`, which gives bytes (no `decode_responses`) and which the caller closes; keys begin with `prefix`."""
        self._client = client
        self._prefix = prefix.encode()

    async def accept(self, digest: bytes, *, now: datetime, expires_at: datetime) -> bool:
        lifetime = math.ceil((expires_at - now).total_seconds() * 1000)
        # The client sends a command again when the answer was lost; our own token then says that the first one counted.
        token = token_bytes(16)
        try:
            held = await self._client.set(self._prefix + digest, token, nx=True, get=True, px=max(1, lifetime))
        except (RedisError, OSError) as error:
            raise DatabaseError("The delivery store's server failed.", code="delivery_store_failed") from error
        return held is None or held == token

    async def forget(self, digest: bytes) -> None:
        try:
            await self._client.delete(self._prefix + digest)
        except (RedisError, OSError) as error:
            raise DatabaseError("The delivery store's server failed.", code="delivery_store_failed") from error
