"""The digest: equal for equal settings, different for different ones, silent about secrets."""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import json
import struct
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict, HttpUrl, SecretStr

from orchestrator_config import Environment, Settings, TomlFile, Values, load
from orchestrator_config._canonical import canonical
from orchestrator_kernel import ConfigurationError


class Inner(Settings):
    name: str = ""
    ratio: float = 0.0


class App(Settings):
    flag: bool = False
    count: int = 0
    words: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    table: Mapping[str, Inner] = {}
    anything: Any = None
    key: SecretStr = SecretStr("")


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
trees = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, width=16) | texts | st.dates(),
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(texts | st.just("$date"), inside, max_size=2),
    max_leaves=6,
)
values = st.fixed_dictionaries(
    {},
    optional={
        "flag": st.booleans(),
        "count": st.integers(-2, 2),
        "words": st.lists(texts, max_size=2),
        "names": st.sets(texts, max_size=3),
        "table": st.dictionaries(
            texts, st.fixed_dictionaries({}, optional={"name": texts, "ratio": st.integers(0, 2)})
        ),
        "anything": trees,
    },
)


def shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, dict):
        items = [(key, shuffled(each, random)) for key, each in value.items()]
        random.shuffle(items)
        return dict(items)
    if isinstance(value, (list, tuple)):
        return [shuffled(each, random) for each in value]
    return value


def unlike(value: Any) -> Any:
    """The value with what Python holds equal and JSON does not (1 and true) kept apart."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, Mapping):
        return {key: unlike(each) for key, each in value.items()}
    return [unlike(each) for each in value] if isinstance(value, (list, tuple)) else value


@given(one=values, other=values, random=st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_digests_are_equal_exactly_when_values_are(one, other, random):
    check_digests(one, other, random)


@pytest.mark.soak
@given(one=values, other=values, random=st.randoms(use_true_random=False))
@settings(max_examples=2000, deadline=None)
def test_digests_are_equal_exactly_when_values_are_for_long(one, other, random):
    check_digests(one, other, random)


def check_digests(one, other, random):
    first, second = load(App, sources=[Values(one)]), load(App, sources=[Values(other)])
    again = load(App, sources=[Values(shuffled(one, random), name="elsewhere")])
    assert again.digest == first.digest
    equal = first.value == second.value and unlike(first.value.anything) == unlike(second.value.anything)
    assert (first.digest == second.digest) is equal
    assert first.digest.startswith("sha256:")
    assert len(first.digest) == 71


def test_the_source_takes_no_part(tmp_path):
    (tmp_path / "app.toml").write_text('count = 3\nwords = ["a", "b"]\n[table.x]\nratio = 1\n')
    variables = {"APP_TABLE": '{"x": {"ratio": 1.0}}', "APP_WORDS": "a,b", "APP_COUNT": "3"}
    digests = {
        load(App, sources=[TomlFile(tmp_path / "app.toml")]).digest,
        load(App, sources=[Environment(variables, prefix="APP_")]).digest,
        load(App, sources=[Values({"words": ("a", "b"), "table": {"x": {"ratio": 1}}, "count": 3})]).digest,
    }
    assert len(digests) == 1
    (only,) = digests
    text = '{"anything":null,"count":3,"flag":false,"key":{"$secret":true},"names":{"$set":[]},"table":{"x":{"name":"","ratio":1}},"words":["a","b"]}'
    assert only == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@given(one=texts, other=texts)
def test_the_digest_says_nothing_about_secrets_and_the_keyed_one_tells_them_apart(one, other):
    assume(one != other)
    first, second = (load(App, sources=[Values({"key": f"literal:{secret}"})]) for secret in (one, other))
    assert first.digest == second.digest
    key = b"k" * 16
    assert first.keyed_digest(key) != second.keyed_digest(key)
    assert first.keyed_digest(key) == load(App, sources=[Values({"key": f"literal:{one}"})]).keyed_digest(key)
    assert first.keyed_digest(key) != first.keyed_digest(b"l" * 16)


def test_the_password_of_a_url_is_a_secret_to_the_digest_too():
    def digest(url: str) -> str:
        return load(App, sources=[Values({"anything": url})]).digest

    assert digest("redis://:one@h/0") == digest("redis://:two@h/0") != digest("redis://:one@h/1")


def test_a_short_key_is_refused():
    with pytest.raises(ConfigurationError, match="16 bytes"):
        load(App).keyed_digest(b"short")


# The samples of RFC 8785, appendix B.
@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_numbers_are_written_as_the_standard_writes_them(bits, text):
    assert canonical(struct.unpack(">d", bytes.fromhex(bits))[0], with_secrets=False) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_their_value(number):
    assert float(canonical(number, with_secrets=False)) == number


def test_members_are_sorted_by_their_code_units():
    # The order of RFC 8785, section 3.2.3: the emoji's surrogates come before U+FB33.
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    written = json.loads(canonical(dict.fromkeys(keys, 1), with_secrets=False))
    assert [*written] == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


class Kind(enum.Enum):
    A = "a"


class Text(enum.StrEnum):
    A = "a"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (dt.date(2026, 1, 31), '{"$date":"2026-01-31"}'),
        (
            dt.datetime(2026, 1, 31, 14, tzinfo=dt.timezone(dt.timedelta(hours=2))),
            '{"$datetime":"2026-01-31T12:00:00Z"}',
        ),
        (dt.timedelta(days=1, microseconds=1), '{"$timedelta":86400000001}'),
        (Decimal("1.50"), '{"$Decimal":"1.5"}'),
        (Decimal(100), '{"$Decimal":"100"}'),
        (b"\xff", '{"$bytes":"_w=="}'),
        (UUID(int=0), '{"$UUID":"00000000-0000-0000-0000-000000000000"}'),
        (Path("/x"), '{"$PosixPath":"/x"}'),
        (HttpUrl("https://x.org"), '{"$HttpUrl":"https://x.org/"}'),
        (Kind.A, '{"$Kind":"a"}'),
        (Text.A, '"a"'),
        (float("inf"), '{"$float":"inf"}'),
        ({"$date": "x"}, '{"$$date":"x"}'),
        (frozenset({"b", "a"}), '{"$set":["a","b"]}'),
    ],
)
def test_what_json_has_no_type_for_names_its_own(value, text):
    assert canonical(value, with_secrets=False) == text


def test_a_value_without_a_canonical_form_is_refused_by_its_type():
    class Thing:
        pass

    class Holder(Settings):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        thing: Thing = Thing()

    with pytest.raises(ConfigurationError, match="type Thing has no canonical form"):
        load(Holder)
