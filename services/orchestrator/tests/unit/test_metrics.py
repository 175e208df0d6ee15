"""The metrics as they are declared."""

from __future__ import annotations

from pathlib import Path

from orchestrator_app.cli._metrics import document
from orchestrator_calls.events import EventType
from orchestrator_calls.notices import StateChanged
from orchestrator_monitoring.business_metrics import KNOWN_EVENTS


def test_the_table_of_metrics_is_up_to_date() -> None:
    table = Path(__file__).parents[2] / "docs" / "metrics.md"
    assert table.read_text() == document(), "run `orchestrator metrics > services/orchestrator/docs/metrics.md`"


def test_every_event_of_a_call_was_thought_of() -> None:
    assert {kind.value for kind in EventType} == KNOWN_EVENTS


def test_a_state_change_is_a_move() -> None:
    # What the follower reads by name; a renamed member must not go unseen.
    assert {"call_id", "tenant", "before", "after", "reason"} <= set(StateChanged.__slots__)
