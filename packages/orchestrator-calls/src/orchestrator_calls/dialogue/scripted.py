"""A responder that speaks a script from a TOML file: no model, no network, the same answer to the same turn every time.

The script's format is described in `docs/dialogue-script.md` of this package; the receptionist that comes with it is
`orchestrator_calls/scripts/receptionist.toml`.

    >>> from orchestrator_calls.dialogue import ScriptedResponder, load_script
    >>> responder = ScriptedResponder(load_script(values={"hotel": "Hotel Sonne"}))
    >>> responder.script.languages
    ('en', 'de', 'es', 'fr')

**Answers.** A turn yields a `Note` (except for silence), then one `Say` per sentence, then `Collect` when a number was asked for that can
be typed, then `Transfer` or `HangUp` if the call is to end here, and `Remember` last. `Note.intent` is the intent that was understood, or
that of the form to which the sentence was an answer.

**Memory.** What `Remember` holds is small JSON without empty members: `language` (the subtag spoken), `form` (`name`, `intent`, `slots`,
`stage` of `ask`, `confirm` and `change`, and the slot in `asking`), `suspended` (forms that wait), `menu`, `question`, `offer`, `misses`,
`said` (what to say on "repeat") and `completed`. Memory of another script or version is taken as far as it makes sense.

**Completed forms.** `completed` is a list of `{"form": name, "slots": {slot: value}}` in the order in which the caller confirmed them, at
most the last 20; it stays until the call ends. Values are JSON: numbers as numbers, a date as `2026-06-05`, a time as `19:30`, a choice as
the name of its option, yes or no as true or false, everything else as text. Nothing is carried out here, and the texts say so.

**Days.** "Tomorrow" counts from `TurnContext.now`. Without it, callers are asked for day, month and year.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from orchestrator_calls.dialogue._conversation import Conversation
from orchestrator_calls.dialogue._errors import ScriptError, ScriptProblem
from orchestrator_calls.dialogue._loading import load_script, parse_script
from orchestrator_calls.dialogue._script import Script
from orchestrator_calls.dialogue._turn import answer
from orchestrator_calls.responder import Step, TurnContext

__all__ = ["Script", "ScriptError", "ScriptProblem", "ScriptedResponder", "load_script", "parse_script"]


class ScriptedResponder:
    """Implements `Responder` with a script; one instance serves all calls at once, since it keeps nothing.

    A turn takes about a millisecond and never waits, so a turn that was begun is answered whole. The time grows linearly with what the
    caller says.

    Args:
        script: What to speak.
        longest: How many characters of one input are read; bounds the time of a turn.
    """

    def __init__(self, script: Script, *, longest: int = 2000) -> None:
        self.script = script
        self._longest = longest

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        """See `Responder`; never raises, whatever the caller said and whatever the memory holds."""
        for step in self.steps(context):
            yield step

    def steps(self, context: TurnContext) -> list[Step]:
        """The whole answer at once, for callers that are not asynchronous."""
        conversation = Conversation(self.script, context)
        answer(conversation, replace(context.input, text=context.input.text[: self._longest]))
        return list(conversation.steps())
