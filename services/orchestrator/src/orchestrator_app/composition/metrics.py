"""What the application measures, for Prometheus."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from orchestrator_app.composition import metric_declarations as declared
from orchestrator_app.composition.audio_metrics import AUDIO_METRICS
from orchestrator_app.composition.metric_declarations import APP_METRICS, PROCESS_METRICS, RESILIENCE_METRICS
from orchestrator_app.composition.performance import PERFORMANCE_METRICS
from orchestrator_app.composition.trial_calls import is_trial
from orchestrator_calls.actions import ActionStatus
from orchestrator_calls.chat_responder import ChatTurn
from orchestrator_calls.events import EventType
from orchestrator_calls.http_actions import ActionTaken
from orchestrator_calls.notices import ActionEnded, CallResumed, EventKept, GapSeen, Notice, StateChanged, TurnTimed
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.ports import Clock
from orchestrator_monitoring.alerting import ALERT_METRICS, USAGE_METRICS
from orchestrator_monitoring.business_metrics import BUSINESS_METRICS, BusinessMetrics, Prices, TokensUsed
from orchestrator_monitoring.health import HEALTH_METRICS
from orchestrator_monitoring.http_metrics import HTTP_METRICS
from orchestrator_monitoring.metrics import OWN_METRICS, Catalogue, Metric
from orchestrator_monitoring.metrics import Metrics as CountedMetrics
from orchestrator_monitoring.slo_monitor import SLO_METRICS
from orchestrator_monitoring.tracing import TRACING_METRICS, recorded_trace_id
from orchestrator_security.pii_redactor import Kind
from orchestrator_utils.tts_client import SpeechOutcome

__all__ = ["CATALOGUE", "Metrics"]

COUNTED: Final[tuple[tuple[Metric, ...], ...]] = (
    *(APP_METRICS, BUSINESS_METRICS, HTTP_METRICS, HEALTH_METRICS, SLO_METRICS),
    *(ALERT_METRICS, USAGE_METRICS),
)
"""What is counted by the application's own `Metrics`."""

CARRIED: Final[tuple[tuple[Metric, ...], ...]] = (
    RESILIENCE_METRICS,
    PROCESS_METRICS,
    TRACING_METRICS,
    AUDIO_METRICS,
    PERFORMANCE_METRICS,
)
"""What other libraries count."""

CATALOGUE: Final = Catalogue(*COUNTED, *CARRIED, OWN_METRICS)
"""Everything that `/metrics` may show: whoever names a metric asks here first."""

_EVERY: Final = 5.0


class Metrics:
    """The application's metrics; labels are bounded by construction.

    Test calls of the operators' page count as what they ask of others (events, sentences, turns of models), and in no figure about callers.

    Args:
        tenants: Whose calls are told apart.
        folder: Shared by the processes that answer scrapes for each other.
        prices: For the cost counters.
    """

    def __init__(
        self,
        tenants: Collection[str] = (),
        *,
        folder: Path | None = None,
        prices: Prices | None = None,
    ) -> None:
        registers = {"tenants": tenants.__contains__}
        self.counted = CountedMetrics(*COUNTED, registers=registers, folder=folder, trace_id=recorded_trace_id)
        self.business = BusinessMetrics(self.counted, prices=prices, is_trial=is_trial)
        self._tenants = tenants
        self.registry = self.counted.registry
        self._errors = _ErrorCounter(self.counted)
        self._shared = folder is not None
        self._task: asyncio.Task[None] | None = None
        process = self.carried(PROCESS_METRICS)
        ProcessCollector(registry=process)
        PlatformCollector(registry=process)
        self._events = self.counted.counter(declared.EVENTS)
        # A time series exists from the start, so that its first increase is seen.
        for kind in EventType:
            self._events.labels(kind.value, "agent")

    def carried(self, metrics: Iterable[Metric]) -> CollectorRegistry:
        """A registry for a library that counts these itself; it is scraped with all others."""
        registry = CollectorRegistry()
        self.counted.carry(registry, metrics)
        return registry

    # -- the process

    async def start(self, clock: Clock) -> None:
        """Count what is logged as an error; with a folder, keep what the other processes show of this one fresh."""
        logging.getLogger().addHandler(self._errors)
        if self._shared:
            self._task = asyncio.create_task(self._keep_fresh(clock), name="metrics")

    async def stop(self) -> None:
        """Leave the folder, if there is one: what was counted goes on in the scrapes of the others."""
        logging.getLogger().removeHandler(self._errors)
        if self._task is not None:
            await cancel(self._task)
            self.counted.refresh()
        self.counted.close()

    async def _keep_fresh(self, clock: Clock) -> None:
        while True:
            self.counted.refresh()
            await clock.sleep(_EVERY)

    # -- what happens

    def follow_calls(self, running: Callable[[], Mapping[str, tuple[str, str]]]) -> None:
        """Ask at every scrape which calls run: by id, their tenant and state."""
        self.business.follow_running(running, tenants=lambda: self._tenants)

    def webhook_refused(self, door: str) -> None:
        """Count a refused webhook; `door` is a route's fixed name."""
        self.counted.counter(declared.REFUSED).labels(door).inc()

    def redacted(self, kind: Kind) -> None:
        """Count something that was taken out of what leaves the process."""
        self.counted.counter(declared.REDACTIONS).labels(kind.value).inc()

    def spoken(self, outcome: SpeechOutcome) -> None:
        """Count how a voice did with a sentence."""
        self.counted.counter(declared.SENTENCES).labels(outcome.voice, outcome.result).inc()
        if outcome.first_audio is not None:
            self.counted.histogram(declared.FIRST_AUDIO).labels(outcome.voice).observe(outcome.first_audio)

    def wrote(self, turn: ChatTurn) -> None:
        """Count how a language model did with a turn, and what it took."""
        self.counted.counter(declared.CHAT_TURNS).labels(turn.outcome, turn.reason).inc()
        if turn.first_sentence is not None:
            self.counted.histogram(declared.FIRST_SENTENCE).labels().observe(turn.first_sentence)
        # What a server does not tell is no zero.
        if turn.prompt_tokens is not None and not is_trial(turn.call_id):
            self.business.count(TokensUsed(turn.tenant, "prompt", turn.prompt_tokens))
        if turn.completion_tokens is not None and not is_trial(turn.call_id):
            self.business.count(TokensUsed(turn.tenant, "completion", turn.completion_tokens))

    def acted(self, taken: ActionTaken) -> None:
        """Count why an endpoint could not confirm; how actions end is counted from their events. A refusal's reason is the tenant's, so no label."""
        if taken.status is ActionStatus.UNCONFIRMED:
            reason = "status" if taken.reason.startswith("status_") else taken.reason
            self.counted.counter(declared.UNCONFIRMED).labels(reason).inc()

    def observe(self, notice: Notice) -> None:
        """Count what the runtime tells."""
        match notice:
            case EventKept(event):
                self._events.labels(event.type.value, _kind(event.source)).inc()
                self.business.happened(event)
            case StateChanged() | TurnTimed() if is_trial(notice.call_id):
                # Nobody waited who is a caller.
                pass
            case StateChanged():
                self.counted.counter(declared.STATES).labels(notice.after.value).inc()
                self.business.moved(notice)
            case TurnTimed():
                self.counted.histogram(declared.TURN_SECONDS).labels(notice.channel).observe(max(0.0, notice.seconds))
            case GapSeen():
                self.counted.counter(declared.MISSING).labels(_kind(notice.source)).inc(notice.missing)
            case CallResumed():
                # It was counted where it began.
                pass
            case ActionEnded():
                # Counted from its event, with its name; `acted` knows why it could not be confirmed.
                pass


class _ErrorCounter(logging.Handler):
    """Counts what is logged as an error, by the package that logged it."""

    def __init__(self, metrics: CountedMetrics) -> None:
        super().__init__(logging.ERROR)
        self._errors = metrics.counter(declared.LOGGED_ERRORS)

    def emit(self, record: logging.LogRecord) -> None:
        level = "critical" if record.levelno >= logging.CRITICAL else "error"
        self._errors.labels(record.name.partition(".")[0], level).inc()


def _kind(source: str) -> str:
    # What follows a colon tells one session from another.
    return source.partition(":")[0]
