"""A call is one trace: through its turns, through processes, and over a crash."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from tracing_support import FormRedactor, Traced

from orchestrator_monitoring.tracing import CALL, KEPT_BECAUSE, CallTraces

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def after(seconds):
    return START + timedelta(seconds=seconds)


@pytest.fixture
def traced():
    made = Traced(redactor=FormRedactor())
    yield made
    made.tracing.shutdown()


def told(span):
    return {key.removeprefix("orchestrator."): value for key, value in span.attributes.items()}


class TestOneProcess:
    def test_turns_are_below_their_call_and_work_below_its_turn(self, traced):
        calls = traced.tracing.calls(key=b"k")
        assert calls.seen("call-1", "harbour", after(0))
        assert not calls.seen("call-1", "harbour", after(1))
        with calls.at_turn("call-1", "call-1/t1") as turn, traced.tracer.start_as_current_span("ask the model"):
            assert turn is not None
        calls.turn_opened("call-1", "call-1/t1", kind="speech")
        calls.turn_event("call-1", "call-1/t1", "interrupted")
        calls.turn_timed("call-1", "call-1/t1", 0.25, "media")
        assert traced.spans == ()
        calls.turn_closed("call-1", "call-1/t1", after(3), outcome="answered")
        calls.ended("call-1", "harbour", after(60), state="ended", reason="hang_up")
        asked, turn, call = traced.spans
        assert (asked.name, turn.name, call.name) == ("ask the model", "turn", "call")
        assert asked.parent is turn
        assert (turn.parent.trace_id, turn.parent.span_id) == (call.trace_id, call.span_id)
        assert {asked.trace_id, turn.trace_id} == {call.trace_id}
        assert call.parent is None
        assert told(turn) == {
            "call.id": "call-1",
            "turn.id": "t1",
            "turn.kind": "speech",
            "turn.channel": "media",
            "turn.seconds": 0.25,
            "turn.outcome": "answered",
            "sampling.kept": "sampled",
        }
        assert [event.name for event in turn.events] == ["interrupted"]
        assert told(call) == {
            "call.id": "call-1",
            "call.state": "ended",
            "call.end_reason": "hang_up",
            "call.resumed": False,
            "call.turns": 1,
            "call.turns_interrupted": 1,
            "call.slowest_turn_seconds": 0.25,
            "tenant.id": "harbour",
            "sampling.kept": "call",
        }
        assert (call.seconds, call.status) == (60.0, StatusCode.UNSET)

    def test_of_a_small_share_the_call_and_what_was_slow_or_broke_is_kept(self):
        traced = Traced(ratio=0.0, slow_turn=1.0)
        calls = traced.tracing.calls()
        calls.seen("call-1", "harbour", after(0))
        for turn, seconds, outcome in [("fine", 0.9, "answered"), ("slow", 1.0, "answered"), ("broke", 0.1, "failed")]:
            calls.turn_opened("call-1", turn)
            # A long answer whose first sound came soon is not slow.
            traced.ticks.advance(30)
            calls.turn_closed(
                "call-1", turn, after(1), outcome=outcome, reason="circuit_open" if outcome == "failed" else ""
            )
            calls.turn_timed("call-1", turn, seconds, "answer")
        calls.ended("call-1", "harbour", after(60), state="failed", reason="Zoe said so")
        slow, broke, call = traced.spans
        assert (told(slow)["turn.id"], slow.attributes[KEPT_BECAUSE]) == ("slow", "slow_turn")
        assert (told(broke)["turn.id"], broke.attributes["error.type"]) == ("broke", "circuit_open")
        assert broke.attributes[KEPT_BECAUSE] == "error"
        assert (call.status, told(call)["call.end_reason"], told(call)["call.turns"]) == (StatusCode.ERROR, "other", 3)
        traced.tracing.shutdown()

    def test_a_turn_that_makes_no_sound_ends_when_it_was_closed(self, traced):
        calls = traced.tracing.calls()
        calls.seen("call-1", "harbour", START)
        traced.ticks.now = int(after(0).timestamp()) * 10**9
        calls.turn_opened("call-1", "t1", after(-1))
        calls.turn_closed("call-1", "t1", after(2), outcome="superseded")
        traced.ticks.advance(10)
        calls.turn_opened("call-1", "t2")
        [silent] = traced.spans
        assert (silent.seconds, told(silent)["turn.outcome"]) == (3.0, "superseded")
        calls.ended("call-1", "harbour", after(20), state="ended")
        assert traced.names() == ["call", "turn", "turn"]

    def test_work_that_outlives_its_turn(self, traced):
        calls = traced.tracing.calls()
        calls.seen("call-1", "harbour", START)
        with calls.at_call("call-1", "action", {"orchestrator.action.name": "book"}):
            traced.tracer.start_span("request").end()
        with pytest.raises(ValueError), calls.at_call("call-1", "action"):
            raise ValueError("zoe@example.org")
        request, action, broken = traced.spans
        assert request.parent is action
        assert action.parent.span_id == calls.place("call-1").span_id
        assert broken.status is StatusCode.ERROR
        assert broken.events[0].attributes["exception.message"] == "[email]"

    def test_what_is_not_known_is_no_fault(self, traced):
        calls = traced.tracing.calls()
        calls.turn_opened("x", "t1")
        calls.turn_event("x", "t1", "interrupted")
        calls.turn_timed("x", "t1", 1.0, "media")
        calls.turn_closed("x", "t1", START, outcome="answered")
        with calls.at_turn("x", "t1") as turn:
            assert turn is None
            assert not trace.get_current_span().is_recording()
        assert not calls.resumed("x")
        calls.ended("x", "harbour", after(5), state="ended")
        assert told(traced.only())["call.resumed"]

    def test_calls_that_are_never_ended_here_are_forgotten(self, traced):
        calls = CallTraces(traced.provider, max_calls=2)
        for number in range(3):
            calls.seen(f"call-{number}", "harbour", START)
        with calls.at_turn("call-0", "t1") as turn:
            assert turn is None
        with calls.at_turn("call-2", "t1") as turn:
            assert turn is not None

    def test_a_provider_of_the_sdk_gets_the_spans_too(self):
        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        calls = CallTraces(provider)
        calls.seen("call-1", "harbour", START)
        calls.turn_opened("call-1", "t1", START)
        calls.turn_closed("call-1", "t1", after(1), outcome="answered")
        calls.ended("call-1", "harbour", after(60), state="ended")
        assert [span.name for span in exporter.get_finished_spans()] == ["turn", "call"]
        provider.shutdown()


class TestPlaces:
    def test_the_place_is_the_call_s_and_the_key_s(self, traced):
        one, other = traced.tracing.calls(key=b"one"), traced.tracing.calls(key=b"other")
        assert one.place("call-1") == traced.tracing.calls(key=b"one").place("call-1")
        assert one.place("call-1") != one.place("call-2")
        assert one.place("call-1").trace_id != other.place("call-1").trace_id

    def test_a_share_of_the_calls_is_sampled_alike_everywhere(self, traced):
        calls = CallTraces(traced.provider, key=b"k", ratio=0.25)
        flags = [calls.place(f"call-{number}").trace_flags.sampled for number in range(2000)]
        assert abs(sum(flags) - 500) < 6 * (2000 * 0.25 * 0.75) ** 0.5
        assert flags == [
            CallTraces(traced.provider, key=b"k", ratio=0.25).place(f"call-{number}").trace_flags.sampled
            for number in range(2000)
        ]


def run(path, what):
    child = Path(__file__).with_name("tracing_process.py")
    return subprocess.run([sys.executable, child, path, what], check=False, timeout=60).returncode


def test_a_call_over_two_processes_is_one_trace(tmp_path):
    """The first one is killed in the middle of a turn; the second goes on with the call and ends it."""
    one, two = tmp_path / "one", tmp_path / "two"
    assert run(one, "begin") == -9
    assert run(two, "go-on") == 0
    spans = [json.loads(line) for path in (one, two) for line in path.read_text().splitlines()]
    assert [span["span"] for span in spans] == ["turn", "call resumed", "asked again", "turn", "call"]
    assert len({span["trace_id"] for span in spans}) == 1
    assert len({span["span_id"] for span in spans}) == len(spans)
    [root] = [span for span in spans if span["parent_id"] is None]
    assert root["span"] == "call"
    assert root["start"].startswith("1970-01-01")
    assert {span["parent_id"] for span in spans if span["span"] in {"turn", "call resumed"}} == {root["span_id"]}
    assert spans[2]["parent_id"] == spans[3]["span_id"]
    assert {span["attributes"][CALL] for span in spans if CALL in span["attributes"]} == {"call-1"}
