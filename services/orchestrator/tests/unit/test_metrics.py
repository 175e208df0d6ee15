"""The metrics as they are declared."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import orchestrator_app
import orchestrator_calls
from orchestrator_app.cli._metrics import document
from orchestrator_app.composition.metric_declarations import EVENTS, MISSING, SOURCES
from orchestrator_app.composition.metrics import Metrics
from orchestrator_app.composition.trial_calls import is_trial, new_trial
from orchestrator_calls.chat_responder import ChatTurn
from orchestrator_calls.events import ORCHESTRATOR, EventType
from orchestrator_calls.legs.agent import AgentEvent
from orchestrator_calls.notices import StateChanged
from orchestrator_monitoring.business_metrics import BUSINESS_METRICS, KNOWN_EVENTS
from orchestrator_monitoring.metrics import OneOf


def test_the_table_of_metrics_is_up_to_date() -> None:
    table = Path(__file__).parents[2] / "docs" / "metrics.md"
    assert table.read_text() == document(), "run `orchestrator metrics > services/orchestrator/docs/metrics.md`"


def test_every_event_of_a_call_was_thought_of() -> None:
    assert {kind.value for kind in EventType} == KNOWN_EVENTS


def test_a_state_change_is_a_move() -> None:
    # What the follower reads by name; a renamed member must not go unseen.
    assert {"call_id", "tenant", "before", "after", "reason"} <= set(StateChanged.__slots__)


def test_only_ids_that_the_page_gives_are_those_of_test_calls() -> None:
    assert is_trial(new_trial())
    for other in ("test_room", "test_" + "0" * 31, "test_" + "0" * 33, f"call_{'0' * 32}", new_trial() + "\n", ""):
        assert not is_trial(other)


def written_by(call_id: str) -> ChatTurn:
    return ChatTurn(
        call_id=call_id,
        tenant="harbour",
        outcome="answered",
        reason="",
        first_sentence=0.3,
        seconds=0.9,
        prompt_tokens=210,
        completion_tokens=9,
    )


def test_what_a_model_took_in_a_test_call_is_no_tenant_s() -> None:
    metrics = Metrics(("harbour",))
    metrics.wrote(written_by("call_1"))
    metrics.wrote(written_by(new_trial()))
    found = {(each.name, *each.labels.values()): each.value for each in metrics.counted.read()}
    assert found["orchestrator_chat_turns_total", "answered", ""] == 2
    assert found["orchestrator_chat_tokens_total", "harbour", "prompt"] == 210
    assert found["orchestrator_chat_tokens_total", "harbour", "completion"] == 9


# --- sources of events --------------------------------------------------------------------------------------------------------

TELLS = {"Event": "source", "MediaSession": 0}
"""What writes a source, and as which argument."""

PASSED_ON = {"row.source", "wire.source", "self._source", "told['source']"}
"""Sources that were written elsewhere: by a journal's row, an agent, or a socket's session."""


def written(package: ModuleType) -> Iterator[tuple[str, str]]:
    """Every source that the code of a package writes, as far as its colon, with its place."""
    for file in sorted(Path(inspect.getfile(package)).parent.rglob("*.py")):
        tree = ast.parse(file.read_text())
        constants = {
            node.target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in TELLS:
                continue
            place = TELLS[node.func.id]
            given = [node.args[place]] if isinstance(place, int) else [k.value for k in node.keywords if k.arg == place]
            assert given, f"{file}:{node.lineno} gives no source"
            if ast.unparse(given[0]) not in PASSED_ON:
                told = _text(given[0], {**constants, "ORCHESTRATOR": ORCHESTRATOR})
                yield told.partition(":")[0], f"{file}:{node.lineno}"


def _text(expression: ast.expr, constants: dict[str, object]) -> str:
    """A text as far as it is known without running it."""
    match expression:
        case ast.Constant(str(text)):
            return text
        case ast.Name(name):
            return str(constants.get(name, ""))
        case ast.JoinedStr([ast.FormattedValue(value=first), *_]):
            return _text(first, constants) + ":"
        case ast.JoinedStr([first, *_]):
            return _text(first, constants)
        case _:
            return ""


def test_every_source_that_is_written_is_declared_and_no_other() -> None:
    found = {AgentEvent.model_fields["source"].default: "AgentEvent"}
    for package in (orchestrator_app, orchestrator_calls):
        found |= dict(written(package))
    assert set(found) == set(SOURCES), found
    for metric in (EVENTS, MISSING):
        bound = metric.labels["source"]
        assert isinstance(bound, OneOf)
        assert set(bound.values) == set(SOURCES)


def test_a_call_begins_with_a_source_that_a_caller_comes_by() -> None:
    [started] = [each for each in BUSINESS_METRICS if each.name == "orchestrator_calls_started_total"]
    bound = started.labels["channel"]
    assert isinstance(bound, OneOf)
    # The orchestrator and actions come later; test calls are no business.
    assert set(bound.values) == set(SOURCES) - {"actions", "console", ORCHESTRATOR}
