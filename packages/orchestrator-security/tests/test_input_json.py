"""JSON within limits, against a slow and obvious judge: the standard library's parser with a hook per object."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_security.input_validation import JsonLimits, JsonRefused, parse_json

LIMITS = JsonLimits(depth=4, keys=3, string_length=8, array_length=4, integer=1000, number=1e6)
WIDE = JsonLimits(depth=200, keys=10_000, array_length=10_000, number=1.7e308, integer=10**400)


def judged_slowly(body: bytes, limits: JsonLimits) -> str:
    """`ok`, `duplicate_key` or `json_limit`."""
    duplicates: list[str] = []

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({key for key, _ in pairs}) < len(pairs):
            duplicates.append("")
        return dict(pairs)

    def within(value: object, depth: int) -> bool:
        if isinstance(value, dict):
            return (
                depth < limits.depth
                and len(value) <= limits.keys
                and all(len(key) <= limits.string_length and within(each, depth + 1) for key, each in value.items())
            )
        if isinstance(value, list):
            return (
                depth < limits.depth
                and len(value) <= limits.array_length
                and all(within(each, depth + 1) for each in value)
            )
        if isinstance(value, bool) or value is None:
            return True
        if isinstance(value, str):
            return len(value) <= limits.string_length
        return abs(value) <= (limits.integer if isinstance(value, int) else limits.number)  # type: ignore[arg-type]

    value = json.loads(body, object_pairs_hook=members)
    if not within(value, 0):
        return "json_limit"
    return "duplicate_key" if duplicates else "ok"


def judged(body: bytes, limits: JsonLimits) -> str:
    try:
        parse_json(body, limits)
    except JsonRefused as refusal:
        known = {(422, "json_limit"), (400, "invalid_json")}
        return (
            str(refusal.details.get("reason", refusal.code)) if (refusal.status, refusal.code) in known else "unknown"
        )
    return "ok"


class Pairs(list):  # type: ignore[type-arg]
    """An object whose keys may repeat."""


_TEXT = st.text(alphabet='ab"\\:{}[],\n é\u2028\U0001f600', max_size=10)
_KEYS = st.sampled_from(["a", "b", 'q"', "\\", "a:b", "much-too-long-key", ""])
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2000, 2000)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.lists(st.tuples(_KEYS, inner), max_size=4).map(Pairs),
    max_leaves=25,
)


def written(value: object, *, ascii_only: bool, gap: str) -> str:
    if isinstance(value, Pairs):
        inside = [
            f"{json.dumps(key, ensure_ascii=ascii_only)}{gap}:{gap}{written(each, ascii_only=ascii_only, gap=gap)}"
            for key, each in value
        ]
        return "{" + gap + f"{gap},".join(inside) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(each, ascii_only=ascii_only, gap=gap) for each in value) + gap + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


NARROW_TEXT = JsonLimits(depth=4, keys=3, array_length=4)
"""The limits of texts and numbers are so wide that short bodies pass on counts alone."""


@pytest.mark.parametrize("limits", [LIMITS, NARROW_TEXT])
@given(value=_VALUES, ascii_only=st.booleans(), gap=st.sampled_from(["", " ", "\n\t"]))
def test_agrees_with_the_slow_judge(limits: JsonLimits, value: object, ascii_only: bool, gap: str) -> None:
    body = written(value, ascii_only=ascii_only, gap=gap).encode()
    assert judged(body, limits) == judged_slowly(body, limits)


@given(_VALUES)
def test_what_passes_is_what_the_standard_library_reads(value: object) -> None:
    body = written(value, ascii_only=False, gap="").encode()
    if judged_slowly(body, WIDE) == "ok":
        assert parse_json(body, WIDE) == json.loads(body)


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\u0123e+-.tfn ', max_size=60).map(str.encode))
@example(b"")
@example(b"\xef\xbb\xbf{}")
@example(b'"\\ud800"')
@example(b'"\xed\xa0\x80"')
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"9" * 100_000)
@example(b"1e999")
@example(b"NaN")
@example(b"-Infinity")
@example(b'"\x00"')
@example(b"{} {}")
@example(b"// comment")
@example(b"\x00" * 10)
@example("[1]".encode("utf-16"))
def test_whatever_the_bytes_are_the_error_is_the_one(body: bytes) -> None:
    try:
        parse_json(body, JsonLimits())
    except JsonRefused:
        return
    json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"\\u0061":2}',
        b'{"x":"\\u0022:","a" :1,"a":2}',
        b'[{"a":1},{"b":{"c":[{"d":"","d":""}]}}]',
        b'{"a\\\\":1,"a\\\\":2,"t":"\\\\\\""}',
        b'{"":1,"":2}',
    ],
)
def test_a_repeated_key_is_found_wherever_it_hides(body: bytes) -> None:
    with pytest.raises(JsonRefused) as refusal:
        parse_json(body, JsonLimits())
    assert (refusal.value.status, refusal.value.details["reason"]) == (400, "duplicate_key")


@pytest.mark.parametrize("body", [b"1e309", b"[-1e400]", b'{"a":' + b"9" * 400 + b".0}"])
def test_a_number_that_would_read_as_infinity_is_beyond_the_limit(body: bytes) -> None:
    with pytest.raises(JsonRefused, match="size of a number"):
        parse_json(body, WIDE)


def test_the_limit_is_named_and_the_value_is_not() -> None:
    with pytest.raises(JsonRefused) as refusal:
        parse_json(b'"my secret is too long"', LIMITS)
    assert "8" in str(refusal.value)
    assert "secret" not in str(refusal.value) + repr(dict(refusal.value.details))


def test_nested_arrays_count_for_the_depth() -> None:
    parse_json(b"[" * 32 + b"]" * 32, JsonLimits())
    with pytest.raises(JsonRefused, match="depth"):
        parse_json(b"[" * 33 + b"]" * 33, JsonLimits())


@pytest.mark.parametrize("wrong", [{"depth": 0}, {"depth": 201}, {"keys": -1}, {"number": -math.inf}])
def test_limits_that_make_no_sense_are_refused_at_once(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        JsonLimits(**wrong)
