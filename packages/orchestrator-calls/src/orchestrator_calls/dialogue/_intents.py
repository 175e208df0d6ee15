"""What happens when an intent was understood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator_calls.dialogue._conversation import MAIN_MENU, Conversation
from orchestrator_calls.dialogue._ears import Heard
from orchestrator_calls.dialogue._form_talk import absorb, begin_form, complete
from orchestrator_calls.dialogue._listening import Utterance
from orchestrator_calls.dialogue._matcher import Capture
from orchestrator_calls.dialogue._memory import Question, Stage
from orchestrator_calls.dialogue._model import Command, Intent

__all__ = ["run_intent", "run_key", "run_spoken", "say_goodbye"]


CONSENT_REFUSED: Final = "consent_refused"
"""The intent of a caller who does not want to be recorded; it is kept with the notices."""


def run_spoken(talk: Conversation, heard: Heard, utterance: Utterance) -> None:
    """Run an intent that was found in a sentence; what else the sentence says goes to the open form."""
    intent = talk.script.intents[heard.intent]
    if intent.is_answer and talk.memory.filling is not None:
        absorb(talk, utterance, range(heard.match.start, heard.match.end))
    if intent.form is not None and utterance.agreement is False:
        # "No, a room": the other form is not wanted any more.
        talk.memory.filling = None
    run_intent(talk, intent, utterance, heard.match.captures)


def run_intent(
    talk: Conversation, intent: Intent, utterance: Utterance | None = None, captures: Sequence[Capture] = ()
) -> None:
    """Do what `intent` does; without an utterance it was chosen with a key."""
    talk.understood(intent.reports)
    if intent.command is not None:
        _run_command(talk, intent.command, intent)
    elif intent.transfer is not None:
        _transfer(talk, intent, intent.transfer)
    elif intent.hang_up:
        say_goodbye(talk, intent)
    elif intent.menu is not None:
        talk.say(intent.say)
        talk.suspend()
        talk.memory.menu = intent.menu
        talk.memory.question = None
        talk.memory.said.clear()
        talk.ask()
    elif intent.form is not None:
        talk.say(intent.say)
        talk.memory.said.clear()
        talk.suspend()
        begin_form(talk, intent, utterance, captures)
    else:
        _answer(talk, intent)


def _transfer(talk: Conversation, intent: Intent, target: str) -> None:
    if intent.name == CONSENT_REFUSED:
        talk.memory.notices.append({"kind": CONSENT_REFUSED, "language": talk.memory.language, "times": 1})
    if talk.closed and not intent.always:
        talk.offer_message("closed_handoff")
        return
    _say_own(talk, intent, otherwise="handoff")
    talk.transfer(target, intent.reports)


def say_goodbye(talk: Conversation, intent: Intent | None = None) -> None:
    """Take leave; a caller who leaves in the middle of a form hears that it was not passed on."""
    memory = talk.memory
    if memory.pending:
        talk.say_text("unconfirmed")
    if memory.filling is not None or memory.suspended:
        talk.say_text("unfinished")
    _say_own(talk, intent, otherwise="goodbye")
    memory.filling, memory.menu, memory.question = None, "", None
    memory.suspended.clear()
    talk.hang_up("goodbye")


def _say_own(talk: Conversation, intent: Intent | None, *, otherwise: str) -> None:
    if intent is not None and intent.say is not None:
        talk.say(intent.say)
    else:
        talk.say_text(otherwise)


def _answer(talk: Conversation, intent: Intent) -> None:
    memory = talk.memory
    memory.said.clear()
    talk.say_again_later(f"intent:{intent.name}")
    if memory.filling is None and not memory.suspended and intent.offer is not None:
        memory.menu, memory.question, memory.offer = "", Question.OFFER, intent.offer
    elif intent.follow_up or memory.filling is not None or memory.suspended:
        talk.go_on()
    else:
        memory.question, memory.offer = None, ""


def _run_command(talk: Conversation, command: Command, intent: Intent) -> None:
    match command:
        case Command.REPEAT:
            _repeat(talk)
        case Command.HELP:
            slot = talk.asked_slot
            if slot is not None and slot.help is not None:
                talk.say(slot.help)
            else:
                _say_own(talk, intent, otherwise="help")
            if talk.memory.filling is not None or talk.memory.menu:
                talk.ask()
        case Command.CANCEL:
            _cancel(talk)
        case Command.FINISH:
            _finish(talk)
        case Command.WAIT:
            # No question: the caller asked for time, and silence has its own prompts.
            _say_own(talk, intent, otherwise="wait")


def _repeat(talk: Conversation) -> None:
    said = talk.memory.said or ["text:greeting"]
    filling = talk.memory.filling
    if filling is None or talk.memory.said:
        talk.memory.said = []
        for reference in said:
            talk.say_again_later(reference)
    if filling is not None or talk.memory.menu or talk.memory.question is Question.MORE:
        talk.ask()


def _cancel(talk: Conversation) -> None:
    memory, form = talk.memory, talk.form
    memory.said.clear()
    if form is not None:
        talk.say_text("cancelled", {"form": talk.phrase(form.label)})
        memory.filling = None
    elif not memory.menu:
        talk.say_text("nothing_to_cancel")
    talk.go_on()


def _finish(talk: Conversation) -> None:
    filling, form = talk.memory.filling, talk.form
    if filling is None or form is None:
        say_goodbye(talk)
    elif filling.stage is Stage.CONFIRM:
        complete(talk, form, filling)
    else:
        talk.ask()


def run_key(talk: Conversation, key: str) -> bool:
    """Run what `key` chooses in the open menu, or else in the main one; False when it chooses nothing."""
    for name in (talk.memory.menu, MAIN_MENU):
        menu = talk.script.menus.get(name)
        for option in menu.options.values() if menu is not None else ():
            if option.key == key:
                run_intent(talk, talk.script.intents[option.name])
                return True
    return False
