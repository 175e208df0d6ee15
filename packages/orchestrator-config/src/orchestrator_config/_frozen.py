"""Making values immutable: a list becomes a tuple, a set a frozenset, a mapping a `FrozenDict`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from orchestrator_config._walk import is_array, is_set, is_table, members

K = TypeVar("K")
V = TypeVar("V")


class FrozenDict(dict[K, V]):
    """A dictionary that cannot be changed; hashable when its values are.

    It stays a `dict` for the sake of `json.dumps`, `isinstance` and pydantic's serializers.
    """

    __slots__ = ()

    if not TYPE_CHECKING:

        def __new__(cls, *args: object, **kwargs: object) -> Self:
            made = super().__new__(cls)
            dict.__init__(made, *args, **kwargs)
            return made

        def __init__(self, *args: object, **kwargs: object) -> None:
            """Filled by `__new__`; a second call changes nothing."""

        def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
            raise TypeError("settings are immutable")

        __setitem__ = __delitem__ = __ior__ = _refuse
        clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __repr__(self) -> str:
        return f"FrozenDict({super().__repr__()})"

    def __copy__(self) -> FrozenDict[K, V]:
        return self

    def __deepcopy__(self, _memo: object) -> FrozenDict[K, V]:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (dict(self),)


def freeze(value: Any) -> Any:
    """The value with everything in it immutable; models and dataclasses are frozen where they stand."""
    if isinstance(value, (str, bytes, int, float, type(None))):
        return value
    if is_table(value):
        return FrozenDict({key: freeze(each) for key, each in value.items()})
    if is_set(value):
        return frozenset(value)
    if is_array(value):
        return tuple(freeze(each) for each in value)
    if isinstance(value, bytearray):
        return bytes(value)
    freeze_members(value)
    return value


def freeze_members(value: Any) -> None:
    """Freeze what a model or dataclass holds; anything else is left alone."""
    for name, member in members(value) or ():
        frozen = freeze(member)
        if frozen is not member:
            object.__setattr__(value, name, frozen)
