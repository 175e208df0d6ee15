"""structlog's own loggers through the same sink, and orjson as the renderer."""

from __future__ import annotations

import json
import logging
import sys

import pytest
import structlog

from orchestrator_utils._log_sink import json_renderer, orjson_renderer
from orchestrator_utils.correlation import bind
from orchestrator_utils.logging_adapter import LogConfig, configure, get_logger


class TestStructlog:
    def test_its_loggers_write_the_same_lines(self, log):
        with bind(correlation_id="c", call_id="call-1"):
            structlog.get_logger("calls").bind(leg="a").info("call started", turn=3)
            get_logger("calls", leg="a").info("call started", turn=3)
        first, second = log.events
        assert {**first, "timestamp": ""} == {**second, "timestamp": ""}
        assert list(first) == list(second)

    def test_its_context_variables_reach_both(self, log):
        with structlog.contextvars.bound_contextvars(shift="night"):
            structlog.get_logger().info("one")
            get_logger("x").info("two")
        assert [event["shift"] for event in log.events] == ["night", "night"]
        assert log.events[0]["logger"] == "structlog"

    @pytest.mark.parametrize(("method", "level"), [("warn", "warning"), ("exception", "error"), ("info", "info")])
    def test_its_methods_have_the_levels_of_the_others(self, log, method, level):
        getattr(structlog.get_logger(), method)("event")
        assert log.last["level"] == level

    async def test_its_async_methods_work(self, log):
        await structlog.get_logger("x").ainfo("event")
        assert log.last["event"] == "event"

    def test_its_level_is_the_configured_one(self, make_log):
        log = make_log()
        with configure(LogConfig(level="ERROR", format="json"), stream=log.stream):
            structlog.get_logger().warning("no")
            structlog.get_logger().error("yes")
        assert [event["event"] for event in log.events] == ["yes"]

    def test_processors_that_an_application_adds_see_every_event(self, log):
        def stamp(_logger, _method, event):
            if event["event"] == "drop":
                raise structlog.DropEvent
            event["stamped"] = True
            return event

        before = structlog.get_config()["processors"]
        structlog.configure(processors=[stamp, *before])
        logger = get_logger("x", event="not the event's own")
        logger.info("keep", event="mine")
        logger.info("drop")
        structlog.get_logger().info("drop")
        assert [(event["event"], event["event_"], event["stamped"]) for event in log.events] == [("keep", "mine", True)]

    def test_its_testing_tools_work(self, log):
        with structlog.testing.capture_logs() as captured:
            get_logger("x").info("event", turn=1)
        assert captured == [{"turn": 1, "event": "event", "log_level": "info"}]
        assert log.events == []

    def test_closing_restores_what_was_configured(self, make_log):
        structlog.configure(processors=[structlog.processors.KeyValueRenderer()])
        try:
            before = structlog.get_config()["processors"]
            with configure(stream=make_log().stream):
                assert structlog.get_config()["processors"] is not before
            assert structlog.get_config()["processors"] == before
        finally:
            structlog.reset_defaults()
        with configure(stream=make_log().stream):
            assert structlog.is_configured()
        assert not structlog.is_configured()


class TestOrjson:
    def test_it_is_what_renders(self, log):
        get_logger("x").info("event", items=("a",))
        assert "orjson" in sys.modules
        assert '"items":["a"]' in log.text

    @pytest.mark.parametrize("value", [2**64, -(2**64), "\ud800", {1: 2}, {None: {(1, 2): 3}}, [object]])
    def test_what_it_refuses_comes_out_all_the_same(self, value):
        event = {"event": "event", "value": value}
        assert json.loads(orjson_renderer()(event)) == json.loads(json_renderer(event))


def test_a_record_of_the_standard_library_and_an_event_look_the_same(log):
    get_logger("x").warning("event", turn=1)
    logging.getLogger("x").warning("event", extra={"turn": 1})
    first, second = ({**event, "timestamp": ""} for event in log.events)
    assert first == second
