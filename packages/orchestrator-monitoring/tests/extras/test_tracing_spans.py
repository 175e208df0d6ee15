"""Spans: OpenTelemetry's interface kept, personal data out, and only what is worth it exported."""

import gc
import threading
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import get_current
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from tracing_support import SECOND, FormRedactor, Ticks, Traced

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring._tracing.segment import Rules
from orchestrator_monitoring.metrics import Metrics
from orchestrator_monitoring.tracing import (
    CALL,
    KEPT_BECAUSE,
    TRACING_METRICS,
    Tracing,
    TracingCollector,
    TracingConfig,
    recorded_trace_id,
)


@pytest.fixture
def traced():
    made = Traced()
    yield made
    made.tracing.shutdown()


class TestSpans:
    def test_a_span_tells_what_it_was_told(self, traced):
        with traced.tracer.start_as_current_span("work", kind=SpanKind.CLIENT, attributes={"a": 1, "b": True}) as span:
            traced.ticks.advance(0.25)
            span.add_event("halfway", {"step": 2.5})
            traced.ticks.advance(0.25)
            span.set_attributes({"c": "text", "d": [1, 2]})
            span.update_name("better")
        kept = traced.only()
        assert (kept.name, kept.kind, kept.scope) == ("better", SpanKind.CLIENT, ("test", "1.2"))
        assert kept.attributes == {"a": 1, "b": True, "c": "text", "d": (1, 2), KEPT_BECAUSE: "sampled"}
        assert kept.seconds == 0.5
        [event] = kept.events
        assert (event.name, event.attributes, event.at - kept.start) == ("halfway", {"step": 2.5}, SECOND // 4)
        assert kept.status is StatusCode.UNSET

    def test_children_are_of_the_same_trace_and_below_their_parent(self, traced):
        with traced.tracer.start_as_current_span("outer") as outer:
            with traced.tracer.start_as_current_span("inner") as inner:
                assert trace.get_current_span() is inner
            assert trace.get_current_span() is outer
        below, above = traced.spans
        assert (below.name, above.name, above.parent) == ("inner", "outer", None)
        assert below.parent is outer
        assert below.trace_id == above.trace_id
        assert len({below.span_id, above.span_id}) == 2

    def test_an_error_is_told_and_raised(self, traced):
        with pytest.raises(ValueError, match="no"), traced.tracer.start_as_current_span("work"):
            raise ValueError("no")
        kept = traced.only()
        assert kept.status is StatusCode.ERROR
        [event] = kept.events
        assert event.attributes["exception.type"] == "ValueError"
        assert "test_an_error_is_told_and_raised" in event.attributes["exception.stacktrace"]

    def test_start_span_is_a_context_manager_too(self, traced):
        with pytest.raises(KeyError), traced.tracer.start_span("work"):
            raise KeyError("x")
        assert traced.only().status is StatusCode.ERROR

    def test_a_span_that_has_ended_changes_no_more(self, traced):
        span = traced.tracer.start_span("work")
        span.end()
        traced.ticks.advance(1)
        span.set_attribute("late", 1)
        span.add_event("late")
        span.add_link(SpanContext(1, 1, is_remote=True))
        span.update_name("late")
        span.set_status(StatusCode.ERROR)
        span.end()
        kept = traced.only()
        assert (kept.name, kept.attributes, kept.events, kept.links) == ("work", {KEPT_BECAUSE: "sampled"}, (), ())
        assert (kept.status, kept.seconds, span.is_recording()) == (StatusCode.UNSET, 0.0, False)

    def test_status_ok_is_final_and_unset_takes_nothing_back(self, traced):
        span = traced.tracer.start_span("work")
        span.set_status(Status(StatusCode.ERROR, "broke"))
        span.set_status(StatusCode.UNSET)
        assert span.status is StatusCode.ERROR
        span.set_status(StatusCode.OK)
        span.set_status(StatusCode.ERROR)
        assert span.status is StatusCode.OK

    def test_links_and_given_times(self, traced):
        other = SpanContext(5, 6, is_remote=True, trace_flags=TraceFlags(1))
        span = traced.tracer.start_span("work", links=[Link(other, {"why": "cause"})], start_time=100)
        span.add_link(SpanContext(0, 0, is_remote=False))
        span.end(50)
        kept = traced.only()
        assert [(link.context, dict(link.attributes)) for link in kept.links] == [(other, {"why": "cause"})]
        assert (kept.start, kept.end_time) == (100, 100)

    def test_what_is_too_much_is_counted(self, traced):
        span = traced.tracer.start_span("work")
        for number in range(70):
            span.set_attribute(f"key{number}", number)
            span.add_event(f"event{number}")
        span.set_attribute("object", object())
        span.set_attribute("mixed", [1, "a"])
        span.end()
        kept = traced.only()
        assert (len(kept.attributes), len(kept.events), kept.lost) == (65, 64, 6 + 6 + 2)

    def test_long_texts_are_cut(self, traced):
        span = traced.tracer.start_span("work", attributes={"a": "x" * 5000, "b": ["y"] * 100})
        assert (len(span.attributes["a"]), len(span.attributes["b"])) == (1024, 64)

    def test_the_wall_clock_may_be_set(self, traced):
        """Within a request no span ends before it began, though the clock goes back."""
        wall, ticks = Ticks(), Ticks(7)
        made = Tracing(exporter=traced.exporter, wall=wall, ticks=ticks)
        tracer = made.provider.get_tracer("test")
        with tracer.start_as_current_span("outer"):
            wall.now -= 3600 * SECOND
            ticks.advance(1)
            with tracer.start_as_current_span("inner"):
                ticks.advance(1)
        assert made.flush()
        inner, outer = traced.exporter.spans
        assert outer.start + SECOND == inner.start
        assert inner.end_time == outer.end_time == outer.start + 2 * SECOND
        made.shutdown()

    def test_exemplars_name_the_sampled_trace(self, traced):
        assert recorded_trace_id() == ""
        with traced.tracer.start_as_current_span("work") as span:
            assert recorded_trace_id() == f"{span.trace_id:032x}"
        unsampled = Traced(ratio=0.0)
        with unsampled.tracer.start_as_current_span("work"):
            assert recorded_trace_id() == ""
        unsampled.tracing.shutdown()

    def test_what_became_of_spans_is_a_metric(self, traced):
        metrics = Metrics([])
        metrics.carry(TracingCollector(traced.tracing), TRACING_METRICS)
        traced.tracer.start_span("work").end()
        assert traced.tracing.flush()
        read = {(sample.name, sample.labels.get("fate")): sample.value for sample in metrics.read()}
        assert read["orchestrator_trace_spans_total", "exported"] == 1
        assert read["orchestrator_trace_spans_total", "queue_full"] == 0
        assert read["orchestrator_trace_spans_waiting", None] == 0

    def test_it_can_be_the_global_provider(self, traced):
        assert trace.get_tracer("mine", tracer_provider=traced.provider).start_span("x").is_recording()
        assert not trace.get_current_span().is_recording()
        assert get_current() is not None


class TestPersonalData:
    def kept(self, redactor, attributes, **more):
        traced = Traced(redactor=redactor)
        with traced.tracer.start_as_current_span("work", attributes=attributes, **more):
            pass
        kept = traced.only()
        traced.tracing.shutdown()
        return {key: value for key, value in kept.attributes.items() if key != KEPT_BECAUSE}

    def test_a_marked_attribute_is_redacted(self):
        told = {"caller.pii.words": "write to zoe@example.org", "pii.digits": ["+49 30 1234567", "ok"]}
        assert self.kept(FormRedactor(), told) == {
            "caller.pii.words": "write to [email]",
            "pii.digits": ("[phone]", "ok"),
        }

    def test_without_a_redactor_it_is_left_out(self):
        assert self.kept(None, {"caller.pii.words": "hello", "x.pii": 1, "piikey": "stays"}) == {"piikey": "stays"}

    def test_texts_of_unknown_keys_are_redacted_unmarked(self):
        told = {"user.name": "zoe@example.org", "db.operation.name": "SELECT", "count": 3}
        assert self.kept(FormRedactor(), told) == {"user.name": "[email]", "db.operation.name": "SELECT", "count": 3}

    def test_what_is_known_of_a_call_goes_in_it_and_below_it(self):
        redactor = FormRedactor()
        redactor.know("call-1", ["Quentin"])
        traced = Traced(redactor=redactor)
        with traced.tracer.start_as_current_span("call", attributes={CALL: "call-1", "who": "Quentin"}):  # noqa: SIM117
            with traced.tracer.start_as_current_span("turn", attributes={"who": "Quentin"}) as turn:
                turn.add_event("said", {"words": "I am Quentin"})
        turn, call = traced.spans
        assert (turn.attributes["who"], call.attributes["who"]) == ("[known]", "[known]")
        assert turn.events[0].attributes == {"words": "I am [known]"}
        assert call.attributes[CALL] == "call-1"
        traced.tracing.shutdown()

    def test_a_number_in_the_name_of_a_call_is_redacted(self):
        for redactor in (FormRedactor(), None):
            assert self.kept(redactor, {CALL: "call-_+4930123456789_x"}) == {CALL: "call-_[number]_x"}

    @pytest.mark.parametrize("redactor", [None, FormRedactor()])
    def test_messages_of_errors(self, redactor):
        traced = Traced(redactor=redactor)
        with pytest.raises(RuntimeError), traced.tracer.start_as_current_span("work"):
            raise RuntimeError("zoe@example.org is not known")
        kept = traced.only()
        message = None if redactor is None else "[email] is not known"
        assert kept.events[0].attributes.get("exception.message") == message
        assert kept.status_text == (None if redactor is None else "RuntimeError: [email] is not known")
        assert "zoe" not in repr((kept.attributes, kept.events, kept.status_text))
        traced.tracing.shutdown()


class TestSampling:
    def test_a_share_of_the_traces_is_kept_and_the_rest_is_counted(self):
        traced = Traced(ratio=0.25)
        for _ in range(2000):
            with traced.tracer.start_as_current_span("root"), traced.tracer.start_as_current_span("below"):
                pass
        kept = traced.counts()
        assert kept["exported"] + kept["sampled_out"] == 4000
        # Six standard deviations.
        assert abs(kept["exported"] / 2 - 500) < 6 * (2000 * 0.25 * 0.75) ** 0.5
        assert traced.names().count("root") == traced.names().count("below")
        traced.tracing.shutdown()

    @given(st.integers(1, 2**128 - 1), st.floats(0, 1), st.floats(0, 1))
    def test_what_a_small_share_keeps_a_larger_one_keeps_too(self, trace_id, one, other):
        small, large = sorted((one, other))
        if Rules(ratio=small).sampled(trace_id):
            assert Rules(ratio=large).sampled(trace_id)
        assert Rules(ratio=1.0).sampled(trace_id)
        assert not Rules(ratio=0.0).sampled(trace_id)

    def test_an_error_anywhere_below_keeps_all_of_it(self):
        traced = Traced(ratio=0.0)
        with traced.tracer.start_as_current_span("root"):
            with traced.tracer.start_as_current_span("fine"):
                pass
            with pytest.raises(ValueError), traced.tracer.start_as_current_span("broken"):
                raise ValueError
        assert traced.names() == ["broken", "fine", "root"]
        assert traced.exporter.named("root")[0].attributes[KEPT_BECAUSE] == "error"
        assert traced.counts() == {"exported": 3}
        traced.tracing.shutdown()

    @pytest.mark.parametrize(("seconds", "kept"), [(0.999, []), (1.0, ["root"])])
    def test_slowness_keeps(self, seconds, kept):
        traced = Traced(ratio=0.0, slow=1.0)
        with traced.tracer.start_as_current_span("root"):
            traced.ticks.advance(seconds)
        assert traced.names() == kept
        traced.tracing.shutdown()

    def test_whoever_called_may_have_decided(self):
        traced = Traced(ratio=0.0)
        for flags in (0, 1):
            remote = trace.NonRecordingSpan(SpanContext(9, 9, is_remote=True, trace_flags=TraceFlags(flags)))
            traced.tracer.start_span(f"flags {flags}", trace.set_span_in_context(remote)).end()
        kept = traced.only()
        assert (kept.name, kept.trace_id, kept.parent.span_id) == ("flags 1", 9, 9)
        traced.tracing.shutdown()

    def test_work_that_ends_after_its_root(self):
        traced = Traced(ratio=0.0)
        root = traced.tracer.start_span("root")
        below = trace.set_span_in_context(root)
        fine, broken = traced.tracer.start_span("fine", below), traced.tracer.start_span("broken", below)
        root.end()
        fine.end()
        broken.set_status(StatusCode.ERROR)
        broken.end()
        assert traced.names() == ["broken"]
        assert traced.counts() == {"exported": 1, "sampled_out": 2}
        traced.tracing.shutdown()

    def test_what_waits_is_bounded_and_the_loss_is_counted(self):
        traced = Traced(max_segment_spans=10)
        with traced.tracer.start_as_current_span("root"):
            for _ in range(15):
                traced.tracer.start_span("below").end()
        assert traced.names() == ["below"] * 10 + ["root"]
        assert traced.counts() == {"exported": 11, "segment_full": 5}
        traced.tracing.shutdown()

    def test_beyond_the_most_requests_only_their_first_spans_are_kept(self):
        traced = Traced(max_segments=2)
        roots = [traced.tracer.start_span(f"root{number}") for number in range(3)]
        for root in roots:
            traced.tracer.start_span("below", trace.set_span_in_context(root)).end()
        for root in roots:
            root.end()
        assert traced.names() == ["below", "below", "root0", "root1", "root2"]
        assert traced.counts() == {"exported": 5, "segment_full": 1}
        traced.tracing.shutdown()

    def test_a_root_that_nobody_ends_is_counted_and_holds_nothing(self):
        traced = Traced(max_segments=1)
        root = traced.tracer.start_span("root")
        traced.tracer.start_span("below", trace.set_span_in_context(root)).end()
        del root
        gc.collect()
        assert traced.counts() == {"abandoned": 2}
        with traced.tracer.start_as_current_span("next"), traced.tracer.start_as_current_span("below"):
            pass
        assert traced.names() == ["below", "next"]
        traced.tracing.shutdown()

    @settings(max_examples=30, deadline=None)
    @given(st.data())
    def test_every_span_that_ended_is_counted_once(self, data):
        traced = Traced(ratio=data.draw(st.sampled_from([0.0, 0.5, 1.0])), max_segment_spans=3, max_segments=2)
        open_spans, ended = [], 0
        for _ in range(data.draw(st.integers(1, 30))):
            if open_spans and data.draw(st.booleans()):
                span = open_spans.pop(data.draw(st.integers(0, len(open_spans) - 1)))
                if data.draw(st.booleans()):
                    span.set_status(StatusCode.ERROR)
                span.end()
                ended += 1
            else:
                above = data.draw(st.sampled_from([None, *open_spans]))
                context = None if above is None else trace.set_span_in_context(above)
                open_spans.append(traced.tracer.start_span("x", context))
        for span in open_spans:
            span.end()
            ended += 1
        assert sum(traced.counts().values()) == ended == sum(traced.counts().values())
        traced.tracing.shutdown()

    def test_threads_lose_no_span(self):
        traced = Traced(queue=100_000)

        def work():
            for _ in range(500):
                with traced.tracer.start_as_current_span("root"), traced.tracer.start_as_current_span("below"):
                    pass

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert traced.counts() == {"exported": 4000}
        traced.tracing.shutdown()


class TestSettings:
    @pytest.mark.parametrize(
        "wrong", [{"ratio": 1.1}, {"ratio": -0.1}, {"slow": 0}, {"queue": 0}, {"interval": inf}, {"batch": -1}]
    )
    def test_a_wrong_setting_is_refused_by_its_name(self, wrong):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            TracingConfig(**wrong)
