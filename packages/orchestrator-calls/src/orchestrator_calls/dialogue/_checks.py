"""What makes a script unfit though every part of it can be read: dead ends, unreachable parts, patterns that never win."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from orchestrator_calls.dialogue._conversation import MAIN_MENU
from orchestrator_calls.dialogue._ears import Ears
from orchestrator_calls.dialogue._errors import ScriptProblem
from orchestrator_calls.dialogue._listening import Utterance
from orchestrator_calls.dialogue._matcher import Matcher
from orchestrator_calls.dialogue._model import Command, Form, Intent, Menu, Phrase, Place, Settings, Slot, SlotType, Text
from orchestrator_calls.dialogue._nodes import nearest
from orchestrator_calls.dialogue._pattern import phrases
from orchestrator_calls.dialogue._read import Draft
from orchestrator_calls.dialogue._templates import bare_holes

__all__ = ["check_patterns", "check_shape"]

_TRIES: Final = 60
"""How many sentences of a pattern are tried; the first usually decides."""
_TEXT_HOLES: Final[Mapping[str, frozenset[str]]] = {
    "resume": frozenset({"form"}),
    "cancelled": frozenset({"form"}),
    "languages": frozenset({"languages"}),
}
_REASON_HOLES: Final[Mapping[str, frozenset[str]]] = {
    "out_of_range": frozenset({"label", "min", "max"}),
    "wrong_length": frozenset({"label", "min", "max"}),
    "wrong_text_length": frozenset({"label", "min", "max"}),
    "outside_hours": frozenset({"label", "min", "max"}),
    "too_far": frozenset({"label", "max"}),
    "not_after": frozenset({"label", "after"}),
}
_OWN_REASON: Final = frozenset({"label", "min", "max"})


def check_shape(settings: Settings, draft: Draft) -> Iterator[ScriptProblem]:
    """Names that lead nowhere, parts that nothing leads to, and ends that nothing leads out of."""
    for intent in draft.intents.values():
        yield from _intent(intent, settings, draft)
    for menu in draft.menus.values():
        yield from _menu(menu, draft)
    for form in draft.forms.values():
        yield from _form(form, draft)
    yield from _unreachable(draft)
    yield from _ways_out(draft)
    for kind, texts, holes in (("text", draft.texts, _TEXT_HOLES), ("reason", draft.reasons, _REASON_HOLES)):
        for name, text in texts.items():
            known = holes.get(name, frozenset({"label"}) if kind == "reason" else frozenset[str]())
            yield from _holes(text, known | draft.values.keys())


def _problem(place: Place, reason: str) -> ScriptProblem:
    return ScriptProblem(place.source, place.line, reason)


def _intent(intent: Intent, settings: Settings, draft: Draft) -> Iterator[ScriptProblem]:
    forms = {name for kind, name in draft.named if kind == "form"}
    menus = {name for kind, name in draft.named if kind == "menu"}
    for what, name, known in (
        ("form", intent.form, forms),
        ("menu", intent.menu, menus),
        ("target", intent.transfer, settings.targets),
        ("offered intent", intent.offer, draft.intents.keys()),
    ):
        if name is not None and name not in known:
            yield _problem(intent.place, f"intent `{intent.name}`: there is no {what} `{name}`; {nearest(name, known)}")
    slots = draft.forms[intent.form].slots if intent.form in draft.forms else None
    for phrase in _all(intent.patterns):
        for slot in sorted(phrase.pattern.slots):
            if intent.form is None:
                yield _problem(phrase.place, f"`{{{slot}}}` is of no use: intent `{intent.name}` starts no form")
            elif slots is not None and slot not in slots:
                yield _problem(phrase.place, f"form `{intent.form}` declares no slot `{slot}`; {nearest(slot, slots)}")
    if intent.say is not None:
        yield from _holes(intent.say, draft.values.keys())


def _menu(menu: Menu, draft: Draft) -> Iterator[ScriptProblem]:
    for option in menu.options.values():
        if option.name not in draft.intents:
            yield _problem(option.place, f"there is no intent `{option.name}`; {nearest(option.name, draft.intents)}")
        if option.key is None and not option.patterns:
            yield _problem(option.place, f"unreachable: option `{option.name}` has neither `key` nor `patterns`")
        for phrase in _all(option.patterns):
            if phrase.pattern.slots:
                yield _problem(phrase.place, "a menu's patterns cannot fill slots; write the pattern in the intent")
    yield from _holes(menu.say, draft.values.keys())


def _form(form: Form, draft: Draft) -> Iterator[ScriptProblem]:
    known = draft.values.keys() | form.slots.keys()
    spoken = frozenset(name for name, slot in form.slots.items() if not slot.sensitive)
    optional = frozenset(name for name, slot in form.slots.items() if not slot.required)
    for text, missing in ((form.confirm, optional), (form.done, optional), (form.intro, frozenset(form.slots)), (form.label, frozenset(form.slots))):
        if text is not None:
            yield from _holes(text, known, missing)
    for slot in form.slots.values():
        for text in (slot.ask, slot.retry, slot.help):
            if text is not None:
                yield from _holes(text, known, frozenset(form.slots))
        if slot.reason is not None:
            yield from _holes(slot.reason, draft.values.keys() | _OWN_REASON)
        yield from _holes(slot.label, frozenset())
        yield from _slot(slot, form)
    unsaid = sorted(name for name in spoken if form.slots[name].required and name not in form.confirm.holes)
    if unsaid:
        yield _problem(form.confirm.place, f"`confirm` does not speak {', '.join(unsaid)}, so the caller cannot correct it")
    hidden = sorted(name for name, slot in form.slots.items() if slot.sensitive)
    for text in (form.confirm, form.done):
        for name in hidden:
            if name in text.holes:
                yield _problem(text.place, f"slot `{name}` is sensitive and must not be spoken")


def _slot(slot: Slot, form: Form) -> Iterator[ScriptProblem]:
    for option in slot.options:
        if option.label is not None:
            yield from _holes(option.label, frozenset())
        for phrase in _all(option.patterns):
            if phrase.pattern.slots:
                yield _problem(phrase.place, "the patterns of an option cannot fill slots")
    for phrase in _all(slot.patterns):
        for name in sorted(phrase.pattern.slots - form.slots.keys()):
            yield _problem(phrase.place, f"form `{form.name}` declares no slot `{name}`; {nearest(name, form.slots)}")
        if not phrase.pattern.slots:
            yield _problem(phrase.place, f"the pattern fills no slot; write {{{slot.name}}} where the value is said")
    if not slot.required and not slot.patterns and slot.type in (SlotType.TEXT, SlotType.NAME, SlotType.PHONE, SlotType.ROOM, SlotType.CODE, SlotType.YES_NO):
        yield _problem(slot.place, f"unreachable: optional slot `{slot.name}` is never asked for and has no `patterns`")
    if slot.after is None:
        return
    other = form.slots.get(slot.after)
    if other is None or other.type is not SlotType.DATE or other is slot:
        yield _problem(slot.place, f"`after` must name another date slot of form `{form.name}`, not `{slot.after}`")
    elif other.after is not None:
        yield _problem(slot.place, f"dead end: `after` names `{other.name}`, which itself waits for `{other.after}`")


def _holes(text: Text, known: Iterable[str], missing: frozenset[str] = frozenset()) -> Iterator[ScriptProblem]:
    """Values that nobody gives, and values that may be missing where they stand."""
    names = frozenset(known)
    for language, sentences in text.sentences.items():
        place = Place(text.place.source, text.lines[language])
        for sentence in sentences:
            for hole in sorted(sentence.holes - names):
                yield _problem(place, f"there is no value `{{{hole}}}` here; {nearest(hole, names)}")
            for hole in sorted(bare_holes(sentence) & missing):
                yield _problem(place, f"`{{{hole}}}` may be missing here; write it in [ ] with the words around it")


def _unreachable(draft: Draft) -> Iterator[ScriptProblem]:
    reached = {name for name, intent in draft.intents.items() if any(intent.patterns.values())}
    open_menus = {MAIN_MENU}
    before = -1
    while before != len(reached) + len(open_menus):
        before = len(reached) + len(open_menus)
        for name in tuple(open_menus):
            menu = draft.menus.get(name)
            reached.update(option for option in (menu.options if menu is not None else ()) if option in draft.intents)
        for name in tuple(reached):
            intent = draft.intents[name]
            if intent.menu is not None:
                open_menus.add(intent.menu)
            if intent.offer in draft.intents:
                reached.add(str(intent.offer))
    forms = {draft.intents[name].form for name in reached}
    for intent in draft.intents.values():
        if intent.name not in reached:
            yield _problem(intent.place, f"unreachable: intent `{intent.name}` has no patterns, no menu leads to it and nothing offers it")
    for menu in draft.menus.values():
        if menu.name not in open_menus:
            yield _problem(menu.place, f"unreachable: no intent opens menu `{menu.name}`")
    for form in draft.forms.values():
        if form.name not in forms:
            yield _problem(form.place, f"unreachable: no intent starts form `{form.name}`")


def _ways_out(draft: Draft) -> Iterator[ScriptProblem]:
    commands = {intent.command for intent in draft.intents.values()}
    first = Place("", 1)
    for form in draft.forms.values():
        if Command.CANCEL not in commands:
            yield _problem(form.place, f"dead end: no intent has `command = \"cancel\"`, so form `{form.name}` cannot be left")
        first = form.place
    if not any(intent.hang_up for intent in draft.intents.values()):
        place = next((intent.place for intent in draft.intents.values()), first)
        yield _problem(place, "dead end: no intent has `hang_up = true`, so the caller cannot say goodbye")
    leaving: set[str] = set()
    before = -1
    while before != len(leaving):
        before = len(leaving)
        for menu in draft.menus.values():
            intents = [draft.intents[name] for name in menu.options if name in draft.intents]
            if any(intent.menu is None or intent.menu in leaving for intent in intents):
                leaving.add(menu.name)
    for menu in draft.menus.values():
        if menu.name not in leaving and menu.options:
            yield _problem(menu.place, f"dead end: every option of menu `{menu.name}` leads to a menu again")


def _all(patterns: Mapping[str, tuple[Phrase, ...]]) -> Iterator[Phrase]:
    for found in patterns.values():
        yield from found


def check_patterns(draft: Draft, ears: Mapping[str, Ears]) -> Iterator[ScriptProblem]:
    """Patterns that can never decide anything, because others always take what they match."""
    for tag, ear in ears.items():
        own = [(phrase, intent.name, intent.form or "") for intent in draft.intents.values() for phrase in intent.patterns.get(tag, ())]
        yield from _Rivals(ear, draft, own, lambda utterance, ear=ear: _best_intent(ear, utterance)).problems()
        for form in draft.forms.values():
            for slot in form.slots.values():
                options = [(phrase, option.name, form.name) for option in slot.options for phrase in option.patterns.get(tag, ())]
                matcher = ear.forms[form.name].choices.get(slot.name)
                if matcher is not None:
                    yield from _Rivals(ear, draft, options, lambda utterance, matcher=matcher: _best(matcher, utterance)).problems()


def _best_intent(ears: Ears, utterance: Utterance) -> str | None:
    heard = ears.heard(utterance, ears.spans(utterance))
    return heard[0].intent if heard else None


def _best(matcher: Matcher[str], utterance: Utterance) -> str | None:
    matches = matcher.matches(utterance.tokens)
    best = min(matches, key=lambda match: (-match.score, match.start - match.end, match.pattern), default=None)
    return None if best is None else matcher.meanings[best.pattern]


class _Rivals:
    """Patterns that compete for the same sentences."""

    def __init__(
        self,
        ears: Ears,
        draft: Draft,
        own: list[tuple[Phrase, str, str]],
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
            twin = seen.setdefault((name, pattern.atoms, pattern.follow, pattern.first, pattern.last), phrase.place)
            if twin != phrase.place:
                yield _problem(phrase.place, f"pattern `{pattern.source}` says the same as the one in line {twin.line}")
                continue
            winners = self._winners(phrase, name, form)
            if name not in winners and pattern.slots <= self._slots(form):
                yield _problem(phrase.place, self._reason(pattern.source, name, winners))

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
