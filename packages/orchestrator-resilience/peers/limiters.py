"""Rate limiters: limits and aiolimiter."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiolimiter import AsyncLimiter
from limits import parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter
from orchestrator_resilience.pacing import Pacer
from orchestrator_resilience.rate_limiter import RateLimiter

from cases import HandClock, Seen, case, expected, number, wall_clock
from servers import deaf_server, valkey

STRATEGIES: dict[str, Any] = {
    "fixed": FixedWindowRateLimiter,
    "moving": MovingWindowRateLimiter,
    "sliding counter": SlidingWindowCounterRateLimiter,
}
Hit = Callable[..., Awaitable[bool]]


def limits_hit(strategy: str, text: str, storage: Any = None) -> Hit:
    limiter, item = STRATEGIES[strategy](storage or MemoryStorage()), parse(text)
    return lambda key="user", cost=1: limiter.hit(item, key, cost=cost)


def our_hit(text: str, strategy: Any = "gcra", **settings: Any) -> Hit:
    limiter = RateLimiter(text, strategy=strategy, **settings)

    async def hit(key: str = "user", cost: int = 1) -> bool:
        return (await limiter.hit(key, cost=cost)).allowed

    return hit


# -- many keys


async def flood(hit: Hit) -> Seen:
    """What one hit and the work that it starts cost, with 10 keys and with 10,000."""

    async def per_hit(keys: range) -> float:
        for key in keys:
            await hit(str(key))
        times: list[float] = []
        for _ in range(20):
            began = time.perf_counter()
            await hit("user")
            others = asyncio.all_tasks() - {asyncio.current_task()}
            if others:
                await asyncio.wait(others, timeout=5)
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    few, many = await per_hit(range(10)), await per_hit(range(10, 10_000))
    return Seen(f"with 10,000 keys a hit costs {number(many / few)} times what it costs with 10", many < 10 * few)


for strategy in ("fixed", "moving"):
    case(
        "limits",
        f"many keys do not slow the loop down ({strategy} window)",
        there=lambda strategy=strategy: asyncio.run(flood(limits_hit(strategy, "10/hour"))),
        here=lambda: asyncio.run(flood(our_hit("10/hour"))),
    )

# -- clocks


async def set_back(make: Callable[[], Hit]) -> Seen:
    """The window is used up, the clock is set an hour back, and the window passes."""
    with wall_clock() as clock:
        hit = make()
        for _ in range(10):
            await hit()
        clock.shift = -3600
        await asyncio.sleep(1.1)
        admitted = sum([await hit() for _ in range(10)])
    return Seen(f"{admitted} of 10 are admitted when the window is over", admitted == 10)


async def set_forward(make: Callable[[], Hit]) -> Seen:
    with wall_clock() as clock:
        hit = make()
        first = sum([await hit() for _ in range(10)])
        clock.shift = 3600
        second = sum([await hit() for _ in range(10)])
    return Seen(f"{first + second} of a limit of 10 are admitted at once", first + second == 10)


for strategy in ("fixed", "moving"):
    case(
        "limits",
        f"a clock set back changes nothing ({strategy} window)",
        there=lambda strategy=strategy: asyncio.run(set_back(lambda: limits_hit(strategy, "10/second"))),
        here=lambda: asyncio.run(set_back(lambda: our_hit("10/second"))),
    )
for strategy in STRATEGIES:
    case(
        "limits",
        f"a clock set forward changes nothing ({strategy})",
        there=lambda strategy=strategy: asyncio.run(set_forward(lambda: limits_hit(strategy, "10/minute"))),
        here=lambda: asyncio.run(set_forward(lambda: our_hit("10/minute"))),
    )

# -- decisions


async def edge(hit: Hit, forward: Callable[[float], None]) -> Seen:
    """A limit of 100 a minute; 99 come at the end of a window, 100 at the beginning of the next."""
    await hit()
    forward(59)
    admitted = sum([await hit() for _ in range(99)])
    forward(1.5)
    admitted += sum([await hit() for _ in range(100)])
    return Seen(f"{admitted} of 100 a minute are admitted in 1.5 s", admitted <= 105)


async def limits_edge() -> Seen:
    with wall_clock() as clock:

        def forward(seconds: float) -> None:
            clock.shift += seconds

        return await edge(limits_hit("fixed", "100/minute"), forward)


async def our_edge() -> Seen:
    clock = HandClock()

    def forward(seconds: float) -> None:
        clock.elapsed += seconds

    return await edge(our_hit("100/minute", clock=clock), forward)


case("limits", "the edge of a window does not double the limit", there=limits_edge, here=our_edge)


async def refused_costs(hit: Hit) -> Seen:
    await hit(cost=11)
    admitted = await hit(cost=1)
    text = "a refused request uses the window up" if not admitted else "a refused request costs nothing"
    return Seen(text, admitted)


case(
    "limits",
    "what is refused is not counted (fixed window)",
    there=lambda: asyncio.run(refused_costs(limits_hit("fixed", "10/minute"))),
    here=lambda: asyncio.run(refused_costs(our_hit("10/minute", "fixed-window"))),
)

# -- a shared store


async def clock_ahead(first: Hit, second: Hit) -> Seen:
    """A node uses the limit up; another one, whose clock is 90 s ahead, asks."""
    for _ in range(10):
        await first()
    with wall_clock() as clock:
        clock.shift = 90
        admitted = sum([await second() for _ in range(10)])
    return Seen(f"{admitted} of 10 are admitted beyond the limit", admitted == 0)


def limits_clock_ahead() -> Seen:
    with valkey() as url:
        nodes = [
            lambda: limits_hit("moving", "10/minute", RedisStorage(f"async+{url}", implementation="redispy"))
            for _ in range(2)
        ]

        async def steps() -> Seen:
            return await clock_ahead(*(make() for make in nodes))

        return asyncio.run(steps())


def our_clock_ahead() -> Seen:
    with valkey() as url:

        async def steps() -> Seen:
            return await clock_ahead(*(our_hit("10/minute", storage=url) for _ in range(2)))

        return asyncio.run(steps())


case(
    "limits", "nodes whose clocks differ keep one limit (moving window)", there=limits_clock_ahead, here=our_clock_ahead
)


async def two_strategies(first: Hit, second: Hit) -> Seen:
    await first()
    error = await expected(second())
    return Seen(type(error).__name__ if error else "both work", error is None)


def limits_two_strategies() -> Seen:
    with valkey() as url:

        async def steps() -> Seen:
            storage = RedisStorage(f"async+{url}", implementation="redispy")
            return await two_strategies(*(limits_hit(each, "10/minute", storage) for each in ("fixed", "moving")))

        return asyncio.run(steps())


def our_two_strategies() -> Seen:
    with valkey() as url:

        async def steps() -> Seen:
            return await two_strategies(
                *(our_hit("10/minute", each, storage=url) for each in ("fixed-window", "sliding-window"))
            )

        return asyncio.run(steps())


case(
    "limits",
    "two strategies can share a store and a limit",
    there=limits_two_strategies,
    here=our_two_strategies,
)


async def hung(make: Callable[[str], Hit]) -> Seen:
    async with deaf_server() as url:
        hit = make(url)
        began = time.perf_counter()
        try:
            async with asyncio.timeout(3):
                error = await expected(hit())
        except TimeoutError:
            return Seen("the caller still waits after 3 s", good=False)
        took = time.perf_counter() - began
    return Seen(f"a decision {'fails' if error else 'comes'} after {1000 * took:.0f} ms", error is None and took < 0.5)


async def gone(make: Callable[[str], Hit]) -> Seen:
    error = await expected(make("redis://127.0.0.1:1")())
    return Seen(f"the caller gets {type(error).__name__}" if error else "the caller gets a decision", error is None)


def limits_redis(url: str) -> Hit:
    return limits_hit("fixed", "10/minute", RedisStorage(f"async+{url}", implementation="redispy"))


def our_redis(url: str) -> Hit:
    return our_hit("10/minute", storage=url)


case(
    "limits",
    "a store that hangs does not hang the caller",
    there=lambda: asyncio.run(hung(limits_redis)),
    here=lambda: asyncio.run(hung(our_redis)),
)
case(
    "limits",
    "a store that is gone is no error of the caller's",
    there=lambda: asyncio.run(gone(limits_redis)),
    here=lambda: asyncio.run(gone(our_redis)),
)

# -- waiting


async def starvation(turn: Callable[[int], Awaitable[None]]) -> Seen:
    """A request for 8 units comes first, then twelve for 1 unit each."""
    order: list[int] = []

    async def caller(number: int, cost: int) -> None:
        await turn(cost)
        order.append(number)

    await turn(10)
    async with asyncio.TaskGroup() as group:
        for number, cost in enumerate([8] + [1] * 12):
            group.create_task(caller(number, cost))
            await asyncio.sleep(0)
    place = order.index(0) + 1
    return Seen(f"who asked first is served as number {place} of 13", place == 1)


case(
    "aiolimiter",
    "who asks for much is not overtaken for ever",
    there=lambda: asyncio.run(starvation(AsyncLimiter(10, 0.5).acquire)),
    here=lambda: asyncio.run(starvation(Pacer("peer", RateLimiter("20/second", burst=10)).turn)),
)
