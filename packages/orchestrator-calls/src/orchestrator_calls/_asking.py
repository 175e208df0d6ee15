"""A turn as the journal and the responder are told of it."""

from __future__ import annotations

from datetime import tzinfo

from orchestrator_calls.call import Call, Turn
from orchestrator_calls.decide import Ask
from orchestrator_calls.responder import TurnContext, TurnInput
from orchestrator_kernel.ports import Json

__all__ = ["context_of", "opening"]


def opening(ask: Ask) -> dict[str, Json]:
    """The payload of the event that opens the turn."""
    return {
        "turn": ask.turn,
        "kind": ask.kind.value,
        "inputs": list(ask.inputs),
        "text": ask.text,
        "language": ask.language,
        "confidence": ask.confidence,
        "repeats": ask.repeats,
        "sensitive": ask.sensitive,
        "interrupted": ask.interrupted,
    }


def context_of(call: Call, turn: Turn, zone: tzinfo) -> TurnContext:
    """All that the responder is told, from the call alone: a process that takes the turn up tells the same. `zone` is the tenant's."""
    return TurnContext(
        call_id=call.id,
        tenant=call.tenant,
        turn=turn.id,
        language=call.language,
        input=TurnInput(
            kind=turn.kind,
            text=turn.text,
            language=turn.language,
            confidence=turn.confidence,
            repeats=turn.repeats,
        ),
        memory=call.memory,
        history=call.history(before=turn.id),
        now=turn.opened_at.astimezone(zone),
    )
