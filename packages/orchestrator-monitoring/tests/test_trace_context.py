"""Trace Context level 2: the table of the recommendation, and what no table holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ValidationError
from orchestrator_monitoring.trace_context import (
    TraceParent,
    TraceState,
    parse_headers,
    parse_traceparent,
    parse_tracestate,
)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TAIL = f"{TRACE}-{SPAN}"
LONG_KEY, LONG_VALUE = "k" * 256, "v" * 256


def many(count):
    return ",".join(f"k{number}=v" for number in range(count))


# The header, and what is to be sent on: None where the header counts as absent. A span's own id is not part of this table.
PARENTS = [
    (f"00-{TAIL}-00", "00"),
    (f"00-{TAIL}-01", "01"),
    (f"00-{TAIL}-02", "02"),
    (f"00-{TAIL}-03", "03"),
    # Flags that are not defined are not passed on.
    (f"00-{TAIL}-ff", "03"),
    (f"00-{TAIL}-04", "00"),
    (f"00-{TAIL}-09", "01"),
    # White space around a field value is no part of it.
    (f" 00-{TAIL}-01", "01"),
    (f"00-{TAIL}-01 ", "01"),
    (f"\t00-{TAIL}-01\t ", "01"),
    # Later versions: four fields, then nothing or a dash and anything.
    (f"01-{TAIL}-01", "01"),
    (f"cc-{TAIL}-01", "01"),
    (f"fe-{TAIL}-00", "00"),
    (f"cc-{TAIL}-01-what-the-future-will-be-like", "01"),
    (f"cc-{TAIL}-01-", "01"),
    (f"cc-{TAIL}-01.what-the-future-will-be-like", None),
    (f"cc-{TAIL}-010", None),
    (f"cc-{TAIL}", None),
    (f"ff-{TAIL}-01", None),
    # Version 00 has exactly four fields.
    (f"00-{TAIL}-01-", None),
    (f"00-{TAIL}-01-what", None),
    (f"00-{TAIL}-01.", None),
    (f"00-{TAIL}", None),
    (f"00-{TAIL}-", None),
    (f"00-{TRACE}-01", None),
    # The version.
    (f"0-{TAIL}-01", None),
    (f"000-{TAIL}-01", None),
    (f"-{TAIL}-01", None),
    (f".0-{TAIL}-01", None),
    (f"0.-{TAIL}-01", None),
    (f"CC-{TAIL}-01", None),
    (f"{TAIL}-01", None),
    # The trace id.
    (f"00-{'0' * 32}-{SPAN}-01", None),
    (f"00-{'0' * 31}1-{SPAN}-01", "01"),
    (f"00-{TRACE[:-1]}-{SPAN}-01", None),
    (f"00-{TRACE}0-{SPAN}-01", None),
    (f"00-.{TRACE[1:]}-{SPAN}-01", None),
    (f"00-{TRACE[:-1]}.-{SPAN}-01", None),
    (f"00-{TRACE.upper()}-{SPAN}-01", None),
    (f"00-{TRACE[:-1]}g-{SPAN}-01", None),
    # The parent id.
    (f"00-{TRACE}-{'0' * 16}-01", None),
    (f"00-{TRACE}-{'0' * 15}1-01", "01"),
    (f"00-{TRACE}-{SPAN[:-1]}-01", None),
    (f"00-{TRACE}-{SPAN}0-01", None),
    (f"00-{TRACE}-.{SPAN[1:]}-01", None),
    (f"00-{TRACE}-{SPAN[:-1]}.-01", None),
    (f"00-{TRACE}-{SPAN.upper()}-01", None),
    # The flags.
    (f"00-{TAIL}-1", None),
    (f"00-{TAIL}-001", None),
    (f"00-{TAIL}-.0", None),
    (f"00-{TAIL}-0.", None),
    (f"00-{TAIL}-0G", None),
    (f"00-{TAIL}-0A", None),
    # What is no traceparent at all.
    ("", None),
    (" ", None),
    ("00", None),
    (f"00_{TRACE}_{SPAN}_01", None),
    (f"00 {TRACE} {SPAN} 01", None),
    (f"00-{TAIL}-01,00-{TAIL}-01", None),
    (f"00-{TAIL}-01\n", None),
    ("\u0660" * 55, None),
]

# The header fields of one message, and what is passed on.
STATES = [
    (["foo=1"], "foo=1"),
    (["foo=1,bar=2"], "foo=1,bar=2"),
    # Several fields are one list.
    (["foo=1", "bar=2"], "foo=1,bar=2"),
    (["foo=1,", "bar=2"], "foo=1,bar=2"),
    (["foo=1", "", "bar=2"], "foo=1,bar=2"),
    (["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], "foo=1,bar=2,rojo=1,congo=2,baz=3"),
    # Empty members, and white space around members.
    ([""], ""),
    ([" "], ""),
    ([","], ""),
    (["foo=1,,,bar=2"], "foo=1,bar=2"),
    (["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
    (["foo=1\t \t"], "foo=1"),
    (["\t \tfoo=1"], "foo=1"),
    # Keys.
    (["z0_-*/=1"], "z0_-*/=1"),
    (["fw529a3039@dt=FfgVoIwIB"], "fw529a3039@dt=FfgVoIwIB"),
    (["0a@dt=1"], "0a@dt=1"),
    (["0=1"], "0=1"),
    (["a@b@c=1"], "a@b@c=1"),
    ([f"{LONG_KEY}=1"], f"{LONG_KEY}=1"),
    ([f"{LONG_KEY}k=1"], ""),
    (["foo =1"], ""),
    (["FOO=1"], ""),
    (["foo.bar=1"], ""),
    (["_foo=1"], ""),
    (["@dt=1"], ""),
    (["-=1"], ""),
    (["f\u00f6o=1"], ""),
    (["=1"], ""),
    # Values.
    (["foo=a b"], "foo=a b"),
    (["foo= 1"], "foo= 1"),
    (["foo=!#$%&'()*+-./:;<>?@[]^_`{|}~\"\\"], "foo=!#$%&'()*+-./:;<>?@[]^_`{|}~\"\\"),
    ([f"foo={LONG_VALUE}"], f"foo={LONG_VALUE}"),
    ([f"foo={LONG_VALUE}v"], ""),
    (["foo="], ""),
    (["foo"], ""),
    (["foo=bar=baz"], ""),
    (["foo=,bar=3"], ""),
    (["foo=1\x00"], ""),
    (["foo=\x7f"], ""),
    (["foo=\u00fc"], ""),
    (["foo@=1,bar=2"], "foo@=1,bar=2"),
    # Of a repeated key the latest member, which stands first, stays.
    (["foo=1,foo=1"], "foo=1"),
    (["foo=1,foo=2"], "foo=1"),
    (["foo=1", "foo=2"], "foo=1"),
    # 32 members, not one more.
    ([many(32)], many(32)),
    ([many(33)], ""),
    ([many(16), many(17)], ""),
    # One bad member makes the whole list count as absent.
    (["foo=1,bar=@,baz"], ""),
    (["foo=1", "Bar=2"], ""),
]


def test_the_table_is_large_enough():
    assert len(PARENTS) + len(STATES) >= 100


@pytest.mark.parametrize(("header", "flags"), PARENTS)
def test_traceparent(header, flags):
    place = parse_traceparent(header)
    assert (place is None) == (flags is None)
    if place is not None:
        trace, span = header.strip().split("-")[1:3]
        assert place.header == f"00-{trace}-{span}-{flags}"


@pytest.mark.parametrize(("headers", "passed_on"), STATES)
def test_tracestate(headers, passed_on):
    assert parse_tracestate(headers).header == passed_on


class TestBothHeaders:
    def test_a_state_belongs_to_its_parent(self):
        place, state = parse_headers({"traceparent": [f"00-{TAIL}-01"], "tracestate": ["a=1", "b=2"]})
        assert place == TraceParent(int(TRACE, 16), int(SPAN, 16), 1)
        assert place.sampled
        assert state.members == (("a", "1"), ("b", "2"))

    @pytest.mark.parametrize(
        "headers",
        [
            {"tracestate": ["a=1"]},
            {"traceparent": ["nonsense"], "tracestate": ["a=1"]},
            {"traceparent": [], "tracestate": ["a=1"]},
            {"traceparent": [f"00-{TAIL}-01"] * 2, "tracestate": ["a=1"]},
        ],
    )
    def test_without_a_parent_there_is_no_state(self, headers):
        assert parse_headers(headers) == (None, TraceState())

    def test_a_bad_state_leaves_its_parent_alone(self):
        place, state = parse_headers({"traceparent": [f"00-{TAIL}-00"], "tracestate": ["a=1,A=2"]})
        assert place is not None
        assert not place.sampled
        assert not state


class TestChanges:
    def test_a_changed_member_moves_to_the_front(self):
        state = parse_tracestate(["congo=1,rojo=2"])
        assert state.with_member("rojo", "3").header == "rojo=3,congo=1"
        assert state.with_member("ours", "x").header == "ours=x,congo=1,rojo=2"
        assert state.without("congo").header == "rojo=2"
        assert (state.get("rojo"), state.get("ours")) == ("2", None)

    def test_the_right_most_member_leaves_when_the_list_is_full(self):
        state = parse_tracestate([many(32)]).with_member("ours", "1")
        assert len(state.members) == 32
        assert (state.get("ours"), state.get("k31")) == ("1", None)

    def test_long_members_leave_first(self):
        left, right = "left=" + "x" * 200, "right=" + "y" * 240
        state = parse_tracestate([f"{left},{many(28)},{right}"]).with_member("first", "z" * 120)
        passed = parse_tracestate([state.header])
        assert len(state.header) <= 512
        # Of the two that are long the right one is enough.
        assert passed == state.without("right")

    def test_then_the_right_most_ones(self):
        members = [f"k{number}={'v' * 100}" for number in range(8)]
        assert parse_tracestate([",".join(members)]).header == ",".join(members[:4])

    @pytest.mark.parametrize("key", ["", "Upper", "a b", "ä", "k" * 257])
    def test_a_bad_key_is_refused(self, key):
        with pytest.raises(ValidationError, match="key"):
            TraceState().with_member(key, "1")

    @pytest.mark.parametrize("value", ["", " ", "a,b", "a=b", "ends ", "v" * 257, "\n"])
    def test_a_bad_value_is_refused(self, value):
        with pytest.raises(ValidationError, match="value"):
            TraceState().with_member("a", value)


class TestProperties:
    @given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 3))
    def test_every_place_survives_the_header(self, trace_id, span_id, flags):
        place = TraceParent(trace_id, span_id, flags)
        assert parse_traceparent(place.header) == place

    @given(st.lists(st.text(), max_size=4))
    def test_no_state_breaks_the_parser_and_what_it_passes_on_is_stable(self, values):
        passed = parse_tracestate(values).header
        assert len(passed) <= 512
        assert parse_tracestate([passed]).header == passed

    @given(st.text(alphabet="0123456789abcdef-", min_size=50, max_size=60))
    def test_no_parent_breaks_the_parser(self, value):
        place = parse_traceparent(value)
        assert place is None or parse_traceparent(place.header) == place

    @given(
        st.lists(
            st.tuples(
                st.from_regex(r"[a-z0-9][a-z0-9_\-*/@]{0,200}", fullmatch=True),
                st.from_regex(r"[\x21-\x2b\x2d-\x3c\x3e-\x7e]{1,256}", fullmatch=True),
            ),
            max_size=40,
        )
    )
    def test_whatever_is_added_the_limits_hold(self, members):
        state = TraceState()
        for key, value in members:
            state = state.with_member(key, value)
        assert len(state.members) <= 32
        assert len(state.header) <= 512
        assert parse_tracestate([state.header]).header == state.header
