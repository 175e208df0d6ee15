"""What tells test calls of the operators' page from callers': their ids alone, in every process and after every restart."""

from __future__ import annotations

import re
import secrets
from typing import Final

__all__ = ["is_trial", "new_trial"]

_ID: Final = re.compile(r"test_[0-9a-f]{32}")


def new_trial() -> str:
    """The id of a new test call."""
    return f"test_{secrets.token_hex(16)}"


def is_trial(call_id: str) -> bool:
    """Whether a call with this id is one: it can be spoken to from the page, and is counted in no business figure and no objective.

    >>> is_trial(new_trial()), is_trial("test_room")
    (True, False)
    """
    return _ID.fullmatch(call_id) is not None
