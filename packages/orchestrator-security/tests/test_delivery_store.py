"""Each delivery once: the memory store, and what a delivery is known by."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webhook_support import NOW, StandingClock, webhook

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import WebhookRefused, WebhookSender
from orchestrator_security.contracts import DeliveryStoreContract
from orchestrator_security.delivery_store import (
    Deliveries,
    DeliveryStore,
    MemoryDeliveryStore,
    delivery_digest,
    json_id,
)


class TestMemory(DeliveryStoreContract):
    async def make(self) -> DeliveryStore:
        return MemoryDeliveryStore()


def deliveries(clock: StandingClock | None = None, **options) -> Deliveries:
    return Deliveries(MemoryDeliveryStore(), clock=clock or StandingClock(), **options)


async def test_a_signed_id_is_what_counts() -> None:
    once = deliveries()
    sender = WebhookSender(source="acme", key_id="k", delivery_id="evt-1")
    assert await once.first(sender, webhook({}, b"{}"))
    assert not await once.first(sender, webhook({}, b"another try, signed anew"))
    assert await once.first(WebhookSender(source="acme", key_id="k", delivery_id="evt-2"), webhook({}, b"{}"))
    assert await once.first(WebhookSender(source="other", key_id="k", delivery_id="evt-1"), webhook({}, b"{}"))


async def test_without_a_signed_id_url_and_body_count() -> None:
    once, sender = deliveries(), WebhookSender(source="github", key_id="k")
    assert await once.first(sender, webhook({"X-GitHub-Delivery": "1"}, b"{}"))
    assert not await once.first(sender, webhook({"X-GitHub-Delivery": "2"}, b"{}"))
    assert await once.first(sender, webhook({}, b"{} "))
    assert await once.first(sender, webhook({}, b"{}", "https://calls.example/other"))


async def test_an_id_in_the_body() -> None:
    once, sender = deliveries(id_of=json_id("data", "id")), WebhookSender(source="telnyx", key_id="k")
    assert await once.first(sender, webhook({}, b'{"data":{"id":"e1"},"meta":{"attempt":1}}'))
    assert not await once.first(sender, webhook({}, b'{"data":{"id":"e1"},"meta":{"attempt":2}}'))
    for body in (
        b"",
        b"[]",
        b'{"data":[]}',
        b'{"data":{"id":7}}',
        b'{"data":{"id":""}}',
        b'{"data":{"id":"a","id":"b"}}',
    ):
        with pytest.raises(WebhookRefused):
            await once.first(sender, webhook({}, body))


async def test_after_a_failed_action_the_next_try_is_the_first() -> None:
    once, sender = deliveries(), WebhookSender(source="acme", key_id="k", delivery_id="evt-1")
    assert await once.first(sender, webhook({}, b""))
    await once.again(sender, webhook({}, b""))
    assert await once.first(sender, webhook({}, b""))


async def test_a_delivery_is_remembered_for_the_retention() -> None:
    clock = StandingClock()
    once = deliveries(clock, retention=timedelta(hours=2))
    sender = WebhookSender(source="acme", key_id="k", delivery_id="evt-1")
    assert await once.first(sender, webhook({}, b""))
    clock.time = NOW + timedelta(hours=2) - timedelta(seconds=1)
    assert not await once.first(sender, webhook({}, b""))
    clock.time = NOW + timedelta(hours=2, seconds=1)
    assert await once.first(sender, webhook({}, b""))


async def test_a_full_memory_forgets_what_ends_first() -> None:
    store = MemoryDeliveryStore(capacity=3)
    digests = [delivery_digest("acme", str(number)) for number in range(4)]
    for minutes, digest in zip((30, 10, 20, 40), digests, strict=True):
        assert await store.accept(digest, now=NOW, expires_at=NOW + timedelta(minutes=minutes))
    kept = [not await store.accept(digest, now=NOW, expires_at=NOW + timedelta(hours=9)) for digest in digests[::2]]
    assert kept == [True, True]
    assert await store.accept(digests[1], now=NOW, expires_at=NOW + timedelta(minutes=50))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20), st.booleans()), max_size=60))
async def test_the_memory_store_is_a_set_with_ends(steps: list[tuple[int, int, bool]]) -> None:
    store, model, second = MemoryDeliveryStore(), dict[bytes, int](), 0
    for number, wait, drop in steps:
        second += wait
        digest, now = delivery_digest("acme", str(number)), NOW + timedelta(seconds=second)
        if drop:
            await store.forget(digest)
            model.pop(digest, None)
        fresh = model.get(digest, -1) <= second
        assert await store.accept(digest, now=now, expires_at=now + timedelta(seconds=30)) == fresh
        if fresh:
            model[digest] = second + 30


def test_unusable_configuration_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="retention"):
        deliveries(retention=timedelta(minutes=59))
    with pytest.raises(ConfigurationError, match="capacity"):
        MemoryDeliveryStore(capacity=0)
