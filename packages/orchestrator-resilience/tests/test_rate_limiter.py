"""What a caller of the limiter notices."""

from __future__ import annotations

import asyncio
import copy
import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from limits.storage import storage_from_string

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_resilience import rate_limiter
from orchestrator_resilience._rate_algorithms import Gcra, Pace, TokenBucket, decided
from orchestrator_resilience._rate_windows import FixedWindow, SlidingCounter, SlidingWindow
from orchestrator_resilience.rate_limiter import MonotonicStorage, RateLimiter, parse_limits

ALL = ["gcra", "token-bucket", "fixed-window", "sliding-window", "sliding-window-counter"]
ALGORITHMS = [Gcra, TokenBucket, FixedWindow, SlidingWindow, SlidingCounter]


@pytest.mark.parametrize("strategy", ALL)
async def test_the_limit_is_admitted_and_not_one_more(clock, strategy):
    limiter = RateLimiter("5/minute", strategy=strategy, clock=clock)
    decisions = [await limiter.hit("caller") for _ in range(7)]
    assert [each.allowed for each in decisions] == [True] * 5 + [False] * 2
    assert [each.remaining for each in decisions[:5]] == [4, 3, 2, 1, 0]
    assert 0 < decisions[-1].retry_after <= 120
    assert (await limiter.hit("another")).allowed


@pytest.mark.parametrize("strategy", ALL)
async def test_after_retry_after_the_same_request_passes(clock, strategy):
    limiter = RateLimiter("5/minute", strategy=strategy, clock=clock)
    await limiter.hit("caller", cost=4)
    refused = await limiter.hit("caller", cost=3)
    assert not refused.allowed
    clock.time += refused.retry_after * 0.98
    assert not (await limiter.hit("caller", cost=3)).allowed
    clock.time += refused.retry_after * 0.02 + 1e-6
    assert (await limiter.hit("caller", cost=3)).allowed


@pytest.mark.parametrize("strategy", ALL)
async def test_after_reset_after_everything_is_there_again(clock, strategy):
    limiter = RateLimiter("5/minute", strategy=strategy, clock=clock)
    last = [await limiter.hit("caller") for _ in range(5)][-1]
    clock.time += last.reset_after + 1e-6
    assert (await limiter.hit("caller", cost=5)).allowed


@pytest.mark.parametrize("strategy", ALL)
async def test_a_refused_request_costs_nothing_and_one_that_can_never_pass_says_so(clock, strategy):
    limiter = RateLimiter("5/minute", strategy=strategy, clock=clock)
    refused = await limiter.hit("caller", cost=6)
    assert (refused.allowed, refused.retry_after) == (False, math.inf)
    assert (await limiter.hit("caller", cost=5)).allowed


@pytest.mark.parametrize("strategy", ALL)
async def test_many_limits_are_one_decision_all_or_nothing(clock, strategy):
    limiter = RateLimiter("2/second; 3/minute", strategy=strategy, clock=clock)
    assert [(await limiter.hit("caller")).allowed for _ in range(10)] == [True] * 2 + [False] * 8
    clock.time += 2.001
    last, refused = await limiter.hit("caller"), await limiter.hit("caller")
    assert (last.allowed, last.remaining) == (True, 0)
    assert not refused.allowed
    assert refused.limit == 3
    assert refused.retry_after > 10


async def test_gcra_gives_units_back_evenly_and_the_bucket_has_its_burst(clock):
    limiter = RateLimiter("10/second", strategy="token-bucket", burst=50, clock=clock)
    assert sum([(await limiter.hit("caller")).allowed for _ in range(60)]) == 50
    clock.time += 1
    assert sum([(await limiter.hit("caller")).allowed for _ in range(60)]) == 10
    even = RateLimiter("10/second", burst=1, clock=clock)
    assert (await even.hit("caller")).allowed
    assert (await even.hit("caller")).retry_after == pytest.approx(0.1)


@pytest.mark.parametrize("strategy", ALL)
async def test_many_tasks_and_threads_get_no_more_than_the_limit(clock, strategy):
    limiter = RateLimiter("10/hour; 1000/day", strategy=strategy, clock=clock)
    decisions = await asyncio.gather(*[limiter.hit("tasks") for _ in range(1000)])
    assert sum(each.allowed for each in decisions) == 10
    admitted: list[bool] = []

    def work() -> None:
        admitted.extend(limiter.hit_now("threads").allowed for _ in range(200))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sum(admitted) == 10


async def test_identities_of_several_parts_do_not_collide(clock):
    limiter = RateLimiter("1/minute", clock=clock)
    assert (await limiter.hit("a/b", "c")).allowed
    assert (await limiter.hit("a", "b/c")).allowed


async def test_reset_forgives_one_or_all(clock):
    limiter = RateLimiter("1/minute", clock=clock)
    await limiter.hit("a")
    await limiter.hit("b")
    limiter.reset("a")
    assert (await limiter.hit("a")).allowed
    assert not (await limiter.hit("b")).allowed
    limiter.reset()
    assert (await limiter.hit("b")).allowed


@pytest.mark.parametrize("strategy", ALL)
def test_a_flood_of_identities_is_forgotten_when_its_time_is_over(clock, strategy):
    limiter = RateLimiter("5/second", strategy=strategy, clock=clock)
    for number in range(5_000):
        limiter.hit_now(f"flood {number}")
    clock.time += 10
    for number in range(5_100):
        limiter.hit_now(f"later {number}")
        clock.time += 1
    assert limiter.keys < 200


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"limits": "ten per second"}, "limits"),
        ({"limits": ""}, "limits"),
        ({"limits": "0/second"}, "limits"),
        ({"limits": "-1/second"}, "limits"),
        ({"limits": "10/fortnight"}, "limits"),
        ({"strategy": "leaky"}, "strategy"),
        ({"storage": "etcd://host"}, "storage"),
        ({"burst": 0}, "burst"),
        ({"burst": 5, "strategy": "fixed-window"}, "burst"),
    ],
)
def test_bad_settings_name_the_field_the_value_and_what_is_allowed(settings, named):
    settings = {"limits": "5/second"} | settings
    with pytest.raises(ConfigurationError) as refusal:
        RateLimiter(**settings)
    assert refusal.value.details["setting"] == named
    assert named in str(refusal.value)


def test_a_password_in_a_storage_uri_is_not_told():
    with pytest.raises(ConfigurationError) as refusal:
        RateLimiter("5/second", storage="etcd://user:secret@host")
    assert "secret" not in str(refusal.value) + repr(refusal.value.details)


async def test_a_negative_cost_gives_nothing_back(clock):
    with pytest.raises(ConfigurationError, match="cost"):
        await RateLimiter("5/second", clock=clock).hit("caller", cost=-5)


@given(st.text(max_size=30))
def test_any_text_is_limits_or_a_configuration_error(text):
    try:
        items = parse_limits(text)
    except ConfigurationError:
        return
    assert all(item.amount > 0 for item in items)


STEPS = st.lists(st.tuples(st.integers(0, 700), st.integers(1, 4)), max_size=60)


def admitted(algorithm, steps) -> list[tuple[float, int]]:
    now, passed = 50.0, []
    for wait, cost in steps:
        now += wait / 100
        tested, decision = algorithm.test("k", now, cost), algorithm.hit("k", now, cost)
        assert tested.allowed == decision.allowed
        assert 0 <= decision.remaining <= decision.limit
        assert decision.reset_after >= 0
        assert (decision.retry_after == 0) == decision.allowed
        if decision.allowed:
            passed.append((now, cost))
            assert decision.remaining == algorithm.test("k", now, 1).remaining
        elif decision.retry_after < math.inf:
            later = copy.deepcopy(algorithm)
            assert later.test("k", now + decision.retry_after + 1e-5, cost).allowed
    return passed


@given(STEPS, st.integers(1, 6))
def test_no_window_of_the_sliding_window_holds_more_than_the_limit(steps, limit):
    passed = admitted(SlidingWindow(limit, 10.0), steps)
    for start, _ in passed:
        assert sum(cost for moment, cost in passed if start <= moment <= start + 10.0) <= limit


@pytest.mark.parametrize("kind", [Gcra, TokenBucket])
@given(STEPS, st.integers(1, 6), st.integers(1, 9))
def test_no_span_of_time_holds_more_than_the_burst_and_what_came_back(kind, steps, limit, burst):
    passed = admitted(kind(limit, 10.0, burst), steps)
    for place, (start, _) in enumerate(passed):
        total = 0
        for moment, cost in passed[place:]:
            total += cost
            assert total <= burst + (moment - start) * limit / 10.0 + 1e-3


@given(STEPS, st.integers(1, 6), st.integers(1, 9))
def test_gcra_and_the_token_bucket_decide_alike(steps, limit, burst):
    assert admitted(Gcra(limit, 10.0, burst), steps) == admitted(TokenBucket(limit, 10.0, burst), steps)


@given(STEPS, st.integers(1, 6))
def test_windows_hold_their_limit(steps, limit):
    passed = admitted(FixedWindow(limit, 10.0), steps)
    for start, _ in passed:
        assert sum(cost for moment, cost in passed if start <= moment < start + 10.0) <= 2 * limit
    counted = admitted(SlidingCounter(limit, 10.0), steps)
    for window in range(100):
        assert sum(cost for moment, cost in counted if window * 10 <= moment < window * 10 + 10) <= limit


def test_limits_is_the_engine(clock, monkeypatch):
    """Whoever reads the notation or opens the storage without it fails here."""
    assert isinstance(storage_from_string("async+monotonic://"), MonotonicStorage)
    limiter = RateLimiter("7/second; 9/minute", clock=clock)
    assert limiter.items == (RateLimitItemPerSecond(7), RateLimitItemPerMinute(9))

    class Other(MonotonicStorage):
        STORAGE_SCHEME = ["async+other-for-this-test"]  # noqa: RUF012 - as limits reads it

        def decide(self, limits, key, cost):
            return [decided(False, 1, 1.0, 1.0, 0.0, 0.0)]

    assert not RateLimiter("7/second", storage="async+other-for-this-test://").hit_now("caller").allowed
    monkeypatch.setattr(rate_limiter, "parse_many", lambda text: [RateLimitItemPerSecond(1)])
    assert RateLimiter("7/second").items == (RateLimitItemPerSecond(1),)


async def test_limits_own_strategies_run_on_the_storage(clock):
    item = RateLimitItemPerSecond(3)
    for strategy in (FixedWindowRateLimiter, MovingWindowRateLimiter):
        storage = MonotonicStorage(clock=clock)
        theirs = strategy(storage)
        assert [await theirs.hit(item, "caller") for _ in range(5)] == [True] * 3 + [False] * 2
        assert not await theirs.test(item, "caller")
        assert (await theirs.get_window_stats(item, "caller")).remaining == 0
        clock.time += 1.01
        assert await theirs.hit(item, "caller")
        await theirs.clear(item, "caller")
        assert (await theirs.get_window_stats(item, "caller")).remaining == 3
        assert await storage.check()
        await theirs.hit(item, "caller")
        assert await storage.reset() == 1


@given(st.integers(1, 5), st.lists(st.sampled_from([0, 0.25, 0.5, 1, 3, 10]), max_size=40))
def test_the_limit_of_a_pipeline_decides_as_gcra_does(amount, pauses):
    pace, gcra, now = Pace(amount, 2.0), Gcra(amount, 2.0), 100.0
    for pause in pauses:
        now += pause
        one, other = pace.hit(now), gcra.hit("k", now)
        assert (one.allowed, one.remaining) == (other.allowed, other.remaining)
        assert (one.reset_after, one.retry_after) == pytest.approx((other.reset_after, other.retry_after))
    pace.reset()
    assert pace.hit(now).allowed
