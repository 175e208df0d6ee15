"""How many retries a process may add, and who pays for them."""

from __future__ import annotations

import functools
import threading
from typing import Literal, TypeAlias

from orchestrator_resilience._context import paid
from orchestrator_resilience._validation import not_negative, share

__all__ = ["Budget", "RetryBudget", "paid", "process_budget", "resolve"]

Budget: TypeAlias = "RetryBudget | Literal['process'] | None"
"""A budget of one's own, the one of the process, or none."""


class RetryBudget:
    """How many retries may be added: a share of the first attempts. One object for all retries and hedges of a process.

    Each first attempt pays `ratio` in, each retry takes 1 out before its pause begins, so that retries in backoff count. Where retries are
    nested, only the outermost call pays in: three layers together add a tenth, not a third. Tasks that are started inside a call count as inside it
    for as long as they live, so a retry around a server's main loop wants `budget=None`. Safe to use from several threads.

    Args:
        ratio: Retries per first attempt in the long run.
        reserve: Retries that can be saved up, and are there at the start, for dependencies that are seldom called.

    Raises:
        ConfigurationError: A value is out of range.
    """

    __slots__ = ("_balance", "_cap", "_lock", "_ratio", "_seen", "first_attempts", "refused", "taken")

    def __init__(self, ratio: float = 0.1, reserve: float = 10.0) -> None:
        share("ratio", ratio)
        not_negative("reserve", reserve)
        self._ratio = ratio
        # Less than one whole retry could never be saved up.
        self._cap = max(1.0, reserve)
        self._balance = float(reserve)
        self._seen = 0
        self._lock = threading.Lock()
        self.first_attempts = 0
        """Calls that have paid in. Adding 1 here is how a call pays; of two threads at the same instant one may be lost, never a retry."""
        self.taken = 0
        """Retries and hedges that were paid for and not given back."""
        self.refused = 0
        """Retries and hedges that were not made for want of budget."""

    @property
    def balance(self) -> float:
        """Retries that could be made now."""
        with self._lock:
            self._collect()
            return self._balance

    def _collect(self) -> None:
        """Between two retries nothing but payments happens, so they can be added up, and capped, when they are needed."""
        first_attempts = self.first_attempts
        self._balance = min(self._cap, self._balance + self._ratio * (first_attempts - self._seen))
        self._seen = first_attempts

    def pay_in(self) -> None:
        """A first attempt is made."""
        self.first_attempts += 1

    def take(self) -> bool:
        """Take one retry out, if there is one."""
        with self._lock:
            self._collect()
            # A tenth added ten times is a little less than one.
            if self._balance < 1.0 - 1e-9:
                self.refused += 1
                return False
            self._balance = max(0.0, self._balance - 1.0)
            self.taken += 1
            return True

    def give_back(self) -> None:
        """A retry that was taken and not made."""
        with self._lock:
            self._collect()
            self._balance = min(self._cap, self._balance + 1.0)
            self.taken -= 1


@functools.cache
def process_budget() -> RetryBudget:
    """The budget that all retries of this process share unless they are given another: a tenth. Made when it is first asked for."""
    return RetryBudget()


def resolve(budget: Budget) -> RetryBudget | None:
    """The budget that is meant."""
    return process_budget() if budget == "process" else budget
