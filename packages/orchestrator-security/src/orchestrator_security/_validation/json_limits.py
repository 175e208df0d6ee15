"""JSON within limits: one parse, a walk over its objects and arrays, and counts of bytes that save looking at single values.

A count can prove what would be slow to look up. A text without a run of 16 digits and without an exponent holds no large number; a text shorter
than the longest string allowed holds no longer one. Where a count proves nothing, the values are looked at.

Repeated keys are found by counting too: a parser keeps one of two equal keys, so the tree then has fewer keys than the text. Every key is followed
by a quotation mark and a colon; if the text, white space left out, has no more of these than the tree has keys, none is repeated. If it has more,
because they also stand inside strings, the quotation marks decide: two for each key and string, apart from escaped ones.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, TypeAlias, cast

from pydantic_core import from_json

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Json
from orchestrator_security._validation.errors import JsonRefused

__all__ = [
    "JsonLimits",
    "containers_at_most",
    "keys_at_most",
    "may_hold_large_integers",
    "parse_json",
    "shape_of",
]

_PARSER_DEPTH: Final = 200
_SAFE_INTEGER: Final = 2**53 - 1
_SMALL: Final = 10**15

# Every digit becomes 0, signs, points and white space go: what is left shows where numbers and keys stand.
_SHAPE: Final = bytes.maketrans(b"123456789E", b"000000000e")
_LEFT_OUT: Final = b" \t\n\r.-+"
_LONG: Final = b"0" * 16
_EXPONENT: Final = re.compile(rb"(?:[:,\[]|\A)0+e")


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLimits:
    """How large JSON may be.

    Attributes:
        depth: Objects and arrays within each other; `{}` has depth 1. At most 200.
        keys: Members of one object.
        string_length: Characters of a string, or of a key.
        array_length: Elements of one array.
        integer: The largest absolute value of an integer; 2^53 - 1, beyond which readers disagree (RFC 8259 section 6).
        number: The largest absolute value of any other number.
    """

    depth: int = 32
    keys: int = 256
    string_length: int = 10_000
    array_length: int = 1_000
    integer: int = _SAFE_INTEGER
    number: float = 1e18

    def __post_init__(self) -> None:
        if not 1 <= self.depth <= _PARSER_DEPTH:
            raise ConfigurationError(f"the depth of JSON is 1 to {_PARSER_DEPTH}, not {self.depth}")
        if min(self.keys, self.string_length, self.array_length, self.integer, self.number) < 0:
            raise ConfigurationError("a limit of JSON is not negative")


_Objects: TypeAlias = list[dict[str, Any]]
_Arrays: TypeAlias = list[list[Any]]
_members: Callable[[dict[str, Any]], Iterable[Any]] = cast("Any", dict).values


def parse_json(body: bytes, limits: JsonLimits) -> Json:
    """The value of a JSON text (RFC 8259) in UTF-8 that keeps to `limits`.

    Raises:
        JsonRefused: It is no JSON, has a repeated key, a byte order mark or a lone surrogate, or is beyond a limit. Nothing else is
            raised, whatever the bytes are.
    """
    try:
        tree = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise JsonRefused.limit("depth", limits.depth) from None
        raise JsonRefused("The body is not valid JSON in UTF-8.") from None
    shape = shape_of(body)
    objects, arrays = _containers(tree, limits, at_most=containers_at_most(shape))
    if len(body) > limits.string_length:
        _check_strings(_values(tree, objects, arrays), objects, limits)
    if _may_hold_large_numbers(shape, limits):
        _check_numbers(_values(tree, objects, arrays), limits)
    keys = sum(map(len, objects))
    if keys < keys_at_most(shape):
        _check_marks(body, keys, _values(tree, objects, arrays))
    return cast("Json", tree)


def shape_of(body: bytes) -> bytes:
    """The text without white space, signs and points, every digit a zero; the functions below read it."""
    return body.translate(_SHAPE, _LEFT_OUT)


def containers_at_most(shape: bytes) -> int:
    """The number of objects and arrays, more if brackets stand inside strings."""
    return shape.count(b"{") + shape.count(b"[")


def keys_at_most(shape: bytes) -> int:
    """The number of keys, repeated ones counted each time; more if strings hold what looks like the end of one."""
    return shape.count(b'":')


def may_hold_large_integers(shape: bytes, limits: JsonLimits) -> bool:
    """False only if no number written without an exponent can be beyond its limit."""
    return _LONG in shape or limits.integer < _SMALL or limits.number < _SMALL


def _may_hold_large_numbers(shape: bytes, limits: JsonLimits) -> bool:
    if may_hold_large_integers(shape, limits):
        return True
    return b"0e" in shape and _EXPONENT.search(shape) is not None


def _containers(tree: object, limits: JsonLimits, *, at_most: int) -> tuple[_Objects, _Arrays]:
    """All objects and arrays, each within its limit; the search ends when `at_most` are found."""
    objects: _Objects = []
    arrays: _Arrays = []
    level: list[Any] = [tree]
    depth = 0
    while True:
        kinds = set(map(type, level))
        here: _Objects = _of_kind(dict, level, kinds)
        lists: _Arrays = _of_kind(list, level, kinds)
        if not here and not lists:
            return objects, arrays
        depth += 1
        if depth > limits.depth:
            raise JsonRefused.limit("depth", limits.depth)
        if here and max(map(len, here)) > limits.keys:
            raise JsonRefused.limit("the members of an object", limits.keys)
        if lists and max(map(len, lists)) > limits.array_length:
            raise JsonRefused.limit("the elements of an array", limits.array_length)
        objects += here
        arrays += lists
        if len(objects) + len(arrays) == at_most:
            return objects, arrays
        level = list(_values(None, here, lists))


def _of_kind(kind: type, level: list[Any], kinds: set[type]) -> list[Any]:
    if kind not in kinds:
        return []
    return level if len(kinds) == 1 else [each for each in level if type(each) is kind]


def _values(tree: object, objects: _Objects, arrays: _Arrays) -> Iterable[Any]:
    """What stands in the objects and arrays, or `tree` itself when there is none."""
    if not objects and not arrays:
        return (tree,)
    return chain(chain.from_iterable(map(_members, objects)), chain.from_iterable(arrays))


def _check_strings(values: Iterable[object], objects: _Objects, limits: JsonLimits) -> None:
    strings = chain((each for each in values if type(each) is str), *objects)
    if max(map(len, strings), default=0) > limits.string_length:
        raise JsonRefused.limit("the characters of a string", limits.string_length)


def _check_numbers(values: Iterable[object], limits: JsonLimits) -> None:
    numbers = [each for each in values if type(each) is int or type(each) is float]
    integers: Sequence[int] = [each for each in numbers if type(each) is int]
    if integers and (max(integers) > limits.integer or min(integers) < -limits.integer):
        raise JsonRefused.limit("the size of an integer", limits.integer)
    floats: Sequence[float] = [each for each in numbers if type(each) is float]
    # A number too large for a float reads as infinity, which no limit allows.
    largest = min(limits.number, sys.float_info.max)
    if floats and (max(floats) > largest or min(floats) < -largest):
        raise JsonRefused.limit("the size of a number", limits.number)


def _check_marks(body: bytes, keys: int, values: Iterable[object]) -> None:
    marks = body.count(b'"')
    if b"\\" in body:
        marks -= body.replace(b"\\\\", b"").count(b'\\"')
    strings = sum(type(each) is str for each in values)
    if 2 * (keys + strings) != marks:
        raise JsonRefused("An object of the JSON has the same key twice.", details={"reason": "duplicate_key"})
