"""What a value weighs in memory, about, in bytes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from typing import Final, cast

__all__ = ["approximate_weight"]

_LOOKED_AT: Final = 1000
_DEEPEST: Final = 20
_SHARED: Final = (bool, type(None), type)


def approximate_weight(value: object) -> int:
    """`sys.getsizeof` of the value and of what it contains: strings, numbers, containers, dataclasses.

    Of a container with very many members the first are weighed and the rest is taken to be like them.

    >>> approximate_weight(b"x" * 1000) > 1000
    True
    """
    return _weigh(value, [_LOOKED_AT], 0)


def _weigh(value: object, budget: list[int], depth: int) -> int:
    budget[0] -= 1
    if isinstance(value, _SHARED) or depth > _DEEPEST:
        return 0
    depth += 1
    own = sys.getsizeof(value, 64)
    if isinstance(value, str | bytes | bytearray | int | float):
        return own
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value)
        some = [part for pair in _first(pairs.items(), budget) for part in cast("tuple[object, object]", pair)]
        return own + _members(some, 2 * len(pairs), budget, depth)
    if isinstance(value, Sequence | AbstractSet):
        members = cast("Sequence[object]", value)
        return own + _members(_first(members, budget), len(members), budget, depth)
    if is_dataclass(value):
        parts = [getattr(value, each.name, None) for each in fields(value)]
        return own + _members(parts, len(parts), budget, depth)
    inside = getattr(value, "__dict__", None)
    return own + (_weigh(inside, budget, depth) if inside else 0)


def _first(members: object, budget: list[int]) -> list[object]:
    count = max(0, budget[0])
    return [each for each, _ in zip(cast("Sequence[object]", members), range(count), strict=False)]


def _members(some: Sequence[object], count: int, budget: list[int], depth: int) -> int:
    weighed = 0
    total = 0
    for each in some:
        if budget[0] <= 0:
            break
        total += _weigh(each, budget, depth)
        weighed += 1
    return total * count // weighed if weighed else 0
