"""Keeping the values of a label within their bound while the process runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring._metrics.label_bounds import AtMost, LabelBound, OneOf, Registered

__all__ = ["Admit", "Seen", "admission"]

Admit = Callable[[str], str]
"""The value under which one is counted: itself, or the bound's `other`."""

Seen = Callable[[], Iterable[str]]
"""The values that other processes have told apart already."""


def admission(bound: LabelBound, registers: Mapping[str, Callable[[str], bool]], seen: Seen) -> Admit:
    """What to ask for every value of a label.

    Raises:
        ConfigurationError: The bound names a register that is not given.
    """
    if isinstance(bound, OneOf):
        return _one_of(bound)
    if isinstance(bound, AtMost):
        return _FirstFew(bound.limit, bound.other, seen)
    known = registers.get(bound.register)
    if known is None:
        raise ConfigurationError(
            f"a label is bounded by the register {bound.register!r}, which is not given: pass registers={{{bound.register!r}: …}}",
            details={"register": bound.register},
        )
    return _registered(bound, known, _FirstFew(bound.limit, bound.other, seen))


def _one_of(bound: OneOf) -> Admit:
    values = {value: value for value in bound.values}
    other = bound.other
    return lambda value: values.get(value, other)


def _registered(bound: Registered, known: Callable[[str], bool], first: Admit) -> Admit:
    other = bound.other
    return lambda value: first(value) if known(value) else other


class _FirstFew:
    """The first `limit` values are told apart; once there are so many, no other ever is."""

    def __init__(self, limit: int, other: str, seen: Seen) -> None:
        self._limit = limit
        self._other = other
        self._seen = seen
        self._told: set[str] = set()

    def __call__(self, value: str) -> str:
        if value in self._told:
            return value
        if len(self._told) >= self._limit:
            return self._other
        # Another process may have used the room up: what is shown is the union.
        self._told.update(each for each in self._seen() if each != self._other)
        if value not in self._told and len(self._told) >= self._limit:
            return self._other
        self._told.add(value)
        return value
