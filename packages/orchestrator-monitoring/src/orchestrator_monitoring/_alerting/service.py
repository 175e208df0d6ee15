"""The shell: evaluates at intervals, tells receivers, and leaves both to one process at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from orchestrator_kernel.exceptions import ExternalServiceError, OrchestratorError
from orchestrator_kernel.lifecycle import cancel, done_before
from orchestrator_kernel.models import Severity
from orchestrator_kernel.ports import Clock
from orchestrator_monitoring._alerting.groups import Book, Notice, step
from orchestrator_monitoring._alerting.meters import Meters, NoMeters
from orchestrator_monitoring._alerting.receiving import GIVE_UP, Receiver, retry_delay
from orchestrator_monitoring._alerting.routing import AlertingRefused, Routing
from orchestrator_monitoring._alerting.rules import ConditionSource
from orchestrator_monitoring._alerting.states import Condition, advance
from orchestrator_monitoring._alerting.store import AlertStore, Delivery, DeliveryOutcome, Lease

__all__ = ["EVALUATION_FAILED", "AlertService"]

logger = logging.getLogger(__name__)

EVALUATION_FAILED: Final = "evaluation_failed"
"""The rule under which the service says that it could not judge something."""
_LIMIT: Final = 20.0
"""Seconds that one try to send may take."""
_POLL: Final = 5.0
_STOP: Final = 4.0
"""Seconds that what is being written gets when the service stops."""
_BATCH: Final = 20


class AlertService:
    """Evaluates and notifies while it holds the lease. Several processes may run it on one store: one of them works, the others stand by."""

    def __init__(
        self,
        *,
        routing: Routing,
        store: AlertStore,
        sources: Sequence[ConditionSource],
        receivers: Sequence[Receiver],
        clock: Clock,
        process: str,
        interval: float = 30.0,
        meters: Meters | None = None,
    ) -> None:
        """Set up.

        Args:
            routing: Who is told of what.
            store: Shared by all processes.
            sources: What can be wrong.
            receivers: All that the routing names.
            clock: Says what time it is.
            process: Unique to this run of this process.
            interval: Seconds between evaluations.
            meters: Is told how it goes.

        Raises:
            AlertingRefused: The routing names a receiver that is not there, or a heartbeat goes to one that cannot take it.
        """
        self.receivers: Mapping[str, Receiver] = {each.name: each for each in receivers}
        for name in sorted(routing.receivers - self.receivers.keys()):
            raise AlertingRefused(f"a route names the receiver {name}; there is {', '.join(self.receivers) or 'none'}")
        for name in routing.heartbeats:
            if not self.receivers[name].heartbeats:
                raise AlertingRefused(
                    f"{name} ({self.receivers[name].kind}) cannot be the other end of a dead-man's switch"
                )
        self.routing = routing
        self.store = store
        self._sources = tuple(sources)
        self._clock = clock
        self._process = process
        self._interval = interval
        self._meters = meters or NoMeters()
        self._lease: Lease | None = None
        self._wake = {name: asyncio.Event() for name in self.receivers}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    @property
    def leads(self) -> bool:
        """Whether this process evaluates and notifies now."""
        return self._lease is not None and self._lease.expires > self._clock.now().timestamp()

    async def start(self) -> None:
        """Begin to evaluate and to notify."""
        self._stopping.clear()
        self._tasks = [asyncio.create_task(self._evaluate_forever(), name="alerts")]
        self._tasks += [
            asyncio.create_task(self._send_forever(each), name=f"notices to {each.name}")
            for each in self.receivers.values()
        ]

    async def stop(self) -> None:
        """End; what is being sent is cut off and sent again by whoever goes on.

        What is being written is written to its end: a transaction that is cut off in the middle could keep the database locked.
        """
        self._stopping.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_STOP)
            await cancel(*late)
        self._tasks = []
        if self._lease is not None:
            lease, self._lease = self._lease, None
            try:
                await self.store.release(lease)
            except OrchestratorError:
                # It runs out by itself.
                logger.warning("the lease of alerting could not be given back", exc_info=True)

    async def evaluate(self) -> bool:
        """Judge all rules, and keep what is to be told; False if another process does so.

        Raises:
            DatabaseError: The store failed; nothing was changed.
        """
        now, started = self._clock.now().timestamp(), self._clock.monotonic()
        # So long that one missed evaluation, or a slow receiver, does not change hands.
        self._lease = await self.store.lease(self._process, now=now, seconds=3 * self._interval + _LIMIT)
        if self._lease is None:
            return False
        conditions, judged = await self._find(now)
        book = await self.store.load(now)
        alerts = advance(book.alerts, conditions, judged=judged | self._orphans(book), now=now)
        change = step(book, alerts, self.routing, now)
        await self.store.commit(change, self._lease)
        for notice in change.notices:
            self._wake[notice.receiver].set()
        firing = Counter(each.condition.severity for each in alerts.values() if each.state == "firing")
        counts = {severity: firing[severity] for severity in Severity}
        self._meters.evaluated(at=now, seconds=self._clock.monotonic() - started, firing=counts)
        return True

    async def _find(self, now: float) -> tuple[list[Condition], frozenset[str]]:
        """Everything that is wrong, that something could not be judged included."""
        conditions: list[Condition] = []
        judged = {EVALUATION_FAILED}
        for source in self._sources:
            try:
                found = await source.find(now)
            except OrchestratorError as error:
                logger.warning("alerts could not be judged", extra={"source": source.name, "reason": str(error)})
                conditions.append(_failed(source.name, error))
                continue
            conditions += found.conditions
            judged |= found.judged
        return conditions, frozenset(judged)

    def _orphans(self, book: Book) -> frozenset[str]:
        """Rules of kept alerts that nobody has any more: those alerts are over."""
        known = {EVALUATION_FAILED}.union(*(source.rules for source in self._sources))
        return frozenset(each.condition.rule for each in book.alerts.values()) - known

    async def send_due(self, receiver: Receiver) -> float | None:
        """Try what is due for a receiver; seconds until it makes sense to look again, None if nothing is known to wait.

        Raises:
            DatabaseError: The store failed.
        """
        sent_any = False
        for delivery in await self.store.due(receiver.name, now=self._clock.now().timestamp(), limit=_BATCH):
            if not self.leads or self._stopping.is_set():
                return None
            await self._try(receiver, delivery)
            sent_any = True
        return 0.0 if sent_any else None

    async def _try(self, receiver: Receiver, delivery: Delivery) -> None:
        try:
            async with asyncio.timeout(_LIMIT):
                if not await done_before(self._stopping, receiver.send(delivery.notice)):
                    return
        except TimeoutError:
            error = ExternalServiceError(f"{receiver.name} took longer than {_LIMIT:g} s", retryable=True)
        except ExternalServiceError as failure:
            error = failure
        except Exception as failure:
            # A receiver is somebody else's code, and the others must go on.
            logger.exception("a receiver failed in an unknown way", extra={"receiver": receiver.name})
            error = ExternalServiceError(f"{receiver.name}: {type(failure).__name__}", retryable=False)
        else:
            self._meters.delivered(receiver.name, "sent")
            await self.store.mark(replace(delivery, outcome="sent", attempts=delivery.attempts + 1, error=""))
            return
        await self._failed(receiver, delivery, error)

    async def _failed(self, receiver: Receiver, delivery: Delivery, error: ExternalServiceError) -> None:
        now, attempts = self._clock.now().timestamp(), delivery.attempts + 1
        due = now + retry_delay(attempts, error.retry_after)
        final = not error.retryable or due - delivery.notice.at > GIVE_UP
        logger.warning(
            "a notice was refused" if final else "a notice could not be sent yet",
            extra={"receiver": receiver.name, "attempts": attempts, "reason": error.message},
        )
        self._meters.delivered(receiver.name, "refused" if final else "retried")
        outcome: DeliveryOutcome = "refused" if final else "waiting"
        await self.store.mark(replace(delivery, outcome=outcome, attempts=attempts, due=due, error=error.message))

    async def post(self, notice: Notice) -> None:
        """Send a notice that belongs to no group, such as a test.

        Raises:
            AlertingRefused: The receiver is not there.
            DatabaseError: It could not be kept.
        """
        if notice.receiver not in self.receivers:
            raise AlertingRefused(
                f"there is no receiver {notice.receiver}; there is {', '.join(self.receivers) or 'none'}"
            )
        await self.store.post(notice)
        self._wake[notice.receiver].set()

    async def _evaluate_forever(self) -> None:
        while not self._stopping.is_set():
            started = self._clock.monotonic()
            try:
                await self.evaluate()
            except OrchestratorError:
                logger.warning("alerts could not be evaluated", exc_info=True)
            except Exception:
                logger.exception("the evaluation of alerts failed in an unknown way")
            left = max(self._interval - (self._clock.monotonic() - started), 0.1)
            await done_before(self._stopping, self._clock.sleep(left))

    async def _send_forever(self, receiver: Receiver) -> None:
        wake = self._wake[receiver.name]
        while not self._stopping.is_set():
            wake.clear()
            again: float | None = None
            if self.leads:
                try:
                    again = await self.send_due(receiver)
                except OrchestratorError:
                    logger.warning("notices cannot be read", extra={"receiver": receiver.name}, exc_info=True)
            if again is None:
                await done_before(self._stopping, _woken(wake))


async def _woken(wake: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_POLL):
            await wake.wait()


def _failed(source: str, error: OrchestratorError) -> Condition:
    return Condition(
        rule=EVALUATION_FAILED,
        severity=Severity.HIGH,
        labels={"source": source},
        summary=f"the {source} could not be judged: {error.code}",
        description="Alerts of this source stay as they are until it answers again.",
        hold=120.0,
    )
