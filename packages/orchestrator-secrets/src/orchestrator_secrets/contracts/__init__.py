"""What every `KeyStore` promises; for everyone who implements one.

What the user types, in a test module run by pytest with `asyncio_mode = "auto"`:

    class TestMyStore(KeyStoreContract):
        async def make(self) -> KeyStore:
            return MyStore(...)
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime

from orchestrator_kernel.ports import Erased
from orchestrator_secrets.key_store import DataKey, KeyStore, Wrapped

__all__ = ["KeyStoreContract"]

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def data_key(subject: str = "alice", generation: int = 1, *, tenant: str = "t1", master: str = "mk-1") -> DataKey:
    """A key with random bytes for a wrapping."""
    return DataKey(
        id=os.urandom(16),
        tenant=tenant,
        subject=subject,
        generation=generation,
        wrapped=Wrapped(master, os.urandom(60)),
        reserved=10,
        created_at=NOW,
    )


async def _is_erased(store: KeyStore, tenant: str, subject: str) -> bool:
    try:
        await store.newest(tenant, subject)
    except Erased:
        return True
    return False


class KeyStoreContract:
    """Subclass, and return a fresh store from `make`."""

    async def make(self) -> KeyStore:
        raise AssertionError("return the store under test")

    async def test_keeps_a_key_as_it_was(self) -> None:
        store, key = await self.make(), data_key("Zoë 'x' %s")
        assert await store.newest("t1", key.subject) is None
        assert await store.add(key) == key
        assert await store.newest("t1", key.subject) == key
        assert await store.get([key.id, b"\x00" * 16]) == {key.id: key}

    async def test_gets_many_and_none(self) -> None:
        store = await self.make()
        keys = [data_key(f"s{number}") for number in range(210)]
        for key in keys:
            await store.add(key)
        assert await store.get([key.id for key in keys]) == {key.id: key for key in keys}
        assert await store.get([]) == {}

    async def test_one_generation_has_one_key(self) -> None:
        store, first, second, third = await self.make(), data_key(), data_key(), data_key(generation=2)
        await store.add(first)
        assert await store.add(second) == first
        assert await store.add(third) == third
        assert await store.add(second) == third
        assert await store.newest("t1", "alice") == third
        assert set(await store.get([first.id, second.id, third.id])) == {first.id, third.id}

    async def test_first_keys_added_at_once_become_one(self) -> None:
        store = await self.make()
        answers = await asyncio.gather(*[store.add(data_key()) for _ in range(20)])
        assert len({answer.id for answer in answers}) == 1

    async def test_uses_are_reserved_up_to_the_limit(self) -> None:
        store, key = await self.make(), data_key()
        await store.add(key)
        answers = await asyncio.gather(*[store.reserve(key.id, 10, 60) for _ in range(8)])
        assert sorted(answers) == [False] * 3 + [True] * 5
        assert (await store.get([key.id]))[key.id].reserved == 60
        assert await store.reserve(os.urandom(16), 1, 60) is False

    async def test_more_than_32_bits_of_uses(self) -> None:
        store, key = await self.make(), data_key()
        await store.add(key)
        assert await store.reserve(key.id, 2**32, 2**33) is True
        assert (await store.get([key.id]))[key.id].reserved == 2**32 + 10

    async def test_destroying_deletes_all_generations_of_one_subject(self) -> None:
        store = await self.make()
        keys = [data_key(), data_key(generation=2)]
        others = [data_key("bob"), data_key(tenant="t2")]
        for key in [*keys, *others]:
            await store.add(key)
        assert await store.destroy("t1", "alice", NOW) is True
        assert await store.destroy("t1", "alice", NOW) is False
        assert set(await store.get([key.id for key in [*keys, *others]])) == {key.id for key in others}
        assert await _is_erased(store, "t1", "alice")
        assert not await _is_erased(store, "t2", "alice")

    async def test_an_erased_subject_gets_no_new_key(self) -> None:
        store = await self.make()
        assert await store.destroy("t1", "alice", NOW) is False
        key = data_key(generation=5)
        try:
            await store.add(key)
        except Erased:
            pass
        else:
            raise AssertionError("added a key for a subject that was erased")
        assert await store.get([key.id]) == {}

    async def test_adding_and_destroying_at_once_leaves_no_key(self) -> None:
        store = await self.make()
        for round_ in range(5):
            subject = f"s{round_}"
            keys = [data_key(subject, generation) for generation in range(1, 6)]
            calls = [store.add(key) for key in keys]
            calls.insert(round_, store.destroy("t1", subject, NOW))  # type: ignore[arg-type]  # only awaited
            await asyncio.gather(*calls, return_exceptions=True)
            assert await store.get([key.id for key in keys]) == {}
            assert await _is_erased(store, "t1", subject)

    async def test_a_destroyed_key_reserves_and_rewraps_nothing(self) -> None:
        store, key = await self.make(), data_key()
        await store.add(key)
        await store.destroy("t1", "alice", NOW)
        assert await store.reserve(key.id, 1, 100) is False
        assert await store.rewrap([(key, Wrapped("mk-2", b"x" * 60))]) == 0
        assert await store.get([key.id]) == {}

    async def test_a_wrapping_is_replaced_only_where_it_is_the_one_given(self) -> None:
        store, first, second = await self.make(), data_key(), data_key("bob")
        await store.add(first)
        await store.add(second)
        new, newer = Wrapped("mk-2", b"x" * 60), Wrapped("mk-3", b"y" * 60)
        assert await store.rewrap([(first, new), (second, new)]) == 2
        assert await store.rewrap([(first, newer)]) == 0
        assert (await store.get([first.id]))[first.id].wrapped == new
        assert await store.master_keys() == {"mk-2"}

    async def test_keys_under_other_masters_come_in_pages(self) -> None:
        store = await self.make()
        old = [data_key(f"s{number}") for number in range(7)]
        for key in [*old, data_key("new", master="mk-2")]:
            await store.add(key)
        assert await store.master_keys() == {"mk-1", "mk-2"}
        found: list[DataKey] = []
        while page := await store.wrapped_otherwise("mk-2", after=found[-1].id if found else b"", limit=3):
            assert len(page) <= 3
            found += page
        assert found == sorted(old, key=lambda key: key.id)
