"""Structured logging, with whatever is installed and with the standard library alone."""

from __future__ import annotations

import enum
import io
import json
import logging
import re
import sys
import threading
import uuid
import warnings
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from importlib.util import find_spec
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr
from pydantic import ValidationError as PydanticError

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_utils import _log_sink
from orchestrator_utils._log_values import exception_tree, plain
from orchestrator_utils.correlation import bind
from orchestrator_utils.logging_adapter import LogConfig, configure, get_logger

NOON = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)


class Masking:
    """A redactor that knows mail addresses by form, and values by call."""

    def __init__(self):
        self.known = {}
        self.calls = []

    def redact_text(self, text, *, call=None):
        text = re.sub(r"[\w.]+@[\w.]+", "<mail>", text)
        for value in self.known.get(call, ()):
            text = text.replace(value, "<name>")
        return text

    def redact(self, value, *, call=None):
        self.calls.append(call)
        return self._tree(value, call)

    def _tree(self, value, call):
        if isinstance(value, str):
            return self.redact_text(value, call=call)
        if isinstance(value, dict):
            return {key: self._tree(one, call) for key, one in value.items()}
        if isinstance(value, list):
            return [self._tree(one, call) for one in value]
        return value

    def know(self, call, values):
        self.known.setdefault(call, []).extend(values)

    def forget(self, call):
        self.known.pop(call, None)


@pytest.fixture(params=["as installed", "standard library alone"], autouse=True)
def backend(request, monkeypatch):
    if request.param == "standard library alone":
        for name in ("structlog", "orjson"):
            monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def start(make_log):
    """Configure once in a test; put back what was before at its end."""
    opened = []

    def begin(**options):
        found = make_log()
        config = options.pop("config", LogConfig(level="DEBUG", format="json"))
        opened.append(configure(config, stream=found.stream, **options))
        return found

    yield begin
    for undo in reversed(opened):
        undo.close()


class TestEvents:
    def test_an_event_and_its_fields(self, start):
        log = start(now=lambda: NOON)
        get_logger("calls.leg").info("call started", leg="a", turn=3, cached=True, latency=0.25, nothing=None)
        assert log.text == (
            '{"timestamp":"2026-11-22T12:00:00.250000Z","level":"info","logger":"calls.leg","event":"call started",'
            '"leg":"a","turn":3,"cached":true,"latency":0.25,"nothing":null}\n'
        )

    @pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
    def test_every_level_has_its_method(self, start, level):
        log = start()
        getattr(get_logger("x"), level)("event")
        assert log.last["level"] == level

    def test_warn_is_warning(self, start):
        log = start()
        get_logger("x").warn("event")
        assert log.last["level"] == "warning"

    def test_bound_fields_go_with_every_event_of_that_logger_only(self, start):
        log = start()
        base = get_logger("x", service="voice")
        base.bind(call="c", leg="a").info("one", leg="b")
        base.info("two")
        assert (log.events[0]["service"], log.events[0]["call"], log.events[0]["leg"]) == ("voice", "c", "b")
        assert log.events[1]["service"] == "voice"
        assert "call" not in log.events[1]

    def test_an_event_takes_no_positional_arguments(self, start):
        start()
        with pytest.raises(TypeError):
            get_logger("x").info("call %s", "started")

    def test_what_is_below_the_level_is_dropped(self, start):
        log = start(config=LogConfig(level="warning", levels={"loud": "DEBUG", "quiet": "ERROR"}, format="json"))
        for name in ("x", "loud.child", "quiet.child"):
            for method in (get_logger(name).debug, get_logger(name).warning, get_logger(name).error):
                method(name)
            logging.getLogger(name).debug(name)
            logging.getLogger(name).warning(name)
        names = [(event["logger"], event["level"]) for event in log.events]
        assert names.count(("x", "warning")) == names.count(("loud.child", "debug")) == 2
        assert ("x", "debug") not in names
        assert ("quiet.child", "warning") not in names
        assert ("quiet.child", "error") in names

    def test_a_logger_made_before_configure_follows_every_later_one(self, start):
        logger = get_logger("early")
        first = start()
        logger.info("one")
        second = start()
        logger.info("two")
        assert [event["event"] for event in first.events] == ["one"]
        assert [event["event"] for event in second.events] == ["two"]

    @pytest.mark.parametrize("name", ["timestamp", "level", "logger", "event", "trace_id", "span_id"])
    def test_a_field_never_takes_the_place_of_the_events_own(self, start, name):
        log = start()
        get_logger("x").info("event", **{name: "mine"})
        logging.getLogger("x").info("event", extra={name: "mine"})
        for event in log.events:
            assert event[name + "_"] == "mine"
            assert (event["level"], event["logger"], event["event"]) == ("info", "x", "event")

    def test_lines_of_many_threads_stay_whole(self, start):
        log = start()

        def work(number):
            for turn in range(50):
                get_logger("x").info("event", number=number, turn=turn, text="ä" * 100)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({(event["number"], event["turn"]) for event in log.events}) == 200


class TestStandardLibrary:
    def test_extras_are_fields(self, start):
        log = start()
        logging.getLogger("orchestrator_kernel.lifecycle").warning("drain took too long", extra={"limit_seconds": 5})
        event = log.last
        assert {key: event[key] for key in ("level", "logger", "event", "limit_seconds")} == {
            "level": "warning",
            "logger": "orchestrator_kernel.lifecycle",
            "event": "drain took too long",
            "limit_seconds": 5,
        }
        assert set(event) == {"timestamp", "level", "logger", "event", "limit_seconds"}

    def test_arguments_are_put_in(self, start):
        log = start()
        logging.getLogger("x").info("%s of %d", "one", 2)
        assert log.last["event"] == "one of 2"

    def test_arguments_that_do_not_fit_are_withheld_not_printed_raw(self, start, capsys):
        log = start()
        logging.getLogger("x").info("%d calls", "zoe@example.org")
        assert "withheld" in log.last["event"]
        assert "zoe" not in log.text + capsys.readouterr().err

    def test_warnings_are_events_until_it_is_closed(self, make_log):
        log = make_log()
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            shown_by = warnings.showwarning
            with configure(LogConfig(format="json"), stream=log.stream):
                warnings.warn("old name", DeprecationWarning, stacklevel=1)
            assert warnings.showwarning is shown_by
        assert log.last["logger"] == "py.warnings"
        assert "old name" in log.last["event"]

    def test_stacks_are_kept(self, start):
        log = start()
        logging.getLogger("x").info("here", stack_info=True)
        assert "test_stacks_are_kept" in log.last["stack"]

    def test_without_configure_events_go_to_the_standard_library_with_fields_as_json(self, caplog):
        with caplog.at_level(logging.DEBUG, logger="lonely"):
            get_logger("lonely", service="voice").info("call started", leg="a", when=NOON)
            get_logger("lonely").debug("bare")
        assert caplog.messages == [
            'call started {"service":"voice","leg":"a","when":"2026-11-22T12:00:00.250000Z"}',
            "bare",
        ]
        assert (
            caplog.records[0].funcName == "test_without_configure_events_go_to_the_standard_library_with_fields_as_json"
        )

    def test_closing_restores_handlers_and_levels(self, make_log):
        handlers, level = list(logging.root.handlers), logging.root.level
        with configure(LogConfig(level="ERROR", levels={"some.lib": "DEBUG"}), stream=make_log().stream):
            assert logging.root.handlers != handlers
            assert logging.getLogger("some.lib").level == logging.DEBUG
        assert (logging.root.handlers, logging.root.level) == (handlers, level)
        assert logging.getLogger("some.lib").level == logging.NOTSET


class TestContext:
    def test_the_call_and_the_trace_are_bound(self, start):
        log = start()
        with bind(correlation_id="c", call_id="call-1", tenant_id="t") as work:
            get_logger("x").info("event")
            logging.getLogger("y").info("event")
        get_logger("x").info("event")
        expected = {
            "correlation_id": "c",
            "call_id": "call-1",
            "tenant_id": "t",
            "trace_id": work.trace_id,
            "span_id": work.span_id,
        }
        for event in log.events[:2]:
            assert expected.items() <= event.items()
        assert not expected.keys() & log.last.keys()

    def test_what_the_event_says_of_the_call_counts(self, start):
        log = start()
        with bind(call_id="call-1", correlation_id="c"):
            get_logger("x").info("event", call_id="call-2", correlation_id="d")
        assert (log.last["call_id"], log.last["correlation_id"]) == ("call-2", "d")


def raise_chain():
    secret = "local-secret"  # noqa: F841
    try:
        {}["first"]
    except KeyError as error:
        raise ValueError("second") from error


class TestExceptions:
    @pytest.mark.parametrize("door", ["exception", "exc_info", "standard library", "instance"])
    def test_type_message_frames_and_cause_and_no_local_variables(self, start, door):
        log = start()
        try:
            raise_chain()
        except ValueError as error:
            if door == "exception":
                get_logger("x").exception("failed", turn=1)
            elif door == "exc_info":
                get_logger("x").error("failed", exc_info=True, turn=1)
            elif door == "instance":
                get_logger("x").error("failed", exc_info=error, turn=1)
            else:
                logging.getLogger("x").exception("failed", extra={"turn": 1})
        event = log.last
        assert (event["level"], event["turn"]) == ("error", 1)
        assert [(one["type"], one["message"]) for one in event["exception"]] == [
            ("ValueError", "second"),
            ("KeyError", "'first'"),
        ]
        assert event["exception"][1]["relation"] == "cause"
        assert re.fullmatch(r".*test_logging_adapter\.py:\d+ raise_chain", event["exception"][0]["frames"][-1])
        assert "local-secret" not in log.text
        assert "exc_info" not in event

    def test_no_exception_is_none(self, start):
        log = start()
        get_logger("x").error("failed", exc_info=True)
        get_logger("x").error("failed", exc_info=None)
        logging.getLogger("x").error("failed", exc_info=True)  # noqa: LOG014 - the case under test
        assert all("exception" not in event for event in log.events)

    def test_groups_show_their_members(self):
        (tree,) = exception_tree(ExceptionGroup("two", [ValueError("a"), ExceptionGroup("one", [KeyError("b")])]))
        assert tree["exceptions"][0][0]["message"] == "a"
        assert tree["exceptions"][1][0]["exceptions"][0][0]["type"] == "KeyError"

    def test_a_chain_that_bites_its_tail_ends(self):
        first, second = ValueError("a"), ValueError("b")
        first.__cause__, second.__cause__ = second, first
        assert [one["message"] for one in exception_tree(first)] == ["a", "b"]

    def test_a_validation_error_does_not_quote_its_input(self, start):
        class Caller(BaseModel):
            number: int

        log = start()
        try:
            Caller.model_validate({"number": "zoe@example.org"})
        except PydanticError:
            get_logger("x").exception("failed")
        assert "zoe" not in log.text
        assert log.last["exception"][0]["message"] == "number: int_parsing"


class TestRedactor:
    def test_it_sees_everything_of_every_door(self, start):
        log = start(redactor=Masking())
        mail = "zoe@example.org"
        with bind(correlation_id=mail, call_id="call-1"):
            get_logger("x", bound=mail).info(f"from {mail}", deep={"list": [mail, (mail,)]}, path=PurePosixPath(mail))
            logging.getLogger("y").info("from %s", mail, extra={"caller": mail})
            try:
                int(mail)
            except ValueError:
                logging.getLogger("y").exception("failed")
        assert len(log.events) == 3
        assert mail not in log.text
        assert log.events[0]["deep"] == {"list": ["<mail>", ["<mail>"]]}
        assert log.events[2]["exception"][0]["message"] == "invalid literal for int() with base 10: '<mail>'"

    def test_it_works_within_the_call(self, start):
        redactor = Masking()
        redactor.know("call-1", ["Quentin"])
        log = start(redactor=redactor)
        with bind(call_id="call-1"):
            get_logger("x").info("Quentin spoke")
        get_logger("x").info("Quentin spoke", call_id="call-1")
        get_logger("x").info("Quentin spoke")
        assert [event["event"] for event in log.events] == ["<name> spoke", "<name> spoke", "Quentin spoke"]
        assert redactor.calls == ["call-1", "call-1", None]

    @pytest.mark.parametrize("answer", ["raise", "text", "none"])
    def test_its_failure_withholds_the_event_and_never_lets_it_pass(self, start, answer):
        class Failing(Masking):
            def redact(self, value, *, call=None):
                if answer == "raise":
                    raise RuntimeError("cannot: zoe@example.org")
                return "zoe@example.org" if answer == "text" else None

        log = start(redactor=Failing())
        with bind(correlation_id="zoe@example.org", call_id="zoe@example.org") as work:
            get_logger("x").error("from zoe@example.org", caller="zoe@example.org", trace_id="zoe@example.org")
            logging.getLogger("x").error("from zoe@example.org", extra={"caller": "zoe@example.org"})
        assert "zoe" not in log.text
        for event in log.events:
            assert set(event) == {"timestamp", "level", "logger", "event", "reason", "trace_id", "span_id"}
            assert (event["level"], event["event"], event["trace_id"]) == ("error", "event withheld", work.trace_id)

    def test_one_that_logs_itself_does_not_go_round_in_circles(self, start):
        class Talking(Masking):
            def redact(self, value, *, call=None):
                logging.getLogger("redactor").warning("redacting %s", value)
                return super().redact(value, call=call)

        log = start(redactor=Talking())
        get_logger("x").info("from zoe@example.org")
        assert [event["event"] for event in log.events] == ["event withheld", "from <mail>"]
        assert "zoe" not in log.text


class Colour(enum.Enum):
    RED = "red"


class Unprintable:
    def __str__(self):
        raise RuntimeError("no")


@dataclass
class Record:
    secret: SecretStr


class TestValues:
    def test_whatever_is_logged_comes_out_as_json(self, start):
        log = start()
        cycle = []
        cycle.append(cycle)
        get_logger("x").info(
            "event",
            when=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))),
            day=date(2026, 1, 2),
            utc=NOON,
            id=uuid.UUID(int=7),
            price=Decimal("1.50"),
            colour=Colour.RED,
            raw=b"secret bytes",
            items={1},
            queue=deque([1, 2]),
            mapping=OrderedDict({1: "one", None: "none"}),
            record=Record(SecretStr("hunter2")),
            broken=Unprintable(),
            big=2**70,
            small=-(2**63),
            infinite=[float("inf"), float("nan")],
            error=ValueError("bad"),
            surrogate="a\ud800b",
            newline="a\nb",
            cycle=cycle,
        )
        assert len(log.text.splitlines()) == 1
        event = log.last
        expected = {
            "when": "2026-01-02T03:04:05+02:00",
            "day": "2026-01-02",
            "utc": "2026-11-22T12:00:00.250000Z",
            "id": "00000000-0000-0000-0000-000000000007",
            "price": "1.50",
            "colour": "red",
            "raw": "<12 bytes>",
            "items": [1],
            "queue": [1, 2],
            "mapping": {"1": "one", "None": "none"},
            "broken": "<unprintable Unprintable>",
            "big": str(2**70),
            "small": -(2**63),
            "infinite": [None, None],
            "error": "ValueError: bad",
            "surrogate": "a?b",
            "newline": "a\nb",
        }
        assert {key: event[key] for key in expected} == expected
        assert "hunter2" not in log.text
        assert "\u2026" in json.dumps(event["cycle"], ensure_ascii=False)

    json_values = st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda children: st.lists(children) | st.dictionaries(st.text(), children),
        max_leaves=8,
    )

    @given(json_values)
    def test_json_values_stay_what_they_are(self, value):
        assert plain(value, depth=99) == value

    @given(st.dictionaries(st.text(), json_values))
    def test_both_renderers_say_the_same(self, event):
        renderers = [_log_sink.json_renderer]
        if find_spec("orjson") is not None:
            renderers.append(_log_sink.orjson_renderer())
        said = [json.loads(render(event)) for render in renderers]
        assert all(one == said[0] for one in said)


class TestStream:
    def test_what_cannot_be_written_does_not_end_the_work_and_is_counted(self, start):
        class Pipe(io.BytesIO):
            broken = False

            def write(self, data):
                if self.broken:
                    raise BrokenPipeError
                return super().write(data)

        pipe = Pipe()
        with configure(LogConfig(format="json"), stream=pipe):
            get_logger("x").info("one")
            pipe.broken = True
            get_logger("x").info("two")
            logging.getLogger("x").info("three")
            pipe.broken = False
            get_logger("x").info("four")
        events = [json.loads(line) for line in pipe.getvalue().splitlines()]
        assert [event["event"] for event in events] == ["one", "log lines lost", "four"]
        assert events[1]["lost"] == 2

    def test_standard_error_is_the_default(self, capfdbinary):
        with configure(LogConfig(format="json")):
            get_logger("x").info("event")
        out, err = capfdbinary.readouterr()
        assert (out, json.loads(err)["event"]) == (b"", "event")


class Terminal(io.BytesIO):
    def isatty(self):
        return True


class TestConsole:
    def test_a_terminal_gets_a_line_to_read(self):
        terminal = Terminal()
        with configure(stream=terminal, now=lambda: NOON), bind(call_id="call-1", correlation_id="c"):
            get_logger("calls").info("call started", leg="a", deep={"a": [1]})
        line = terminal.getvalue().decode()
        assert line.startswith("12:00:00.250 \x1b[32minfo    \x1b[0m call started ")
        assert " call_id=call-1 leg=a " in line
        assert 'deep={"a": [1]}' in line
        assert line.endswith(" [calls]\n")

    def test_no_colours_into_a_file(self, start):
        log = start(config=LogConfig(format="console"))
        get_logger("x").info("event")
        assert "\x1b" not in log.text

    def test_content_cannot_steer_the_terminal_nor_forge_a_line(self, start):
        log = start(config=LogConfig(format="console"))
        get_logger("x").info("a\x1b[2Jb", field="c\r\nd\u202e", **{"k\n": "v"})
        assert len(log.text.splitlines()) == 1
        assert set("\x1b\r\u202e").isdisjoint(log.text)
        assert r"a\x1b[2Jb" in log.text

    def test_exceptions_stand_below_without_local_variables(self, start):
        log = start(config=LogConfig(format="console"), redactor=Masking())
        try:
            raise_chain()
        except ValueError:
            get_logger("x").exception("failed")
        lines = log.text.splitlines()
        assert lines[1] == "  ValueError: second"
        assert "  caused by KeyError: 'first'" in lines
        assert "local-secret" not in log.text


class TestConfig:
    @pytest.mark.parametrize(
        ("options", "field"),
        [({"level": "LOUD"}, "level"), ({"levels": {"some.lib": "x"}}, "some.lib"), ({"format": "xml"}, "format")],
    )
    def test_a_wrong_setting_is_named(self, options, field):
        with pytest.raises(ConfigurationError) as caught:
            LogConfig(**options)
        assert caught.value.details["field"] == field
