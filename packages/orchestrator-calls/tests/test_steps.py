"""The responder's steps through the journal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls._steps import from_json, to_json
from orchestrator_calls.responder import Collect, HangUp, Note, Remember, Say, Step, Transfer

TEXT = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(Say, TEXT, TEXT),
    st.builds(
        Collect,
        digits=st.integers(1, 20),
        terminator=st.sampled_from(["", "#", "*"]),
        timeout=st.floats(0.1, 60),
        sensitive=st.booleans(),
    ),
    st.builds(Transfer, TEXT, TEXT),
    st.builds(HangUp, TEXT),
    st.builds(Note, TEXT, st.booleans(), st.none() | st.floats(0, 1)),
    st.builds(Remember, st.dictionaries(TEXT, JSON, max_size=3)),
)


@given(STEPS)
def test_a_step_comes_back_as_it_was(step):
    assert from_json(json.loads(json.dumps(to_json(step)))) == step


@pytest.mark.parametrize("data", [{"step": "sing"}, {"step": None}])
def test_what_is_no_step_is_refused(data):
    with pytest.raises(ValueError, match="is no step"):
        from_json(data)


def test_a_step_without_a_member_is_refused():
    with pytest.raises(KeyError):
        from_json({"step": "say", "text": "x"})
