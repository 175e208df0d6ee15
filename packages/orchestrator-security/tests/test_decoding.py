"""The strict readers: one text, one reading."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator_kernel.ports import WebhookRefused
from orchestrator_security._webhooks.decoding import base64url, base64url_text, json_object
from orchestrator_security._webhooks.limits import time_within

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=100))
def test_base64url_reads_back(data: bytes) -> None:
    if data:
        assert base64url(base64url_text(data).decode()) == data


@given(st.text(max_size=40))
@example("QR")  # decodes like QQ, with stray bits
@example("QQ==")
@example("QQ\n")
@example("Q Q")
@example("A")
@example("+/")
def test_base64url_reads_only_what_it_would_write(text: str) -> None:
    try:
        data = base64url(text)
    except WebhookRefused:
        return
    assert base64.urlsafe_b64encode(data).rstrip(b"=").decode() == text


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_json_reads_what_the_standard_library_writes(value: dict[str, object]) -> None:
    assert json_object(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        *('{"a":1,"a":1}', '{"x":{"a":1,"\\u0061":2}}', '{"a":NaN}', '{"a":Infinity}', '{"a":1e999}', '{"a":-1e999}'),
        *('{"a":' + "9" * 21 + "}", '{"a":' + "9" * 6000 + "}", '{"a":' + "[" * 100_000, "[]", '"a"', "1", "", "{}{}"),
        *("{'a':1}", "\ufeff{}", '{"a":01}', '{"a":"\n"}', '{"a":1,}'),
    ],
)
def test_json_refuses_what_has_two_readings(text: str) -> None:
    with pytest.raises(WebhookRefused):
        json_object(text.encode())


@given(st.binary(max_size=60))
def test_json_raises_nothing_else(data: bytes) -> None:
    try:
        value = json_object(data)
    except WebhookRefused:
        return
    assert isinstance(value, dict)


@given(st.text(st.characters(codec="ascii"), max_size=14))
def test_seconds_are_one_to_eleven_ascii_digits(text: str) -> None:
    plain = 0 < len(text) <= 11 and all(character in "0123456789" for character in text)
    try:
        signed_at = time_within(text, datetime(2026, 1, 1, tzinfo=UTC), timedelta.max)
        assert str(int(signed_at.timestamp())) == (text.lstrip("0") or "0")
    except WebhookRefused:
        assert not plain
    else:
        assert plain
