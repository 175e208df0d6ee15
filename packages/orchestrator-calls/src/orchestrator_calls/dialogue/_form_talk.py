"""Talking about a form: filling, refusing, confirming, correcting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator_calls.dialogue._conversation import Conversation
from orchestrator_calls.dialogue._ears import Heard
from orchestrator_calls.dialogue._filling import Given, given_by
from orchestrator_calls.dialogue._listening import Utterance
from orchestrator_calls.dialogue._matcher import Capture
from orchestrator_calls.dialogue._memory import Filling, Pending, Stage
from orchestrator_calls.dialogue._model import Form, Intent, Slot, SlotType
from orchestrator_calls.dialogue._values import Refusal, pending_nights, settle, typed
from orchestrator_kernel.ports import Json

__all__ = ["absorb", "answer_form", "answer_form_digits", "begin_form", "complete", "refuse_digits"]

_YES, _NO = "1", "2"
_RANGES: Final = ("out_of_range", "outside_hours", "too_far", "wrong_length", "wrong_text_length")
"""The reasons that a slot may give in its own words; the others say what is wrong in itself."""
_UNREADABLE: Final = {
    SlotType.DATE: "invalid_date",
    SlotType.TIME: "invalid_time",
    SlotType.NUMBER: "out_of_range",
    SlotType.PARTY_SIZE: "out_of_range",
}


def begin_form(
    talk: Conversation, intent: Intent, utterance: Utterance | None, captures: Sequence[Capture] = ()
) -> None:
    """Open the form of `intent` and fill what the sentence gives already."""
    filling = talk.begin(intent, intent.form or "")
    form = talk.script.forms[filling.form]
    given: list[Given] = []
    if utterance is not None:
        given = given_by(utterance, talk.ears, form, filled=filling.slots, asking="", captures=captures)
    if not given and not filling.slots:
        talk.say(form.intro)
    _take(talk, form, filling, given)


def answer_form(talk: Conversation, form: Form, filling: Filling, utterance: Utterance, heard: Sequence[Heard]) -> bool:
    """Take the sentence as an answer; False when it is none, so that something else was meant."""
    talk_about = filling.intent or form.name
    named = _named_slot(talk, form, utterance)
    if filling.stage is not Stage.ASK:
        return _answer_confirm(talk, form, filling, utterance, named)
    captures = next((item.match.captures for item in heard if _starts(talk, item, form.name)), ())
    given = given_by(utterance, talk.ears, form, filled=filling.slots, asking=filling.asking, captures=captures)
    if named is not None and not given and (_wants_change(utterance) or named.name in filling.slots):
        talk.understood(talk_about)
        talk.ask_for(named.name)
        talk.ask()
        return True
    if not given:
        return False
    talk.understood(talk_about)
    _take(talk, form, filling, given)
    return True


def answer_form_digits(talk: Conversation, form: Form, filling: Filling, digits: str) -> bool:
    """Take keys as an answer; False when they cannot be one."""
    if filling.stage is Stage.CONFIRM and digits in (_YES, _NO):
        talk.understood(filling.intent or form.name)
        if digits == _YES:
            complete(talk, form, filling)
        else:
            _ask_what_to_change(talk, filling)
        return True
    slot = talk.asked_slot
    raw = typed(slot, digits) if slot is not None else None
    if slot is None or raw is None or (not slot.digits and slot.type not in (SlotType.CHOICE, SlotType.YES_NO)):
        return False
    if len(digits) == 1 and isinstance(settle(slot, raw, filling.slots, talk.moment), Refusal):
        return False
    talk.understood(filling.intent or form.name)
    _take(talk, form, filling, [Given(slot.name, raw, 0, 0)])
    return True


def refuse_digits(talk: Conversation, slot: Slot) -> None:
    """Keys that cannot be a value of the slot they were asked for: say why."""
    filling = talk.memory.filling
    if filling is None:
        return
    talk.note(filling.intent, understood=False)
    _refuse(talk, slot, Refusal(_UNREADABLE.get(slot.type, "wrong_length"), {"min": slot.low, "max": slot.high}))


def absorb(talk: Conversation, utterance: Utterance, apart_from: range) -> None:
    """Keep the values that a sentence holds beside a question of the caller ("Friday, and when is breakfast?")."""
    filling, form = talk.memory.filling, talk.form
    if filling is None or form is None or (filling.stage is Stage.ASK and talk.asked_slot is None):
        return
    slot = talk.asked_slot
    asking = "" if slot is None or slot.type in (SlotType.TEXT, SlotType.NAME) else slot.name
    for item in given_by(utterance, talk.ears, form, filled=filling.slots, asking=asking):
        value = settle(form.slots[item.slot], item.raw, filling.slots, talk.moment)
        beside = item.start < item.end and set(range(item.start, item.end)).isdisjoint(apart_from)
        if beside and not isinstance(value, Refusal):
            filling.slots[item.slot] = value
            if item.slot == filling.asking:
                filling.asking = ""


def complete(talk: Conversation, form: Form, filling: Filling) -> None:
    """The caller confirmed: have the form carried out where the tenant can, or note it and say no more than that."""
    memory = talk.memory
    memory.completed.append({"form": form.name, "slots": dict(filling.slots)})
    memory.filling = None
    memory.said.clear()
    if form.action is not None and form.action in talk.house.actions:
        memory.pending.append(Pending(form.action, filling))
        talk.say_again_later("text:passing")
        talk.act(form.action, filling.slots)
        return
    talk.say_again_later("done")
    talk.go_on()


def _answer_confirm(talk: Conversation, form: Form, filling: Filling, utterance: Utterance, named: Slot | None) -> bool:
    agreement = utterance.agreement
    given = given_by(utterance, talk.ears, form, filled=filling.slots, asking="", correcting=True)
    changed = [item for item in given if _changes(talk, form, filling, item)]
    everything = utterance.lexicon.everything.matches(utterance.tokens)
    wants_change = _wants_change(utterance)
    if not (given or everything or wants_change or named is not None or agreement is not None):
        return False
    talk.understood(filling.intent or form.name)
    if changed:
        filling.stage = Stage.CONFIRM
        _take(talk, form, filling, changed)
    elif named is not None and (wants_change or agreement is not True):
        talk.ask_for(named.name)
        talk.ask()
    elif everything and (filling.stage is Stage.CHANGE or agreement is not True):
        filling.slots.clear()
        filling.stage, filling.asking = Stage.ASK, ""
        talk.ask()
    elif filling.stage is Stage.CHANGE and agreement is not None:
        # "Nothing", or "no, it is fine": back to the question whether all is right.
        filling.stage = Stage.CONFIRM
        talk.ask()
    elif wants_change or agreement is False:
        _ask_what_to_change(talk, filling)
    elif agreement is True:
        complete(talk, form, filling)
    else:
        filling.stage = Stage.CONFIRM
        talk.ask()
    return True


def _ask_what_to_change(talk: Conversation, filling: Filling) -> None:
    filling.stage = Stage.CHANGE
    talk.ask()


def _changes(talk: Conversation, form: Form, filling: Filling, given: Given) -> bool:
    others = {name: value for name, value in filling.slots.items() if name != given.slot}
    return settle(form.slots[given.slot], given.raw, others, talk.moment) != filling.slots.get(given.slot)


def _wants_change(utterance: Utterance) -> bool:
    return bool(utterance.lexicon.changes.matches(utterance.tokens))


def _named_slot(talk: Conversation, form: Form, utterance: Utterance) -> Slot | None:
    matcher = talk.ears.forms[form.name].called
    matches = matcher.matches(utterance.tokens)
    best = max(matches, key=lambda match: match.score, default=None)
    return None if best is None else form.slots[matcher.meanings[best.pattern]]


def _starts(talk: Conversation, heard: Heard, form: str) -> bool:
    return talk.script.intents[heard.intent].form == form


def _take(talk: Conversation, form: Form, filling: Filling, given: Sequence[Given]) -> None:
    """Check and keep what was given, then ask for what is refused or missing."""
    talk.memory.said.clear()
    refused: tuple[Slot, Refusal] | None = None
    for item in given:
        slot = form.slots[item.slot]
        value = settle(slot, item.raw, filling.slots, talk.moment)
        if isinstance(value, Refusal):
            refused = refused or (slot, value)
        else:
            filling.slots[slot.name] = value
            if slot.name == filling.asking:
                filling.asking = ""
    refused = refused or _conflict(talk, form, filling)
    if refused is not None:
        _refuse(talk, *refused)
        return
    filling.asking = filling.asking if filling.asking not in filling.slots else ""
    if filling.stage is not Stage.ASK:
        filling.stage, filling.asking = Stage.ASK, ""
    talk.ask_next()


def _conflict(talk: Conversation, form: Form, filling: Filling) -> tuple[Slot, Refusal] | None:
    """What was fine alone and is not together; the later value is dropped."""
    for slot in form.slots.values():
        start = filling.slots.get(slot.after) if slot.after else None
        value = filling.slots.get(slot.name)
        if start is not None and value is not None:
            value = filling.slots[slot.name] = pending_nights(value, start)
            if isinstance(value, str) and isinstance(start, str) and not value.startswith("+") and value <= start:
                del filling.slots[slot.name]
                return slot, Refusal("not_after", {"after": start})
    return _past_time(talk, form, filling)


def _past_time(talk: Conversation, form: Form, filling: Filling) -> tuple[Slot, Refusal] | None:
    now = talk.moment.now
    day = next((slot for slot in form.slots.values() if slot.type is SlotType.DATE), None)
    hour = next((slot for slot in form.slots.values() if slot.type is SlotType.TIME), None)
    if now is None or day is None or hour is None or filling.slots.get(day.name) != now.date().isoformat():
        return None
    at = filling.slots.get(hour.name)
    if not isinstance(at, str) or at >= now.time().isoformat("minutes"):
        return None
    del filling.slots[hour.name]
    return hour, Refusal("past_time")


def _refuse(talk: Conversation, slot: Slot, refusal: Refusal) -> None:
    """Say why a value will not do and ask again; too many times in a row end with a person."""
    memory = talk.memory
    memory.misses += 1
    talk.ask_for(slot.name)
    if memory.misses >= talk.script.settings.misunderstandings:
        talk.hand_off("not_understood")
        return
    extra: dict[str, Json] = {"label": talk.phrase(slot.label), **refusal.values}
    talk.say(
        slot.reason if slot.reason is not None and refusal.reason in _RANGES else talk.script.reasons[refusal.reason],
        extra,
    )
    talk.ask()
