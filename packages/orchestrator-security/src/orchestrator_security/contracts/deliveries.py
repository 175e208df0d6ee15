"""What every `DeliveryStore` promises."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from orchestrator_security.delivery_store import DeliveryStore, delivery_digest

HOUR = timedelta(hours=1)


class DeliveryStoreContract:
    """Subclass, and return a fresh, empty store from `make`."""

    async def make(self) -> DeliveryStore:
        raise AssertionError("return the store under test")

    async def test_a_delivery_is_accepted_once(self) -> None:
        store, now = await self.make(), datetime.now(UTC)
        digest = delivery_digest("acme", "evt-1")
        assert await store.accept(digest, now=now, expires_at=now + HOUR)
        assert not await store.accept(digest, now=now, expires_at=now + HOUR)
        assert not await store.accept(digest, now=now, expires_at=now + 2 * HOUR)

    async def test_deliveries_and_sources_are_told_apart(self) -> None:
        store, now = await self.make(), datetime.now(UTC)
        digests = [delivery_digest(*name) for name in (("a", "bc"), ("ab", "c"), ("a", "b"), ("", "abc"), ("abc", ""))]
        assert [await store.accept(digest, now=now, expires_at=now + HOUR) for digest in digests] == [True] * 5

    async def test_one_of_many_at_once(self) -> None:
        store, now = await self.make(), datetime.now(UTC)
        digest = delivery_digest("acme", "evt-1")
        answers = await asyncio.gather(*(store.accept(digest, now=now, expires_at=now + HOUR) for _ in range(50)))
        assert sum(answers) == 1

    async def test_a_failed_action_lets_the_next_try_in(self) -> None:
        store, now = await self.make(), datetime.now(UTC)
        first, other = delivery_digest("acme", "evt-1"), delivery_digest("acme", "evt-2")
        assert await store.accept(first, now=now, expires_at=now + HOUR)
        assert await store.accept(other, now=now, expires_at=now + HOUR)
        await store.forget(first)
        await store.forget(first)
        assert await store.accept(first, now=now, expires_at=now + HOUR)
        assert not await store.accept(other, now=now, expires_at=now + HOUR)

    async def test_what_expired_may_come_again(self) -> None:
        store = await self.make()
        digest = delivery_digest("acme", "evt-1")
        past = datetime.now(UTC)
        assert await store.accept(digest, now=past, expires_at=past + timedelta(milliseconds=50))
        await asyncio.sleep(2.1)  # a store may keep whole seconds, rounded up
        now = datetime.now(UTC)
        assert await store.accept(digest, now=now, expires_at=now + HOUR)
        assert not await store.accept(digest, now=now, expires_at=now + HOUR)
