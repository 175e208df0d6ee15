"""From an input to an answer: greeting, speech, keys, silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator_calls.dialogue._conversation import Conversation
from orchestrator_calls.dialogue._ears import Heard
from orchestrator_calls.dialogue._form_talk import answer_form, answer_form_digits, refuse_digits
from orchestrator_calls.dialogue._intents import run_intent, run_key, run_spoken, say_goodbye
from orchestrator_calls.dialogue._listening import Utterance
from orchestrator_calls.dialogue._memory import Question, Stage
from orchestrator_calls.dialogue._model import KEYS, Command, Slot, SlotType
from orchestrator_calls.dialogue._tongue import listen_for_language
from orchestrator_calls.responder import InputKind, TurnInput

__all__ = ["answer"]

_DOMINANT: Final = 0.5
"""The share of a sentence's words that an intent must name to count while a form waits for the caller's own words."""
_FULL: Final = 2
"""An intent of so many words counts beside an answer in the same sentence."""
_MOST_KEYS: Final = 32
_FREE: Final = (SlotType.TEXT, SlotType.NAME)


def answer(talk: Conversation, given: TurnInput) -> None:
    """Decide the answer to one input."""
    match given.kind:
        case InputKind.GREETING:
            talk.memory.said.clear()
            talk.note("greeting", understood=True)
            talk.say_again_later("text:greeting")
            if talk.memory.filling is not None:
                talk.ask()
        case InputKind.SPEECH:
            _answer_speech(talk, given)
        case InputKind.DIGITS:
            _answer_digits(talk, given.text)
        case InputKind.SILENCE:
            _answer_silence(talk, max(1, given.repeats))


def _answer_silence(talk: Conversation, repeats: int) -> None:
    if repeats >= talk.script.settings.silences:
        talk.say_text("silence_goodbye")
        talk.hang_up("silence")
        return
    talk.say_text("silence")
    talk.ask()


def _answer_digits(talk: Conversation, text: str) -> None:
    digits = "".join(char for char in text if char in KEYS)[:_MOST_KEYS]
    filling, form = talk.memory.filling, talk.form
    escape = len(digits) > 1 and _is_escape(digits)
    if filling is not None and form is not None and not escape and answer_form_digits(talk, form, filling, digits):
        return
    slot = talk.asked_slot
    if slot is not None and slot.digits and len(digits) > 1 and not escape:
        refuse_digits(talk, slot)
    elif not any(run_key(talk, key) for key in dict.fromkeys(digits)):
        talk.missed()


def _is_escape(digits: str) -> bool:
    """Whether somebody who was asked for a number wants out: hammers on zero, or presses star or hash."""
    return set(digits) == {"0"} or not digits.isdigit()


def _answer_speech(talk: Conversation, given: TurnInput) -> None:
    lexicons = {tag: ears.lexicon for tag, ears in talk.script.ears.items()}
    hint = talk.script.language_for(given.language)
    utterance = Utterance.read(given.text, talk.ears.lexicon)
    tongue = listen_for_language(utterance, lexicons, talk.memory.language, hint)
    if tongue.tag != talk.memory.language:
        talk.speak(tongue.tag)
        utterance = Utterance.read(given.text, talk.ears.lexicon)
    heard = _listen(talk, utterance)
    if tongue.asked and not _firm(talk, heard):
        talk.understood("language")
        talk.say_text("language")
        talk.ask()
        return
    if given.confidence is not None and given.confidence < talk.script.settings.confidence:
        # An unclear call for a person is still worth following.
        heard = [item for item in heard if talk.script.intents[item.intent].transfer][:1]
        if heard:
            run_spoken(talk, heard[0], utterance)
        else:
            talk.missed()
        return
    if _answer_sentence(talk, utterance, heard):
        return
    if _try_other_languages(talk, given.text, tongue.others):
        return
    talk.missed(unsupported=given.language is not None and hint is None)


def _try_other_languages(talk: Conversation, text: str, likely: Sequence[str]) -> bool:
    """Answer in another language: one that the words hint at, or one in which they are an intent and little else."""
    before = talk.memory.language
    for tag in (*likely, *(tag for tag in talk.script.languages if tag not in likely and tag != before)):
        talk.speak(tag)
        utterance = Utterance.read(text, talk.ears.lexicon)
        heard = _listen(talk, utterance)
        firm = _firm(talk, heard)
        clear = bool(firm) and firm[0].match.score >= len(utterance.tokens) * _DOMINANT
        if (tag in likely or clear) and _answer_sentence(talk, utterance, heard):
            return True
    talk.speak(before)
    return False


def _listen(talk: Conversation, utterance: Utterance) -> list[Heard]:
    return talk.ears.heard(utterance, talk.ears.spans(utterance), talk.memory.menu or None)


def _firm(talk: Conversation, heard: list[Heard]) -> list[Heard]:
    return [item for item in heard if not talk.script.intents[item.intent].fallback]


def _answer_sentence(talk: Conversation, utterance: Utterance, heard: list[Heard]) -> bool:
    """Answer, or return False when nothing was understood."""
    if not utterance.tokens:
        return False
    if talk.memory.filling is not None:
        return _answer_in_form(talk, utterance, heard)
    if _answer_question(talk, utterance, heard):
        return True
    if heard:
        run_spoken(talk, heard[0], utterance)
    return bool(heard)


def _answer_question(talk: Conversation, utterance: Utterance, heard: list[Heard]) -> bool:
    """Yes or no to the question for more, or to an offer, unless the sentence says more than that."""
    memory, agreement = talk.memory, utterance.agreement
    if memory.question is None or agreement is None or _beyond_yes_and_no(utterance, heard):
        return False
    if memory.question is Question.OFFER and agreement and memory.offer in talk.script.intents:
        run_intent(talk, talk.script.intents[memory.offer])
    elif memory.question is Question.OFFER:
        talk.understood("no" if not agreement else "yes")
        talk.go_on()
    elif agreement:
        talk.understood("yes")
        memory.question = None
        talk.say_text("ready")
    else:
        talk.understood("end_call")
        say_goodbye(talk)
    return True


def _beyond_yes_and_no(utterance: Utterance, heard: list[Heard]) -> list[Heard]:
    """Without what is part of a yes or no ("no, thank you" thanks for nothing)."""
    polar = {at for match in utterance.polarity for at in range(match.start, match.end)}
    return [item for item in heard if not polar.issuperset(range(item.match.start, item.match.end))]


def _answer_in_form(talk: Conversation, utterance: Utterance, heard: list[Heard]) -> bool:
    filling, form = talk.memory.filling, talk.form
    if filling is None or form is None:
        return False
    heard = _beyond_yes_and_no(utterance, heard)
    cancel = next((item for item in heard if talk.script.intents[item.intent].command is Command.CANCEL), None)
    best = heard[0] if heard else None
    if cancel is not None and _counts(talk, utterance, cancel):
        return _cancel_in_form(talk, utterance, cancel, heard)
    if best is not None and _interrupts(talk, utterance, best):
        run_spoken(talk, best, utterance)
        return True
    if answer_form(talk, form, filling, utterance, heard):
        return True
    if best is not None and _counts(talk, utterance, best):
        run_spoken(talk, best, utterance)
        return True
    return False


def _cancel_in_form(talk: Conversation, utterance: Utterance, cancel: Heard, heard: list[Heard]) -> bool:
    """Drop the form; when the same sentence starts another one apart from the cancelling words, go there."""
    taken = range(cancel.match.start, cancel.match.end)
    other = next(
        (
            item
            for item in heard
            if talk.script.intents[item.intent].form and not set(range(item.match.start, item.match.end)) & set(taken)
        ),
        None,
    )
    if other is None:
        run_spoken(talk, cancel, utterance)
        return True
    talk.memory.filling = None
    run_spoken(talk, other, utterance)
    return True


def _counts(talk: Conversation, utterance: Utterance, heard: Heard) -> bool:
    """Whether an intent in a sentence to an open form is meant, and not just some words of the answer."""
    slot = talk.asked_slot
    return slot is None or slot.type not in _FREE or _share(utterance, heard, slot) >= _DOMINANT


def _share(utterance: Utterance, heard: Heard, slot: Slot | None) -> float:
    """How much of a sentence an intent takes; a question is no name, whatever stands between its words."""
    match = heard.match
    words = match.end - match.start if slot is not None and slot.type is SlotType.NAME else match.score
    return words / len(utterance.tokens)


def _interrupts(talk: Conversation, utterance: Utterance, heard: Heard) -> bool:
    """Whether an intent goes before the answer that the sentence may hold as well."""
    intent, slot, filling = talk.script.intents[heard.intent], talk.asked_slot, talk.memory.filling
    if filling is None or intent.form == filling.form or intent.command is Command.FINISH:
        return False
    if intent.fallback:
        # A name does not begin like a question; other answers may ("how about eight?").
        return slot is not None and slot.type is SlotType.NAME and heard.match.start == 0 < len(utterance.tokens) - 2
    free = slot is not None and slot.type in _FREE
    full = heard.match.score >= _FULL
    dominant = _share(utterance, heard, slot) >= _DOMINANT
    if intent.transfer or intent.hang_up or intent.command:
        return dominant or (full and not free)
    if intent.is_answer and intent.follow_up and not free:
        # The answer comes with the question, and values beside the question are kept.
        return filling.stage is Stage.ASK
    return full and dominant
