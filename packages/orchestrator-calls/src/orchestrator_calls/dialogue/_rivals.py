"""Patterns that compete for the same sentences, and those that never win."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from orchestrator_calls.dialogue._ears import Ears
from orchestrator_calls.dialogue._errors import ScriptProblem
from orchestrator_calls.dialogue._listening import Utterance
from orchestrator_calls.dialogue._matcher import Matcher
from orchestrator_calls.dialogue._model import Option, Phrase, Place, SlotType
from orchestrator_calls.dialogue._pattern import phrases
from orchestrator_calls.dialogue._read import Draft

__all__ = ["check_patterns"]

_TRIES: Final = 60
"""How many sentences of a pattern are tried; the first usually decides."""

Rival = tuple[Phrase, str, str]
"""A pattern, what it is for, and the form whose slots it may fill."""


def check_patterns(draft: Draft, ears: Mapping[str, Ears]) -> Iterator[ScriptProblem]:
    """Patterns that can never decide anything, because others always take what they match."""
    for tag, ear in ears.items():
        for rivals in _groups(draft, ear, tag):
            yield from rivals.problems()


def _groups(draft: Draft, ears: Ears, tag: str) -> Iterator[_Rivals]:
    intents: list[Rival] = [
        (phrase, intent.name, intent.form or "")
        for intent in draft.intents.values()
        for phrase in intent.patterns.get(tag, ())
    ]
    yield _Rivals(ears, draft, intents, partial(_best_intent, ears))
    for menu in draft.menus.values():
        options = _of_options(menu.options.values(), tag, "")
        yield _Rivals(ears, draft, options, partial(_best, ears, ears.menus[menu.name]))
    for form in draft.forms.values():
        listening = ears.forms[form.name]
        slots = [
            (phrase, slot.name, form.name) for slot in form.slots.values() for phrase in slot.patterns.get(tag, ())
        ]
        yield _Rivals(ears, draft, slots, partial(_best, ears, listening.slots))
        for name, matcher in listening.choices.items():
            options = _of_options(form.slots[name].options, tag, form.name)
            yield _Rivals(ears, draft, options, partial(_best, ears, matcher))


def _of_options(options: Iterable[Option], tag: str, form: str) -> list[Rival]:
    return [(phrase, option.name, form) for option in options for phrase in option.patterns.get(tag, ())]


def _best_intent(ears: Ears, utterance: Utterance) -> str | None:
    heard = ears.heard(utterance, ears.spans(utterance))
    return heard[0].intent if heard else None


def _best(ears: Ears, matcher: Matcher[str], utterance: Utterance) -> str | None:
    matches = matcher.matches(utterance.tokens, ears.spans(utterance))
    best = min(matches, key=lambda match: (-match.score, match.start - match.end, match.pattern), default=None)
    return None if best is None else matcher.meanings[best.pattern]


class _Rivals:
    """Patterns that compete for the same sentences."""

    def __init__(
        self,
        ears: Ears,
        draft: Draft,
        own: Sequence[Rival],
        winner: Callable[[Utterance], str | None],
    ) -> None:
        self._ears = ears
        self._draft = draft
        self._own = own
        self._winner = winner

    def problems(self) -> Iterator[ScriptProblem]:
        seen: dict[object, Place] = {}
        for phrase, name, form in self._own:
            pattern = phrase.pattern
            twin = seen.setdefault(
                (name, pattern.atoms, pattern.follow, pattern.first, pattern.last, pattern.parts), phrase.place
            )
            if twin != phrase.place:
                yield ScriptProblem.at(
                    phrase.place, f"pattern `{pattern.source}` says the same as the one in line {twin.line}"
                )
                continue
            winners = self._winners(phrase, name, form)
            if name not in winners and pattern.slots <= self._slots(form):
                yield ScriptProblem.at(phrase.place, self._reason(pattern.source, name, winners))

    def _winners(self, phrase: Phrase, name: str, form: str) -> dict[str, None]:
        winners: dict[str, None] = {}
        for said in phrases(phrase.pattern, lambda slot: self._example(form, slot), _TRIES):
            winner = self._winner(Utterance.read(said, self._ears.lexicon))
            if winner is not None:
                winners[winner] = None
            if winner == name:
                break
        return winners

    def _slots(self, form: str) -> frozenset[str]:
        return frozenset(self._draft.forms[form].slots) if form in self._draft.forms else frozenset()

    def _example(self, form: str, slot: str) -> str:
        found = self._draft.forms[form].slots.get(slot) if form in self._draft.forms else None
        if found is None:
            return ""
        if found.type is SlotType.CHOICE:
            own = found.options[0].patterns.get(self._ears.lexicon.language.tag, ()) if found.options else ()
            return next(phrases(own[0].pattern, lambda _: "", 1), "") if own else ""
        return self._ears.lexicon.language.examples[found.type]

    def _reason(self, source: str, name: str, winners: Iterable[str]) -> str:
        taken = [f"`{winner}`{self._line(winner)}" for winner in winners]
        if not taken:
            return f"pattern `{source}` of `{name}` can never match"
        return f"pattern `{source}` of `{name}` is shadowed: {' or '.join(taken)} always takes what it matches"

    def _line(self, winner: str) -> str:
        places = [phrase.place for phrase, name, _ in self._own if name == winner]
        return f" ({places[0].source}:{places[0].line})" if places else ""
