"""The stores in memory, and typed records that change by compare-and-set."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

import pytest
from auth_support import START

from orchestrator_auth.contracts import RecordStoreContract, RevocationStoreContract
from orchestrator_auth.exceptions import AuthStoreFailed
from orchestrator_auth.jwt_service import MemoryRevocations, RevocationStore
from orchestrator_auth.records import MemoryRecords, Record, RecordStore, Table
from orchestrator_kernel.exceptions import ValidationError


class TestMemoryRecords(RecordStoreContract):
    async def make(self) -> RecordStore:
        return MemoryRecords()


class TestMemoryRevocations(RevocationStoreContract):
    async def make(self) -> RevocationStore:
        return MemoryRevocations()


@dataclass(frozen=True)
class Counter:
    count: int
    until: datetime | None = None
    names: frozenset[str] = frozenset()


class SlowRecords(MemoryRecords):
    """Gives way between reading and writing, so that others come in between."""

    async def get(self, kind, id):  # noqa: A002 - as the protocol has it
        found = await super().get(kind, id)
        await asyncio.sleep(0)
        return found


async def test_no_change_of_many_at_once_is_lost() -> None:
    table = Table(SlowRecords(), "counter", Counter)
    await table.add("c", Counter(0))

    def increment(value):
        return Counter(value.count + 1), value.count

    before = await asyncio.gather(*[table.change("c", increment) for _ in range(30)])
    assert sorted(before) == list(range(30))
    assert await table.get("c") == Counter(30)


async def test_a_change_can_make_what_was_not_there_and_leave_what_is_right() -> None:
    store = MemoryRecords()
    table = Table(store, "counter", Counter, expiry=lambda value: value.until)
    assert await table.change("c", lambda value: (Counter(1, START, frozenset("ab")), value)) is None
    assert await table.get("c") == Counter(1, START, frozenset("ab"))
    record = await store.get("counter", "c")
    assert record is not None
    assert record.expires_at == START
    assert await table.change("c", lambda value: (None, value.count)) == 1
    record = await store.get("counter", "c")
    assert record is not None
    assert record.version == 1


async def test_all_of_an_owner_are_found_over_many_pages() -> None:
    table = Table(MemoryRecords(), "counter", Counter)
    for number in range(1203):
        await table.add(f"c{number}", Counter(number), owner="o")
    assert len({counter.count for counter in await table.owned("o")}) == 1203


async def test_a_record_changed_by_something_else_is_not_believed() -> None:
    store = MemoryRecords()
    await store.add(Record(kind="counter", id="c", body="__import__('os').system('secret-command')"))
    with pytest.raises(AuthStoreFailed) as caught:
        await Table(store, "counter", Counter).get("c")
    assert "secret-command" not in str(caught.value)


class Contended(MemoryRecords):
    async def replace(self, record):
        return False


async def test_who_never_wins_gives_up_in_the_house_way() -> None:
    table = Table(Contended(), "counter", Counter)
    await table.add("c", Counter(0))
    with pytest.raises(AuthStoreFailed, match="at once"):
        await table.change("c", lambda value: (Counter(1), None))


@pytest.mark.parametrize("changes", [{"id": ""}, {"kind": "a b"}, {"owner": "\n"}, {"alias": "x y"}, {"expires_at": START.replace(tzinfo=None)}, {"body": "x" * 256_001}])  # fmt: skip
def test_a_record_is_valid_or_cannot_be_made(changes) -> None:
    with pytest.raises(ValidationError):
        Record(**{"kind": "k", "id": "i", "body": "", **changes})
