"""A second request when the first one is slow. Source: Dean and Barroso, The Tail at Scale."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ParamSpec, TypeVar

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_resilience._retry_budget import Budget, paid, resolve
from orchestrator_resilience.config import HedgeConfig
from orchestrator_resilience.deadlines import remaining
from orchestrator_resilience.events import Decision, DecisionObserver, tell

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)


class Hedge:
    """Sends another request when the first one is slow, takes the first good answer and cancels the rest. For idempotent calls only.

    Hedges are paid from the retry budget: when a dependency is slow for everybody, doubling its load is the last thing it needs.

    Args:
        config: When and how many.
        idempotent: Has to be True: the caller's word that two requests do no more than one.
        name: The dependency, for observers.
        budget: The process's, unless given; shared with its retries.
        observers: Told of every hedge, of those that answered first, and of those that were not made for want of budget.

    Raises:
        ConfigurationError: `idempotent` is not True.
    """

    def __init__(
        self,
        config: HedgeConfig,
        *,
        idempotent: bool,
        name: str = "",
        budget: Budget = "process",
        observers: Iterable[DecisionObserver] = (),
    ) -> None:
        if idempotent is not True:
            raise ConfigurationError(
                "only idempotent calls can be hedged: both requests may take effect",
                details={"setting": "idempotent", "value": repr(idempotent), "allowed": "True"},
            )
        self.config = config
        self.name = name
        self._budget = resolve(budget)
        self._observers = tuple(observers)

    async def call(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """The first good answer; if all requests fail, the error of the first one that did. No request outlives the call."""
        budget, outer = self._budget, paid.get()
        if budget is None or budget in outer:
            return await self._race(function, args, kwargs)
        budget.pay_in()
        token = paid.set((*outer, budget))
        try:
            return await self._race(function, args, kwargs)
        finally:
            paid.reset(token)

    async def _race(self, function: Callable[..., Awaitable[R]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        # In the order in which they began; of several good answers, the earliest request's is taken.
        requests = [_start(function, args, kwargs)]
        more = self.config.max_hedges
        first_error: BaseException | None = None
        seen: set[asyncio.Task[R]] = set()
        try:
            while True:
                running = [each for each in requests if each not in seen]
                if not running and first_error is not None:
                    raise first_error
                limit = self.config.delay_seconds if more else None
                await asyncio.wait(running, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
                ended = [each for each in running if each.done()]
                for each in ended:
                    seen.add(each)
                    error = asyncio.CancelledError() if each.cancelled() else each.exception()
                    if error is None:
                        if each is not requests[0]:
                            self._tell("hedge_won")
                        return each.result()
                    first_error = first_error or error
                if not ended:
                    more = self._hedge(requests, function, args, kwargs, more)
        finally:
            await _end(requests)

    def _hedge(
        self,
        requests: list[asyncio.Task[R]],
        function: Callable[..., Awaitable[R]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        more: int,
    ) -> int:
        """Start another request if that may be; answers how many more may follow."""
        left = remaining()
        if left is not None and left <= 0:
            return 0
        if self._budget is not None and not self._budget.take():
            self._tell("budget_spent")
            return 0
        requests.append(_start(function, args, kwargs))
        self._tell("hedged", self.config.delay_seconds)
        return more - 1

    def _tell(self, decision: str, seconds: float | None = None) -> None:
        if self._observers:
            tell(self._observers, Decision("hedge", self.name, decision, seconds))


def _start(function: Callable[..., Awaitable[R]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> asyncio.Task[R]:
    async def run() -> R:
        return await function(*args, **kwargs)

    return asyncio.create_task(run())


async def _end(requests: list[asyncio.Task[R]]) -> None:
    """Cancel what is left and wait for its end, so that nothing outlives the call."""
    running = [each for each in requests if not each.done()]
    for each in running:
        each.cancel()
    if running:
        await asyncio.wait(running)
    for each in requests:
        if each.done() and not each.cancelled() and (error := each.exception()) is not None:
            logger.debug("a hedged request failed: %r", error)
