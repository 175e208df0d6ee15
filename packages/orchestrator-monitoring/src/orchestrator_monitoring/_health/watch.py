"""Looking at one component: within its limit, once for all who ask, and believed for a while."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.models import HealthState, HealthStatus
from orchestrator_kernel.ports import Clock
from orchestrator_monitoring._health.checks import Change, Check, Finding
from orchestrator_monitoring._health.judgement import Judgement

__all__ = ["Watch"]

logger = logging.getLogger(__name__)

_HISTORY: Final = 50
TIMED_OUT: Final = "timed_out"
STILL_RUNNING: Final = "still_running"


class Watch:
    """One component under watch."""

    def __init__(self, check: Check, clock: Clock, changed: Callable[[Change], None]) -> None:
        self.check = check
        self.history: deque[HealthStatus] = deque(maxlen=_HISTORY)
        self.changes: deque[Change] = deque(maxlen=_HISTORY)
        self.finding = Finding()
        self._clock = clock
        self._changed = changed
        self._judgement = Judgement(check.fall, check.rise)
        self._looked_at: float | None = None
        self._look: asyncio.Task[HealthStatus] | None = None
        self._probe: asyncio.Task[Finding | None] | None = None

    @property
    def state(self) -> HealthState | None:
        """As it was seen last; None before the first look."""
        return self._judgement.state

    @property
    def last(self) -> HealthStatus | None:
        """What was found last."""
        return self.history[-1] if self.history else None

    async def status(self, *, fresh: bool = False) -> HealthStatus:
        """What was found last if it is young enough, or else what a new look finds; all who ask meanwhile share it."""
        if not fresh and self.last is not None and self._young():
            return self.last
        if self._look is None:
            self._look = asyncio.create_task(self._take_a_look(), name=f"health {self.check.component}")
            self._look.add_done_callback(self._done)
        # Whoever stops waiting does not stop the look.
        return await asyncio.shield(self._look)

    def _young(self) -> bool:
        return self._looked_at is not None and self._clock.monotonic() - self._looked_at < self.check.fresh

    def _done(self, _look: asyncio.Task[HealthStatus]) -> None:
        self._look = None

    async def _take_a_look(self) -> HealthStatus:
        began = self._clock.monotonic()
        self.finding = await self._find()
        self._looked_at = self._clock.monotonic()
        before, now = self._judgement.state, self._clock.now()
        state = self._judgement.look(self.finding.state)
        status = HealthStatus(
            component=self.check.component,
            state=state,
            checked_at=now,
            duration=self._looked_at - began,
            reason=self.finding.reason,
        )
        self.history.append(status)
        if state is not before:
            change = Change(
                self.check.component,
                before or HealthState.HEALTHY,
                state,
                now,
                self.finding.reason,
                "" if state is HealthState.HEALTHY else self.check.consequence,
            )
            if change.before is not change.after:
                self.changes.append(change)
                self._changed(change)
        return status

    async def _find(self) -> Finding:
        if self._probe is not None:
            # It was cancelled and goes on all the same: a second one beside it would not know more.
            return Finding(state=HealthState.UNHEALTHY, reason=STILL_RUNNING)
        probe = asyncio.create_task(self._ask(), name=f"health probe {self.check.component}")
        self._probe = probe
        probe.add_done_callback(self._probed)
        try:
            await asyncio.wait({probe}, timeout=self.check.limit)
        finally:
            # Not awaited: one that does not heed its cancellation must not hold up whoever asks.
            if not probe.done():
                probe.cancel()
        return self._found(probe)

    async def _ask(self) -> Finding | None:
        return await self.check.probe()

    def _probed(self, probe: asyncio.Task[Finding | None]) -> None:
        self._probe = None
        if not probe.cancelled():
            # Whether it was awaited or not: an error that nobody reads would be told at exit.
            probe.exception()

    def _found(self, probe: asyncio.Task[Finding | None]) -> Finding:
        if not probe.done():
            return Finding(state=HealthState.UNHEALTHY, reason=TIMED_OUT)
        if probe.cancelled():
            return Finding(state=HealthState.UNHEALTHY, reason="cancelled")
        error = probe.exception()
        if error is None:
            return probe.result() or Finding()
        # The text of an error may hold an address or a password; the log has it, the answer has its code.
        code = error.code if isinstance(error, OrchestratorError) else type(error).__name__
        if code != self.finding.reason:
            # Told once, and not at every look for as long as it lasts.
            logger.warning("a health check failed", exc_info=error, extra={"component": self.check.component})
        return Finding(state=HealthState.UNHEALTHY, reason=code)

    def close(self) -> None:
        """Look no more."""
        for task in (self._look, self._probe):
            if task is not None:
                task.cancel()
