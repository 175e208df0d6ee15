"""What surrounds a call, seen by everything inside it: the deadline, and the retry budgets that have been paid into.

One variable for both: to set and reset one is a good part of what a call through a pipeline costs.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Any, TypeAlias

Scope: TypeAlias = tuple[float | None, tuple[Any, ...]]

scope: ContextVar[Scope] = ContextVar("orchestrator_resilience", default=(None, ()))
"""The instant on the running loop's clock at which the time is over, and the budgets."""


class Deadline:
    """The first half of the scope, in the words of a context variable."""

    def get(self) -> float | None:
        return scope.get()[0]

    def set(self, end: float | None) -> Token[Scope]:
        return scope.set((end, scope.get()[1]))

    def reset(self, token: Token[Scope]) -> None:
        scope.reset(token)


class Paid:
    """The second half."""

    def get(self) -> tuple[Any, ...]:
        return scope.get()[1]

    def set(self, budgets: tuple[Any, ...]) -> Token[Scope]:
        return scope.set((scope.get()[0], budgets))

    def reset(self, token: Token[Scope]) -> None:
        scope.reset(token)


current_deadline = Deadline()
paid = Paid()
