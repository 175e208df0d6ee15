"""Keys of calls, and values in bytes."""

from __future__ import annotations

import enum
import math
import pickle
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_performance._cache.keys import encode_key, name_of
from orchestrator_performance.caching import (
    BytesSerializer,
    Cache,
    CacheConfig,
    JsonSerializer,
    MemoryCache,
    NotSerializable,
    UnkeyableArgument,
    approximate_weight,
    cached,
    key_of_call,
)


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclass(frozen=True)
class Point:
    x: int
    y: int


@dataclass
class Loose:
    x: int


plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.sampled_from(Colour),
    st.uuids(),
    st.builds(Point, st.integers(), st.integers()),
    st.datetimes(timezones=st.just(UTC)),
)
values = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=3), inner, max_size=4),
        st.frozensets(st.integers(), max_size=4),
    ),
    max_leaves=10,
)


def same(one: object, other: object) -> bool:
    """Equal in type, too."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one.hex() == other.hex()
    return one == other


@given(values, values)
def test_two_values_have_the_same_key_if_and_only_if_they_are_the_same(one, other):
    assert (encode_key(one) == encode_key(other)) == same(one, other)
    assert encode_key(one) == encode_key(one)


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_no_two_lists_of_texts_run_into_each_other(one, other):
    assert (name_of(tuple(one)) == name_of(tuple(other))) == (one == other)


def test_types_that_are_equal_have_keys_of_their_own():
    keys = {encode_key(each) for each in (1, True, 1.0, "1", b"1", Decimal(1), None, 0, False, "", ())}
    assert len(keys) == 11
    assert encode_key(timedelta(1)) != encode_key(timedelta(2))
    assert encode_key(uuid.UUID(int=1)) != encode_key(uuid.UUID(int=2))


def test_a_secret_makes_names_that_nobody_else_can_make():
    assert name_of("k", b"one") != name_of("k", b"two")
    assert name_of("k", b"one") == name_of("k", b"one")


@pytest.mark.parametrize("argument", [object(), Loose(1), partial(print), [object()], {"a": Loose(1)}])
def test_what_has_no_value_is_no_key(argument):
    with pytest.raises(UnkeyableArgument, match="key="):
        encode_key(argument)


def test_what_is_nested_without_end_is_no_key():
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(UnkeyableArgument):
        encode_key(endless)


def test_a_call_has_one_key_however_its_arguments_are_passed():
    def function(a, b=2, *rest, c=3, **more): ...

    key = key_of_call(function)
    assert key(1) == key(a=1) == key(1, 2) == key(1, b=2, c=3)
    assert key(1, 2, 3) != key(1, 2, c=3)
    assert key(1, x=1, y=2) == key(1, y=2, x=1) != key(1, x=2, y=1)

    def simple(a, b): ...

    key = key_of_call(simple)
    assert key("x", "y") == key("x", b="y") == key(b="y", a="x") != key("y", "x")
    assert key(1, 2) == key(1, b=2) != key(True, 2)


def test_a_key_leaves_out_what_it_is_told_to():
    def fetch(client, number): ...

    assert key_of_call(fetch, ["client"])(object(), 1) == key_of_call(fetch, ["client"])(object(), 1)
    with pytest.raises(ConfigurationError, match="klient"):
        key_of_call(fetch, ["klient"])


async def test_an_async_function_keeps_its_results():
    cache: Cache[str] = Cache(CacheConfig(name="functions"))
    calls = []

    @cached(cache, tags=lambda name, upper=False: ("greetings", f"name:{name}"))
    async def greet(name: str, upper: bool = False) -> str:
        """Says hello."""
        calls.append(name)
        return f"hello {name.upper() if upper else name}"

    @cached(cache)
    async def part(name: str, upper: bool = False) -> str:
        return f"goodbye {name}"

    assert await greet("ann") == await greet(name="ann") == "hello ann"
    assert await greet("ann", upper=True) == "hello ANN"
    assert await part("ann") == "goodbye ann"
    assert (calls, greet.__doc__) == (["ann", "ann"], "Says hello.")
    await greet.remove("ann")
    await greet("ann")
    assert len(calls) == 3
    await cache.invalidate("name:ann")
    await greet("ann")
    assert len(calls) == 4


def test_a_function_keeps_its_results():
    cache: MemoryCache[int] = MemoryCache(CacheConfig(name="functions"))
    calls = []

    class Reader:
        @staticmethod
        @cached(cache, ignore=["source"], ttl=5)
        def read(source: object, number: int) -> int:
            calls.append(number)
            return number * 2

    assert Reader.read(object(), 4) == Reader.read(object(), 4) == 8
    Reader.read.remove(None, 4)
    Reader.read(object(), 4)
    assert calls == [4, 4]


async def test_one_text_is_one_key_however_it_is_passed_and_nothing_else_is():
    cache: Cache[str] = Cache(CacheConfig(name="one"))
    memory: MemoryCache[str] = MemoryCache(CacheConfig(name="one"))
    calls: list[object] = []

    @cached(cache)
    async def known(first: object) -> str:
        calls.append(first)
        return repr(first)

    @cached(memory)
    def known_here(rest: object) -> str:
        calls.append(rest)
        return repr(rest)

    for each in ("1", 1, True, None, ("1",), b"1", [1, "1"]):
        for _ in range(2):
            assert await known(each) == await known(first=each) == repr(each)
            assert known_here(each) == known_here(rest=each) == repr(each)
    assert len(calls) == 14
    assert await known.remove(first="1")
    known_here.remove("1")
    await known("1")
    known_here(rest="1")
    assert calls[14:] == ["1", "1"]
    for wrong in ((), ("1", "2")):
        with pytest.raises(TypeError):
            await known(*wrong)
        with pytest.raises(TypeError):
            known_here(*wrong)


async def test_a_function_without_parameters_has_one_key():
    cache: Cache[int] = Cache(CacheConfig(name="none"))
    calls: list[int] = []

    @cached(cache)
    async def answer() -> int:
        calls.append(1)
        return 42

    assert [await answer(), await answer(), len(calls)] == [42, 42, 1]


def test_each_kind_of_function_has_its_kind_of_cache():
    async def coroutine() -> int:
        return 1

    with pytest.raises(ConfigurationError, match="give it a Cache"):
        cached(MemoryCache(CacheConfig(name="x")))(coroutine)
    with pytest.raises(ConfigurationError, match="MemoryCache"):
        cached(Cache(CacheConfig(name="x")))(len)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(json_values)
def test_json_comes_back_as_it_was(value):
    serializer: JsonSerializer[object] = JsonSerializer()
    assert serializer.loads(serializer.dumps(value)) == value


def test_json_with_a_type_brings_back_that_type():
    serializer = JsonSerializer(dict[str, tuple[Point, datetime]])
    value = {"a": (Point(1, 2), datetime(2030, 1, 1, tzinfo=UTC))}
    assert serializer.loads(serializer.dumps(value)) == value
    with pytest.raises(NotSerializable):
        serializer.loads(b'{"a": 1}')


@given(st.binary(max_size=200))
def test_bytes_of_anybody_are_a_value_or_refused(data):
    for serializer in (JsonSerializer(), JsonSerializer(Point), BytesSerializer()):
        try:
            serializer.loads(data)
        except NotSerializable:
            continue


def test_a_pickle_is_not_run():
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("code of a stranger ran",))

    for serializer in (JsonSerializer(), JsonSerializer(Point)):
        with pytest.raises(NotSerializable):
            serializer.loads(pickle.dumps(Trap()))


def test_what_cannot_be_written_is_said_without_its_content():
    for value in (object(), {1, 2}, math.nan):
        with pytest.raises(NotSerializable):
            JsonSerializer().dumps(value)
    with pytest.raises(NotSerializable):
        BytesSerializer().dumps("text")


def test_weights_are_about_right():
    assert approximate_weight(b"x" * 100_000) == pytest.approx(100_000, rel=0.01)
    assert approximate_weight(["x" * 1000 for _ in range(5000)]) == pytest.approx(5000 * 1057, rel=0.05)
    assert approximate_weight({"a": Point(1, 2)}) > 200
    assert approximate_weight(None) == 0
    loop: list[object] = []
    loop.append(loop)
    assert approximate_weight(loop) > 0
