"""What every `RecordStore` promises."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from orchestrator_auth.records import Record, RecordStore

FUTURE = datetime(2100, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_record(number: int | str = 1, **changes: object) -> Record:
    """A record that has nothing special."""
    record = Record(kind="thing", id=f"r{number}", body=f'{{"n": "{number}"}}')
    return replace(record, **changes)  # type: ignore[arg-type]


class RecordStoreContract:
    """Subclass, and return a fresh store from `make`."""

    async def make(self) -> RecordStore:
        raise AssertionError("return the store under test")

    async def test_keeps_a_record_as_it_was(self) -> None:
        store = await self.make()
        record = a_record(body='{"name": "Zoë \'x\' %s ☎"}', owner="u-1", alias="zoe@x", expires_at=FUTURE)
        assert await store.get("thing", "r1") is None
        assert await store.add(record)
        assert await store.get("thing", "r1") == replace(record, version=1)
        assert await store.by_alias("thing", "zoe@x") == replace(record, version=1)

    async def test_kinds_do_not_meet(self) -> None:
        store = await self.make()
        first, second = a_record(alias="a", owner="o"), a_record(kind="other", alias="a", owner="o")
        assert await store.add(first)
        assert await store.add(second)
        assert await store.remove("thing", "r1")
        assert await store.get("other", "r1") == replace(second, version=1)
        assert [record.kind for record in await store.owned("other", "o")] == ["other"]

    async def test_ids_and_aliases_are_taken_once(self) -> None:
        store = await self.make()
        assert await store.add(a_record(1, alias="a"))
        assert not await store.add(a_record(1, alias="b", body="2"))
        assert not await store.add(a_record(2, alias="a"))
        assert await store.get("thing", "r2") is None
        assert await store.by_alias("thing", "b") is None
        assert await store.add(a_record(2))
        assert await store.add(a_record(3))

    async def test_of_many_who_add_the_same_one_wins(self) -> None:
        store = await self.make()
        added = await asyncio.gather(*[store.add(a_record(1, body=str(n), alias="a")) for n in range(8)])
        assert sum(added) == 1
        found = await store.get("thing", "r1")
        assert found is not None
        assert found.body == str(added.index(True))

    async def test_a_change_needs_the_version_it_was_read_at(self) -> None:
        store = await self.make()
        await store.add(a_record())
        read = await store.get("thing", "r1")
        assert read is not None
        assert await store.replace(replace(read, body="2"))
        assert not await store.replace(replace(read, body="3"))
        found = await store.get("thing", "r1")
        assert found is not None
        assert (found.body, found.version) == ("2", 2)
        assert not await store.replace(a_record("absent", version=1))
        assert await store.get("thing", "absent") is None

    async def test_of_many_who_change_the_same_one_wins(self) -> None:
        store = await self.make()
        await store.add(a_record())
        read = await store.get("thing", "r1")
        assert read is not None
        changed = await asyncio.gather(*[store.replace(replace(read, body=str(n))) for n in range(8)])
        assert sum(changed) == 1
        found = await store.get("thing", "r1")
        assert found is not None
        assert found.body == str(changed.index(True))

    async def test_owner_and_alias_stay(self) -> None:
        store = await self.make()
        await store.add(a_record(owner="o", alias="a"))
        read = await store.get("thing", "r1")
        assert read is not None
        assert await store.replace(replace(read, body="2", expires_at=FUTURE))
        found = await store.by_alias("thing", "a")
        assert found is not None
        assert (found.body, found.owner, found.expires_at) == ("2", "o", FUTURE)
        assert await store.replace(replace(found, expires_at=None))
        found = await store.by_alias("thing", "a")
        assert found is not None
        assert found.expires_at is None

    async def test_what_is_removed_is_gone_with_all_its_names(self) -> None:
        store = await self.make()
        await store.add(a_record(owner="o", alias="a"))
        assert await store.remove("thing", "r1")
        assert not await store.remove("thing", "r1")
        assert await store.get("thing", "r1") is None
        assert await store.by_alias("thing", "a") is None
        assert list(await store.owned("thing", "o")) == []
        assert await store.add(a_record(2, alias="a"))

    async def test_ones_own_come_in_pages_by_id(self) -> None:
        store = await self.make()
        for name in ("b", "a", "C", "c", "B", "10", "9"):
            await store.add(a_record(name, owner="o"))
        await store.add(a_record("x", owner="p"))
        found: list[str] = []
        while page := await store.owned("thing", "o", after=found[-1] if found else "", limit=3):
            assert len(page) <= 3
            found += [record.id for record in page]
        assert found == sorted(f"r{name}" for name in ("b", "a", "C", "c", "B", "10", "9"))
        assert list(await store.owned("thing", "nobody")) == []

    async def test_what_expired_is_purged_and_nothing_else(self) -> None:
        store = await self.make()
        now = datetime.now(UTC)
        await store.add(a_record(1, expires_at=now + timedelta(milliseconds=50), owner="o", alias="a"))
        await store.add(a_record(2, expires_at=now + timedelta(hours=1), owner="o"))
        await store.add(a_record(3, owner="o"))
        await asyncio.sleep(0.1)
        await store.purge(datetime.now(UTC))
        assert await store.get("thing", "r1") is None
        assert await store.by_alias("thing", "a") is None
        assert [record.id for record in await store.owned("thing", "o")] == ["r2", "r3"]
        assert await store.add(a_record(4, alias="a"))
