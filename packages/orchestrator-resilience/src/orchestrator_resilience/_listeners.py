"""pybreaker's listeners, held so that none of them can break a call."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, Protocol

from orchestrator_resilience._engine import pybreaker

logger = logging.getLogger(__name__)


class Listener(Protocol):
    """What pybreaker's `CircuitBreakerListener` offers; a subclass of it is one."""

    def before_call(self, cb: Any, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None: ...
    def failure(self, cb: Any, exc: BaseException) -> None: ...
    def success(self, cb: Any) -> None: ...
    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None: ...


class GuardedListener(pybreaker.CircuitBreakerListener):
    """Passes everything on; an error of the listener is logged and goes no further."""

    def __init__(self, inner: Listener, breaker: str) -> None:
        self._inner = inner
        self._breaker = breaker

    def _tell(self, told: Callable[..., None], *args: Any) -> None:
        try:
            told(*args)
        except Exception:
            logger.exception("a listener of circuit %s failed", self._breaker)

    def before_call(self, cb: Any, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._tell(functools.partial(self._inner.before_call, **kwargs), cb, func, *args)

    def failure(self, cb: Any, exc: BaseException) -> None:
        self._tell(self._inner.failure, cb, exc)

    def success(self, cb: Any) -> None:
        self._tell(self._inner.success, cb)

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        self._tell(self._inner.state_change, cb, old_state, new_state)
