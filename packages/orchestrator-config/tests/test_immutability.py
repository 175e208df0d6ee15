# ruff: noqa: RUF012 - that mutable defaults do no harm is what is tested
"""Nothing in loaded settings can be changed."""

from __future__ import annotations

import collections
import copy
import operator
import warnings
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import FrozenInstanceError, dataclass
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, JsonValue, PrivateAttr, RootModel, Secret, SecretStr, ValidationError
from typing_extensions import TypedDict

from orchestrator_config import Settings, Values, load
from orchestrator_kernel import ConfigurationError


class Plain(BaseModel):
    model_config = ConfigDict(frozen=True)
    table: Mapping[str, Any] = {}
    row: Sequence[int] = (1,)


@dataclass(frozen=True)
class Data:
    table: Mapping[str, int]


class Inner(Settings):
    name: str = "x"
    words: list[str] = []


class Everything(Settings):
    a_list: list[int] = [1, 2]
    a_list_of_lists: list[list[int]] = [[1], [2]]
    a_set: set[str] = {"a"}
    a_dict: dict[str, list[int]] = {"a": [1]}
    a_mapping: Mapping[str, Mapping[str, set[int]]] = {"a": {"b": {1}}}
    a_mutable: MutableMapping[str, int] = {"a": 1}
    a_sequence: Sequence[Inner] = [Inner()]
    an_abstract_set: AbstractSet[int] = frozenset({1})
    a_deque: collections.deque[int] = collections.deque([1])
    a_bytearray: bytearray = b"x"  # type: ignore[assignment]
    a_union: list[int] | dict[str, list[int]] | None = {"x": [1]}
    a_bare_list: list = [[1]]  # type: ignore[type-arg]
    anything: Any = {"a": [{"b": {1, 2}}]}
    document: JsonValue = {"a": [1, {"b": []}]}
    inner: Inner = Inner(words=["a"])
    inners: dict[str, Inner] = {"a": Inner()}
    plain: Plain = Plain(table={"a": [1]}, row=[1])
    data: Data = Data({"a": 1})
    short: list[int] = Field(default=[1], min_length=1)


VALUE = load(Everything).value


def everything_in(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from everything_in(getattr(value, name))
    elif isinstance(value, Data):
        yield from everything_in(value.table)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from everything_in(each)
    elif isinstance(value, (tuple, frozenset, list, set)):
        for each in value:
            yield from everything_in(each)


def set_private(value: Any) -> None:
    value._private = 1


ATTEMPTS: list[Any] = [
    lambda value: setattr(value, "name", "changed"),
    lambda value: setattr(value, "a_list", [3]),
    set_private,
    lambda value: delattr(value, "name"),
    lambda value: operator.setitem(value, 0, 9),
    lambda value: operator.setitem(value, "a", 9),
    lambda value: operator.delitem(value, "a"),
    lambda value: operator.delitem(value, 0),
    lambda value: value.append(1),
    lambda value: value.extend([1]),
    lambda value: value.insert(0, 1),
    lambda value: value.add(1),
    lambda value: value.discard(1),
    lambda value: value.remove(1),
    lambda value: value.clear(),
    lambda value: value.pop(),
    lambda value: value.pop("a"),
    lambda value: value.popitem(),
    lambda value: value.setdefault("z", 1),
    lambda value: value.update({"z": 1}),
    lambda value: value.update(z=1),
    lambda value: value.__ior__({"z": 1}),
    lambda value: value.__iadd__([1]),
    lambda value: value.sort(),
    lambda value: value.reverse(),
    lambda value: value.__dict__["table"].update(a=2),
]


def test_every_attempt_to_change_anything_raises():
    before = (repr(VALUE), VALUE.model_dump_json(), load(Everything).digest)
    places = [*everything_in(VALUE)]
    assert len(places) > 50
    for place in places:
        assert not isinstance(place, (list, set, bytearray, collections.deque))
        for attempt in ATTEMPTS:
            if isinstance(place, Plain) and attempt is set_private:
                continue  # pydantic lets private names of foreign models through; they are no settings
            with pytest.raises((TypeError, AttributeError, KeyError, ValidationError, FrozenInstanceError)):
                attempt(place)
    assert before == (repr(VALUE), VALUE.model_dump_json(), load(Everything).digest)


trees = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=2), inside, max_size=3),
    max_leaves=12,
)


@given(tree=trees)
@settings(max_examples=60)
def test_values_of_any_depth_are_immutable_equal_and_serialize_as_they_came(tree):
    class Holder(Settings):
        anything: Any
        document: JsonValue

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = load(Holder, sources=[Values({"anything": tree, "document": tree})]).value
        assert value.model_dump(mode="json") == {"anything": tree, "document": tree}
        assert Holder.model_validate_json(value.model_dump_json()) == value
    for place in everything_in(value):
        assert not isinstance(place, (list, set))
        for attempt in ATTEMPTS:
            with pytest.raises((TypeError, AttributeError, KeyError)):
                attempt(place)
    assert hash(value) == hash(copy.deepcopy(value))


def test_frozen_settings_serialize_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dumped = VALUE.model_dump(mode="json")
        assert VALUE.model_dump_json()
        assert VALUE.model_dump()["a_list"] == (1, 2)
    assert dumped["a_list_of_lists"] == [[1], [2]]
    assert dumped["a_mapping"] == {"a": {"b": [1]}}
    assert dumped["plain"] == {"table": {"a": [1]}, "row": [1]}


def test_the_schema_still_describes_the_settings():
    schema = Everything.model_json_schema()
    assert schema["properties"]["short"] == {
        "default": [1],
        "items": {"type": "integer"},
        "minItems": 1,
        "title": "Short",
        "type": "array",
    }


def test_making_a_model_by_hand_freezes_it_too():
    words = ["a"]
    inner = Inner(words=words)
    words.append("b")
    assert inner.words == ("a",)
    assert Inner().words == ()


def test_a_copy_is_as_immutable_and_its_changes_are_validated():
    changed = VALUE.model_copy(update={"a_list": [5]})
    assert changed.a_list == (5,)
    assert VALUE.a_list == (1, 2)
    with pytest.raises(ValidationError):
        VALUE.model_copy(update={"a_list": ["x"]})
    with pytest.raises(ValidationError):
        VALUE.model_copy(update={"a_lsit": []})
    assert VALUE.model_copy(deep=True) == copy.copy(VALUE) == VALUE


def test_private_attributes_are_not_a_way_around():
    class Holder(Settings):
        _hidden: int = PrivateAttr(default=1)

    value = load(Holder).value
    with pytest.raises(AttributeError, match="Holder is immutable"):
        value._hidden = 2


class Loose(BaseModel):
    x: int = 1


@dataclass
class LooseData:
    x: int = 1


class LooseList(BaseModel):
    model_config = ConfigDict(frozen=True)
    words: list[str] = []


class Thawed(Settings):
    model_config = ConfigDict(frozen=False)


class Lax(Settings):
    model_config = ConfigDict(extra="ignore")


class Aliased(Settings):
    name: str = Field(default="", alias="Name")


class Root(RootModel[int]):
    model_config = ConfigDict(frozen=True)


class Typed(TypedDict):
    x: int


class Named(NamedTuple):
    x: int


class Counting(collections.UserDict[str, int]):
    pass


@pytest.mark.parametrize(
    ("declared", "named"),
    [
        (Loose, "Loose is not frozen"),
        (Loose | None, "Loose is not frozen"),
        (tuple[Loose, ...], "Loose is not frozen"),
        (Mapping[str, Loose], "Loose is not frozen"),
        (LooseData, "LooseData is not frozen"),
        (LooseList, "LooseList.words is a list"),
        (Thawed, "Thawed is not frozen"),
        (Lax, "Lax must keep extra='forbid'"),
        (Aliased, "Aliased.name has an alias"),
        (Root, "Root is a RootModel"),
        (Typed, "Outer.field is Typed"),
        (Named, "Outer.field is Named"),
        (Secret[list[str]], "Outer.field is a secret that can be changed"),
        (collections.Counter[str], "Outer.field is a Counter"),
    ],
)
def test_a_model_that_could_be_changed_or_not_addressed_is_refused_by_name(declared, named):
    class Outer(Settings):
        field: declared  # type: ignore[valid-type]

    with pytest.raises(ConfigurationError) as error:
        load(Outer)
    assert named in str(error.value)


@pytest.mark.parametrize("name", ["two__parts", "ends_", "_"])
def test_a_field_name_that_no_variable_can_hold_is_refused(name):
    model = type(
        "Outer",
        (Settings,),
        {"__annotations__": {name: int, "Other": int, "other": int}, "Other": 1, "other": 2}
        | ({name: 1} if name != "_" else {}),
    )
    with pytest.raises(ConfigurationError, match=r"\.other and \.Other would be one environment variable"):
        load(model)


def test_secrets_stay_what_they_are():
    class Holder(Settings):
        key: SecretStr

    assert load(Holder, sources=[Values({"key": "k"})]).value.key.get_secret_value() == "k"
