"""When an action has ended, or a transfer came to nothing: the caller hears what really happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator_calls.actions import ActionOutcome, ActionStatus
from orchestrator_calls.dialogue._conversation import Conversation
from orchestrator_calls.dialogue._memory import Filling, Pending, Stage
from orchestrator_calls.dialogue._model import Form
from orchestrator_calls.responder import TurnInput
from orchestrator_kernel.ports import Json

__all__ = ["TRANSFER", "answer_outcome"]

TRANSFER: Final = "transfer"
"""The action whose outcome is that of a transfer."""
_LONGEST: Final = 200


def answer_outcome(talk: Conversation, given: TurnInput) -> None:
    """Say how an action ended, and go on where the call was; without an outcome nobody knows how."""
    outcome = given.outcome or ActionOutcome(status=ActionStatus.UNCONFIRMED)
    if given.action == TRANSFER:
        if outcome.status is not ActionStatus.DONE:
            talk.offer_message("transfer_failed")
        return
    pending = next((each for each in talk.memory.pending if each.action == given.action), None)
    if pending is None:
        talk.say_text({ActionStatus.DONE: "acted", ActionStatus.REFUSED: "refused"}.get(outcome.status, "unconfirmed"))
        talk.go_on()
        return
    talk.memory.pending.remove(pending)
    form = talk.script.forms[pending.filling.form]
    _note(talk, form, pending.filling, outcome)
    talk.memory.said.clear()
    talk.say_again_later("done")
    if not _reopen(talk, form, pending, outcome):
        talk.go_on()


def _note(talk: Conversation, form: Form, filling: Filling, outcome: ActionOutcome) -> None:
    """Keep the outcome with the form, and the form as the last that was talked about."""
    completed = talk.memory.completed
    done: dict[str, Json] = next(
        (
            each
            for each in reversed(completed)
            if each["form"] == form.name and each["slots"] == filling.slots and "outcome" not in each
        ),
        {"form": form.name, "slots": dict(filling.slots)},
    )
    if done in completed:
        completed.remove(done)
    data = _told(form, outcome.data)
    completed.append(
        {
            **done,
            "outcome": outcome.status.value,
            **({"reason": outcome.reason[:80]} if outcome.reason else {}),
            **({"data": data} if data else {}),
        }
    )


def _told(form: Form, data: Mapping[str, Json]) -> dict[str, Json]:
    """The results that the form declares, as far as they can be spoken."""
    return {
        name: value
        for name in form.results
        if isinstance(value := data.get(name), str | int)
        and not isinstance(value, bool)
        and 0 < len(str(value).strip()) <= _LONGEST
    }


def _reopen(talk: Conversation, form: Form, pending: Pending, outcome: ActionOutcome) -> bool:
    """After a refusal that another value may heal, ask for that value; whatever else was begun waits."""
    refused = form.refusals.get(outcome.reason) if outcome.status is ActionStatus.REFUSED else None
    if refused is None or refused.change is None:
        return False
    talk.suspend(even_empty=True)
    talk.memory.menu, talk.memory.offer, talk.memory.question = "", "", None
    slots = {name: value for name, value in pending.filling.slots.items() if name != refused.change}
    talk.memory.filling = Filling(form.name, pending.filling.intent, slots, Stage.ASK, refused.change)
    talk.ask()
    return True
