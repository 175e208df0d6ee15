"""What a tenant's endpoint answered, as the outcome of an action. Pure.

Only what the other side says counts: `{"status": "done"}` or `{"status": "refused", "reason": "fully_booked"}`, with `data` for what the caller may be
told. Everything else is unconfirmed, and says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, cast

from orchestrator_calls.actions import ActionOutcome, ActionStatus
from orchestrator_kernel.ports import Json

__all__ = ["MAX_ANSWER", "is_retryable", "outcome_of", "unconfirmed"]

MAX_ANSWER: Final = 65_536
"""Bytes of an answer."""

MAX_DATA: Final = 8_192
"""Characters of the answer's `data` as JSON."""

MAX_REASON: Final = 100


def unconfirmed(reason: str) -> ActionOutcome:
    """Nobody knows; `reason` is ours."""
    return ActionOutcome(status=ActionStatus.UNCONFIRMED, reason=reason)


def is_retryable(status: int) -> bool:
    """Whether the same request may succeed later."""
    return status in {408, 425, 429} or (status >= 500 and status not in {501, 505})


def outcome_of(status: int, content_type: str, body: bytes) -> ActionOutcome:
    """The outcome that an answer tells.

    Args:
        status: Of HTTP.
        content_type: As it was sent; only JSON is read.
        body: At most `MAX_ANSWER` bytes.
    """
    if 300 <= status < 400:
        return unconfirmed("redirected")
    said = _said(content_type, body)
    told = said.get("status") if said is not None else None
    success = 200 <= status < 300
    if told == "refused" and (success or 400 <= status < 500):
        return _told(ActionStatus.REFUSED, said or {})
    if not success:
        return unconfirmed(f"status_{status}")
    if told == "done":
        return _told(ActionStatus.DONE, said or {})
    return unconfirmed("no_status" if said is not None else "no_json")


def _said(content_type: str, body: bytes) -> Mapping[str, object] | None:
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        return None
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else None


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _told(status: ActionStatus, said: Mapping[str, object]) -> ActionOutcome:
    reason = said.get("reason")
    return ActionOutcome(status=status, reason=_code(reason) if isinstance(reason, str) else "", data=_data(said))


def _code(reason: str) -> str:
    return "".join(char if char.isprintable() else " " for char in reason)[:MAX_REASON].strip()


def _data(said: Mapping[str, object]) -> Mapping[str, Json]:
    """The answer's `data`; nothing where the journal cannot hold it."""
    data = said.get("data")
    if not isinstance(data, dict):
        return {}
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        return {}
    return cast("Mapping[str, Json]", data) if len(text) <= MAX_DATA else {}
