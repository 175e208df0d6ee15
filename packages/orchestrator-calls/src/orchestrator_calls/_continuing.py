"""Going on where speech broke off: after the last word that was heard, never from the beginning again."""

from __future__ import annotations

from typing import Final

from orchestrator_calls._turns import WANTED
from orchestrator_calls.call import Call, Channel, Sentence, SentenceState, Turn
from orchestrator_calls.events import CallState
from orchestrator_calls.responder import HangUp, Transfer

__all__ = ["BROKEN_OFF", "broken_off", "goes_on", "pending_orders", "rest_of", "voice_broke"]

BROKEN_OFF: Final = frozenset({"leg lost", "restart"})
"""Why speech ends that nobody wanted to end."""

_BEGUN: Final = frozenset({SentenceState.INTENDED, SentenceState.STARTED})


def broken_off(call: Call) -> list[tuple[Turn, Sentence]]:
    """The sentences that the end of a process may have cut off: they were begun, or were about to be."""
    if call.channel is not Channel.MEDIA:
        return []
    return [(turn, sentence) for turn, sentence in call.speaking if sentence.state in _BEGUN]


def voice_broke(sentence: Sentence, reason: str, heard: str, played_ms: int) -> bool:
    """Whether a voice broke in the middle of a sentence and something can be said in its place: what is left shrinks, and nobody apologises twice."""
    return reason not in BROKEN_OFF | WANTED and (bool(heard) or (played_ms > 0 and not sentence.is_rest))


def goes_on(call: Call, turn: Turn) -> bool:
    """Whether the caller is still to hear the answer of this turn."""
    newest = next(reversed(call.turns), "")
    return turn.id == newest and not turn.interrupted and call.state in {CallState.ACTIVE, CallState.ENDING}


def rest_of(text: str, heard: str) -> str | None:
    """The words after those that were heard; None when nobody knows how many that were."""
    count = len(heard.split())
    return " ".join(text.split()[count:]) if count else None


def pending_orders(call: Call) -> list[tuple[str, Transfer | HangUp]]:
    """The orders that nobody has confirmed, with their keys: a leg that attaches anew may not have been told."""
    pending: list[tuple[str, Transfer | HangUp]] = []
    for key in call.commands:
        verb, _, turn_id = key.partition("/")
        turn = call.turns.get(turn_id)
        command = turn.command if turn else None
        if verb == "transfer" and isinstance(command, Transfer) and call.state is CallState.TRANSFERRING:
            pending.append((key, command))
        elif verb == "hang_up" and call.state is CallState.ENDING:
            pending.append((key, command if isinstance(command, HangUp) else HangUp("maximum duration")))
    return pending
