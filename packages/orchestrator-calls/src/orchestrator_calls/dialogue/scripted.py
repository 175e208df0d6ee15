"""A responder that speaks a script from a TOML file: no model, no network, the same answer to the same turn every time.

The script's format is described in `docs/dialogue-script.md` of this package; the receptionist that comes with it is
`orchestrator_calls/scripts/receptionist.toml`.

    >>> from orchestrator_calls.dialogue import ScriptedResponder, load_script
    >>> responder = ScriptedResponder(load_script(values={"hotel": "Hotel Sonne"}))
    >>> responder.script.languages
    ('en', 'de', 'es', 'fr')

**Answers.** A turn yields a `Note` (except for silence and outcomes), then one `Say` per sentence, then `Collect` when a number was asked for
that can be typed, then `Act`, `Transfer` or `HangUp` if there is something to do, and `Remember` last. `Note.intent` is the intent that was understood, or
that of the form to which the sentence was an answer.

**Memory.** What `Remember` holds is small JSON without empty members: `language` (the subtag spoken), `form` (`name`, `intent`, `slots`,
`stage` of `ask`, `confirm` and `change`, and the slot in `asking`), `suspended` (forms that wait), `menu`, `question`, `offer`, `misses`,
`said` (what to say on "repeat"), `completed`, `pending` (confirmed forms whose action has not ended), `notices` (what the caller was told:
`kind`, `language`, and how many `times`) and `turned_away`. Memory of another script or version is taken as far as it makes sense.

**Completed forms.** `completed` is a list of `{"form": name, "slots": {slot: value}}` in the order in which the caller confirmed them, at
most the last 20; it stays until the call ends. Values are JSON: numbers as numbers, a date as `2026-06-05`, a time as `19:30`, a choice as
the name of its option, yes or no as true or false, everything else as text. A form whose `action` is one of the house's is carried out: the turn yields `Act`, and once the outcome has come
back as a turn of kind `outcome`, the entry has `outcome`, and `reason` and `data` where there are any. All others are only noted, and the
texts say so.

**Days.** "Tomorrow" counts from `TurnContext.now`. Without it, callers are asked for day, month and year.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Final

from orchestrator_calls.dialogue._conversation import Conversation
from orchestrator_calls.dialogue._errors import ScriptError, ScriptProblem
from orchestrator_calls.dialogue._house import House, OpeningHours, Span
from orchestrator_calls.dialogue._loading import load_script, parse_script
from orchestrator_calls.dialogue._script import Script
from orchestrator_calls.dialogue._turn import answer
from orchestrator_calls.phrases import Phrase
from orchestrator_calls.responder import Say, Step, TurnContext

__all__ = [
    "House",
    "OpeningHours",
    "Script",
    "ScriptError",
    "ScriptProblem",
    "ScriptedResponder",
    "Span",
    "load_script",
    "parse_script",
]


_ASIDES: Final = {Phrase.WAITING: "filler", Phrase.FAILED: "failed", Phrase.LOST: "lost"}


class ScriptedResponder:
    """Implements `Responder` with a script; one instance serves all calls at once, since it keeps nothing.

    A turn takes about a millisecond and never waits, so a turn that was begun is answered whole. The time grows linearly with what the
    caller says.

    Raises `ConfigurationError` when the tenant's notices lack a language of the script.

    Args:
        script: What to speak.
        house: What the tenant adds: actions, opening hours, notices.
        longest: How many characters of one input are read; bounds the time of a turn.
    """

    def __init__(self, script: Script, *, house: House | None = None, longest: int = 2000) -> None:
        self.script = script
        self.house = house or House()
        self.house.check(script.languages)
        self._longest = longest

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        """See `Responder`; never raises, whatever the caller said and whatever the memory holds."""
        for step in self.steps(context):
            yield step

    def steps(self, context: TurnContext) -> list[Step]:
        """The whole answer at once, for callers that are not asynchronous."""
        conversation = Conversation(self.script, context, self.house)
        answer(conversation, replace(context.input, text=context.input.text[: self._longest]))
        return list(conversation.steps())

    def filler(self, language: str, count: int = 1) -> Say:
        """What to say while the caller waits for us, for the `count`th time, in the script's language for `language`."""
        return self.script.filler(language, count)

    def phrase(self, tenant: str, language: str, phrase: Phrase, count: int) -> str:
        """What the runtime says itself, in the words of the script; see `PhraseFor`."""
        del tenant  # a responder speaks for one
        return self.script.aside(_ASIDES[phrase], language, count).text
