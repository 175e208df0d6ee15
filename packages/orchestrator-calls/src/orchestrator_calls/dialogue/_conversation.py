"""One turn of one call: what is remembered, what was decided to say, and the moves that every part of the dialogue makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from orchestrator_calls.actions import ActionStatus
from orchestrator_calls.dialogue._ears import Ears
from orchestrator_calls.dialogue._house import House
from orchestrator_calls.dialogue._memory import Filling, Memory, Question, Stage
from orchestrator_calls.dialogue._model import Form, Intent, Slot, SlotType, Text
from orchestrator_calls.dialogue._script import Script
from orchestrator_calls.dialogue._values import Moment
from orchestrator_calls.dialogue._voice import Voice
from orchestrator_calls.responder import Act, Collect, HangUp, Note, Remember, Say, Step, Transfer, TurnContext
from orchestrator_kernel.ports import Json

__all__ = ["MAIN_MENU", "MESSAGE", "Conversation"]

MAIN_MENU: Final = "main"
"""The menu whose keys work at all times."""
MESSAGE: Final = "leave_message"
"""The intent that takes a message for those who are not there."""


class Conversation:
    """The state of the dialogue while one turn is answered."""

    def __init__(self, script: Script, context: TurnContext, house: House | None = None) -> None:
        self.script = script
        self.house = house or House()
        self.memory = Memory.read(context.memory, script.forms)
        self._context = context
        self._says: list[Say] = []
        self._order: Transfer | HangUp | Act | None = None
        self._note: Note | None = None
        self.pleasantries: set[int] = set()
        hint = context.input.language or context.language
        self.moment = Moment(context.now, month_first=hint.upper().endswith("-US"))
        self.speak(
            script.language_for(self.memory.language) or script.language_for(context.language) or script.languages[0]
        )

    def speak(self, language: str) -> None:
        """Go on in `language`, one of the script's."""
        self.memory.language = language
        self.ears: Ears = self.script.ears[language]
        self._voice = Voice(self.ears.lexicon.language, self.script.values, self.moment)
        # The call's own tag keeps the region, and with it the voice.
        region = self._context.language
        self._tag = region if self.script.language_for(region) == language else language

    def steps(self) -> Iterator[Step]:
        """The answer."""
        if self._note is not None:
            yield self._note
        yield from self._says
        slot = self.asked_slot
        if self._order is None and slot is not None and slot.digits:
            yield Collect(digits=slot.digits, sensitive=slot.sensitive)
        if self._order is not None:
            yield self._order
        yield Remember(self.memory.write())

    @property
    def closed(self) -> bool:
        """Whether nobody is there to whom the caller could be transferred."""
        hours, now = self.house.hours, self.moment.now
        return hours is not None and now is not None and not hours.is_open(now)

    @property
    def heard(self) -> str | None:
        """All that the caller heard before; None where nobody knows."""
        history = self._context.history
        return " ".join(exchange.heard for exchange in history) if history else None

    @property
    def form(self) -> Form | None:
        """The form that is being filled."""
        return self.script.forms[self.memory.filling.form] if self.memory.filling is not None else None

    @property
    def asked_slot(self) -> Slot | None:
        """The slot that the caller was asked for."""
        filling, form = self.memory.filling, self.form
        if filling is None or form is None or filling.stage is not Stage.ASK:
            return None
        return form.slots.get(filling.asking)

    def say(self, text: Text | None, extra: Mapping[str, Json] | None = None) -> None:
        """Speak a text; the values of the open form are at hand."""
        slots = self.memory.filling.slots if self.memory.filling is not None else None
        if text is not None:
            self._speak(text, self.form, slots, extra)

    def tell(self, sentences: Sequence[str], at: int) -> None:
        """Put sentences of the tenant before the sentence `at` of the answer."""
        told = [Say(sentence.strip(), self._tag) for sentence in sentences if sentence.strip()]
        self._says[at:at] = told

    def say_text(self, name: str, extra: Mapping[str, Json] | None = None) -> None:
        """Speak one of the texts that every script has."""
        self.say(self.script.texts[name], extra)

    def say_aside(self, name: str, count: int) -> None:
        """Speak one sentence of a text: the `count`th, so that it changes while it is needed again."""
        self._says.append(self.script.aside(name, self._tag, count))

    def say_closed(self) -> None:
        """Say, right after the first sentence, that nobody is there, and when somebody will be."""
        now, hours = self.moment.now, self.house.hours
        opening = hours.next_opening(now) if hours is not None and now is not None else None
        extra: dict[str, Json] = {}
        if opening is not None:
            extra = {"day": opening.date().isoformat(), "time": opening.time().isoformat("minutes")}
        said = list(self._voice.sentences(self.script.texts["closed"], extra=extra))
        self.tell(said, 1)

    def say_again_later(self, reference: str) -> None:
        """Speak what `reference` names, and keep it for the caller who asks to hear it again."""
        self.memory.said.append(reference)
        self._say_reference(reference)

    def phrase(self, text: Text) -> str:
        """A label, for the holes of other texts."""
        return self._voice.phrase(text)

    def _speak(
        self, text: Text, form: Form | None, slots: Mapping[str, Json] | None, extra: Mapping[str, Json] | None
    ) -> None:
        sentences = self._voice.sentences(text, form=form, slots=slots, extra=extra)
        self._says.extend(Say(sentence, self._tag) for sentence in sentences)

    def _say_reference(self, reference: str) -> None:
        kind, _, name = reference.partition(":")
        if kind == "text":
            self.say(self.script.texts.get(name))
        elif kind == "intent" and name in self.script.intents:
            self.say(self.script.intents[name].say)
        elif kind == "menu" and name in self.script.menus:
            self.say(self.script.menus[name].say)
        elif kind == "done" and self.memory.completed:
            self._say_completed(self.memory.completed[-1])

    def _say_completed(self, done: Mapping[str, Json]) -> None:
        form, slots, data = self.script.forms.get(str(done["form"])), done["slots"], done.get("data")
        outcome, reason = str(done.get("outcome", "")), str(done.get("reason", ""))
        if form is None or not isinstance(slots, Mapping):
            return
        texts = self.script.texts
        match outcome:
            case ActionStatus.DONE:
                text = form.acted or texts["acted"]
            case ActionStatus.REFUSED:
                known = form.refusals.get(reason)
                text = known.say if known is not None else form.refused or texts["refused"]
            case ActionStatus.UNCONFIRMED:
                text = texts["unconfirmed"]
            case _:
                text = form.done
        results = self._results(form, data) if isinstance(data, Mapping) else {}
        self._speak(text, form, slots, results)

    def _results(self, form: Form, data: Mapping[str, Json]) -> dict[str, Json]:
        """What an action answered, as it is spoken: codes one character after the other."""
        return {
            name: " ".join(str(data[name])) if kind is SlotType.CODE else data[name]
            for name, kind in form.results.items()
            if data.get(name) is not None
        }

    def note(self, intent: str, *, understood: bool) -> None:
        """Tell how the input was understood; the first word counts."""
        if self._note is None:
            self._note = Note(intent, understood, self._context.input.confidence)

    def ask(self) -> None:
        """Speak the question that is open, or the one for any wish."""
        memory, form = self.memory, self.form
        if memory.filling is not None and form is not None:
            match memory.filling.stage:
                case Stage.CONFIRM:
                    self.say(form.confirm)
                case Stage.CHANGE:
                    self.say_text("change")
                case Stage.ASK:
                    self.ask_next()
        elif memory.menu in self.script.menus:
            self.say(self.script.menus[memory.menu].say)
        elif memory.question is Question.MORE:
            self.say_text("more")
        elif memory.question is None or not memory.offer:
            self.say_text("ready")

    def ask_next(self) -> None:
        """Ask for the slot at hand, the next that is missing, or whether all is right."""
        filling, form = self.memory.filling, self.form
        if filling is None or form is None:
            return
        if filling.stage is not Stage.ASK or filling.asking not in form.slots:
            missing = [slot.name for slot in form.slots.values() if slot.required and slot.name not in filling.slots]
            filling.stage, filling.asking = (Stage.ASK, missing[0]) if missing else (Stage.CONFIRM, "")
        if filling.stage is Stage.CONFIRM:
            self.say(form.confirm)
        else:
            self.say(form.slots[filling.asking].ask)

    def ask_for(self, slot: str) -> None:
        """Make `slot` the one that is asked for."""
        if self.memory.filling is not None:
            self.memory.filling.stage, self.memory.filling.asking = Stage.ASK, slot

    def go_on(self) -> None:
        """After something was settled: back to the open form, to one that waits, or to the question for more."""
        memory = self.memory
        memory.menu, memory.offer, memory.question = "", "", None
        if memory.filling is not None:
            self.ask()
        elif memory.suspended:
            memory.filling = memory.suspended.pop()
            form = self.script.forms[memory.filling.form]
            self.say_text("resume", {"form": self.phrase(form.label)})
            self.ask()
        else:
            memory.question = Question.MORE
            self.say_text("more")

    def suspend(self, *, even_empty: bool = False) -> None:
        """Put the open form aside; one in which nothing was filled is forgotten, unless it was not the caller who left it."""
        filling = self.memory.filling
        self.memory.filling = None
        if filling is not None and (filling.slots or even_empty):
            self.memory.suspended.append(filling)

    def begin(self, intent: Intent, form: str) -> Filling:
        """Open a form, or take up the one that waits."""
        memory = self.memory
        waiting = next((filling for filling in memory.suspended if filling.form == form), None)
        if waiting is not None:
            memory.suspended.remove(waiting)
        memory.filling = waiting or Filling(form, intent.reports)
        memory.menu, memory.offer, memory.question = "", "", None
        return memory.filling

    def understood(self, intent: str) -> None:
        """The caller was understood."""
        self.memory.misses = 0
        self.note(intent, understood=True)

    def missed(self, *, unsupported: bool = False) -> None:
        """The caller was not understood: ask again in other words, and after too many times hand over to a person."""
        memory = self.memory
        memory.misses += 1
        self.note("", understood=False)
        if memory.misses >= self.script.settings.misunderstandings:
            self.hand_off("not_understood")
            return
        slot = self.asked_slot
        if unsupported:
            names = self.ears.lexicon.language.names
            self.say_text("languages", {"languages": ", ".join(names[tag][0] for tag in self.script.languages)})
            self.ask()
        elif slot is not None and slot.retry is not None:
            self.say(slot.retry)
        else:
            self.say_text("misunderstood" if memory.misses == 1 or memory.filling is not None else "hint")
            if memory.filling is not None or (memory.menu and memory.misses == 1):
                self.ask()

    def hand_off(self, reason: str) -> None:
        """Hand over to a person, because the dialogue got nowhere; where nobody is there, take a message, and take leave in the end."""
        memory = self.memory
        memory.misses = 0
        if not self.closed:
            self.say_text("handoff")
            self.transfer(self.script.settings.handoff, reason)
        elif memory.turned_away:
            self.say_text("away_goodbye")
            self.hang_up(reason)
        else:
            memory.turned_away += 1
            self.offer_message("closed_handoff")

    def offer_message(self, text: str) -> None:
        """Nobody can be reached: say so with `text`, and offer to take a message."""
        self.suspend(even_empty=True)
        self.memory.menu = ""
        self.memory.question, self.memory.offer = Question.OFFER, MESSAGE
        self.memory.said.clear()
        self.say_again_later(f"text:{text}")

    def transfer(self, target: str, reason: str) -> None:
        """Transfer the caller when all is spoken."""
        self._order = Transfer(target, reason)

    def act(self, action: str, arguments: Mapping[str, Json]) -> None:
        """Have an action carried out when all is spoken."""
        self._order = Act(action, dict(arguments))

    def hang_up(self, reason: str) -> None:
        """End the call when all is spoken."""
        self._order = HangUp(reason)
