"""Checks of settings: what is refused is named with its value and the allowed forms."""

from __future__ import annotations

from collections.abc import Collection
from math import isfinite

from orchestrator_kernel.exceptions import ConfigurationError


def refuse(setting: str, value: object, allowed: str) -> ConfigurationError:
    """The error to raise for a value that is out of its range."""
    return ConfigurationError(
        f"{setting} is {value!r}; allowed: {allowed}",
        details={"setting": setting, "value": repr(value), "allowed": allowed},
    )


def positive(setting: str, value: float) -> None:
    """A time or a rate: more than 0 and finite."""
    if not _is_number(value) or not 0 < value < float("inf"):
        raise refuse(setting, value, "a number above 0")


def not_negative(setting: str, value: float) -> None:
    """A time or a share that may be 0."""
    if not _is_number(value) or not 0 <= value < float("inf"):
        raise refuse(setting, value, "a number from 0 on")


def share(setting: str, value: float) -> None:
    """A share of a whole: above 0, at most 1."""
    if not _is_number(value) or not 0 < value <= 1:
        raise refuse(setting, value, "a share above 0, at most 1")


def count(setting: str, value: object, least: int = 1) -> None:
    """A whole number, `least` or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise refuse(setting, value, f"a whole number from {least} on")


def one_of(setting: str, value: str, allowed: Collection[str]) -> None:
    """One of a few names."""
    if value not in allowed:
        raise refuse(setting, value, ", ".join(allowed))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
