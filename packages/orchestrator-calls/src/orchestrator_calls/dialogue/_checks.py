"""What makes a script unfit though every part of it can be read: dead ends, unreachable parts, names that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from orchestrator_calls.dialogue._conversation import MAIN_MENU
from orchestrator_calls.dialogue._errors import ScriptProblem
from orchestrator_calls.dialogue._model import (
    Command,
    Form,
    Intent,
    Menu,
    Phrase,
    Place,
    Settings,
    Slot,
    SlotType,
    Text,
)
from orchestrator_calls.dialogue._nodes import nearest
from orchestrator_calls.dialogue._read import Draft
from orchestrator_calls.dialogue._templates import bare_holes

__all__ = ["check_shape"]

_TEXT_HOLES: Final[Mapping[str, frozenset[str]]] = {
    "resume": frozenset({"form"}),
    "cancelled": frozenset({"form"}),
    "languages": frozenset({"languages"}),
    "closed": frozenset({"day", "time"}),
}
_MISSING: Final[Mapping[str, frozenset[str]]] = {"closed": frozenset({"day", "time"})}
"""Values of those texts that may be missing."""
_REASON_HOLES: Final[Mapping[str, frozenset[str]]] = {
    "out_of_range": frozenset({"label", "min", "max"}),
    "wrong_length": frozenset({"label", "min", "max"}),
    "wrong_text_length": frozenset({"label", "min", "max"}),
    "outside_hours": frozenset({"label", "min", "max"}),
    "too_far": frozenset({"label", "max"}),
    "not_after": frozenset({"label", "after"}),
}
_ASKED_ONLY: Final = frozenset(SlotType) - {
    SlotType.NUMBER,
    SlotType.PARTY_SIZE,
    SlotType.DATE,
    SlotType.TIME,
    SlotType.CHOICE,
}
"""Types whose values are only heard where they are asked for or where a pattern says so."""
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
    yield from _asides(draft)
    for kind, texts, holes in (("text", draft.texts, _TEXT_HOLES), ("reason", draft.reasons, _REASON_HOLES)):
        for name, text in texts.items():
            known = holes.get(name, frozenset({"label"}) if kind == "reason" else frozenset[str]())
            missing = _MISSING.get(name, frozenset[str]()) if kind == "text" else frozenset[str]()
            yield from _holes(text, known | draft.values.keys(), missing)


def _intent(intent: Intent, settings: Settings, draft: Draft) -> Iterator[ScriptProblem]:
    forms = {name for kind, name in draft.named if kind == "form"}
    menus = {name for kind, name in draft.named if kind == "menu"}
    for what, name, known in (
        ("form", intent.form, forms),
        ("menu", intent.menu, menus),
        # What is built in goes to the handoff, which the head answers for.
        ("target", None if intent.built_in else intent.transfer, settings.targets),
        ("offered intent", intent.offer, draft.intents.keys()),
    ):
        if name is not None and name not in known:
            yield ScriptProblem.at(
                intent.place, f"intent `{intent.name}`: there is no {what} `{name}`; {nearest(name, known)}"
            )
    slots = draft.forms[intent.form].slots if intent.form in draft.forms else None
    for phrase in _all(intent.patterns):
        for slot in sorted(phrase.pattern.slots):
            if intent.form is None:
                yield ScriptProblem.at(
                    phrase.place, f"`{{{slot}}}` is of no use: intent `{intent.name}` starts no form"
                )
            elif slots is not None and slot not in slots:
                yield ScriptProblem.at(
                    phrase.place, f"form `{intent.form}` declares no slot `{slot}`; {nearest(slot, slots)}"
                )
    yield from _holes(intent.say, draft.values.keys())


def _menu(menu: Menu, draft: Draft) -> Iterator[ScriptProblem]:
    for option in menu.options.values():
        if option.name not in draft.intents:
            yield ScriptProblem.at(
                option.place, f"there is no intent `{option.name}`; {nearest(option.name, draft.intents)}"
            )
        if option.key is None and not option.patterns:
            yield ScriptProblem.at(
                option.place, f"unreachable: option `{option.name}` has neither `key` nor `patterns`"
            )
        for phrase in _all(option.patterns):
            if phrase.pattern.slots:
                yield ScriptProblem.at(
                    phrase.place, "a menu's patterns cannot fill slots; write the pattern in the intent"
                )
    yield from _holes(menu.say, draft.values.keys())


def _form(form: Form, draft: Draft) -> Iterator[ScriptProblem]:
    known = draft.values.keys() | form.slots.keys()
    optional = frozenset(name for name, slot in form.slots.items() if not slot.required)
    yield from _holes(form.confirm, known, optional)
    yield from _holes(form.done, known, optional)
    yield from _holes(form.label, frozenset())
    yield from _holes(form.intro, draft.values.keys())
    for slot in form.slots.values():
        for text in (slot.ask, slot.retry, slot.help):
            yield from _holes(text, known, frozenset(form.slots))
        yield from _holes(slot.reason, draft.values.keys() | _OWN_REASON)
        yield from _holes(slot.label, frozenset())
        yield from _options(slot)
        yield from _slot_patterns(slot, form)
        yield from _after(slot, form)
    yield from _spoken(form)
    yield from _outcomes(form, draft)


def _outcomes(form: Form, draft: Draft) -> Iterator[ScriptProblem]:
    """What is said about an action: its results may be missing, whatever the other side promises."""
    known = draft.values.keys() | form.slots.keys() | form.results.keys()
    missing = form.results.keys() | {name for name, slot in form.slots.items() if not slot.required}
    for text in (form.acted, form.refused, *(refused.say for refused in form.refusals.values())):
        yield from _holes(text, known, frozenset(missing))
    for name in sorted(form.results.keys() & form.slots.keys()):
        yield ScriptProblem.at(form.place, f"result `{name}` of form `{form.name}` is the name of a slot as well")
    for refused in form.refusals.values():
        if refused.change is not None and refused.change not in form.slots:
            reason = f"form `{form.name}` declares no slot `{refused.change}`; {nearest(refused.change, form.slots)}"
            yield ScriptProblem.at(refused.place, reason)


def _spoken(form: Form) -> Iterator[ScriptProblem]:
    """What the confirmation must say, and what it must not."""
    open_slots = {name for name, slot in form.slots.items() if slot.required and not slot.sensitive}
    unsaid = sorted(open_slots - form.confirm.holes)
    if unsaid:
        said = f"`confirm` does not speak {', '.join(unsaid)}, so the caller cannot correct it"
        yield ScriptProblem.at(form.confirm.place, said)
    hidden = {name for name, slot in form.slots.items() if slot.sensitive}
    optional = [text for text in (form.acted, form.refused) if text is not None]
    for text in (form.confirm, form.done, *optional, *(each.say for each in form.refusals.values())):
        for name in sorted(hidden & text.holes):
            yield ScriptProblem.at(text.place, f"slot `{name}` is sensitive and must not be spoken")


def _options(slot: Slot) -> Iterator[ScriptProblem]:
    for option in slot.options:
        yield from _holes(option.label, frozenset())
        for phrase in _all(option.patterns):
            if phrase.pattern.slots:
                yield ScriptProblem.at(phrase.place, "the patterns of an option cannot fill slots")


def _slot_patterns(slot: Slot, form: Form) -> Iterator[ScriptProblem]:
    for phrase in _all(slot.patterns):
        for name in sorted(phrase.pattern.slots - form.slots.keys()):
            yield ScriptProblem.at(
                phrase.place, f"form `{form.name}` declares no slot `{name}`; {nearest(name, form.slots)}"
            )
        # Where the caller's own words are the value, they may be the whole pattern.
        if not phrase.pattern.slots and slot.type is not SlotType.TEXT:
            yield ScriptProblem.at(
                phrase.place, f"the pattern fills no slot; write {{{slot.name}}} where the value is said"
            )
    if not slot.required and not slot.patterns and slot.type in _ASKED_ONLY:
        reason = f"unreachable: optional slot `{slot.name}` is never asked for and has no `patterns`"
        yield ScriptProblem.at(slot.place, reason)


def _after(slot: Slot, form: Form) -> Iterator[ScriptProblem]:
    if slot.after is None:
        return
    other = form.slots.get(slot.after)
    if other is None or other.type is not SlotType.DATE or other is slot:
        yield ScriptProblem.at(
            slot.place, f"`after` must name another date slot of form `{form.name}`, not `{slot.after}`"
        )
    elif other.after is not None:
        yield ScriptProblem.at(
            slot.place, f"dead end: `after` names `{other.name}`, which itself waits for `{other.after}`"
        )


def _holes(text: Text | None, known: Iterable[str], missing: frozenset[str] = frozenset()) -> Iterator[ScriptProblem]:
    """Values that nobody gives, and values that may be missing where they stand."""
    names = frozenset(known)
    for language, sentences in text.sentences.items() if text is not None else ():
        place = Place(text.place.source, text.lines[language]) if text is not None else Place("", 1)
        for sentence in sentences:
            for hole in sorted(sentence.holes - names):
                yield ScriptProblem.at(place, f"there is no value `{{{hole}}}` here; {nearest(hole, names)}")
            for hole in sorted(bare_holes(sentence) & missing):
                yield ScriptProblem.at(
                    place, f"`{{{hole}}}` may be missing here; write it in [ ] with the words around it"
                )


def _asides(draft: Draft) -> Iterator[ScriptProblem]:
    """Texts of which single sentences are said, at any time: they can speak no values."""
    for name in ("filler", "failed", "lost"):
        for hole in sorted(draft.texts[name].holes) if name in draft.texts else ():
            yield ScriptProblem.at(
                draft.texts[name].place, f"text `{name}` is said at any time, so it cannot speak {{{hole}}}"
            )


def _unreachable(draft: Draft) -> Iterator[ScriptProblem]:
    reached, opened = _reached(draft)
    forms = {draft.intents[name].form for name in reached}
    for intent in draft.intents.values():
        if intent.name not in reached:
            reason = f"unreachable: intent `{intent.name}` has no patterns, no menu leads to it and nothing offers it"
            yield ScriptProblem.at(intent.place, reason)
    for menu in draft.menus.values():
        if menu.name not in opened:
            yield ScriptProblem.at(menu.place, f"unreachable: no intent opens menu `{menu.name}`")
    for form in draft.forms.values():
        if form.name not in forms:
            yield ScriptProblem.at(form.place, f"unreachable: no intent starts form `{form.name}`")


def _reached(draft: Draft) -> tuple[set[str], set[str]]:
    """The intents that a caller can come to, and the menus."""
    reached: set[str] = set()
    opened = {MAIN_MENU}
    # Patterns that could not be read are refused already.
    found = {name for name, intent in draft.intents.items() if intent.patterns or ("patterns", name) in draft.named}
    while found - reached:
        reached |= found
        intents = [draft.intents[name] for name in reached]
        opened |= {intent.menu for intent in intents if intent.menu is not None}
        options = {name for menu in opened if menu in draft.menus for name in draft.menus[menu].options}
        offers = {intent.offer for intent in intents if intent.offer is not None}
        found = reached | ((options | offers) & draft.intents.keys())
    return reached, opened


def _ways_out(draft: Draft) -> Iterator[ScriptProblem]:
    intents = draft.intents.values()
    if not any(intent.command is Command.CANCEL for intent in intents):
        own = [form for form in draft.forms.values() if not form.built_in]
        for form in own or draft.forms.values():
            reason = f'dead end: no intent has `command = "cancel"`, so form `{form.name}` cannot be left'
            yield ScriptProblem.at(form.place, reason)
    if not any(intent.hang_up for intent in intents):
        for place in [intent.place for intent in intents if not intent.built_in][:1]:
            yield ScriptProblem.at(place, "dead end: no intent has `hang_up = true`, so the caller cannot say goodbye")
    leaving: set[str] = set()
    found = _leaving(draft, leaving)
    while found - leaving:
        leaving |= found
        found = _leaving(draft, leaving)
    for menu in draft.menus.values():
        if menu.name not in leaving and draft.intents.keys() & menu.options.keys():
            yield ScriptProblem.at(menu.place, f"dead end: every option of menu `{menu.name}` leads to a menu again")


def _leaving(draft: Draft, leaving: set[str]) -> set[str]:
    """The menus with an option that leads out of the menus, or to one of `leaving`."""
    return {
        menu.name
        for menu in draft.menus.values()
        if any(
            draft.intents[name].menu is None or draft.intents[name].menu in leaving
            for name in menu.options
            if name in draft.intents
        )
    }


def _all(patterns: Mapping[str, tuple[Phrase, ...]]) -> Iterator[Phrase]:
    for found in patterns.values():
        yield from found
