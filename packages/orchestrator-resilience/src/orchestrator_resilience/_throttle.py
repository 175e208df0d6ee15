"""Client-side throttling after the Google SRE book, Handling Overload."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import ParamSpec, TypeVar

from orchestrator_kernel.ports import Clock
from orchestrator_resilience._bulkhead import means_overload
from orchestrator_resilience._clocks import direct
from orchestrator_resilience._priorities import Shed
from orchestrator_resilience._windows import TimeWindow
from orchestrator_resilience.config import ThrottleConfig
from orchestrator_resilience.events import Decision, DecisionObserver, tell

P = ParamSpec("P")
R = TypeVar("R")


class Throttled(Shed):
    """The call was not sent: the dependency has refused so many that it would most likely have refused this one."""

    default_code = "throttled"


class ClientThrottle:
    """Refuses by itself, with the probability `(requests - ratio x accepts) / (requests + 1)`, what an overloaded dependency would refuse.

    Args:
        name: The dependency, for messages.
        config: How far back it looks, and how soon it sheds.
        clock: Where time comes from.
        chance: Where the dice come from.
        observers: Told of every call that was refused here.
    """

    def __init__(
        self,
        name: str,
        config: ThrottleConfig | None = None,
        *,
        clock: Clock | None = None,
        chance: random.Random | None = None,
        observers: Iterable[DecisionObserver] = (),
    ) -> None:
        self.name = name
        self.config = config or ThrottleConfig()
        self._monotonic = direct(clock).monotonic
        self._chance = chance or random.Random()
        # Every request is written when it begins; a refusal is written as well when it is known.
        self._requests = TimeWindow(self.config.window_seconds)
        self._refusals = TimeWindow(self.config.window_seconds)
        # A cancelled call has been neither accepted nor refused.
        self._withdrawn = TimeWindow(self.config.window_seconds)
        self._observers = tuple(observers)

    @property
    def refusal_probability(self) -> float:
        """The probability with which the next call is refused here."""
        now = self._monotonic()
        requests = self._requests.totals(now)[0] - self._withdrawn.totals(now)[0]
        refusals = self._refusals.totals(now)[0]
        accepts = max(0, requests - refusals)
        return max(0.0, (requests - self.config.ratio * accepts) / (requests + 1))

    async def call(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Await `function(*args, **kwargs)`, or refuse.

        Raises:
            Throttled: Refused here; `function` was not called.
        """
        refuse = self._chance.random() < self.refusal_probability
        # Counted before it is sent, so that a burst is seen while it is under way.
        self._requests.success(self._monotonic())
        if refuse:
            self._refusals.success(self._monotonic())
            if self._observers:
                tell(self._observers, Decision("throttle", self.name, "throttled"))
            raise Throttled(
                f"{self.name} refuses most calls and is not asked",
                details={"dependency": self.name, "reason": "throttled"},
            )
        try:
            return await function(*args, **kwargs)
        except asyncio.CancelledError:
            self._withdrawn.success(self._monotonic())
            raise
        except Exception as error:
            if means_overload(error):
                self._refusals.success(self._monotonic())
            raise
