"""How calls go, for whom, and what they bring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator_monitoring._dashboards.boards._shapes import bars, lines, number, quantiles, stack
from orchestrator_monitoring._dashboards.expressions import by, quantile, share, total
from orchestrator_monitoring._dashboards.model import Dashboard, Limit, Panel, Row, Variable

__all__ = ["calls"]

_TENANT: Final = 'tenant=~"$tenant"'
_T: Final = f"{{{_TENANT}}}"
_ENDED: Final = "orchestrator_calls_ended_total"
_IN_PROGRESS: Final = f"orchestrator_calls_in_progress{_T}"
_LE_3: Final = 'le=~"3([.]0)?"'
_TURN: Final = "orchestrator_call_turn_seconds"


def calls() -> Dashboard:
    """How calls go, for whom, and what they bring."""
    return Dashboard(
        uid="orchestrator-calls",
        title="Calls",
        description="How calls go, for whom, and what they bring.",
        variables=(Variable("tenant", "orchestrator_calls_started_total", "tenant", "Tenant"),),
        rows=(
            Row("Now", tuple(_standing())),
            Row("Calls", tuple(_flow())),
            Row("Conversation", tuple(_conversation())),
            Row("What they bring and cost", tuple(_worth())),
        ),
    )


def _of(more: str) -> str:
    return f"{{{_TENANT},{more}}}"


def _standing() -> Iterator[Panel]:
    failed, abandoned = _ENDED + _of('outcome="failed"'), _ENDED + _of('outcome="abandoned"')
    yield number("Calls in progress", f"sum({_IN_PROGRESS})")
    yield number(
        "Failed",
        share(failed, _ENDED + _T),
        unit="percentunit",
        tells="Of the calls that ended. Open the traces of calls whose state is failed.",
        limits=(Limit(0.01, "yellow"), Limit(0.05, "red")),
    )
    yield number(
        "Abandoned",
        share(abandoned, _ENDED + _T),
        unit="percentunit",
        tells="Callers who hung up unserved. Below is told at which stage they left.",
        limits=(Limit(0.1, "yellow"), Limit(0.25, "red")),
    )
    yield number(
        "Wait of a caller, p95",
        quantile(0.95, _TURN),
        unit="s",
        tells="From the input to the first sound or the reply; all tenants.",
        limits=(Limit(1.0, "yellow"), Limit(1.5, "red")),
    )


def _flow() -> Iterator[Panel]:
    yield stack("Started, by channel", by(f"orchestrator_calls_started_total{_T}", "channel"), "{{channel}}")
    yield stack("Ended, by outcome", by(_ENDED + _T, "outcome"), "{{outcome}}")
    yield stack("In progress, by state", f"sum by (state) ({_IN_PROGRESS})", "{{state}}", unit="short")
    yield stack("Abandoned, by stage", by(f"orchestrator_calls_abandoned_total{_T}", "stage"), "{{stage}}")
    failed = by(f"orchestrator_calls_failed_total{_T}", "stage", "reason")
    yield stack("Failed, by stage and reason", failed, "{{stage}}: {{reason}}")
    yield quantiles("Duration", "orchestrator_call_duration_seconds", tells="All tenants.")


def _conversation() -> Iterator[Panel]:
    yield quantiles("Wait of a caller", _TURN, tells="From the input to the first sound or the reply; all tenants.")
    yield lines(
        "Wait by stage, p95",
        quantile(0.95, "orchestrator_turn_stage_seconds", "stage"),
        "{{stage}}",
        unit="s",
        tells="Where the wait comes from: recognition, where we hear the caller ourselves, the answer, or the voice.",
    )
    yield stack("Turns, by outcome", by(f"orchestrator_turns_total{_T}", "outcome"), "{{outcome}}")
    yield lines(
        "Words heard of words spoken",
        share(f"orchestrator_words_heard_total{_T}", f"orchestrator_words_spoken_total{_T}"),
        "heard",
        unit="percentunit",
        tells="What callers cut short they did not want to hear.",
    )
    yield lines("Barge-ins", by(f"orchestrator_barge_ins_total{_T}"), "barge-ins")
    yield stack("Not understood", by(f"orchestrator_misunderstandings_total{_T}", "kind"), "{{kind}}")
    wanted = total(f"orchestrator_intents_total{_T}", "intent")
    yield bars("What callers want", f"topk(10, {wanted})", "{{intent}}")
    confidence = quantile(0.5, "orchestrator_intent_confidence_ratio")
    yield lines("Confidence of recognition, median", confidence, "median", unit="percentunit")
    yield stack("Keys", by("orchestrator_keys_pressed_total", "key"), "{{key}}")


def _worth() -> Iterator[Panel]:
    actions = by(f"orchestrator_call_actions_total{_T}", "action", "status")
    yield stack("Actions, by how they ended", actions, "{{action}}: {{status}}")
    seconds = quantile(0.95, "orchestrator_call_action_seconds", "action")
    yield lines("Duration of actions, p95", seconds, "{{action}}", unit="s")
    yield stack("Handed to people", by(f"orchestrator_handoffs_total{_T}", "outcome"), "{{outcome}}")
    yield lines(
        "Conversion",
        share(f"orchestrator_calls_converted_total{_T}", _ENDED + _T),
        "converted",
        unit="percentunit",
        tells="Of the calls that ended: those that had reached a goal.",
    )
    yield bars("Goals reached", total(f"orchestrator_goals_reached_total{_T}", "goal"), "{{goal}}")
    value = total(f"orchestrator_goal_value_total{_T}", "goal", "currency")
    yield bars("Value of goals", value, "{{goal}}, {{currency}}")
    # A client may write a whole bound as 3 or as 3.0.
    at_most_3 = f"orchestrator_satisfaction_score_bucket{_of(_LE_3)}"
    rated = f"sum(increase(orchestrator_satisfaction_score_count{_T}[$__range]))"
    yield number(
        "Satisfied callers",
        f"1 - sum(increase({at_most_3}[$__range])) / ({rated} > 0)",
        unit="percentunit",
        tells="Of those who rated, 4 or 5 of 5.",
    )
    cost = total(f"orchestrator_cost_total{_T}", "service", "currency")
    yield bars("Cost", cost, "{{service}}, {{currency}}")
    yield lines("Characters spoken", by(f"orchestrator_speech_characters_total{_T}"), "characters")
    yield stack("Tokens of language models", by(f"orchestrator_chat_tokens_total{_T}", "kind"), "{{kind}}")
