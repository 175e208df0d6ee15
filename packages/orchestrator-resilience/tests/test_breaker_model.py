"""Random schedules of many callers on a hand-moved clock, against what the breaker promises."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from orchestrator_resilience.circuit_breaker import CircuitBreaker, CircuitOpen
from orchestrator_resilience.config import CircuitBreakerConfig

LEASE, RECOVERY, SLOW = 20.0, 30.0, 5.0


@dataclass
class Call:
    task: asyncio.Task[None]
    outcome: asyncio.Future[bool]
    generation: int
    began: float
    probe: bool


@dataclass
class Model:
    """What is promised, written down on its own: the state, the generation, who holds a place, who counts."""

    config: CircuitBreakerConfig
    state: str = "closed"
    generation: int = 0
    opened: float = 0.0
    good_probes: int = 0
    outcomes: list[tuple[bool, bool]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def go(self, state: str, now: float) -> None:
        self.state, self.generation, self.opened = state, self.generation + 1, now
        self.good_probes, self.outcomes = 0, []

    def live_probes(self, now: float) -> int:
        return sum(
            call.probe and call.generation == self.generation and now < call.began + LEASE and not call.task.done()
            for call in self.calls
        )

    def admits(self, now: float) -> bool:
        if self.state == "open" and now >= self.opened + RECOVERY:
            self.go("half_open", now)
        if self.state == "half_open":
            return self.good_probes + self.live_probes(now) < self.config.probes
        return self.state == "closed"

    def ended(self, call: Call, *, good: bool, now: float) -> None:
        if call.generation != self.generation or (call.probe and now >= call.began + LEASE):
            return
        slow = now - call.began > SLOW
        if call.probe:
            if not good or slow:
                self.go("open", now)
            else:
                self.good_probes += 1
                if self.good_probes >= self.config.probes:
                    self.go("closed", now)
            return
        self.outcomes.append((not good, slow))
        if (not good or slow) and self.too_bad():
            self.go("open", now)

    def too_bad(self) -> bool:
        if self.config.window == "consecutive":
            last = self.outcomes[-self.config.consecutive_failures :]
            enough = len(last) == self.config.consecutive_failures
            return enough and (all(failed for failed, _ in last) or all(slow for _, slow in last))
        last = self.outcomes[-self.config.window_calls :]
        if len(last) < self.config.minimum_calls:
            return False
        failures, slow = sum(each[0] for each in last), sum(each[1] for each in last)
        return failures >= self.config.failure_rate * len(last) or slow >= self.config.slow_call_rate * len(last)


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def start(breaker: CircuitBreaker, model: Model, now: float) -> None:
    admitted = model.admits(now)
    outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    reached = False

    async def work() -> None:
        nonlocal reached
        reached = True
        if not await outcome:
            raise OSError("down")

    task = asyncio.create_task(breaker.call(work))
    await settle()
    assert reached == admitted, f"state {model.state}: admitted {reached}, promised {admitted}"
    if admitted:
        model.calls.append(Call(task, outcome, model.generation, now, model.state == "half_open"))
        return
    with pytest.raises(CircuitOpen):
        await task


async def end(model: Model, call: Call, how: str, now: float) -> None:
    if how == "cancel":
        call.task.cancel()
    else:
        call.outcome.set_result(how == "finish")
    await asyncio.gather(call.task, return_exceptions=True)
    model.calls.remove(call)
    if how != "cancel":
        model.ended(call, good=how == "finish", now=now)


async def schedule(seed: int, clock, steps: int) -> set[str]:
    chance = random.Random(seed)
    config = CircuitBreakerConfig(
        window=chance.choice(["count", "consecutive"]),
        window_calls=chance.choice([4, 8]),
        minimum_calls=chance.choice([1, 3, 4]),
        consecutive_failures=chance.choice([1, 3]),
        failure_rate=chance.choice([0.5, 0.75, 1.0]),
        slow_call_seconds=SLOW,
        slow_call_rate=chance.choice([0.5, 1.0]),
        recovery_seconds=RECOVERY,
        probes=chance.choice([1, 2, 5]),
        probe_lease_seconds=LEASE,
    )
    breaker, model, seen = CircuitBreaker("model", config, clock=clock), Model(config), set()
    health = chance.random()
    for _ in range(steps):
        step = chance.choices(["start", "end", "wait", "jump", "turn"], [5, 5, 2, 0.5, 0.3])[0]
        if step == "start":
            await start(breaker, model, clock.time)
        elif step == "end" and model.calls:
            how = "cancel" if chance.random() < 0.15 else ("finish" if chance.random() < health else "fail")
            await end(model, chance.choice(model.calls), how, clock.time)
        elif step == "wait":
            clock.time += chance.choice([0.5, 3.0, SLOW, 12.0, LEASE])
        elif step == "jump":
            clock.time += chance.choice([RECOVERY, 3600.0, 86400.0])
        elif step == "turn":
            health = chance.random()
        assert breaker.state == model.state
        assert model.live_probes(clock.time) + model.good_probes <= config.probes or model.state != "half_open"
        seen.add(model.state)
    for call in list(model.calls):
        await end(model, call, "cancel", clock.time)
    await no_wedge(breaker, model, clock)
    return seen


async def no_wedge(breaker: CircuitBreaker, model: Model, clock) -> None:
    """However it came here: with a dependency that is well, a circuit closes within its time and its probes."""
    clock.time += RECOVERY + LEASE
    for _ in range(model.config.probes):
        await breaker.call(asyncio.sleep, 0)
    assert breaker.state == "closed"


async def schedules(first: int, count: int, clock, steps: int) -> None:
    seen: set[str] = set()
    for seed in range(first, first + count):
        seen |= await schedule(seed, clock, steps)
    assert seen == {"closed", "open", "half_open"}


async def test_random_schedules_keep_the_promises(clock):
    await schedules(0, 500, clock, steps=60)


@pytest.mark.soak
async def test_ten_thousand_random_schedules_keep_the_promises(clock):
    await schedules(1_000, 10_000, clock, steps=60)
