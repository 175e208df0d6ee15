"""A turn as the journal and the responder are told of it."""

from __future__ import annotations

import hashlib
from datetime import tzinfo

from orchestrator_calls.actions import ActionOutcome, ActionRequest
from orchestrator_calls.call import Action, Call, Turn
from orchestrator_calls.decide import Ask
from orchestrator_calls.responder import Say, TurnContext, TurnInput
from orchestrator_kernel.ports import Json

__all__ = ["context_of", "opening", "outcome_payload", "request_of"]


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
        "action": ask.action,
        "result": None if ask.result is None else outcome_payload(ask.result),
    }


def outcome_payload(outcome: ActionOutcome) -> dict[str, Json]:
    """An outcome as a payload holds it."""
    return {"status": outcome.status.value, "reason": outcome.reason, "data": outcome.data}


def request_of(call: Call, action: Action) -> ActionRequest:
    """What is asked of the tenant's system: the same for every attempt. The key is made of what is unique, and tells nothing."""
    unique = f"{call.tenant}\n{call.id}\n{action.key}"
    return ActionRequest(
        key=f"act_{hashlib.sha256(unique.encode()).hexdigest()[:32]}",
        call_id=call.id,
        tenant=call.tenant,
        name=action.name,
        arguments=action.arguments,
        language=action.language or call.language,
        caller=call.caller,
    )


def context_of(call: Call, turn: Turn, zone: tzinfo) -> TurnContext:
    """All that the responder is told, from the call alone: a process that takes the turn up tells the same. `zone` is the tenant's."""
    return TurnContext(
        call_id=call.id,
        tenant=call.tenant,
        turn=turn.id,
        language=call.language_before(turn.id),
        input=TurnInput(
            kind=turn.kind,
            text=turn.text,
            language=turn.language,
            confidence=turn.confidence,
            repeats=turn.repeats,
            action=turn.action,
            outcome=turn.result,
        ),
        memory=turn.memory,
        history=call.history(before=turn.id),
        now=turn.opened_at.astimezone(zone),
        said=tuple(step.text for step in turn.steps if isinstance(step, Say)),
    )
