"""What the text of a variable means, and what the types of a file mean."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ByteSize, HttpUrl, JsonValue, SecretStr

from orchestrator_config import Environment, Settings, SettingsError, TomlFile, Values, load


class Item(Settings):
    name: str
    key: SecretStr | None = None


class App(Settings):
    flag: bool = False
    count: int = 0
    ratio: float = 0.0
    text: str = ""
    maybe: int | None = 1
    either: int | str = 0
    level: Literal["low", "high"] = "low"
    step: Literal[1, 2] = 1
    words: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    pair: tuple[str, int] = ("", 0)
    names: frozenset[str] = frozenset()
    items: tuple[Item, ...] = ()
    table: Mapping[str, int] = {}
    anything: Any = None
    document: JsonValue = None
    wait: dt.timedelta = dt.timedelta()
    price: Decimal = Decimal(0)
    size: ByteSize = ByteSize(0)
    url: HttpUrl | None = None


def loaded(**variables: str) -> App:
    named = {f"APP_{name.upper()}": text for name, text in variables.items()}
    return load(App, sources=[Environment(named, prefix="APP_")]).value


def reasons(**variables: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        loaded(**variables)
    return [problem.reason for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("1", True),
        ("YES", True),
        ("On", True),
        ("false", False),
        ("0", False),
        ("no", False),
        ("off", False),
    ],
)
def test_booleans_are_eight_words(text, value):
    assert loaded(flag=text).flag is value


@given(st.text().filter(lambda text: text.strip().lower() not in {"true", "1", "yes", "on", "false", "0", "no", "off"}))
def test_nothing_else_is_a_boolean(text):
    assert reasons(flag=text) in (
        ["should be true, false, 1, 0, yes, no, on or off"],
        ["is not encoded in UTF-8"],
    )


@given(st.integers())
def test_integers_keep_their_value(number):
    assert loaded(count=str(number)).count == number


@pytest.mark.parametrize("text", ["", "1.0", "1e3", "0x10", "1_000", "true", "\u0663", "9" * 5000, "--1"])
def test_nothing_else_is_an_integer(text):
    assert reasons(count=text) == ["should be an integer"]


@given(st.floats(allow_nan=False))
def test_numbers_keep_their_value(number):
    assert loaded(ratio=str(number)).ratio == number


@pytest.mark.parametrize("text", ["", "one", "1_0", "0x1p3", "\u0663.\u0665"])
def test_nothing_else_is_a_number(text):
    assert reasons(ratio=text) == ["should be a number"]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_text_is_taken_as_it_is(text):
    assert loaded(text=text).text == text


def test_text_that_looks_like_json_stays_text():
    assert loaded(text='{"a": 1}').text == '{"a": 1}'
    assert loaded(either="5").either == "5"


def test_none_is_written_null_where_there_is_no_text():
    assert loaded(maybe="null").maybe is None
    assert loaded(maybe="3").maybe == 3


@given(st.lists(st.text(alphabet="abc xyz", min_size=1).map(str.strip).filter(bool)))
def test_a_list_is_commas_or_json(words):
    assert loaded(words=", ".join(words)).words == tuple(words)
    assert loaded(words=json.dumps(words)).words == tuple(words)


def test_lists_have_typed_elements():
    assert loaded(numbers="1, 2,3").numbers == (1, 2, 3)
    assert loaded(pair="1,2").pair == ("1", 2)
    assert loaded(names="a,b,a").names == {"a", "b"}
    assert loaded(items='[{"name": "x", "key": "k"}]').items[0].name == "x"
    assert reasons(numbers="1,x") == ["should be an integer"]
    assert reasons(numbers="1,,2") == ["has an empty element; write a JSON array if that is meant"]
    assert reasons(items="x,y") == ["should be a JSON array"]


def test_tables_are_json_or_set_member_by_member():
    assert loaded(table='{"a": 1}', table__b="2").table == {"a": 1, "b": 2}
    assert reasons(table="a=1") == ["should be a JSON object, or be set member by member with __ between the names"]


@pytest.mark.parametrize(
    "text", ['{"a": 1', '{"a": 1, "a": 2}', '{"a": NaN}', '{"a": ' + "9" * 5000 + "}", '{"a": ' + "[" * 100_000]
)
def test_json_is_strict(text):
    assert [reason.partition(" (")[0].partition(":")[0] for reason in reasons(table=text)] == ["is not valid JSON"]


def test_anything_is_json_if_it_can_be():
    assert loaded(anything='{"a": [1, null]}').anything == {"a": (1, None)}
    assert loaded(anything="plain").anything == "plain"
    assert loaded(document="[1.5, true]").document == (1.5, True)


def test_other_types_are_read_by_pydantic():
    made = loaded(level="high", step="2", wait="PT5S", price="1.10", size="10MB", url="https://example.org")
    assert (made.level, made.step, made.wait) == ("high", 2, dt.timedelta(seconds=5))
    assert (made.price, made.size, str(made.url)) == (Decimal("1.10"), 10_000_000, "https://example.org/")
    assert reasons(level="medium") == ["should be 'low' or 'high'"]


def test_undecodable_bytes_are_told():
    assert reasons(text=b"\xff".decode(errors="surrogateescape")) == ["is not encoded in UTF-8"]


def test_a_name_that_goes_on_below_a_single_value_is_unknown():
    assert reasons(count__more="1") == ["is not a known setting"]
    assert reasons(words__0="a") == ["is not a known setting"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("flag = 1", "should be true or false"),
        ('flag = "yes"', "should be true or false, not text: write it without quotes"),
        ("count = true", "should be an integer"),
        ('count = "5"', "should be an integer, not text: write it without quotes"),
        ("count = 5.0", "should be an integer"),
        ("count = [1]", "should be an integer, not an array"),
        ("ratio = true", "should be a number"),
        ("text = 5", "should be a valid string"),
        ('words = "a,b"', "should be an array"),
        ("words = {a = 1}", "should be an array, not a table"),
        ('table = "x"', "should be a table"),
        ("items = [1]", "should be a table"),
    ],
)
def test_a_file_has_types_and_they_are_kept(tmp_path, line, reason):
    (tmp_path / "app.toml").write_text(line)
    with pytest.raises(SettingsError) as caught:
        load(App, sources=[TomlFile(tmp_path / "app.toml")])
    assert [(each.reason, each.source) for each in caught.value.problems] == [(reason, f"{tmp_path / 'app.toml'}:1")]


def test_a_file_may_write_a_whole_number_for_a_number_and_a_date_for_anything(tmp_path):
    (tmp_path / "app.toml").write_text("ratio = 5\nanything = 2026-01-31\n")
    made = load(App, sources=[TomlFile(tmp_path / "app.toml")]).value
    assert (made.ratio, made.anything) == (5.0, dt.date(2026, 1, 31))


def test_values_of_the_program_may_have_the_types_of_the_fields():
    given_values = {"names": {"a"}, "items": (Item(name="x"),), "wait": dt.timedelta(1), "maybe": None}
    made = load(App, sources=[Values(given_values)]).value
    assert (made.names, made.items, made.wait, made.maybe) == ({"a"}, (Item(name="x"),), dt.timedelta(1), None)
