"""Taking personal data out of what leaves the process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
"""A JSON value, read-only."""


class Redactor(Protocol):
    """Redacts by form, and by the identities known for a call.

    A failure redacts the whole value; it never lets it pass.
    """

    def redact(self, value: Json, *, call: str | None = None) -> Json:
        """The same tree with what is personal replaced; keys stay. The argument is not changed."""
        ...

    def redact_text(self, text: str, *, call: str | None = None) -> str:
        """`redact` for one string."""
        ...

    def know(self, call: str, values: Iterable[str]) -> None:
        """From now on redact these values, in every form they take, wherever `call` is given."""
        ...

    def forget(self, call: str) -> None:
        """Drop what is known of `call`; unknown calls are ignored."""
        ...
