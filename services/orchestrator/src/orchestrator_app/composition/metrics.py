"""What the application measures, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

from orchestrator_calls.actions import ActionStatus
from orchestrator_calls.chat_responder import ChatTurn
from orchestrator_calls.events import EventType
from orchestrator_calls.http_actions import ActionTaken
from orchestrator_calls.notices import EventKept, GapSeen, Notice, StateChanged, TurnTimed
from orchestrator_utils.tts_client import SpeechOutcome

__all__ = ["Metrics"]

_SOURCES: Final = frozenset({"actions", "agent", "livekit", "media", "orchestrator", "relay", "twilio"})
_CHAT_REASONS: Final = frozenset(
    [
        "arguments",
        "compressed",
        "content_type",
        "empty",
        "error",
        "length",
        "limit",
        "refused",
        "slow",
        "stalled",
        "status",
        "tool",
        "too_much",
        "truncated",
        "unreadable",
        "circuit_open",
        "connect_failed",
        "connect_timeout",
        "connection_lost",
        "answer_broken",
        "read_timeout",
    ]
)
_ACTION_REASONS: Final = frozenset(
    [
        "address_refused",
        "answer_broken",
        "answer_compressed",
        "answer_too_large",
        "circuit_open",
        "connect_failed",
        "connect_timeout",
        "connection_lost",
        "deadline",
        "no_json",
        "no_status",
        "not_configured",
        "read_timeout",
        "redirected",
        "unknown_host",
    ]
)
_LATENCY_BUCKETS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """The application's metrics in a registry of their own; labels are bounded by construction."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._events = Counter(
            "orchestrator_call_events", "Events kept in the journal.", ["type", "source"], registry=self.registry
        )
        self._states = Counter(
            "orchestrator_call_transitions", "Calls that moved into a state.", ["state"], registry=self.registry
        )
        self._missing = Counter(
            "orchestrator_call_missing_events",
            "Events that a source counted and did not send.",
            ["source"],
            registry=self.registry,
        )
        self._turns = Histogram(
            "orchestrator_call_turn_seconds",
            "From an input to the first audio or the reply.",
            ["channel"],
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        self._refused = Counter(
            "orchestrator_webhooks_refused", "Webhooks whose sender was not proved.", ["door"], registry=self.registry
        )
        self._sentences = Counter(
            "orchestrator_speech_sentences",
            "Sentences by the voice that was asked.",
            ["voice", "result"],
            registry=self.registry,
        )
        self._models = Counter(
            "orchestrator_chat_turns",
            "Turns that a language model was asked for, by what became of them.",
            ["outcome", "reason"],
            registry=self.registry,
        )
        self._first_sentences = Histogram(
            "orchestrator_chat_first_sentence_seconds",
            "From the input to the model's first sentence.",
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        self._actions = Counter(
            "orchestrator_actions", "Actions by how they ended.", ["status", "reason"], registry=self.registry
        )
        self._action_seconds = Histogram(
            "orchestrator_action_seconds", "How long actions took.", buckets=_LATENCY_BUCKETS, registry=self.registry
        )
        self._active = Gauge("orchestrator_calls_active", "Calls that run in this process.", registry=self.registry)
        # A time series exists from the start, so that its first increase is seen.
        for kind in EventType:
            self._events.labels(kind.value, "agent")

    def follow_active(self, count: Callable[[], int]) -> None:
        """Ask `count` for the number of running calls at every scrape."""
        self._active.set_function(count)

    def webhook_refused(self, door: str) -> None:
        """Count a refused webhook; `door` is a route's fixed name."""
        self._refused.labels(door).inc()

    def spoken(self, outcome: SpeechOutcome) -> None:
        """Count how a voice did with a sentence."""
        self._sentences.labels(outcome.voice, outcome.result).inc()

    def wrote(self, turn: ChatTurn) -> None:
        """Count how a language model did with a turn."""
        self._models.labels(turn.outcome, turn.reason if turn.reason in _CHAT_REASONS else _other(turn.reason)).inc()
        if turn.first_sentence is not None:
            self._first_sentences.observe(turn.first_sentence)

    def acted(self, taken: ActionTaken) -> None:
        """Count how an action ended; a refusal's reason is the tenant's, so it is no label."""
        ours = taken.reason if taken.status is ActionStatus.UNCONFIRMED else ""
        self._actions.labels(taken.status.value, ours if ours in _ACTION_REASONS else _other(ours)).inc()
        self._action_seconds.observe(taken.seconds)

    def observe(self, notice: Notice) -> None:
        """Count what the runtime tells."""
        match notice:
            case EventKept(event):
                self._events.labels(event.type.value, _source(event.source)).inc()
            case StateChanged():
                self._states.labels(notice.after.value).inc()
            case TurnTimed():
                self._turns.labels(notice.channel).observe(notice.seconds)
            case GapSeen():
                self._missing.labels(_source(notice.source)).inc(notice.missing)
            case _:
                # Actions are counted by `acted`, which knows why.
                pass


def _other(reason: str) -> str:
    return "other" if reason else ""


def _source(name: str) -> str:
    # What follows a colon tells one session from another.
    kind = name.partition(":")[0]
    return kind if kind in _SOURCES else "other"
