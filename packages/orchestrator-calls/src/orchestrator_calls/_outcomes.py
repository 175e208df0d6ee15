"""Which outcomes of actions go to the caller with which answer, where replies go into the answers of requests.

A function of the call alone, so that every process says the same, and a copy of a request is answered as the request was. An outcome that was
known within the caller's patience goes with the answer that began its action; a later one with the answer to the next input, since nothing
else carries words to the caller.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from orchestrator_calls.call import Call, Channel, Turn
from orchestrator_calls.responder import InputKind

__all__ = ["MARGIN", "awaited", "told_with"]

MARGIN: Final = 0.25
"""Seconds beyond patience for which an outcome is waited for, so that one that came just in time is seen in time."""

_SUFFIX: Final = "/outcome"


def awaited(call: Call, turn: Turn) -> list[str]:
    """The turns that will tell of the actions of `turn` and are not answered yet."""
    if call.channel is not Channel.ANSWER:
        return []
    keys = [f"{action.key}{_SUFFIX}" for action in turn.actions]
    return [key for key in keys if (told := call.turns.get(key)) is None or told.outcome is None]


def told_with(call: Call, turn: Turn, patience: float) -> tuple[Turn, ...]:
    """The answered turns that tell of outcomes and go out after the sentences of `turn`, in their order."""
    if call.channel is not Channel.ANSWER or turn.kind is InputKind.OUTCOME:
        return ()
    late: list[Turn] = []
    for each in call.turns.values():
        if each.id == turn.id:
            break
        if each.kind is not InputKind.OUTCOME:
            late.clear()
        elif each.outcome is not None and not _in_time(call, each, patience):
            late.append(each)
    own = (call.turns.get(f"{action.key}{_SUFFIX}") for action in turn.actions)
    prompt = [each for each in own if each is not None and each.outcome is not None and _in_time(call, each, patience)]
    return (*late, *prompt)


def _in_time(call: Call, told: Turn, patience: float) -> bool:
    """Whether this outcome was known while the answer that began its action was still waited for."""
    began = call.turns.get(told.id.removesuffix(_SUFFIX).rpartition("/")[0])
    if began is None or began.closed_at is None or told.closed_at is None:
        return False
    return told.closed_at - began.closed_at <= timedelta(seconds=patience)
