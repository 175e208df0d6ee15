"""A dialogue script: read, checked and compiled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import time

from orchestrator_calls.dialogue._ears import Ears
from orchestrator_calls.dialogue._errors import ScriptError, ScriptProblem
from orchestrator_calls.dialogue._model import Form, Intent, Menu, Settings, Text, Value
from orchestrator_calls.dialogue._nodes import nearest
from orchestrator_calls.responder import Say

__all__ = ["Script", "value_problems"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Script:
    """A dialogue that may be spoken; `load_script` makes it. It never changes and may be shared by all calls.

    Attributes:
        source: Its name in errors.
        settings: The head of the file.
        texts: What is said in every script.
        reasons: Why a value is refused.
        intents: What callers may want.
        forms: What is asked for.
        menus: What keys do; `main` is open at all times.
        values: What the tenant may set.
        ears: What is listened for, per language.
    """

    source: str
    settings: Settings
    texts: Mapping[str, Text]
    reasons: Mapping[str, Text]
    intents: Mapping[str, Intent]
    forms: Mapping[str, Form]
    menus: Mapping[str, Menu]
    values: Mapping[str, Value]
    ears: Mapping[str, Ears]

    def with_values(self, values: Mapping[str, Value]) -> Script:
        """The same script with other values, such as the name of another house; costs next to nothing.

        Raises:
            ScriptError: It has no such value, or one of another kind.
        """
        problems = list(value_problems(self.values, values, self.source))
        if problems:
            raise ScriptError.of(problems)
        return replace(self, values={**self.values, **values})

    def __repr__(self) -> str:
        return f"<Script {self.name!r} in {', '.join(self.languages)}>"

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.name

    @property
    def languages(self) -> tuple[str, ...]:
        """BCP 47 primary subtags; the first is the default."""
        return self.settings.languages

    def language_for(self, tag: str | None) -> str | None:
        """The script's language for a BCP 47 tag, None where it has none."""
        if not tag:
            return None
        primary = tag.replace("_", "-").split("-", 1)[0].lower()
        return primary if primary in self.settings.languages else None

    def filler(self, language: str, count: int = 1) -> Say:
        """One short sentence for the `count`th time that the caller waits for us; `language` is BCP 47 and keeps its region."""
        return self.aside("filler", language, count)

    def aside(self, text: str, language: str, count: int = 1) -> Say:
        """The `count`th sentence of a text without values, its last when there are not so many."""
        tag = self.language_for(language)
        known = tag or self.languages[0]
        sentences = self.texts[text].sentences[known]
        sentence = sentences[min(max(count, 1), len(sentences)) - 1]
        return Say("".join(part for part in sentence.parts if isinstance(part, str)), language if tag else known)


def value_problems(known: Mapping[str, Value], values: Mapping[str, Value], source: str) -> Iterator[ScriptProblem]:
    """What is wrong with values that are to take the place of a script's own."""
    for name, value in values.items():
        if name not in known:
            yield ScriptProblem(source, 1, f"the script has no value `{name}`; {nearest(name, known)}")
        elif isinstance(known[name], time) and not isinstance(value, time):
            yield ScriptProblem(source, 1, f"value `{name}` must be a time of day")
