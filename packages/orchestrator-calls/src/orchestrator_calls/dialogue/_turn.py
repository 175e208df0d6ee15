"""From an input to an answer: greeting, speech, keys, silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator_calls.dialogue._asking import wishes_nothing
from orchestrator_calls.dialogue._conversation import Conversation
from orchestrator_calls.dialogue._ears import Heard
from orchestrator_calls.dialogue._form_talk import answer_form, answer_form_digits, refuse_digits
from orchestrator_calls.dialogue._implied import implied_intent
from orchestrator_calls.dialogue._intents import run_intent, run_key, run_spoken, say_goodbye
from orchestrator_calls.dialogue._listening import Utterance
from orchestrator_calls.dialogue._memory import Question, Stage
from orchestrator_calls.dialogue._model import KEYS, Command, Intent, Slot, SlotType
from orchestrator_calls.dialogue._names import asks_something
from orchestrator_calls.dialogue._notices import tell_notices
from orchestrator_calls.dialogue._outcomes import answer_outcome
from orchestrator_calls.dialogue._tongue import listen_for_language
from orchestrator_calls.responder import InputKind, TurnInput

__all__ = ["answer"]

_DOMINANT: Final = 0.5
"""The share of a sentence's words that an intent must name to count while a form waits for the caller's own words."""
_FULL: Final = 2
"""An intent of so many words counts beside an answer in the same sentence."""
_LAST_WORDS: Final = 3
"""So many words may follow a goodbye ("bye then, all the best")."""
_MOST_KEYS: Final = 32
_FREE: Final = (SlotType.TEXT, SlotType.NAME)


def answer(talk: Conversation, given: TurnInput) -> None:
    """Decide the answer to one input."""
    match given.kind:
        case InputKind.GREETING:
            _greet(talk)
        case InputKind.SPEECH:
            _answer_speech(talk, given)
        case InputKind.DIGITS:
            _answer_digits(talk, given.text)
        case InputKind.SILENCE:
            _answer_silence(talk, max(1, given.repeats))
        case InputKind.OUTCOME:
            answer_outcome(talk, given)
    tell_notices(talk, after=1 if given.kind is InputKind.GREETING else 0)


def _greet(talk: Conversation) -> None:
    talk.memory.said.clear()
    talk.note("greeting", understood=True)
    talk.say_again_later("text:greeting")
    if talk.closed:
        talk.say_closed()
    if talk.memory.filling is not None:
        talk.ask()


def _answer_silence(talk: Conversation, repeats: int) -> None:
    if talk.memory.pending and repeats < 2 * talk.script.settings.silences:
        # The caller waits for us.
        talk.say_aside("filler", repeats)
        return
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
    heard = talk.ears.heard(utterance, talk.ears.spans(utterance), talk.memory.menu or None)
    heard = [item for item in heard if not talk.script.intents[item.intent].hang_up or _takes_leave(utterance, item)]
    polite = (item.match for item in heard if item.intent in talk.ears.courtesies)
    talk.pleasantries = {at for match in polite for at in range(match.start, match.end)}
    return heard


def _takes_leave(utterance: Utterance, heard: Heard) -> bool:
    """Whether a goodbye ends the sentence or is most of it; who goes on speaking does not want to be cut off."""
    match = heard.match
    after = [token for token in utterance.tokens[match.end :] if token.word not in utterance.lexicon.polite]
    return len(after) <= _LAST_WORDS or match.score >= len(utterance.tokens) * _DOMINANT


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
    heard = _without_empty_cancel(talk, heard)
    best = heard[0] if heard else None
    unclear = best is None or talk.script.intents[best.intent].fallback or talk.script.intents[best.intent].menu
    implied = implied_intent(talk, utterance, asks=best is not None) if unclear else None
    if implied is not None:
        run_intent(talk, implied, utterance)
    elif best is not None:
        run_spoken(talk, best, utterance)
    elif wishes_nothing(utterance):
        talk.understood("no")
        talk.memory.question = None
        talk.say_text("ready")
        return True
    return best is not None or implied is not None


def _without_empty_cancel(talk: Conversation, heard: list[Heard]) -> list[Heard]:
    """Without the wish to cancel where nothing is open and something else is said as well ("never mind, bye")."""
    if talk.memory.menu or not heard or not _cancels(talk, heard[0]):
        return heard
    others = [
        item for item in _firm(talk, heard) if not _cancels(talk, item) and item.intent not in talk.ears.courtesies
    ]
    return others or heard


def _answer_question(talk: Conversation, utterance: Utterance, heard: list[Heard]) -> bool:
    """Yes or no to the question for more, or to an offer, unless the sentence says more than that."""
    memory, agreement = talk.memory, utterance.agreement
    beyond = [item for item in _beyond_yes_and_no(utterance, heard) if item.intent not in talk.ears.courtesies]
    if memory.question is None or agreement is None or beyond:
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


def _weighty(talk: Conversation, utterance: Utterance, heard: Heard) -> int:
    """How many words of the sentence say anything, apart from yes, no and pleasantries that are not `heard` itself."""
    light = {at for match in utterance.polarity for at in range(match.start, match.end)} | talk.pleasantries
    light.difference_update(range(heard.match.start, heard.match.end))
    return len(utterance.tokens) - len(light)


def _beyond_yes_and_no(utterance: Utterance, heard: list[Heard]) -> list[Heard]:
    """Without what is part of a yes or no ("no, thank you" thanks for nothing)."""
    polar = {at for match in utterance.polarity for at in range(match.start, match.end)}
    return [item for item in heard if not polar.issuperset(range(item.match.start, item.match.end))]


def _answer_in_form(talk: Conversation, utterance: Utterance, heard: list[Heard]) -> bool:
    filling, form = talk.memory.filling, talk.form
    if filling is None or form is None:
        return False
    heard = _affirmed(talk, utterance, _beyond_yes_and_no(utterance, heard))
    if filling.stage is Stage.CONFIRM and utterance.agreement is True:
        # "Yes, cancel it" agrees with what was asked.
        heard = [item for item in heard if not _cancels(talk, item)]
    cancel = next((item for item in heard if _cancels(talk, item)), None)
    if heard and talk.script.intents[heard[0].intent].form == filling.form:
        # Who says again "I want to cancel my stay" does not want to drop the cancellation.
        cancel = None
    best = heard[0] if heard else None
    if cancel is not None and (utterance.agreement is False or _counts(talk, utterance, cancel)):
        return _cancel_in_form(talk, utterance, cancel, heard)
    if best is not None and (_interrupts(talk, utterance, best) or _asks_instead(talk, utterance, heard)):
        run_spoken(talk, best, utterance)
        return True
    if answer_form(talk, form, filling, utterance, heard):
        return True
    if best is not None and _counts(talk, utterance, best):
        run_spoken(talk, best, utterance)
        return True
    return False


def _cancel_in_form(talk: Conversation, utterance: Utterance, cancel: Heard, heard: list[Heard]) -> bool:
    """Drop the form; when the same sentence wants something else apart from the cancelling words, go there."""
    taken = range(cancel.match.start, cancel.match.end)
    other = next(
        (
            item
            for item in heard
            if _leads_away(talk.script.intents[item.intent])
            and set(range(item.match.start, item.match.end)).isdisjoint(taken)
        ),
        None,
    )
    if other is None:
        run_spoken(talk, cancel, utterance)
        return True
    talk.memory.filling = None
    run_spoken(talk, other, utterance)
    return True


def _leads_away(intent: Intent) -> bool:
    return bool(intent.form or intent.transfer or intent.hang_up)


def _cancels(talk: Conversation, heard: Heard) -> bool:
    return talk.script.intents[heard.intent].command is Command.CANCEL


def _affirmed(talk: Conversation, utterance: Utterance, heard: list[Heard]) -> list[Heard]:
    """Without the wishes that are denied beside others ("not a room, a table")."""
    kept = [item for item in heard if not (_leads_away(talk.script.intents[item.intent]) and _denied(utterance, item))]
    return kept if any(_leads_away(talk.script.intents[item.intent]) for item in kept) else heard


def _denied(utterance: Utterance, heard: Heard) -> bool:
    tokens, match = utterance.tokens, heard.match
    if utterance.negated(match.start):
        return True
    after = match.end
    if (
        after >= len(tokens)
        or not tokens[after].before.isspace()
        or tokens[after].word not in utterance.lexicon.negations
    ):
        return False
    return after + 1 == len(tokens) or not tokens[after + 1].before.isspace()


def _counts(talk: Conversation, utterance: Utterance, heard: Heard) -> bool:
    """Whether an intent in a sentence to an open form is meant, and not just some words of the answer."""
    slot = talk.asked_slot
    return slot is None or slot.type not in _FREE or _share(talk, utterance, heard, slot) >= _DOMINANT


def _share(talk: Conversation, utterance: Utterance, heard: Heard, slot: Slot | None) -> float:
    """How much of a sentence an intent takes; a question is no name, whatever stands between its words."""
    match = heard.match
    words = match.end - match.start if slot is not None and slot.type is SlotType.NAME else match.score
    return words / _weighty(talk, utterance, heard)


def _begins(utterance: Utterance, heard: Heard) -> bool:
    """Whether a question is the whole sentence, but for an "oh, and" before it."""
    tokens, lexicon = utterance.tokens, utterance.lexicon
    first = next((at for at, token in enumerate(tokens) if token.word not in lexicon.asides), 0)
    return heard.match.start <= first < len(tokens) - 2


def _asks_instead(talk: Conversation, utterance: Utterance, heard: Sequence[Heard]) -> bool:
    """Whether a caller who was asked for a name asks something that has an answer ("oh, and is there somewhere to park?")."""
    slot, intents = talk.asked_slot, talk.script.intents
    if slot is None or slot.type is not SlotType.NAME or not intents[heard[0].intent].is_answer:
        return False
    return asks_something(utterance) or any(
        intents[item.intent].fallback and _begins(utterance, item) for item in heard
    )


def _interrupts(talk: Conversation, utterance: Utterance, heard: Heard) -> bool:
    """Whether an intent goes before the answer that the sentence may hold as well."""
    intent, slot, filling = talk.script.intents[heard.intent], talk.asked_slot, talk.memory.filling
    if filling is None or intent.form == filling.form or intent.command is Command.FINISH:
        return False
    if intent.fallback:
        # A name does not begin like a question; other answers may ("how about eight?").
        return slot is not None and slot.type is SlotType.NAME and _begins(utterance, heard)
    free = slot is not None and slot.type in _FREE
    full = heard.match.score >= _FULL
    dominant = _share(talk, utterance, heard, slot) >= _DOMINANT
    if intent.command is Command.WAIT and not free and not dominant:
        # "Four, no hang on, six" gives an answer all the same.
        return False
    if intent.transfer or intent.hang_up or intent.command:
        return dominant or (full and not free)
    if intent.is_answer and intent.follow_up and not free:
        # The answer comes with the question, and values beside the question are kept.
        return filling.stage is Stage.ASK
    return full and dominant
