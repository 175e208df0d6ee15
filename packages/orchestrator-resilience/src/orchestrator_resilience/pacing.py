"""Waiting for one's turn instead of being refused: calls at a rate, in their order.

What the user types:

    pace = Pacer("connector", RateLimiter("10/second"), max_wait_seconds=5)
    await pace.turn()
    await client.reserve(room)

The most important wait at the front, equals in the order in which they came, whatever they cost. Every wait has an end.
"""

from __future__ import annotations

import asyncio
import math

from orchestrator_resilience._priorities import Lines, Priority, Shed
from orchestrator_resilience._validation import count, positive, refuse
from orchestrator_resilience.deadlines import remaining
from orchestrator_resilience.rate_limiter import Decision, RateLimiter

__all__ = ["Pacer"]


class _Waiter:
    __slots__ = ("refusal", "turn")

    def __init__(self) -> None:
        self.refusal: Shed | None = None
        self.turn: asyncio.Future[None] | None = None

    def call(self) -> None:
        if self.turn is not None and not self.turn.done():
            self.turn.set_result(None)


class Pacer:
    """Turns at the rate of a limiter. For one event loop.

    Args:
        name: What is paced: the limiter's identity, for messages too.
        limiter: How fast.
        max_wait_seconds: No turn is waited for longer; a deadline around it may end the wait before.
        max_waiting: How many may wait; the least important beyond them are shed.

    Raises:
        ConfigurationError: A value is out of range.
    """

    def __init__(
        self,
        name: str,
        limiter: RateLimiter,
        *,
        max_wait_seconds: float = 30.0,
        max_waiting: int = 1000,
    ) -> None:
        positive("max_wait_seconds", max_wait_seconds)
        count("max_waiting", max_waiting)
        self.name = name
        self._limiter = limiter
        self._max_wait_seconds = max_wait_seconds
        self._max_waiting = max_waiting
        self._line: Lines[_Waiter] = Lines()

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._line)

    async def turn(self, cost: int = 1, priority: Priority = Priority.DEFAULT) -> None:
        """Wait for the next turn that is large enough, and take it.

        Raises:
            Shed: The line is full, or the turn did not come in time.
            ConfigurationError: `cost` is more than the limiter ever gives at once.
        """
        if not len(self._line) and (await self._ask(cost)).allowed:
            return
        self._make_room(priority)
        left = remaining()
        limit = self._max_wait_seconds if left is None else min(left, self._max_wait_seconds)
        me = _Waiter()
        self._line.append(me, priority)
        try:
            async with asyncio.timeout(limit):
                await self._in_line(me, cost)
        except TimeoutError:
            raise self._refusal("waited too long") from None
        finally:
            self._line.remove(me, priority)
            first = self._line.next()
            if first is not None:
                first.call()

    async def _ask(self, cost: int) -> Decision:
        decision = await self._limiter.hit(self.name, cost=cost)
        if math.isinf(decision.retry_after):
            raise refuse("cost", cost, f"at most what the limits of {self.name} give at once")
        return decision

    async def _in_line(self, me: _Waiter, cost: int) -> None:
        """Ask as soon as nobody is before us, and again when there may be enough."""
        while True:
            if me.refusal is not None:
                raise me.refusal
            wait = None
            if self._line.next() is me:
                decision = await self._ask(cost)
                if decision.allowed:
                    return
                wait = decision.retry_after
            me.turn = asyncio.get_running_loop().create_future()
            # Called earlier if the one before has gone, or if this one is displaced.
            await asyncio.wait([me.turn], timeout=wait)

    def _make_room(self, priority: Priority) -> None:
        if len(self._line) < self._max_waiting:
            return
        lowest = self._line.lowest()
        loser = self._line.lose(priority, newest=True) if lowest is not None and lowest < priority else None
        if loser is None:
            raise self._refusal("full")
        loser.refusal = self._refusal("displaced")
        loser.call()

    def _refusal(self, reason: str) -> Shed:
        return Shed(f"no turn for {self.name}: {reason}", details={"dependency": self.name, "reason": reason})
