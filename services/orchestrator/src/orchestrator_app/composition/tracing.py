"""Traces: every call with its turns, the requests that bring events, and what is asked of others on the way.

With tracing off everything here hands back what it was given.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from importlib.metadata import version
from typing import Final

import httpx

from orchestrator_app.composition.actions import TenantActions
from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.metrics import Metrics
from orchestrator_app.composition.secrets import AppSecrets
from orchestrator_app.settings import AppSettings
from orchestrator_calls.actions import ActionOutcome, ActionRequest, Actions, ActionStatus
from orchestrator_calls.events import TERMINAL, CallState, Event, EventType, text_of
from orchestrator_calls.notices import EventKept, Notice, StateChanged, TurnTimed
from orchestrator_calls.responder import Responder, Step, TurnContext
from orchestrator_calls.runtime import CallRuntime
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.ports import Clock, Redactor
from orchestrator_monitoring.tracing import (
    TRACING_METRICS,
    CallTraces,
    ConsoleExporter,
    OtlpExporter,
    TracedTransport,
    TracedWork,
    Tracing,
    TracingCollector,
    TracingConfig,
    failed,
    trace_engine,
)
from orchestrator_resilience.telemetry import SpanEvents

__all__ = ["KEY", "Traces", "make_traces"]

logger = logging.getLogger(__name__)

KEY: Final = "trace"
"""What the key of the traces of calls is derived for."""

_FLUSH: Final = 5.0


def make_traces(
    settings: AppSettings, secrets: AppSecrets, redactor: Redactor, clock: Clock, metrics: Metrics
) -> Traces:
    """What the settings ask for; what becomes of spans is one of `metrics`.

    Raises:
        ConfigurationError: The collector cannot be used as it is set.
    """
    own = settings.tracing
    if not own.active:
        return Traces(None, None, redactor, clock, frozenset())
    config = TracingConfig(
        service=own.service,
        resource={
            "service.version": version("orchestrator-app"),
            "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
            "deployment.environment.name": settings.environment,
            "cloud.region": settings.region,
        },
        ratio=own.ratio,
        slow=own.slow_request,
        slow_turn=own.slow_turn,
    )
    tracing = Tracing(config, exporter=_exporter(settings), redactor=redactor)
    metrics.carried(TRACING_METRICS).register(TracingCollector(tracing))
    # A key of all processes of this service: each finds the trace of a call by itself, and nobody else does.
    calls = tracing.calls(key=secrets.derive(KEY))
    return Traces(tracing, calls, redactor, clock, frozenset(own.baggage_hosts))


def _exporter(settings: AppSettings) -> ConsoleExporter | OtlpExporter:
    own = settings.tracing
    if own.endpoint is None or own.console:
        return ConsoleExporter()
    headers = {name: value.get_secret_value() for name, value in own.headers.items()}
    return OtlpExporter(str(own.endpoint), headers=headers, ca_file=str(own.ca_file) if own.ca_file else None)


class Traces:
    """The traces of this process.

    Attributes:
        tracing: None when nothing is traced.
    """

    def __init__(
        self,
        tracing: Tracing | None,
        calls: CallTraces | None,
        redactor: Redactor,
        clock: Clock,
        baggage_hosts: frozenset[str],
    ) -> None:
        self.tracing = tracing
        self._calls = calls
        self._redactor = redactor
        self._clock = clock
        self._baggage_hosts = baggage_hosts
        self._runtime: CallRuntime | None = None
        self._ending: set[asyncio.Task[None]] = set()

    def serve(self, runtime: CallRuntime) -> None:
        """Whom to ask when a call began that this process has not seen from its start."""
        self._runtime = runtime

    async def stop(self) -> None:
        """Export what waits."""
        await asyncio.gather(*self._ending)
        if self.tracing is not None and not await asyncio.to_thread(self.tracing.shutdown, _FLUSH):
            logger.warning("not all spans were exported", extra={"spans": self.tracing.counts()["shutdown"]})

    # --- what is asked of others --------------------------------------------------------------------------------------------

    def wrap(self, inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        """For outgoing requests: every attempt has a span."""
        if self.tracing is None:
            return inner
        return TracedTransport(
            inner, provider=self.tracing.provider, baggage_to=self._baggage_hosts, redactor=self._redactor
        )

    @property
    def events(self) -> SpanEvents | None:
        """For policies: what they decide is an event of the span in which they decide it."""
        return None if self.tracing is None else SpanEvents(self.tracing.provider)

    def follow_databases(self, databases: Databases) -> None:
        """Give statements of traced work spans."""
        if self.tracing is not None:
            for engine in {databases.data, databases.keys}:
                trace_engine(engine, provider=self.tracing.provider)

    def responders(self, by_tenant: Mapping[str, Responder]) -> Mapping[str, Responder]:
        """Answers are written below the span of their turn."""
        return by_tenant if self._calls is None else _TracedResponders(by_tenant, self._calls)

    def acting(self, actions: TenantActions) -> TenantActions:
        """Actions are carried out below the span of their call."""
        return (
            actions if self._calls is None else replace(actions, actions=_TracedActions(actions.actions, self._calls))
        )

    # --- what the runtime tells ---------------------------------------------------------------------------------------------

    def observe(self, notice: Notice) -> None:
        """Follow the calls of this process."""
        calls = self._calls
        if calls is None:
            return
        match notice:
            case EventKept(event):
                if calls.knows(event.call_id) or self._met(calls, event):
                    self._event(calls, event)
            case TurnTimed():
                calls.turn_timed(notice.call_id, notice.turn, notice.seconds, notice.channel)
            case StateChanged() if notice.after in TERMINAL:
                self._ended(calls, notice)
            case _:
                pass

    def _met(self, calls: CallTraces, event: Event) -> bool:
        """Take notice of a call; false when it is over, and only what was left is being tidied up."""
        running = {} if self._runtime is None else self._runtime.running()
        _, state = running.get(event.call_id, ("", CallState.INITIALIZING))
        if state in TERMINAL:
            return False
        # What is further than its beginning began before this process heard of it.
        resumed = state is not CallState.INITIALIZING
        return calls.seen(event.call_id, event.tenant, event.received_at, resumed=resumed)

    def _event(self, calls: CallTraces, event: Event) -> None:
        turn = text_of(event.payload, "turn")
        match event.type:
            case EventType.TURN_OPENED:
                calls.turn_opened(event.call_id, turn, event.received_at, kind=text_of(event.payload, "kind"))
            case EventType.TURN_CLOSED:
                outcome, reason = text_of(event.payload, "outcome"), text_of(event.payload, "reason")
                calls.turn_closed(event.call_id, turn, event.received_at, outcome=outcome, reason=reason)
            case EventType.TURN_INTERRUPTED:
                calls.turn_event(event.call_id, turn, "interrupted")
            case EventType.TURN_FILLED:
                calls.turn_event(event.call_id, turn, "filled")
            case _:
                pass

    def _ended(self, calls: CallTraces, notice: StateChanged) -> None:
        if not calls.resumed(notice.call_id):
            calls.ended(notice.call_id, notice.tenant, self._clock.now(), state=notice.after, reason=notice.reason)
            return
        task = asyncio.create_task(self._end_resumed(calls, notice), name=f"trace {notice.call_id}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end_resumed(self, calls: CallTraces, notice: StateChanged) -> None:
        """The journal knows when the call began, whichever process took it then."""
        at, began = self._clock.now(), None
        try:
            if self._runtime is not None:
                events = await self._runtime.events(notice.call_id)
                began = min((event.received_at for event in events), default=None)
        except OrchestratorError:
            logger.warning("the start of a traced call is not known", extra={"call_id": notice.call_id}, exc_info=True)
        calls.ended(notice.call_id, notice.tenant, at, state=notice.after, reason=notice.reason, started_at=began)


class _TracedResponders(Mapping[str, Responder]):
    """The responder of each tenant, looked up when it is asked."""

    def __init__(self, by_tenant: Mapping[str, Responder], calls: CallTraces) -> None:
        self._by_tenant = by_tenant
        self._calls = calls

    def __getitem__(self, tenant: str) -> Responder:
        return _TracedResponder(self._by_tenant[tenant], self._calls)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_tenant)

    def __len__(self) -> int:
        return len(self._by_tenant)


class _TracedResponder:
    def __init__(self, inner: Responder, calls: CallTraces) -> None:
        self._inner = inner
        self._calls = calls

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        """As the responder does; what it asks of others is below the turn's span."""
        with self._calls.at_turn(context.call_id, context.turn):
            async with aclosing(self._inner.respond(context)) as steps:
                async for step in steps:
                    yield step


class _TracedActions:
    def __init__(self, inner: Actions, calls: CallTraces) -> None:
        self._inner = inner
        self._calls = calls

    async def run(self, request: ActionRequest) -> ActionOutcome:
        """As the actions do, with a span."""
        with self._calls.at_call(request.call_id, "action") as span:
            outcome = await self._inner.run(request)
            _tell(span, request, outcome)
            return outcome

    async def probe(self, request: ActionRequest) -> ActionOutcome | None:
        """As the actions do, with a span."""
        with self._calls.at_call(request.call_id, "action probe") as span:
            outcome = await self._inner.probe(request)
            _tell(span, request, outcome)
            return outcome


def _tell(span: TracedWork, request: ActionRequest, outcome: ActionOutcome | None) -> None:
    span.set_attribute("orchestrator.action.name", request.name)
    if outcome is None:
        return
    span.set_attribute("orchestrator.action.status", outcome.status.value)
    if outcome.status is ActionStatus.UNCONFIRMED:
        failed(span, outcome.reason or "unconfirmed")
