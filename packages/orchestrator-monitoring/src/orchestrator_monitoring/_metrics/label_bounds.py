"""What a label's values may be: every bound is finite, so that no caller can make series without end."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["OTHER", "AtMost", "LabelBound", "OneOf", "Registered"]

OTHER = "other"
"""What a value that is out of bounds is called, where nothing else is said."""

_SHOWN = 10


@dataclass(frozen=True, slots=True, init=False)
class OneOf:
    """Fixed words; whatever else comes is `other`.

    >>> OneOf("ok", "failed").most
    3
    """

    values: tuple[str, ...]
    other: str

    def __init__(self, *values: str, other: str = OTHER) -> None:
        if not values:
            raise ConfigurationError("OneOf needs at least one value")
        object.__setattr__(self, "values", tuple(dict.fromkeys(values)))
        object.__setattr__(self, "other", other)

    @property
    def most(self) -> int:
        """How many values there can be at most, `other` among them."""
        return len({*self.values, self.other})

    def __str__(self) -> str:
        values = list(dict.fromkeys((*self.values, self.other)))
        shown = [f"`{value}`" if value else "nothing" for value in values]
        return ", ".join(shown if len(shown) <= _SHOWN else [*shown[: _SHOWN - 2], "…", f"`{self.other}`"])


@dataclass(frozen=True, slots=True)
class AtMost:
    """Any text, but only the first `limit` different ones are told apart; the rest is `other`."""

    limit: int
    other: str = OTHER

    def __post_init__(self) -> None:
        _positive(self.limit)

    @property
    def most(self) -> int:
        """How many values there can be at most, `other` among them."""
        return self.limit + 1

    def __str__(self) -> str:
        return f"the first {self.limit} values; `{self.other}`"


@dataclass(frozen=True, slots=True)
class Registered:
    """Names that a register of the application knows, `tenants` for instance, and of them the first `limit`; the rest is `other`.

    Which register that is, `Metrics` is told when it is made: `Metrics(..., registers={"tenants": known_tenant})`.
    """

    register: str
    limit: int = 1000
    other: str = OTHER

    def __post_init__(self) -> None:
        _positive(self.limit)

    @property
    def most(self) -> int:
        """How many values there can be at most, `other` among them."""
        return self.limit + 1

    def __str__(self) -> str:
        return f"known {self.register}, at most {self.limit}; `{self.other}`"


LabelBound = OneOf | AtMost | Registered
"""How the values of a label are bounded."""


def _positive(limit: int) -> None:
    if limit < 1:
        raise ConfigurationError(f"the limit of a label must be 1 or more, not {limit}")
