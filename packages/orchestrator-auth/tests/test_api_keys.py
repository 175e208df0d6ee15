"""API keys: shown once, checked without look-up where possible, scoped, limited, rotated, revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from auth_support import HandClock, ListSink
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_auth.api_keys import ApiKeyNotFound, ApiKeys, MadeKey, MemoryKeyLimiter, NewKey
from orchestrator_auth.audit import Auditor
from orchestrator_auth.exceptions import AccessDenied, CredentialRefused, KeyLimitReached
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.models import ALL_TENANTS, KeyLimits, UserContext
from orchestrator_auth.records import MemoryRecords
from orchestrator_kernel.exceptions import ValidationError

PEPPER = Pepper({"one": b"1" * 32})
ADMIN = UserContext(
    user_id="u-1", tenant="hotel-7", permissions={"api_key:create", "api_key:revoke", "call:view", "call:start"}
)
NEW = NewKey(service="billing", tenant="hotel-7", permissions={"call:view"})


class CountingRecords(MemoryRecords):
    reads = 0

    async def get(self, kind, id):  # noqa: A002 - as the protocol has it
        self.reads += 1
        return await super().get(kind, id)


class World:
    def __init__(self) -> None:
        self.clock, self.sink, self.records = HandClock(), ListSink(), CountingRecords()
        self.keys = self.process()

    def process(self) -> ApiKeys:
        audit = Auditor(self.sink, clock=self.clock)
        return ApiKeys(self.records, pepper=PEPPER, audit=audit, clock=self.clock, limiter=MemoryKeyLimiter(self.clock))

    async def made(self, new: NewKey = NEW) -> MadeKey:
        return await self.keys.create(new, by=ADMIN)

    async def refuses(self, text: str, keys: ApiKeys | None = None) -> str:
        with pytest.raises(CredentialRefused) as caught:
            await (keys or self.keys).verify(text)
        return caught.value.reason


async def test_a_key_opens_its_scopes_in_its_tenant() -> None:
    """Every key that was issued was once refused."""
    world = World()
    made = await world.made()
    service = await world.keys.verify(made.text)
    assert (service.id, service.key_id, service.tenant) == ("service:billing", made.key.id, "hotel-7")
    assert service.may("call:view")
    assert not service.may("call:start")
    assert not service.may_access("hotel-8")


async def test_the_text_is_shown_once_and_kept_nowhere() -> None:
    world = World()
    made = await world.made()
    kept = str(world.records._records)
    assert made.text not in kept
    assert made.text[20:63] not in kept
    assert made.text not in repr(made)
    assert made.text not in str(world.sink.events)
    (listed,) = await world.keys.of_tenant("hotel-7")
    assert listed.secret_hash not in repr(listed)


@given(st.data())
async def test_a_key_that_was_changed_anywhere_is_refused_without_a_look_up(data) -> None:
    world = World()
    text = (await world.made()).text
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.characters().filter(lambda each: each != text[place])) + text[place + 1 :]
    world.records.reads = 0
    await world.refuses(changed)
    assert world.records.reads == 0


@given(st.text())
async def test_any_text_is_refused_in_the_house_way(text) -> None:
    world = World()
    assert await world.refuses(text) == "not an API key"


async def test_a_made_up_key_with_a_good_checksum_is_unknown() -> None:
    made = await World().made()
    assert await World().refuses(made.text) == "key is unknown"


async def test_an_expired_key_is_refused_to_the_second() -> None:
    world = World()
    made = await world.made(
        NewKey(service="b", tenant="hotel-7", permissions={"call:view"}, lifetime=timedelta(seconds=10))
    )
    world.clock.seconds += 9.9
    await world.keys.verify(made.text)
    world.clock.seconds += 0.1
    assert await world.refuses(made.text) == "key is expired"


async def test_a_revoked_key_is_refused_here_at_once_and_elsewhere_after_a_second() -> None:
    world = World()
    made, other = await world.made(), world.process()
    await other.verify(made.text)
    await world.keys.revoke(made.key.id, by=ADMIN)
    assert await world.refuses(made.text) == "key is revoked"
    world.clock.seconds += 1
    assert await world.refuses(made.text, other) == "key is revoked"


async def test_a_rotated_key_overlaps_with_its_successor() -> None:
    world = World()
    made = await world.made()
    new = await world.keys.rotate(made.key.id, by=ADMIN, overlap=timedelta(hours=1))
    assert (await world.keys.verify(new.text)).permissions == {"call:view"}
    world.clock.seconds += 3599
    await world.keys.verify(made.text)
    world.clock.seconds += 2
    assert await world.refuses(made.text) == "key is expired"
    await world.keys.verify(new.text)
    old = next(key for key in await world.keys.of_tenant("hotel-7") if key.id == made.key.id)
    assert old.replaced_by == new.key.id
    with pytest.raises(ApiKeyNotFound):
        await world.keys.rotate(made.key.id, by=ADMIN)


@pytest.mark.parametrize(
    "new",
    [
        NewKey(service="b", tenant="hotel-7", permissions={"system:admin"}),
        NewKey(service="b", tenant="hotel-8", permissions={"call:view"}),
        NewKey(service="b", tenant=ALL_TENANTS, permissions={"call:view"}),
    ],
)
async def test_nobody_makes_a_key_that_may_do_more_or_elsewhere(new) -> None:
    with pytest.raises(AccessDenied):
        await World().keys.create(new, by=ADMIN)


async def test_only_who_may_makes_and_revokes_keys() -> None:
    world = World()
    made = await world.made()
    staff = UserContext(user_id="u-2", tenant="hotel-7", permissions={"call:view"})
    stranger = UserContext(user_id="u-3", tenant="hotel-8", permissions=ADMIN.permissions)
    with pytest.raises(AccessDenied):
        await world.keys.create(NEW, by=staff)
    for nobody in (staff, stranger):
        with pytest.raises(ApiKeyNotFound):
            await world.keys.revoke(made.key.id, by=nobody)
        with pytest.raises(ApiKeyNotFound):
            await world.keys.rotate(made.key.id, by=nobody)
    with pytest.raises(ApiKeyNotFound):
        await world.keys.revoke("../../etc", by=ADMIN)
    await world.keys.verify(made.text)


@pytest.mark.parametrize("changes", [{"service": ""}, {"tenant": ""}, {"permissions": {"x"}}])
async def test_what_makes_no_service_makes_no_key(changes) -> None:
    with pytest.raises(ValidationError):
        await World().keys.create(
            NewKey(**{"service": "b", "tenant": "hotel-7", "permissions": {"call:view"}, **changes}), by=ADMIN
        )
    for lifetime in (timedelta(0), timedelta(days=4000)):
        with pytest.raises(ValidationError):
            NewKey(service="b", tenant="t", permissions={"call:view"}, lifetime=lifetime)


async def test_the_store_is_asked_once_a_second_and_the_last_use_written_once_a_minute() -> None:
    world = World()
    made = await world.made(NewKey(service="b", tenant="hotel-7", permissions=set(), limits=KeyLimits(per_minute=None)))
    world.records.reads = 0
    for _ in range(600):
        await world.keys.verify(made.text)
        world.clock.seconds += 0.1
    assert world.records.reads <= 62
    (key,) = await world.keys.of_tenant("hotel-7")
    assert key.last_used_at is not None
    assert (world.clock.now() - key.last_used_at).total_seconds() <= 61


# --- limits


async def test_a_key_keeps_within_its_limits() -> None:
    world = World()
    limits = KeyLimits(per_minute=3, per_hour=5, per_day=7)
    made = await world.made(NewKey(service="b", tenant="hotel-7", permissions=set(), limits=limits))
    other = await world.made(NewKey(service="c", tenant="hotel-7", permissions=set(), limits=limits))
    world.clock.seconds = 86_400.0
    waits: list[float | None] = []

    async def uses() -> int:
        for count in range(100):
            try:
                await world.keys.verify(made.text)
            except KeyLimitReached as error:
                waits.append(error.retry_after)
                return count
        return 100

    assert await uses() == 3
    await world.keys.verify(other.text)
    world.clock.seconds += 60
    assert await uses() == 2
    world.clock.seconds += 3600
    assert await uses() == 2
    world.clock.seconds += 3600
    assert await uses() == 0
    world.clock.seconds += 86_400
    assert await uses() == 3
    assert all(wait is not None and 0 < wait <= 86_400 for wait in waits)


async def test_a_refused_request_is_not_counted_and_the_wait_is_right() -> None:
    clock = HandClock()
    limiter, limits = MemoryKeyLimiter(clock), KeyLimits(per_minute=1, per_hour=None, per_day=None)
    clock.seconds = 6000 + 20.0
    await limiter.count("k", limits)
    with pytest.raises(KeyLimitReached) as caught:
        await limiter.count("k", limits)
    assert caught.value.retry_after == pytest.approx(40)
    clock.seconds += caught.value.retry_after
    await limiter.count("k", limits)
