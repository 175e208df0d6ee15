"""What callers must be told: that no person answers, and what is kept of the call."""

from __future__ import annotations

from orchestrator_calls.dialogue._conversation import Conversation
from orchestrator_kernel.ports import Json

__all__ = ["tell_notices"]

_TIMES = 2
"""A caller who interrupts the notice hears it once more; who interrupts it again does not want to hear it."""


def tell_notices(talk: Conversation, *, after: int) -> None:
    """Put what was not told yet in the caller's language, or not heard to its end, after the first `after` sentences of the answer."""
    sentences: list[str] = []
    for kind, wording in talk.house.notices():
        said = wording[talk.memory.language]
        told = _told(talk, kind)
        if told is None:
            told = dict[str, Json](kind=kind, language=talk.memory.language, times=0)
            talk.memory.notices.append(told)
        elif talk.heard is None or all(part.strip() in talk.heard for part in said) or told["times"] == _TIMES:
            continue
        times = told["times"]
        told["times"] = times + 1 if isinstance(times, int) else 1
        sentences.extend(said)
    talk.tell(sentences, after)


def _told(talk: Conversation, kind: str) -> dict[str, Json] | None:
    language = talk.memory.language
    return next((each for each in talk.memory.notices if (each["kind"], each["language"]) == (kind, language)), None)
