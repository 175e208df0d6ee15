"""The second level on a real server: what processes share, what they tell each other, and what happens without it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import redis.asyncio

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Erased, SealBroken, SealScope
from orchestrator_performance.caching import (
    MISSING,
    BytesSerializer,
    Cache,
    CacheConfig,
    JsonSerializer,
    Loaded,
    MsgpackSerializer,
    NotSerializable,
    Sealing,
    Shared,
    redis_level,
)

pytestmark = pytest.mark.server


@asynccontextmanager
async def process(
    url: str, *, serializer=None, sealing=None, limit=2.0, secret=b"", **settings
) -> AsyncGenerator[Cache]:
    """A cache as a process of its own would have it: with a level and connections of its own."""
    level = redis_level(url, time_limit_seconds=limit)
    settings = {"name": "shared", "ttl": 60, "jitter": 0, "early": 0} | settings
    shared = Shared(level, serializer or JsonSerializer(), sealing=sealing, key_secret=secret)
    try:
        async with Cache(CacheConfig(**settings), shared=shared) as cache:
            yield cache
    finally:
        await level.close()


async def until(condition, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def load_one() -> object:
    return {"value": 1}


async def refuse_to_load() -> object:
    raise AssertionError("nothing had to be loaded")


async def test_what_one_process_loaded_another_finds(valkey_database: str):
    async with process(valkey_database) as one, process(valkey_database) as other:
        assert await one.get_or_load("k", load_one) == {"value": 1}
        assert await other.get_or_load("k", refuse_to_load) == {"value": 1}
        assert await other.get("none") is MISSING
        assert other.stats().shared_hits == 1


async def test_none_is_shared_too(valkey_database: str):
    async def none() -> None:
        return None

    async with process(valkey_database) as one, process(valkey_database) as other:
        assert await one.get_or_load("k", none) is None
        assert await other.get_or_load("k", refuse_to_load) is None


async def test_time_goes_on_in_the_second_level(valkey_database: str):
    async with process(valkey_database, ttl=0.5) as one, process(valkey_database) as other:
        await one.put("k", 1)
        await asyncio.sleep(0.3)
        assert await other.get("k") == 1
        await asyncio.sleep(0.3)
        assert other.peek("k") is MISSING
        assert await other.get("k") is MISSING


@pytest.mark.parametrize("how", ["key", "tag", "all"])
@pytest.mark.parametrize("where", ["root", "partition", "all partitions"])
async def test_what_one_process_invalidates_no_other_believes(valkey_database: str, how: str, where: str):
    async with process(valkey_database) as one, process(valkey_database) as other:
        here, there = (one, other) if where == "root" else (one.partition("acme"), other.partition("acme"))
        await here.put("k", 1, tags=("t",))
        await here.put("other", 2)
        assert [await there.get("k"), await there.get("other")] == [1, 2]
        actor = one if where == "all partitions" else here
        if how == "key":
            await here.remove("k")
        elif how == "tag":
            await actor.invalidate("t")
        else:
            await actor.clear()
        await until(lambda: there.peek("k") is MISSING)
        assert await there.get("k") is MISSING
        assert await there.get("other") == (MISSING if how == "all" else 2)
        assert await there.get_or_load("k", load_one) == {"value": 1}
        assert await here.get("k") == {"value": 1}


async def test_a_process_without_the_partition_invalidates_it_all_the_same(valkey_database: str):
    async with process(valkey_database) as one, process(valkey_database) as other:
        tenant = other.partition("acme")
        await tenant.put("k", 1, tags=("t",))
        await one.invalidate("t")
        await until(lambda: tenant.peek("k") is MISSING)
        assert await tenant.get("k") is MISSING


async def test_tenants_do_not_see_each_other(valkey_database: str):
    async with process(valkey_database) as one:
        await one.partition("a").put("k", 1)
        assert await one.partition("b").get("k") is MISSING
        assert await one.get("k") is MISSING


@pytest.mark.parametrize("how", ["key", "tag", "late tag", "all"])
async def test_what_is_invalidated_elsewhere_while_it_is_loaded_is_not_kept(valkey_database: str, how: str):
    async with process(valkey_database) as one, process(valkey_database) as other:
        release = asyncio.Event()

        async def load() -> Loaded[int]:
            await release.wait()
            return Loaded(1, tags=("late",))

        waiting = asyncio.ensure_future(one.get_or_load("k", load, tags=("t",)))
        await asyncio.sleep(0.1)
        if how == "key":
            await other.remove("k")
        elif how == "all":
            await other.clear()
        else:
            await other.invalidate("t" if how == "tag" else "late")
        release.set()
        assert await waiting == 1
        assert one.peek("k") is MISSING
        assert await other.get("k") is MISSING


async def test_of_many_processes_one_loads_ahead_of_time(valkey_database: str):
    loads = 0

    async def load() -> int:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0.2)
        return loads

    settings = {"ttl": 0.5, "stale_while_revalidate": 30}
    async with (
        process(valkey_database, limit=2.0, **settings) as one,
        process(valkey_database, limit=2.0, **settings) as two,
        process(valkey_database, limit=2.0, **settings) as three,
    ):
        caches = (one, two, three)
        for each in caches:
            assert await each.get_or_load("k", load) == 1
        await asyncio.sleep(0.6)
        for each in caches:
            assert await each.get_or_load("k", load) == 1
        async with asyncio.timeout(5):
            while [await each.get_or_load("k", load) for each in caches] == [1, 1, 1]:
                await asyncio.sleep(0.01)
        assert loads == 2


async def test_a_dead_store_costs_a_miss_and_not_a_wait(valkey_server_of_ones_own):
    server = valkey_server_of_ones_own
    async with process(server.url, limit=0.2) as cache:
        await cache.put("k", 1)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            slowest = 0.0
            for number in range(200):
                began = time.perf_counter()
                assert await cache.get_or_load(number, load_one) == {"value": 1}
                slowest = max(slowest, time.perf_counter() - began)
            # One operation waits for its limit; then the store is known to be out.
            assert slowest < 1.0
            assert await cache.remove("k") is False
            assert cache.peek("k") is MISSING
        finally:
            os.kill(server.pid, signal.SIGCONT)
        await until(lambda: cache._given.level.up)
        # What was removed meanwhile is not believed again.
        assert await cache.get("k") is MISSING
        await cache.put("k", 2)
        async with process(server.url) as other:
            assert await other.get("k") == 2


async def test_a_process_that_missed_invalidations_believes_nothing_of_before(valkey_server_of_ones_own):
    server = valkey_server_of_ones_own
    async with process(server.url) as deaf, process(server.url) as other:
        await deaf.put("k", 1, tags=("t",))
        # Its connections end, and the others work on before it is back.
        for kind in ("pubsub", "normal"):
            server.command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        deaf._given.level._keeper.cancel()
        await asyncio.sleep(0.05)
        deaf._given.level.up = False
        await until(lambda: other._given.level.up)
        await asyncio.sleep(0.3)
        assert await other.invalidate("t")
        assert deaf.peek("k") == 1
        await deaf._given.level.start()
        await until(lambda: deaf._given.level.up)
        assert deaf.peek("k") is MISSING


async def test_a_level_that_was_closed_stays_closed_until_it_is_started(valkey_database: str):
    level = redis_level(valkey_database, time_limit_seconds=2.0)
    cache: Cache = Cache(CacheConfig(name="closing"), shared=Shared(level, JsonSerializer()))
    await cache.start()
    await cache.put("k", 1)
    await level.close()
    tasks = len(asyncio.all_tasks())
    assert await cache.get("other") is MISSING
    assert await cache.invalidate("t") is False
    assert len(asyncio.all_tasks()) == tasks
    assert await cache.get("k") == 1
    await cache.close()


async def test_without_any_store_a_cache_works_by_itself():
    async with process("redis://127.0.0.1:1/0") as cache:
        began = time.perf_counter()
        assert await cache.get_or_load("k", load_one) == {"value": 1}
        assert await cache.get("k") == {"value": 1}
        assert await cache.invalidate("t") is False
        assert time.perf_counter() - began < 2
        assert cache.stats().shared_errors > 0


class Sealers:
    """Seals as a real one would, to see what is asked of it; whether sealing is good is the sealer's business."""

    def __init__(self) -> None:
        from cryptography.fernet import Fernet

        self.fernet = Fernet(Fernet.generate_key())
        self.scopes: list[SealScope] = []
        self.erased: set[str] = set()

    async def seal(self, data: bytes, scope: SealScope) -> bytes:
        if scope.tenant in self.erased:
            raise Erased("erased")
        self.scopes.append(scope)
        return self.fernet.encrypt(repr(scope).encode() + b"\x00" + data)

    async def open(self, sealed: bytes, scope: SealScope) -> bytes:
        from cryptography.fernet import InvalidToken

        if scope.tenant in self.erased:
            raise Erased("erased")
        try:
            place, _, data = self.fernet.decrypt(sealed).partition(b"\x00")
        except InvalidToken:
            raise SealBroken("broken") from None
        if place != repr(scope).encode():
            raise SealBroken("of another scope")
        return data

    async def destroy(self, tenant: str, subject: str) -> bool:
        self.erased.add(tenant)
        return True


async def everything_in(url: str) -> bytes:
    """All keys and values of the server."""
    async with redis.asyncio.Redis.from_url(url) as client:
        found = b""
        async for key in client.scan_iter():
            kind = await client.type(key)
            found += key + repr(await (client.hgetall(key) if kind == b"hash" else client.get(key))).encode()
        return found


async def test_sealed_values_and_secret_names_tell_nothing(valkey_database: str):
    sealer = Sealers()
    sealing = Sealing(sealer, subject="cache")
    async with (
        process(valkey_database, sealing=sealing, secret=b"s" * 32) as one,
        process(valkey_database, sealing=sealing, secret=b"s" * 32) as other,
    ):
        await one.partition("acme").put("Anna Muster", {"phone": "+4930123456"})
        content = await everything_in(valkey_database)
        assert b"Muster" not in content
        assert b"4930123456" not in content
        assert await other.partition("acme").get("Anna Muster") == {"phone": "+4930123456"}
        assert sealer.scopes == [SealScope("acme", "cache", "cache.shared")]
        await sealer.destroy("acme", "cache")
        one.partition("acme").missed()
        assert await one.partition("acme").get("Anna Muster") is MISSING
        # Nothing new is kept of who was erased, and the caller gets the value.
        assert await one.partition("acme").get_or_load("x", load_one) == {"value": 1}
        assert await other.partition("acme").get("x") is MISSING


async def test_sealed_values_cannot_be_exchanged_for_one_another(valkey_database: str):
    sealing = Sealing(Sealers(), subject="cache")
    async with (
        process(valkey_database, sealing=sealing) as one,
        process(valkey_database, sealing=sealing) as other,
        redis.asyncio.Redis.from_url(valkey_database) as client,
    ):
        await one.put("a", 1)
        await one.put("b", 2)
        first, second = [key async for key in client.scan_iter("*:value:*")]
        await client.hset(first, "data", await client.hget(second, "data"))
        found = {str(await other.get("a")), str(await other.get("b"))}
        assert "MISSING" in found
        assert other.stats().shared_broken == 1


@pytest.mark.parametrize("data", [b"", b"\x01json\x00{", b"\x02json\x00{}", b"\x01bytes\x00x", b"\x80\x04N."])
async def test_broken_values_are_loaded_anew(valkey_database: str, data: bytes):
    async with (
        process(valkey_database) as one,
        process(valkey_database) as other,
        redis.asyncio.Redis.from_url(valkey_database) as client,
    ):
        await one.put("k", 1)
        [key] = [key async for key in client.scan_iter("*:value:*")]
        await client.hset(key, "data", data)
        assert await other.get_or_load("k", load_one) == {"value": 1}
        assert other.stats().shared_broken == 1


async def test_serializers(valkey_database: str):
    value = {"a": [1, 2.5, b"\x00\xff", "ü", None, True]}
    async with process(valkey_database, serializer=MsgpackSerializer()) as one:
        async with process(valkey_database, serializer=MsgpackSerializer()) as other:
            await one.put("k", value)
            assert await other.get("k") == value
        with pytest.raises(NotSerializable):
            await one.put("x", object())
    with pytest.raises(NotSerializable):
        MsgpackSerializer().loads(b"\xc1")
    async with process(valkey_database, serializer=BytesSerializer(), name="bytes") as one:
        await one.put("k", b"\x00\xff")
        assert await one.get("k") == b"\x00\xff"


async def test_keys_do_not_stay_for_ever(valkey_database: str):
    async with process(valkey_database) as one, redis.asyncio.Redis.from_url(valkey_database) as client:
        await one.put("k", 1, tags=("t",))
        await one.partition("p").put("k", 1)
        await one.invalidate("t")
        await one.remove("k")
        await one.clear()
        left = {key: await client.pttl(key) async for key in client.scan_iter()}
        assert len(left) >= 4
        assert all(ttl > 0 for ttl in left.values())


async def test_random_cancellations_leave_the_connections_in_order(valkey_database: str):
    """Whoever is cancelled while it waits for the store: nobody gets the answer to somebody else's question."""
    import random

    dice = random.Random(5)
    async with process(valkey_database, limit=2.0, max_items=1) as cache:
        for number in range(50):
            await cache.put(number, number)

        async def ask() -> None:
            for _ in range(20):
                number = dice.randrange(50)
                try:
                    async with asyncio.timeout(dice.uniform(0, 0.004)):
                        assert await cache.get(number) in {number, MISSING}
                except TimeoutError:
                    pass

        await asyncio.gather(*[ask() for _ in range(30)])
        for number in range(50):
            assert await cache.get(number) == number


SCRIPT = """
    import asyncio, sys
    from orchestrator_performance.caching import Cache, CacheConfig, JsonSerializer, Shared, redis_level
    async def main() -> None:
        level = redis_level(sys.argv[1])
        async with Cache(CacheConfig(name="shared", ttl=60), shared=Shared(level, JsonSerializer())) as cache:
            print(await cache.get("k"), await cache.invalidate("t"))
        await level.close()
    asyncio.run(main())
"""


async def test_another_process_in_earnest(valkey_database: str):
    async with process(valkey_database) as cache:
        await cache.put("k", [1, 2], tags=("t",))
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", textwrap.dedent(SCRIPT), valkey_database, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await child.communicate()
        assert out.decode().strip() == "[1, 2] True"
        await until(lambda: cache.peek("k") is MISSING)


def test_a_url_that_is_none_is_refused_without_its_password():
    for url in ("http://user:geheim@host", "redis://:geheim@host:port"):
        with pytest.raises(ConfigurationError) as refused:
            redis_level(url)
        assert "geheim" not in str(refused.value)


async def test_a_client_that_decodes_is_refused():
    async with redis.asyncio.Redis(decode_responses=True) as client:
        with pytest.raises(ConfigurationError, match="decode_responses"):
            redis_level(client)
