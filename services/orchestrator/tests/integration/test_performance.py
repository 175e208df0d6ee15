"""What an operator sees of connections, caches, memory and the event loop, and can do about them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
import redis.asyncio
from app_support import AUTHORIZED, SHORT, Client, running, settings
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from orchestrator_app.composition.application import compose
from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.performance import Performance
from orchestrator_app.composition.speech import Voices
from orchestrator_kernel.ports import SpeechRequest, SystemClock
from orchestrator_performance.metrics import METRICS

VOICE = {"backends": ("embedded",), "embedded_processes": 1}


class Late(SystemClock):
    """A clock that can be put forward."""

    late = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.late


async def until(condition, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


async def speak(service: Client, sentence: str) -> bytes:
    speech = service.app.registry.get(Voices).speech
    assert speech is not None
    request = SpeechRequest(text=sentence, language="en-US")
    return b"".join([chunk.pcm async for chunk in speech.synthesize(request)])


async def test_the_process_at_one_look(data: Path) -> None:
    async with running(settings(data, tenants=SHORT, performance={"interval": 0.05})) as service:
        await service.get("/v1/calls")

        async def sampled() -> bool:
            return (await service.get("/performance/overview")).json()["latest"] is not None

        await until(sampled)
        found = (await service.get("/performance/overview")).json()
        assert found["status"] in {"healthy", "warning"}
        assert found["memory"]["rss"] > 20 * 2**20
        assert found["memory"]["limit"] == 16 * 2**30
        assert found["memory"]["frozen_objects"] > 10_000
        assert {each["name"] for each in found["pools"]} >= {"database.data", "database.keys", "actions"}
        assert [each["name"] for each in found["caches"]] == ["speech"]
        assert 0 <= found["sampling_share"] < 0.2

        async def timed() -> bool:
            samples = (await service.get("/performance/metrics/history", metric="request.p99")).json()
            return any(each["measures"]["request.p99"] > 0 for each in samples)

        await until(timed)
        names = (await service.get("/performance/metrics/history")).json()[-1]["measures"]
        assert {"loop.lag_p99", "gc.pause_max", "cpu.share", "tasks", "database.count"} <= names.keys()
        assert (await service.get("/performance/metrics/history", metric="nothing")).status_code == 404
        assert (await service.get("/performance/metrics/history", seconds=-1)).status_code == 422


async def test_requests_are_timed_by_whole_routes_and_the_cache_by_name(data: Path) -> None:
    """Routers are included below prefixes, and two of them end alike."""
    async with running(settings(data, tenants=SHORT, speech=VOICE)) as service:
        for path in ("/slo/health", "/performance/health", "/nowhere/at/all"):
            await service.get(path)
        await speak(service, "Good evening.")
        timers = service.app.registry.get(Performance).monitor.timers
        found = {(kind, name): timing.count for kind, name, timing in timers}
        assert found["request", "GET /slo/health"] == found["request", "GET /performance/health"] == 1
        assert found["request", "GET unmatched"] == 1
        assert found["cache", "speech"] == 1


async def test_all_that_is_asked_is_pooled(data: Path) -> None:
    """Vault, receivers of alerts, Prometheus and auth's shared store, too."""
    asked = {"url": "http://127.0.0.1:9", "token": "t"}
    configured = settings(
        data,
        tenants=SHORT,
        vault=asked,
        auth={"shared_url": "valkey://127.0.0.1:9"},
        monitoring={"prometheus_url": "http://127.0.0.1:9"},
        performance={"stacks": True},
    )
    pools = compose(configured).registry.get(Performance).pools
    made = {(each.kind, each.name) for each in pools.stats()}
    assert {
        ("http", "vault"),
        ("http", "alerts"),
        ("http", "prometheus"),
        ("http", "actions"),
        ("redis", "auth"),
    } <= made
    await pools.close()


async def test_how_old_a_sample_is_the_clock_tells(data: Path) -> None:
    clock = Late()
    async with running(settings(data, tenants=SHORT, performance={"interval": 3600}), clock=clock) as service:
        service.app.registry.get(Performance).monitor.sample()
        clock.late = 600.0
        found = (await service.get("/performance/overview")).json()
        assert 600 <= found["latest"]["seconds_ago"] < 700


async def test_who_keeps_a_connection_is_shown_with_the_place(data: Path) -> None:
    configured = settings(data, tenants=SHORT, performance={"hold_seconds": 0.05, "stacks": True})
    async with running(configured) as service:
        engine = service.app.registry.get(Databases).data
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            await asyncio.sleep(0.1)
            found = (await service.get("/performance/connection-pools")).json()
            [pool] = [each for each in found["pools"] if each["name"] == "database.data"]
            assert pool["in_use"] >= 1
            assert pool["leaking"] == 1
            assert any("test_who_keeps_a_connection" in line for each in found["held"] for line in each["stack"])

            async def told() -> bool:
                return "held_for_long" in (await service.get("/health/detailed")).text

            await until(told)

        async def given_back() -> bool:
            return (await service.get("/performance/connection-pools")).json()["held"] == []

        await until(given_back)


async def test_a_sentence_is_spoken_from_memory_the_second_time_and_can_be_forgotten(data: Path) -> None:
    async with running(settings(data, tenants=SHORT, speech=VOICE)) as service:

        async def cache() -> dict[str, float]:
            [found] = (await service.get("/performance/caches")).json()
            return found

        first = await speak(service, "Your table is reserved.")
        assert await speak(service, "Your table is reserved.") == first
        found = await cache()
        assert (found["hits"], found["misses"], found["items"]) == (1, 1, 1)
        assert found["hit_ratio"] == 0.5
        assert found["bytes"] > len(first)
        answer = await service.http.post("/performance/optimize/cache/clear", headers=AUTHORIZED)
        assert answer.json() == {"cleared": ["speech"], "everywhere": True}
        assert (await cache())["items"] == 0
        await speak(service, "Your table is reserved.")
        unknown = await service.http.post("/performance/optimize/cache/clear?name=nothing", headers=AUTHORIZED)
        assert unknown.status_code == 404
        freed = (await service.http.post("/performance/optimize", headers=AUTHORIZED)).json()
        assert freed["components"]["speech"] == freed["freed_bytes"] > len(first)
        assert (await cache())["items"] == 0


async def test_a_measure_that_is_too_high_is_an_alert(data: Path) -> None:
    configured = settings(data, tenants=SHORT, performance={"memory_mb": 64, "interval": 0.05})
    async with running(configured) as service:

        async def told() -> bool:
            return [each["metric"] for each in (await service.get("/performance/alerts")).json()] != []

        await until(told)
        [alert, *_] = (await service.get("/performance/alerts")).json()
        assert alert["metric"] == "memory.rss"
        assert alert["value"] > alert["above"] == 64 * 2**20
        found = (await service.get("/performance/health")).json()
        assert found["status"] == "critical"
        assert "memory.rss is above 6.71089e+07" in found["reasons"]


async def test_alerting_can_be_switched_off(data: Path) -> None:
    configured = settings(data, tenants=SHORT, performance={"memory_mb": 64, "interval": 0.02, "alerting": False})
    async with running(configured) as service:
        await asyncio.sleep(0.3)
        assert (await service.get("/performance/alerts")).json() == []


async def test_health_asks_what_it_tells_of(data: Path) -> None:
    async with running(settings(data, tenants=SHORT, performance={"memory_mb": 100_000})) as service:
        found = (await service.get("/performance/health")).json()
        assert found["pools"] == {"database.data": "healthy", "database.keys": "healthy"}
        pools = service.app.registry.get(Performance).pools
        pools["database.keys"].refuse()
        found = (await service.get("/performance/health")).json()
        assert found["pools"]["database.keys"] == "pool_closed"
        assert "database.keys: pool_closed" in found["reasons"]
        assert found["status"] == "warning"


async def test_prometheus_reads_the_same(data: Path) -> None:
    async with running(settings(data, tenants=SHORT, speech=VOICE)) as service:
        await speak(service, "Good evening.")
        own = (await service.get("/performance/prometheus")).text
        families = {each.name for each in text_string_to_metric_families(own)}
        assert families == {each.name.removesuffix("_total") for each in METRICS}
        assert 'orchestrator_cache_lookups_total{cache="speech",result="miss"} 1.0' in own
        assert 'orchestrator_pool_size{pool="database.data"}' in own
        assert 'orchestrator_pool_wait_seconds_bucket{le="0.001",pool="database.data"}' in own
        everything = (await service.get("/metrics")).text
        assert 'orchestrator_cache_lookups_total{cache="speech",result="miss"} 1.0' in everything
        for name in (
            "orchestrator_loop_lag_seconds_bucket",
            "process_resident_memory_bytes",
            "process_cpu_seconds_total",
        ):
            assert name in everything


@pytest.mark.server
async def test_processes_share_sentences_sealed(data: Path, valkey_database: str) -> None:
    """What one process spoke the next takes from the store, where nobody else can hear or read it."""
    configured = settings(
        data, tenants=SHORT, speech=VOICE, performance={"cache_url": valkey_database, "cache_wait": 5.0}
    )
    async with running(configured) as service:
        first = await speak(service, "Mrs Example, your room is ready.")
    async with redis.asyncio.Redis.from_url(valkey_database) as client:
        kept = b""
        async for key in client.scan_iter():
            kind = await client.type(key)
            kept += key + repr(await (client.hgetall(key) if kind == b"hash" else client.get(key))).encode()
    assert b"value:" in kept
    for word in (b"Example", b"room", b"ready", repr(first[2000:2020])[2:-1].encode()):
        assert word not in kept
    async with running(configured) as service:
        assert await speak(service, "Mrs Example, your room is ready.") == first
        [cache] = (await service.get("/performance/caches")).json()
        assert (cache["shared_hits"], cache["misses"]) == (1, 0)
        assert (await service.http.post("/performance/optimize/cache/clear", headers=AUTHORIZED)).json()["everywhere"]
        await speak(service, "Mrs Example, your room is ready.")
        [cache] = (await service.get("/performance/caches")).json()
        assert (cache["shared_hits"], cache["misses"]) == (1, 1)


async def test_a_second_level_that_is_not_there_keeps_nobody_waiting(data: Path) -> None:
    configured = settings(data, tenants=SHORT, speech=VOICE, performance={"cache_url": "redis://127.0.0.1:1/0"})
    async with running(configured) as service:
        began = time.perf_counter()
        first = await speak(service, "Good evening.")
        assert await speak(service, "Good evening.") == first
        assert time.perf_counter() - began < 3
        assert (await service.get("/performance/health")).json()["pools"]["cache"] != "healthy"
