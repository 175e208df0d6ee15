"""The business metrics as data."""

from __future__ import annotations

from typing import Final

from orchestrator_monitoring.metrics import AtMost, Counter, Gauge, Histogram, Metric, OneOf, Registered

__all__ = [
    "ABANDONED",
    "ACTIONS",
    "ACTION_SECONDS",
    "ANSWERED",
    "BARGE_INS",
    "BUSINESS_METRICS",
    "CALL_SECONDS",
    "CONFIDENCE",
    "CONVERTED",
    "COST",
    "ENDED",
    "FAILED",
    "GOALS",
    "GOAL_VALUE",
    "HANDOFFS",
    "HEARD_RATIO",
    "INTENTS",
    "IN_PROGRESS",
    "KEYS",
    "MISUNDERSTANDINGS",
    "SATISFACTION",
    "SPEECH_CHARACTERS",
    "STAGE_SECONDS",
    "STARTED",
    "TOKENS",
    "TURNS",
    "WORDS_HEARD",
    "WORDS_SPOKEN",
]

_TENANT: Final = Registered("tenants", limit=200)
_STAGE: Final = OneOf("connecting", "greeting", "waiting", "dialogue", "hold", "transfer")
_OUTCOME: Final = OneOf("completed", "transferred", "abandoned", "failed")
_CHANNEL: Final = OneOf("agent", "api", "livekit", "relay", "stream", "twilio")
_ACTION: Final = AtMost(100)
_CURRENCY: Final = AtMost(20)
_RATIOS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

STARTED: Final = Counter(
    "orchestrator_calls_started_total", "Calls that began.", labels={"tenant": _TENANT, "channel": _CHANNEL}
)
ANSWERED: Final = Counter(
    "orchestrator_calls_answered_total",
    "Calls in which the caller could hear the orchestrator.",
    labels={"tenant": _TENANT},
)
ENDED: Final = Counter(
    "orchestrator_calls_ended_total", "Calls that are over, by how.", labels={"tenant": _TENANT, "outcome": _OUTCOME}
)
ABANDONED: Final = Counter(
    "orchestrator_calls_abandoned_total",
    "Calls that ended before the caller was served, by where they stood.",
    labels={"tenant": _TENANT, "stage": _STAGE},
)
FAILED: Final = Counter(
    "orchestrator_calls_failed_total",
    "Calls that failed, by where they stood and why.",
    labels={"tenant": _TENANT, "stage": _STAGE, "reason": AtMost(30)},
)
IN_PROGRESS: Final = Gauge(
    "orchestrator_calls_in_progress",
    "Calls that run now, by where they stand.",
    labels={
        "tenant": _TENANT,
        "state": OneOf("initializing", "connecting", "active", "on_hold", "transferring", "ending", "ended", "failed"),
    },
)
CALL_SECONDS: Final = Histogram(
    "orchestrator_call_duration_seconds",
    "From the answer of a call to its end.",
    unit="seconds",
    labels={"outcome": _OUTCOME},
    buckets=(5.0, 15.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0),
)
TURNS: Final = Counter(
    "orchestrator_turns_total",
    "Answers that are at their end, by how.",
    labels={"tenant": _TENANT, "outcome": OneOf("answered", "failed", "superseded")},
)
STAGE_SECONDS: Final = Histogram(
    "orchestrator_turn_stage_seconds",
    "Parts of a turn: from the last word to what was understood (recognition), until the first words were written (answer), to the first audio (voice).",
    unit="seconds",
    labels={"stage": OneOf("recognition", "answer", "voice")},
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0),
)
BARGE_INS: Final = Counter(
    "orchestrator_barge_ins_total", "Answers that the caller cut short.", labels={"tenant": _TENANT}
)
WORDS_SPOKEN: Final = Counter(
    "orchestrator_words_spoken_total", "Words of sentences that were played.", labels={"tenant": _TENANT}
)
WORDS_HEARD: Final = Counter(
    "orchestrator_words_heard_total", "Words of these that the caller heard.", labels={"tenant": _TENANT}
)
HEARD_RATIO: Final = Histogram(
    "orchestrator_turn_heard_ratio", "How much of an answer was heard.", unit="ratio", buckets=_RATIOS
)
MISUNDERSTANDINGS: Final = Counter(
    "orchestrator_misunderstandings_total",
    "Turns that led nowhere: not understood, or silence.",
    labels={"tenant": _TENANT, "kind": OneOf("not_understood", "silence")},
)
INTENTS: Final = Counter(
    "orchestrator_intents_total", "What callers want.", labels={"tenant": _TENANT, "intent": AtMost(100)}
)
CONFIDENCE: Final = Histogram(
    "orchestrator_intent_confidence_ratio",
    "How sure the recognizer was of what was understood.",
    unit="ratio",
    buckets=_RATIOS,
)
HANDOFFS: Final = Counter(
    "orchestrator_handoffs_total",
    "Callers handed to a person, by what became of it.",
    labels={"tenant": _TENANT, "outcome": OneOf("requested", "completed", "failed")},
)
KEYS: Final = Counter(
    "orchestrator_keys_pressed_total",
    "Keys of the telephone that callers pressed.",
    labels={"key": OneOf("digit", "star", "hash")},
)
ACTIONS: Final = Counter(
    "orchestrator_call_actions_total",
    "Actions of calls by their name and how they ended.",
    labels={"tenant": _TENANT, "action": _ACTION, "status": OneOf("done", "refused", "unconfirmed")},
)
ACTION_SECONDS: Final = Histogram(
    "orchestrator_call_action_seconds",
    "From the start of an action to its outcome.",
    unit="seconds",
    labels={"action": _ACTION},
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 30.0),
)
GOALS: Final = Counter(
    "orchestrator_goals_reached_total",
    "What tenants want calls to bring, as their actions reported it.",
    labels={"tenant": _TENANT, "goal": AtMost(50)},
)
CONVERTED: Final = Counter(
    "orchestrator_calls_converted_total",
    "Calls that are over and had reached a goal, one or several.",
    labels={"tenant": _TENANT},
)
GOAL_VALUE: Final = Counter(
    "orchestrator_goal_value_total",
    "What the goals that were reached are worth, in their currency.",
    labels={"tenant": _TENANT, "goal": AtMost(50), "currency": _CURRENCY},
)
SATISFACTION: Final = Histogram(
    "orchestrator_satisfaction_score",
    "How content callers say they are, from 1 to 5.",
    labels={"tenant": _TENANT},
    buckets=(1.0, 2.0, 3.0, 4.0),
)
SPEECH_CHARACTERS: Final = Counter(
    "orchestrator_speech_characters_total", "Characters handed to voices.", labels={"tenant": _TENANT}
)
TOKENS: Final = Counter(
    "orchestrator_chat_tokens_total",
    "Tokens that language models counted.",
    labels={"tenant": _TENANT, "kind": OneOf("prompt", "completion")},
)
COST: Final = Counter(
    "orchestrator_cost_total",
    "What was used, at the prices of the settings.",
    labels={"tenant": _TENANT, "service": OneOf("speech", "chat"), "currency": _CURRENCY},
)

BUSINESS_METRICS: Final[tuple[Metric, ...]] = (
    STARTED,
    ANSWERED,
    ENDED,
    ABANDONED,
    FAILED,
    IN_PROGRESS,
    CALL_SECONDS,
    TURNS,
    STAGE_SECONDS,
    BARGE_INS,
    WORDS_SPOKEN,
    WORDS_HEARD,
    HEARD_RATIO,
    MISUNDERSTANDINGS,
    INTENTS,
    CONFIDENCE,
    HANDOFFS,
    KEYS,
    ACTIONS,
    ACTION_SECONDS,
    GOALS,
    CONVERTED,
    GOAL_VALUE,
    SATISFACTION,
    SPEECH_CHARACTERS,
    TOKENS,
    COST,
)
"""What `BusinessMetrics` counts."""
