"""A wish that is not named, told by its values: nights are for a room, a number of people at an hour for a table."""

from __future__ import annotations

from typing import Final

from orchestrator_calls.dialogue._conversation import Conversation
from orchestrator_calls.dialogue._lexicon import Kind
from orchestrator_calls.dialogue._listening import Utterance
from orchestrator_calls.dialogue._model import Form, Intent, SlotType

__all__ = ["implied_intent"]

_ENOUGH: Final = 2
"""So many kinds of values tell a form; fewer are said in many other contexts."""
_LONGEST: Final = 60
"""A longer speech is about something else; bounds the work."""
_TYPES: Final = {Kind.DATE: SlotType.DATE, Kind.TIME: SlotType.TIME, Kind.PARTY: SlotType.PARTY_SIZE}


def implied_intent(talk: Conversation, utterance: Utterance, *, asks: bool) -> Intent | None:
    """The only intent whose form takes all the kinds of values that the sentence gives.

    None where several do, where there are too few values, or where the sentence `asks` something and wishes for nothing.
    """
    if len(utterance.tokens) > _LONGEST:
        return None
    mentions = utterance.mentions
    kinds = {mention.kind for mention in mentions if mention.firm}
    if utterance.part is not None:
        # "This evening" is a time of the day as well.
        kinds.add(Kind.TIME)
    if len(kinds) < _ENOUGH or (asks and not utterance.lexicon.wishes.matches(utterance.tokens)):
        return None
    forms = talk.script.forms
    fitting = [
        intent
        for intent in talk.script.intents.values()
        if intent.form is not None and intent.form in forms and _takes(forms[intent.form], kinds)
    ]
    named = {intent.form for intent in fitting}
    return fitting[0] if len(named) == 1 else None


def _takes(form: Form, kinds: set[Kind]) -> bool:
    types = {slot.type for slot in form.slots.values()}
    stays = any(slot.after for slot in form.slots.values())
    return all(stays if kind in (Kind.NIGHTS, Kind.RANGE) else _TYPES.get(kind) in types for kind in kinds)
