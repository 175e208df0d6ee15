"""Correlation and the W3C trace context, on HTTP, on WebSockets and outside of both."""

from __future__ import annotations

import asyncio
import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator_kernel.models import IDENTIFIER
from orchestrator_utils._context import is_identifier
from orchestrator_utils._trace_context import parse_traceparent, parse_tracestate
from orchestrator_utils.correlation import CorrelationMiddleware, bind, current, outgoing_headers

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"
TRACEPARENT_00 = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]")


class Recorder:
    """An application that remembers what it belonged to, and answers."""

    def __init__(self, headers=()):
        self.seen = []
        self.outgoing = []
        self.headers = list(headers)

    async def __call__(self, scope, receive, send):
        self.seen.append(current())
        self.outgoing.append(outgoing_headers())
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": self.headers})
            await send({"type": "http.response.body", "body": b"ok"})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.accept"})


async def ask(http, headers=(), **options):
    app = Recorder()
    exchange = await http(CorrelationMiddleware(app, **options), headers=headers)
    assert exchange.raised is None
    return exchange, app.seen[0], app.outgoing[0]


class TestCorrelationId:
    async def test_a_valid_one_is_kept_and_sent_back(self, http):
        exchange, seen, outgoing = await ask(http, {"X-Correlation-ID": "order-7.a:b@c+d_e"})
        assert exchange.headers["x-correlation-id"] == seen.correlation_id == "order-7.a:b@c+d_e"
        assert outgoing["X-Correlation-ID"] == "order-7.a:b@c+d_e"

    async def test_without_one_every_request_gets_its_own(self, http):
        first, _, _ = await ask(http)
        second, _, _ = await ask(http)
        assert re.fullmatch("[0-9a-f]{32}", first.headers["x-correlation-id"])
        assert first.headers["x-correlation-id"] != second.headers["x-correlation-id"]

    @pytest.mark.parametrize(
        "bad",
        [
            "",
            " ",
            "a b",
            "x" * 129,
            "-a",
            "a\r\nSet-Cookie: b=c",
            "a\n",
            '{"a":1}',
            "ä",
            "a;b",
            "\x1b[31m",
            "../etc/passwd",
        ],
    )
    async def test_what_could_be_injected_somewhere_is_replaced(self, http, bad):
        exchange, seen, _ = await ask(http, {"X-Correlation-ID": bad})
        assert exchange.headers["x-correlation-id"] == seen.correlation_id != bad
        assert re.fullmatch("[0-9a-f]{32}", seen.correlation_id)

    async def test_of_two_none_counts(self, http):
        _, seen, _ = await ask(http, [("X-Correlation-ID", "a"), ("X-Correlation-ID", "b"), ("X-Correlation-ID", "c")])
        assert seen.correlation_id not in {"a", "b", "c", "a,b"}

    async def test_it_replaces_what_the_application_set_itself(self, http):
        app = Recorder([(b"x-correlation-id", b"other"), (b"content-type", b"text/plain")])
        for _ in range(2):  # the application's own list of headers is not touched
            exchange = await http(CorrelationMiddleware(app), headers={"X-Correlation-ID": "mine"})
            assert exchange.headers["x-correlation-id"] == "mine"
            assert exchange.headers["content-type"] == "text/plain"

    @given(st.text(max_size=140) | st.from_regex(IDENTIFIER, fullmatch=True))
    @example("a" * 128)
    @example("a" * 129)
    def test_the_rule_is_the_kernels_identifier(self, text):
        assert bool(is_identifier(text.encode("utf-8", "surrogatepass"))) == bool(re.fullmatch(IDENTIFIER[1:-1], text))


class TestTrace:
    async def test_a_valid_trace_goes_on_with_a_span_of_our_own(self, http):
        exchange, seen, outgoing = await ask(http, {"traceparent": PARENT, "tracestate": "rojo=1, congo=t61rcWkgMzE"})
        assert (seen.trace_id, seen.parent_id, seen.flags, seen.sampled) == (TRACE, SPAN, 1, True)
        assert seen.span_id != SPAN
        assert exchange.headers["traceresponse"] == seen.traceparent == f"00-{TRACE}-{seen.span_id}-01"
        assert outgoing["tracestate"] == "rojo=1,congo=t61rcWkgMzE"
        assert outgoing["traceparent"].startswith(f"00-{TRACE}-")
        assert outgoing["traceparent"].split("-")[2] not in {SPAN, seen.span_id}

    async def test_every_outgoing_request_is_a_span_of_its_own(self):
        with bind():
            spans = {outgoing_headers()["traceparent"] for _ in range(100)}
        assert len(spans) == 100

    async def test_a_new_trace_is_random_and_not_sampled(self, http):
        exchange, seen, outgoing = await ask(http)
        assert TRACEPARENT_00.fullmatch(exchange.headers["traceresponse"])
        assert (seen.flags, seen.sampled, seen.parent_id, seen.tracestate) == (2, False, "", "")
        assert "tracestate" not in outgoing

    @pytest.mark.parametrize(
        "bad",
        [
            "",
            "00",
            PARENT[:-1],
            PARENT + "0",
            PARENT + "-",
            PARENT + "-what-the-future-brings",
            PARENT.upper(),
            PARENT.replace("00-", "ff-", 1),
            PARENT.replace("00-", "0g-", 1),
            PARENT.replace("00-", "0-", 1) + "0",
            PARENT.replace("-", "_"),
            PARENT.replace("-", " "),
            f"00-{'0' * 32}-{SPAN}-01",
            f"00-{TRACE}-{'0' * 16}-01",
            f"00-{TRACE[:-1]}-{SPAN}0-01",
            f"00-{TRACE}-{SPAN}-0",
            f"00-{TRACE}-{SPAN}-0x",
            f"00-{TRACE}-{SPAN[:-1]}+-01",
            f"00-{TRACE}-{SPAN}-01\n",
            f"cc-{TRACE}-{SPAN}-01.what",
            f"cc-{TRACE}-{SPAN}-0",
        ],
    )
    async def test_an_invalid_traceparent_starts_a_new_trace_and_its_tracestate_is_not_read(self, http, bad):
        _, seen, _ = await ask(http, {"traceparent": bad, "tracestate": "rojo=1"})
        assert seen.trace_id != TRACE
        assert (seen.parent_id, seen.tracestate) == ("", "")

    @pytest.mark.parametrize("suffix", ["", "-", "-what-the-future-will-be-like"])
    async def test_a_later_version_is_read_and_answered_as_version_00(self, http, suffix):
        exchange, seen, _ = await ask(http, {"traceparent": f"cc-{TRACE}-{SPAN}-01{suffix}"})
        assert (seen.trace_id, seen.parent_id) == (TRACE, SPAN)
        assert exchange.headers["traceresponse"].startswith("00-")

    async def test_white_space_around_is_ignored(self, http):
        _, seen, _ = await ask(http, {"traceparent": f" \t{PARENT}\t "})
        assert seen.trace_id == TRACE

    async def test_two_of_them_start_a_new_trace(self, http):
        _, seen, _ = await ask(http, [("traceparent", PARENT), ("traceparent", PARENT)])
        assert seen.trace_id != TRACE

    async def test_reserved_flags_are_not_passed_on(self, http):
        _, seen, outgoing = await ask(http, {"traceparent": PARENT[:-2] + "ff"})
        assert seen.flags == 3
        assert outgoing["traceparent"].endswith("-03")

    async def test_tracestate_may_come_in_several_headers(self, http):
        headers = [("traceparent", PARENT), ("tracestate", "a=1,"), ("tracestate", ""), ("tracestate", " ,b=2")]
        _, seen, _ = await ask(http, headers)
        assert seen.tracestate == "a=1,b=2"

    async def test_at_a_trust_boundary_everything_starts_anew(self, http):
        headers = {"traceparent": PARENT, "tracestate": "a=1", "X-Correlation-ID": "mine"}
        _, seen, _ = await ask(http, headers, trust_incoming=False)
        assert (seen.trace_id != TRACE, seen.tracestate, seen.correlation_id != "mine") == (True, "", True)

    @given(
        st.binary(max_size=70)
        | st.from_regex(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", fullmatch=True)
    )
    def test_the_parser_agrees_with_the_grammar(self, value):
        grammar = (
            rb"(?!ff)(?!00.{53}-)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
        )
        match = re.fullmatch(grammar, value.strip(b" \t"), re.DOTALL)
        expected = b"00-%b-%b-%02x" % (match[1], match[2], int(match[3], 16) & 3) if match else b""
        assert parse_traceparent(value) == expected


KEYS = st.from_regex(r"[a-z0-9][a-z0-9_\-*/@]{0,20}", fullmatch=True)
VALUES = (
    st.text(sorted(set(map(chr, range(0x20, 0x7F))) - {",", "="}), min_size=1, max_size=40).map(str.strip).filter(bool)
)


class TestTracestate:
    @pytest.mark.parametrize(
        "bad",
        [
            "foo",
            "=1",
            "foo=",
            "foo=,bar=3",
            "foo=bar=baz",
            "FOO=1",
            "fo o=1",
            "f;o=1",
            ".a=1",
            "a=\x00",
            "a=\u00e9",
            "x" * 257 + "=1",
        ],
    )
    def test_one_bad_member_spoils_it(self, bad):
        assert parse_tracestate(f"ok=1,{bad}".encode()) == ""

    def test_32_members_pass_and_33_do_not(self):
        members = [f"k{number}={number}" for number in range(33)]
        assert parse_tracestate(",".join(members[:32]).encode()) == ",".join(members[:32])
        assert parse_tracestate(",".join(members).encode()) == ""

    def test_a_repeated_key_counts_once(self):
        assert parse_tracestate(b"a=1,b=2,a=3") == "a=1,b=2"

    def test_what_is_too_long_is_shortened_the_way_the_specification_asks(self):
        long, short = "big=" + "x" * 200, [f"k{number}=" + "y" * 60 for number in range(9)]
        passed = parse_tracestate(",".join([long, *short]).encode())
        assert len(passed) <= 512
        assert passed == ",".join(short[:8])

    @given(st.dictionaries(KEYS, VALUES, max_size=10))
    def test_valid_members_come_through_unchanged_and_in_order(self, members):
        text = ",".join(f"{key}={value}" for key, value in members.items())
        passed = parse_tracestate(text.encode())
        assert passed == text if len(text) <= 512 else text.startswith(passed + ",")

    @given(st.binary(max_size=600))
    def test_nothing_breaks_it_and_nothing_unprintable_gets_through(self, value):
        passed = parse_tracestate(value)
        assert len(passed) <= 512
        assert set(passed) <= set(string.printable) - set("\r\n\t\x0b\x0c")


class TestContext:
    async def test_it_is_gone_after_the_request(self, http):
        await ask(http)
        assert current() is None
        assert outgoing_headers() == {}

    async def test_the_outer_context_is_back_after_the_request_also_after_an_error(self, http):
        async def failing(scope, receive, send):
            raise KeyError("x")

        with bind(call_id="outer") as outer:
            exchange = await http(CorrelationMiddleware(failing))
            assert isinstance(exchange.raised, KeyError)
            assert current() == outer

    async def test_concurrent_requests_do_not_see_each_other(self, http):
        seen = {}

        async def app(scope, receive, send):
            before = current()
            await asyncio.sleep(0)
            with bind(call_id=scope["path"]):
                await asyncio.sleep(0)
                seen[scope["path"]] = (before.correlation_id, current().correlation_id, current().call_id)

        wrapped = CorrelationMiddleware(app)
        await asyncio.gather(*(http(wrapped, f"/{n}", headers={"X-Correlation-ID": f"c{n}"}) for n in range(20)))
        assert seen == {f"/{n}": (f"c{n}", f"c{n}", f"/{n}") for n in range(20)}

    async def test_tasks_started_inside_belong_to_the_request(self, http):
        found = []

        async def child():
            found.append(current())

        async def app(scope, receive, send):
            await asyncio.create_task(child())
            found.append(current())

        await http(CorrelationMiddleware(app))
        assert found[0] == found[1] is not None

    async def test_a_second_middleware_further_in_does_nothing(self, http):
        app = Recorder()
        exchange = await http(CorrelationMiddleware(CorrelationMiddleware(app)))
        assert exchange.headers["x-correlation-id"] == app.seen[0].correlation_id

    async def test_the_lifespan_passes_untouched(self):
        app = Recorder()
        await CorrelationMiddleware(app)({"type": "lifespan"}, None, None)
        assert app.seen == [None]


class TestWebSocket:
    async def test_the_accept_carries_the_ids(self, websocket):
        app = Recorder()
        headers = {"X-Correlation-ID": "mine", "traceparent": PARENT}
        exchange = await websocket(CorrelationMiddleware(app), headers=headers)
        assert exchange.headers == {"x-correlation-id": "mine", "traceresponse": app.seen[0].traceparent}
        assert app.seen[0].trace_id == TRACE

    async def test_a_refused_handshake_carries_them_too(self, websocket):
        async def app(scope, receive, send):
            await send({"type": "websocket.http.response.start", "status": 403, "headers": [(b"a", b"b")]})
            await send({"type": "websocket.http.response.body", "body": b""})

        exchange = await websocket(CorrelationMiddleware(app), headers={"X-Correlation-ID": "mine"}, denial=True)
        assert exchange.headers["x-correlation-id"] == "mine"
        assert exchange.headers["a"] == "b"


class TestBind:
    def test_it_nests_and_keeps_what_is_not_given(self):
        with bind(correlation_id="c", call_id="call-1", tenant_id="t") as outer:
            with bind(call_id="call-2") as inner:
                assert (inner.correlation_id, inner.call_id, inner.tenant_id) == ("c", "call-2", "t")
                assert (inner.trace_id, inner.parent_id) == (outer.trace_id, outer.span_id)
                assert current() == inner
            assert current() == outer
        assert current() is None

    def test_queued_work_goes_on_where_it_was_queued(self):
        with bind(correlation_id="c") as queued:
            headers = outgoing_headers()
        with bind(headers=headers) as work:
            assert (work.correlation_id, work.trace_id) == ("c", queued.trace_id)
            assert work.parent_id == headers["traceparent"].split("-")[2]

    @pytest.mark.parametrize(
        "headers", [{}, {"traceparent": "\u20ac" * 55}, {"X-Correlation-ID": "a\nb"}, {"\u20ac": "x"}]
    )
    def test_headers_from_anywhere_are_read_as_strictly_as_a_request(self, headers):
        with bind(headers=headers) as work:
            assert re.fullmatch("[0-9a-f]{32}", work.correlation_id)

    @pytest.mark.parametrize("bad", ["", "a b", "x" * 129, "\ud800", "\u00e4"])
    def test_a_bad_correlation_id_is_ignored(self, bad):
        with bind(correlation_id=bad) as work:
            assert re.fullmatch("[0-9a-f]{32}", work.correlation_id)

    def test_it_ends_with_an_error_too(self):
        with pytest.raises(RuntimeError), bind():
            raise RuntimeError
        assert current() is None

    def test_as_a_decorator_every_call_is_a_trace_of_its_own(self):
        @bind(call_id="call-1")
        def work():
            return current()

        assert work().call_id == "call-1"
        assert work().trace_id != work().trace_id
