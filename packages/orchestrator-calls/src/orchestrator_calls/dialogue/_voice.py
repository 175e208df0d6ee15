"""From texts to sentences: the language of the moment, and the values in their holes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import time

from orchestrator_calls.dialogue._lexicon import Language
from orchestrator_calls.dialogue._model import Form, Text, Value
from orchestrator_calls.dialogue._templates import render
from orchestrator_calls.dialogue._values import Moment, say_reason_value, spoken
from orchestrator_kernel.ports import Json

__all__ = ["Voice"]


class Voice:
    """Speaks one language.

    Args:
        values: The values of the script, for every text.
    """

    def __init__(self, language: Language, values: Mapping[str, Value], moment: Moment) -> None:
        self._language = language
        self._values = values
        self._moment = moment

    def sentences(
        self,
        text: Text,
        *,
        form: Form | None = None,
        slots: Mapping[str, Json] | None = None,
        extra: Mapping[str, Json] | None = None,
    ) -> Iterator[str]:
        """The sentences of `text`, each with a capital; its holes are values of `extra`, of the slots of `form`, or of the script."""
        for said in self._filled(text, form, slots or {}, extra or {}):
            yield said[0].upper() + said[1:]

    def phrase(self, text: Text) -> str:
        """A text that stands inside of another, such as a label."""
        return next(self._filled(text, None, {}, {}), "")

    def _filled(
        self, text: Text, form: Form | None, slots: Mapping[str, Json], extra: Mapping[str, Json]
    ) -> Iterator[str]:
        def value(name: str) -> str:
            if name in extra:
                return say_reason_value(extra[name], self._language, self._moment)
            if form is not None and name in form.slots:
                return spoken(form.slots[name], slots.get(name), self._language, self._moment)
            return self._script_value(name)

        for sentence in text.sentences[self._language.tag]:
            said = render(sentence, value)
            if said:
                yield said

    def _script_value(self, name: str) -> str:
        value = self._values.get(name, "")
        match value:
            case str() | int():
                return str(value)
            case time():
                return self._language.say_time(value)
            case _:
                return value.get(self._language.tag, "")
