"""The metrics that the application itself counts, and those of libraries that it carries along, as data."""

from __future__ import annotations

from typing import Final

from orchestrator_calls.events import CallState, EventType
from orchestrator_monitoring.metrics import AtMost, Counter, Gauge, Histogram, Metric, OneOf
from orchestrator_security.pii_redactor import Kind

__all__ = [
    "APP_METRICS",
    "CHAT_REASONS",
    "CHAT_TURNS",
    "EVENTS",
    "FIRST_AUDIO",
    "FIRST_SENTENCE",
    "LOGGED_ERRORS",
    "MISSING",
    "PROCESS_METRICS",
    "REDACTIONS",
    "REFUSED",
    "RESILIENCE_METRICS",
    "SENTENCES",
    "SOURCES",
    "STATES",
    "TURN_SECONDS",
    "UNCONFIRMED",
]

_TRANSPORT: Final = (
    "circuit_open",
    "connect_failed",
    "connect_timeout",
    "connection_lost",
    "answer_broken",
    "read_timeout",
)
CHAT_REASONS: Final = OneOf(
    "",
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
    *_TRANSPORT,
)
_UNCONFIRMED_REASONS: Final = OneOf(
    "address_refused",
    "answer_compressed",
    "answer_too_large",
    "deadline",
    "no_json",
    "no_status",
    "redirected",
    "status",
    "unknown_host",
    *_TRANSPORT,
)
SOURCES: Final = ("actions", "agent", "api", "console", "livekit", "orchestrator", "relay", "stream", "twilio")
"""Who tells events: what stands before the colon of an event's source. An agent may give itself another name; that is `other`."""
_SOURCE: Final = OneOf(*SOURCES)
_LATENCIES: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_VOICE: Final = AtMost(20)

EVENTS: Final = Counter(
    "orchestrator_call_events_total",
    "Events kept in the journal.",
    labels={"type": OneOf(*EventType), "source": _SOURCE},
)
STATES: Final = Counter(
    "orchestrator_call_transitions_total", "Calls that moved into a state.", labels={"state": OneOf(*CallState)}
)
MISSING: Final = Counter(
    "orchestrator_call_missing_events_total",
    "Events that a source counted and did not send.",
    labels={"source": _SOURCE},
)
TURN_SECONDS: Final = Histogram(
    "orchestrator_call_turn_seconds",
    "From an input to the first audio or the reply.",
    unit="seconds",
    labels={"channel": OneOf("answer", "media")},
    buckets=_LATENCIES,
)
REFUSED: Final = Counter(
    "orchestrator_webhooks_refused_total", "Webhooks whose sender was not proved.", labels={"door": AtMost(20)}
)
SENTENCES: Final = Counter(
    "orchestrator_speech_sentences_total",
    "Sentences by the voice that was asked.",
    labels={"voice": _VOICE, "result": OneOf("spoken", "stopped", "failed")},
)
FIRST_AUDIO: Final = Histogram(
    "orchestrator_speech_first_audio_seconds",
    "From asking a voice to its first audio.",
    unit="seconds",
    labels={"voice": _VOICE},
    buckets=_LATENCIES,
)
CHAT_TURNS: Final = Counter(
    "orchestrator_chat_turns_total",
    "Turns that a language model was asked for, by what became of them.",
    labels={"outcome": OneOf("answered", "cut", "script"), "reason": CHAT_REASONS},
)
FIRST_SENTENCE: Final = Histogram(
    "orchestrator_chat_first_sentence_seconds",
    "From the input to the model's first sentence.",
    unit="seconds",
    buckets=_LATENCIES,
)
UNCONFIRMED: Final = Counter(
    "orchestrator_actions_unconfirmed_total",
    "Actions and transfers that a tenant's endpoint could not confirm, by why.",
    labels={"reason": _UNCONFIRMED_REASONS},
)
REDACTIONS: Final = Counter(
    "orchestrator_pii_redactions_total",
    "Personal data and secrets that were taken out of logs, the audit and errors.",
    labels={"kind": OneOf(*Kind)},
)
LOGGED_ERRORS: Final = Counter(
    "orchestrator_errors_total",
    "Errors that were logged, by the package that logged them.",
    labels={"component": AtMost(50), "level": OneOf("error", "critical")},
)

APP_METRICS: Final[tuple[Metric, ...]] = (
    EVENTS,
    STATES,
    MISSING,
    TURN_SECONDS,
    REFUSED,
    SENTENCES,
    FIRST_AUDIO,
    CHAT_TURNS,
    FIRST_SENTENCE,
    UNCONFIRMED,
    REDACTIONS,
    LOGGED_ERRORS,
)

# --- what orchestrator_resilience.metrics exports -------------------------------------------------------------------------

_R: Final = "orchestrator_resilience"
_DEPENDENCY: Final = {"dependency": AtMost(100)}
_BREAKER: Final = AtMost(6)

RESILIENCE_METRICS: Final[tuple[Metric, ...]] = (
    Counter(
        f"{_R}_decisions_total",
        "Decisions of policies, by what they decided.",
        labels={**_DEPENDENCY, "policy": AtMost(20), "decision": AtMost(60)},
    ),
    Counter(
        f"{_R}_breaker_transitions_total",
        "Changes of a circuit's state.",
        labels={**_DEPENDENCY, "old": _BREAKER, "new": _BREAKER},
    ),
    Histogram(
        f"{_R}_retry_pause_seconds",
        "Pauses before retries.",
        unit="seconds",
        labels=_DEPENDENCY,
        buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
    ),
    Counter(
        f"{_R}_calls_total",
        "Calls through a pipeline, by what decided them.",
        labels={**_DEPENDENCY, "outcome": AtMost(20)},
    ),
    Gauge(
        f"{_R}_breaker_state",
        "1 for the present state of a circuit, 0 for the others.",
        labels={**_DEPENDENCY, "state": _BREAKER},
        across="max",
    ),
    Gauge(
        f"{_R}_breaker_window_calls",
        "Calls in the present window of a closed circuit.",
        labels={**_DEPENDENCY, "kind": OneOf("all", "failed", "slow")},
    ),
    Counter(f"{_R}_breaker_refusals_total", "Calls that a circuit has refused.", labels=_DEPENDENCY),
    Counter(f"{_R}_breaker_openings_total", "How often a circuit has opened.", labels=_DEPENDENCY),
    Gauge(f"{_R}_bulkhead_limit_calls", "Calls that may run together.", labels=_DEPENDENCY),
    Gauge(f"{_R}_bulkhead_running_calls", "Calls under way.", labels=_DEPENDENCY),
    Gauge(f"{_R}_bulkhead_waiting_calls", "Calls that wait for a place.", labels=_DEPENDENCY),
    Counter(f"{_R}_bulkhead_sheds_total", "Calls that got no place.", labels=_DEPENDENCY),
    Gauge(f"{_R}_queue_items", "Items in a queue.", labels=_DEPENDENCY),
    Gauge(f"{_R}_queue_bytes", "Bytes in a queue, if they are counted.", labels=_DEPENDENCY),
    Gauge(f"{_R}_queue_blocked_producers", "Producers that wait for room.", labels=_DEPENDENCY),
    Counter(f"{_R}_queue_drops_total", "Items that will not be delivered.", labels=_DEPENDENCY),
    Counter(f"{_R}_queue_refusals_total", "Items that were not taken.", labels=_DEPENDENCY),
    Gauge(
        f"{_R}_throttle_refusal_ratio",
        "Probability with which the next call is refused here.",
        unit="ratio",
        labels=_DEPENDENCY,
        across="max",
    ),
    Gauge(f"{_R}_budget_balance_retries", "Retries that could be made now."),
    Counter(f"{_R}_budget_first_attempts_total", "Calls that have paid in."),
    Counter(f"{_R}_budget_retries_total", "Retries and hedges paid for."),
    Counter(f"{_R}_budget_refusals_total", "Retries and hedges not made for want of budget."),
)

# --- what prometheus-client exports of the process ------------------------------------------------------------------------

_PYTHON: Final = ("implementation", "major", "minor", "patchlevel", "version")

PROCESS_METRICS: Final[tuple[Metric, ...]] = (
    Gauge("process_virtual_memory_bytes", "Virtual memory of the process.", unit="bytes"),
    Gauge("process_resident_memory_bytes", "Resident memory of the process.", unit="bytes"),
    Gauge("process_start_time_seconds", "When the process began, since 1970.", unit="seconds", across="min"),
    Counter("process_cpu_seconds_total", "Time that processors spent in the process.", unit="seconds"),
    Gauge("process_open_fds", "Files that are open."),
    Gauge("process_max_fds", "Files that may be open.", across="max"),
    Gauge("python_info", "The Python that runs.", labels={name: AtMost(10) for name in _PYTHON}, across="max"),
)
