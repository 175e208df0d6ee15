"""Rate limits in a real Valkey: the same decisions as in the process, on the server's clock."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limits.aio.strategies import FixedWindowRateLimiter
from limits.storage import storage_from_string

from orchestrator_kernel.contracts import AdmissionContract
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import AdmissionRequest
from orchestrator_resilience import _drivers
from orchestrator_resilience._local_share import SharedLimit
from orchestrator_resilience._rate_storage import STRATEGIES, make_algorithm
from orchestrator_resilience.rate_limit_rules import RateLimitAdmission, RateLimitRule
from orchestrator_resilience.rate_limiter import RateLimiter, SharedStorage, open_storage, parse_limits

pytestmark = pytest.mark.server
FOLDER = Path(_drivers.__file__).parent


def patient(url: str) -> SharedStorage:
    """These tests are not about time, and the machine may be busy."""
    return open_storage(url, time_limit_seconds=10)


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_every_strategy_admits_its_limit_and_says_all_in_one_answer(valkey_database, strategy):
    limiter = RateLimiter("5/minute", strategy=strategy, storage=patient(valkey_database))
    try:
        decisions = [await limiter.hit("tenant-7") for _ in range(7)]
        assert [each.allowed for each in decisions] == [True] * 5 + [False] * 2
        assert [each.remaining for each in decisions] == [4, 3, 2, 1, 0, 0, 0]
        assert {each.limit for each in decisions} == {5}
        assert 0 < decisions[-1].retry_after <= 61
        assert [each.remaining for each in await limiter.look("tenant-8")] == [5]
        assert (await limiter.hit("tenant-8", cost=5)).allowed
        assert [(each.allowed, each.remaining) for each in await limiter.look("tenant-8")] == [(False, 0)]
        too_dear = await limiter.hit("tenant-9", cost=6)
        assert (too_dear.allowed, too_dear.retry_after, too_dear.remaining) == (False, math.inf, 5)
        await limiter.forget("tenant-7")
        assert (await limiter.hit("tenant-7")).allowed
    finally:
        await limiter.aclose()


async def test_many_tasks_and_two_processes_get_no_more_than_the_limit(valkey_database):
    # Two storages with two connections; the same process counts as one node.
    limiters = [RateLimiter("50/minute", storage=patient(valkey_database)) for _ in range(2)]
    decisions = await asyncio.gather(*[each.hit("k") for each in limiters * 100])
    assert sum(each.allowed for each in decisions) == 50
    for each in limiters:
        await each.aclose()


async def test_several_limits_are_counted_together_or_not_at_all(valkey_database):
    storage = patient(valkey_database)
    both = RateLimiter("10/second; 3/minute", strategy="fixed-window", storage=storage)
    one = RateLimiter("10/second", strategy="fixed-window", storage=storage)
    assert [(await both.hit("k")).allowed for _ in range(9)] == [True] * 3 + [False] * 6
    assert (await one.hit("k")).remaining == 6  # three and this one; the refused ones are not counted
    await storage.aclose()


async def test_names_cannot_be_mixed_up(valkey_database):
    limiter = RateLimiter("1/minute", storage=patient(valkey_database))
    pairs = [("a", "b"), ("a:b",), ("a%3Ab",), ("a}b",), ("a", "b", "")]
    assert [(await limiter.hit(*each)).allowed for each in pairs] == [True] * 5
    assert [(await limiter.hit(*each)).allowed for each in pairs] == [False] * 5
    await limiter.aclose()


async def test_other_strategies_on_the_same_item_do_not_disturb_each_other(valkey_database):
    storage = patient(valkey_database)
    for strategy in STRATEGIES:
        limiter = RateLimiter("2/minute", strategy=strategy, storage=storage)
        assert [(await limiter.hit("k")).allowed for _ in range(3)] == [True, True, False]
    await storage.aclose()


async def test_a_server_that_has_forgotten_the_scripts_gets_them_again(valkey_database, valkey_server):
    limiter = RateLimiter("5/minute", storage=patient(valkey_database))
    assert (await limiter.hit("k")).remaining == 4
    valkey_server.command("SCRIPT", "FLUSH")
    assert (await limiter.hit("k")).remaining == 3
    assert limiter.storage.shared
    await limiter.aclose()


async def test_keys_end_by_themselves(valkey_database, valkey_server):
    storage = patient(valkey_database)
    for strategy in STRATEGIES:
        await RateLimiter("2/second", strategy=strategy, storage=storage).hit("k")
    client = redis.Redis.from_url(valkey_database)
    try:
        lives = {key: client.pttl(key) for key in client.keys("orchestrator:{k}*")}
        assert len(lives) == len(STRATEGIES)
        assert all(0 < life <= 2001 for life in lives.values()), lives
    finally:
        client.close()
        await storage.aclose()


async def test_limits_own_strategies_run_on_the_storage(valkey_database):
    storage = storage_from_string(f"async+shared+{valkey_database}", time_limit_seconds=10)
    item, theirs = parse_limits("2/minute")[0], FixedWindowRateLimiter(storage)
    assert [await theirs.hit(item, "k") for _ in range(3)] == [True, True, False]
    assert (await theirs.get_window_stats(item, "k")).remaining == 0
    assert await storage.check()
    await theirs.clear(item, "k")
    assert await theirs.test(item, "k")
    await storage.aclose()


def test_a_storage_outlives_an_event_loop(valkey_database):
    limiter = RateLimiter("5/hour", storage=patient(valkey_database))

    async def hit() -> tuple[int, bool]:
        return (await limiter.hit("k")).remaining, limiter.storage.shared

    assert [asyncio.run(hit()) for _ in range(3)] == [(4, True), (3, True), (2, True)]
    assert not limiter.storage.shared


async def test_a_server_without_memory_is_as_good_as_none(valkey_database, valkey_server, caplog):
    limiter = RateLimiter("5/hour", storage=patient(valkey_database))
    assert (await limiter.hit("k")).remaining == 4
    valkey_server.command("CONFIG", "SET", "maxmemory", "1")
    try:
        assert (await limiter.hit("k")).allowed
        assert not limiter.storage.shared
        assert "maxmemory" in caplog.text
    finally:
        valkey_server.command("CONFIG", "SET", "maxmemory", "0")
        await limiter.aclose()


def test_a_shared_limit_is_not_decided_without_a_loop():
    limiter = RateLimiter("2/minute", storage="redis://127.0.0.1:1/0")
    with pytest.raises(ConfigurationError, match="await"):
        limiter.hit_now("k")


@pytest.mark.parametrize(
    ("uri", "options"),
    [
        ("redis://localhost", {"time_limit_seconds": 0}),
        ("redis://localhost", {"expected_nodes": 0}),
        ("redis://localhost", {"settle_seconds": -1}),
        ("redis://localhost", {"unknown": 1}),
        ("redis://localhost:notaport", {}),
        ("memcached://localhost", {}),
        ("async+memory://", {}),
    ],
)
def test_a_bad_storage_is_refused_with_its_name(uri, options):
    with pytest.raises(ConfigurationError) as refusal:
        open_storage(uri, **options)
    assert {"setting", "value", "allowed"} <= refusal.value.details.keys()


class TestAdmission(AdmissionContract):
    @pytest.fixture(autouse=True)
    async def _storage(self, valkey_database):
        self.storage = patient(valkey_database)
        yield
        await self.storage.aclose()

    def make(self) -> RateLimitAdmission:
        return RateLimitAdmission([RateLimitRule("all", limits="5/hour")], storage=self.storage)


async def test_the_rules_of_an_admission_share_one_connection(valkey_database):
    rules = [RateLimitRule("all", limits="5/hour"), RateLimitRule("login", limits="1/hour", route="/login")]
    admission = RateLimitAdmission(rules, storage=patient(valkey_database))
    for route in ("/login", "/other"):
        assert (await admission.admit(AdmissionRequest(route=route, client="c"))).allowed
    client = redis.Redis.from_url(valkey_database)
    assert len([each for each in client.client_list() if each["addr"] != client.client_info()["addr"]]) == 1
    client.close()
    await admission.aclose()


def test_a_clock_that_is_wrong_admits_nobody(valkey_database):
    """Two processes whose clocks are 180 s apart: the second one finds the limit used up."""
    code = textwrap.dedent("""
        import asyncio, sys, time
        shift = float(sys.argv[2])
        for name in ("time", "monotonic", "time_ns", "monotonic_ns"):
            real, unit = getattr(time, name), 1 if not name.endswith("ns") else 10**9
            setattr(time, name, lambda real=real, unit=unit: real() + type(real())(shift * unit))
        from orchestrator_resilience.rate_limiter import RateLimiter, open_storage

        async def main():
            admitted = 0
            for strategy in ("gcra", "token-bucket", "fixed-window", "sliding-window", "sliding-window-counter"):
                storage = open_storage(sys.argv[1], time_limit_seconds=10)
                limiter = RateLimiter("10/minute", strategy=strategy, storage=storage)
                admitted += sum([(await limiter.hit("k")).allowed for _ in range(10)])
                assert limiter.storage.shared
                await limiter.aclose()
            print(admitted)

        asyncio.run(main())
    """)
    told = [
        subprocess.run([sys.executable, "-c", code, valkey_database, shift], capture_output=True, text=True, check=True)
        for shift in ("-90", "90")
    ]
    assert [each.stdout.strip() for each in told] == ["50", "0"]


# -- the script against the algorithms in the process, on a clock that both are told

steps = st.lists(
    st.tuples(st.sampled_from([0, 1, 0.25, 0.5, 3, 7, 11, 30]), st.sampled_from("ab"), st.integers(1, 4)), max_size=40
)


SCRIPTS = pytest.mark.parametrize(("name", "strategy"), [("rates", each) for each in STRATEGIES] + [("gcra", "gcra")])
limit_texts = st.sampled_from(["3/second", "5 per 10 second", "7 per 11 second; 10/minute"])
FIXTURES = [HealthCheck.function_scoped_fixture]


@SCRIPTS
@given(limit_texts, steps)
@settings(max_examples=40, suppress_health_check=FIXTURES, deadline=None)
def test_the_scripts_decide_as_the_algorithms_do(valkey_url, name, strategy, limits, program):
    agree(valkey_url, name, strategy, limits, program)


@pytest.mark.soak
@SCRIPTS
@given(limit_texts, steps)
@settings(max_examples=2000, suppress_health_check=FIXTURES, deadline=None)
def test_twelve_thousand_programs_agree(valkey_url, name, strategy, limits, program):
    agree(valkey_url, name, strategy, limits, program)


def agree(valkey_url, name, strategy, limits, program) -> None:
    client = redis.Redis.from_url(valkey_url)
    client.flushall()
    told = "local time = {tonumber(ARGV[#ARGV - 1]), tonumber(ARGV[#ARGV])}"
    source = (FOLDER / f"{name}.lua").read_text(encoding="utf-8")
    script = client.register_script(source.replace("local time = redis.call('TIME')", told))
    limits = limits.partition(";")[0] if name == "gcra" else limits
    items = parse_limits(limits)
    ours, shared = (
        [make_algorithm(strategy, item, None) for item in items],
        [SharedLimit(strategy, item, None) for item in items],
    )
    now = 1_000_000.0  # whole seconds and the windows of the counters begin together
    # What expires on the server's own clock must not have expired in between: the program takes milliseconds.
    try:
        for pause, key, cost in program:
            now += pause
            keys = [f"{key}:{limit.amount}/{limit.period}" for limit in shared]
            words = [word for limit in shared for word in limit.words]
            answer = script(keys, [cost, "decide", *words, int(now), round(now % 1 * 1e6)])
            tested = [each.test(key, now, cost) for each in ours]
            if all(each.allowed for each in tested):
                tested = [each.hit(key, now, cost) for each in ours]
            for place, decision in enumerate(tested):
                allowed, left, reset, retry = map(int, answer.split()[4 * place : 4 * place + 4])
                assert (bool(allowed), left) == (decision.allowed, decision.remaining)
                assert reset / 1e6 == pytest.approx(decision.reset_after, abs=2e-3)
                wait = math.inf if retry == -1 else retry / 1e6
                assert wait == pytest.approx(decision.retry_after, abs=2e-3)
    finally:
        client.close()
