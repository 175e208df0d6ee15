"""A script's patterns, compiled per language, and the values of slots as spans for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from orchestrator_calls.dialogue._asking import rule_asked, wishes_nothing
from orchestrator_calls.dialogue._calendar import DaySaid, TimeSaid, with_part
from orchestrator_calls.dialogue._lexicon import Kind, Lexicon
from orchestrator_calls.dialogue._listening import Utterance
from orchestrator_calls.dialogue._matcher import Match, Matcher
from orchestrator_calls.dialogue._model import Form, Intent, Menu, Phrase, Slot, SlotType
from orchestrator_calls.dialogue._names import after_article, is_announced
from orchestrator_calls.dialogue._pattern import AtomKind, Pattern, PatternError, compile_pattern
from orchestrator_calls.dialogue._spelling import Spelling

__all__ = ["Ears", "FormEars", "Heard", "SlotSpans", "build_ears"]

_NAME_WORDS: Final = 6
_ANNOUNCED: Final = 2
"""So many words before a name may announce it ("name is")."""
_TEXT_WORDS: Final = 20
"""How many words a name or a text in the middle of a sentence may have; bounds the work per token."""


class Heard(NamedTuple):
    """An intent that was found in a sentence, and where."""

    intent: str
    match: Match


@dataclass(frozen=True, slots=True)
class FormEars:
    """What is listened for in one form.

    Attributes:
        slots: Sentences that give a value to a slot.
        called: Words that name a slot.
        choices: The options of each choice.
    """

    slots: Matcher[str]
    called: Matcher[str]
    choices: Mapping[str, Matcher[str]] = field(default_factory=dict[str, "Matcher[str]"])


@dataclass(frozen=True, slots=True)
class Ears:
    """Everything that is listened for in one language."""

    lexicon: Lexicon
    intents: Matcher[str]
    forms: Mapping[str, FormEars]
    menus: Mapping[str, Matcher[str]]
    known: Mapping[str, Slot]
    fallbacks: frozenset[str]
    courtesies: frozenset[str] = frozenset()
    vetoes: Matcher[str] | None = None
    dated: frozenset[str] = frozenset()
    chooses: frozenset[str] = frozenset()
    opens: frozenset[str] = frozenset()

    def spans(self, utterance: Utterance) -> SlotSpans:
        """The values in `utterance`, for patterns with slots."""
        return SlotSpans(utterance, self)

    def heard(self, utterance: Utterance, spans: SlotSpans, menu: str | None = None) -> list[Heard]:
        """The intents in the sentence, the best first; words of the open `menu` go before others of the same weight."""
        found = [
            Heard(self.intents.meanings[match.pattern], match)
            for match in self.intents.matches(utterance.tokens, spans)
        ]
        found = self._meant(self._allowed(found, utterance))
        if menu is not None and menu in self.menus:
            matcher = self.menus[menu]
            local = [Heard(matcher.meanings[match.pattern], match) for match in matcher.matches(utterance.tokens)]
            local.sort(key=_rank)
            if local and (
                not found or found[0].intent in self.fallbacks or local[0].match.score >= found[0].match.score
            ):
                return [*local, *found]
        return found

    def _allowed(self, found: list[Heard], utterance: Utterance) -> list[Heard]:
        """Without the intents that something else in the sentence outweighs ("my wife already booked a table")."""
        if found and any(heard.intent in self.dated for heard in found) and _only_past(utterance):
            # Unless it says little else, so that the caller hears that the day is over.
            most = len(utterance.tokens) - sum(mention.end - mention.start for mention in utterance.mentions)
            found = [heard for heard in found if heard.intent not in self.dated or heard.match.score * 2 >= most]
        found = self._without_bookings(found, utterance)
        if self.vetoes is None or not found:
            return found
        against: dict[str, int] = {}
        for match in self.vetoes.matches(utterance.tokens, utterance.numerals):
            intent = self.vetoes.meanings[match.pattern]
            against[intent] = max(against.get(intent, 0), match.score)
        return [heard for heard in found if heard.match.score > against.get(heard.intent, 0)] if against else found

    def _without_bookings(self, found: list[Heard], utterance: Utterance) -> list[Heard]:
        """Without what can be booked, where the sentence asks what is allowed or says that nothing is wanted."""
        if not self.dated:
            return found
        rule = rule_asked(utterance)
        if rule is None and not wishes_nothing(utterance):
            return found
        dropped = self.chooses | (self.dated if rule is None else self.opens)
        kept = [heard for heard in found if heard.intent not in dropped]
        if rule is not None and not kept:
            kept.extend(Heard(intent, rule) for intent in sorted(self.fallbacks)[:1])
        return kept

    def _meant(self, found: list[Heard]) -> list[Heard]:
        """The best first: pleasantries after wishes, and after questions that stand beside them ("hello, do you have ...")."""
        polite = [range(heard.match.start, heard.match.end) for heard in found if heard.intent in self.courtesies]

        def order(heard: Heard) -> tuple[int, int, int, int]:
            match = heard.match
            if heard.intent in self.courtesies:
                return 2, *_rank(heard)
            # "How" in "how are you" asks for nothing.
            if any(
                match.start in words and match.end - 1 in words and match.end - match.start < len(words)
                for words in polite
            ):
                return 3, *_rank(heard)
            return int(heard.intent in self.fallbacks), *_rank(heard)

        return sorted(found, key=order)


def _only_past(utterance: Utterance) -> bool:
    """Whether all the days of a sentence are over: who tells of yesterday books nothing."""
    days = [mention.value for mention in utterance.mentions if mention.kind is Kind.DATE]
    return bool(days) and all(isinstance(day, DaySaid) and day.is_past for day in days)


def _is_dated(form: Form | None) -> bool:
    return form is not None and any(slot.type is SlotType.DATE for slot in form.slots.values())


def _is_new(form: Form | None) -> bool:
    """Whether a form asks for something new; a code names what there is already."""
    return form is not None and all(slot.type is not SlotType.CODE for slot in form.slots.values())


def _rank(heard: Heard) -> tuple[int, int, int]:
    """More words first, then words that are further apart, then the order of the script."""
    match = heard.match
    return -match.score, match.start - match.end, match.pattern


class SlotSpans:
    """The values of slots in a sentence; a slot is written `form/slot`."""

    def __init__(self, utterance: Utterance, ears: Ears) -> None:
        self._utterance = utterance
        self._ears = ears
        self._choices: dict[str, dict[int, list[tuple[int, object]]]] = {}

    def begins(self, start: int) -> bool:  # noqa: ARG002 - a free text may begin anywhere
        """See `Spans`."""
        return bool(self._ears.known)

    def at(self, slot: str, start: int) -> Iterable[tuple[int, object]]:
        """See `Spans`."""
        found = self._values(slot, self._ears.known[slot], start)
        tokens, carriers = self._utterance.tokens, self._utterance.lexicon.carriers
        if self.is_free(slot) or start + 1 == len(tokens) or tokens[start].word not in carriers:
            return found
        # "From the third of July" begins at "the" as well as at "third".
        return [*found, *self._values(slot, self._ears.known[slot], start + 1)]

    def is_free(self, slot: str) -> bool:
        """See `Spans`."""
        return self._ears.known[slot].type in (SlotType.NAME, SlotType.TEXT)

    def _values(self, key: str, slot: Slot, start: int) -> list[tuple[int, object]]:  # noqa: PLR0911 - one return per type
        numerals = self._utterance.numerals
        match slot.type:
            case SlotType.DATE:
                return self._readings((Kind.DATE, Kind.NIGHTS) if slot.after else (Kind.DATE,), start)
            case SlotType.TIME:
                return self._readings((Kind.TIME,), start) or [
                    (end, with_part(TimeSaid(hour % 24 * 60, clear=not 0 < hour <= 12), self._utterance.part))
                    for end, hour in _numbers(numerals.at("h1", start))
                ]
            case SlotType.PARTY_SIZE:
                return self._readings((Kind.PARTY,), start) or list(numerals.at("n1", start))
            case SlotType.NUMBER:
                return list(numerals.at("n", start))
            case SlotType.PHONE | SlotType.ROOM | SlotType.CODE:
                end, said = numerals.spelled(start, letters=slot.type is SlotType.CODE)
                return [(end, said)] if said else []
            case SlotType.CHOICE:
                return self._options(key, start)
            case SlotType.YES_NO:
                meanings = self._utterance.lexicon.polarity.meanings
                return [
                    (match.end, meanings[match.pattern]) for match in self._utterance.polarity if match.start == start
                ]
            case SlotType.NAME:
                last = self._name_end(start)
                return [(end, self._utterance.said(start, end)) for end in range(start + 1, last + 1)]
            case SlotType.TEXT:
                last = min(len(self._utterance.tokens), start + _TEXT_WORDS)
                return [(end, self._utterance.said(start, end)) for end in range(start + 1, last + 1)]

    def _readings(self, kinds: Iterable[Kind], start: int) -> list[tuple[int, object]]:
        readings = self._utterance.readings
        return [(mention.end, mention) for kind in kinds for mention in readings.get((kind, start), ())]

    def _options(self, key: str, start: int) -> list[tuple[int, object]]:
        if key not in self._choices:
            form, _, slot = key.partition("/")
            matcher = self._ears.forms[form].choices[slot]
            by_start: dict[int, list[tuple[int, object]]] = {}
            for match in matcher.matches(self._utterance.tokens):
                by_start.setdefault(match.start, []).append((match.end, matcher.meanings[match.pattern]))
            self._choices[key] = by_start
        return self._choices[key].get(start, [])

    def _name_end(self, start: int) -> int:
        """Up to the next word that ends a name, or a value that is no name."""
        utterance = self._utterance
        start = after_article(utterance, start)
        end = start
        first = utterance.tokens[start].word
        lexicon = utterance.lexicon
        if first in lexicon.no_names or first in lexicon.greetings:
            return end
        if first in lexicon.no_first_names and not is_announced(utterance, start, _ANNOUNCED):
            return end
        while end < min(len(utterance.tokens), start + _NAME_WORDS):
            token = utterance.tokens[end]
            firm = any((kind, end) in utterance.readings for kind in (Kind.DATE, Kind.TIME, Kind.PARTY, Kind.NIGHTS))
            if token.word in utterance.lexicon.name_ends or firm or (end > start and "," in token.before):
                break
            end += 1
        while end > start and utterance.tokens[end - 1].word in utterance.lexicon.carriers:
            end -= 1
        return end


def _numbers(found: Iterable[tuple[int, object]]) -> Iterator[tuple[int, int]]:
    for end, value in found:
        if isinstance(value, int):
            yield end, value


def build_ears(
    lexicon: Lexicon, tag: str, intents: Iterable[Intent], forms: Mapping[str, Form], menus: Mapping[str, Menu]
) -> Ears:
    """Compile for one language. Patterns with slots that do not exist are left out; the checks refuse them."""
    known = {f"{form.name}/{slot.name}": slot for form in forms.values() for slot in form.slots.values()}
    wanted: list[tuple[Pattern, str]] = []
    # The script's own words win over built-in ones of the same weight.
    ordered = sorted(intents, key=lambda intent: intent.built_in)
    for intent in ordered:
        wanted.extend(
            (pattern, intent.name) for pattern in _bound(intent.patterns.get(tag, ()), intent.form or "", known)
        )
    vetoes = [(phrase.pattern, intent.name) for intent in ordered for phrase in intent.unless.get(tag, ())]
    ears = Ears(
        lexicon=lexicon,
        intents=Matcher(wanted),
        forms={name: _form_ears(form, lexicon, tag, known) for name, form in forms.items()},
        menus={name: _menu_ears(menu, tag) for name, menu in menus.items()},
        known=known,
        fallbacks=frozenset(intent.name for intent in ordered if intent.fallback),
        courtesies=frozenset(intent.name for intent in ordered if intent.courtesy),
        vetoes=Matcher(vetoes) if vetoes else None,
        chooses=frozenset(intent.name for intent in ordered if intent.menu and not intent.built_in),
        opens=frozenset(intent.name for intent in ordered if _is_new(forms.get(intent.form or ""))),
        dated=frozenset(intent.name for intent in ordered if _is_dated(forms.get(intent.form or ""))),
    )
    lexicon.normaliser.learn(_spelling(ears))
    return ears


def _spelling(ears: Ears) -> Spelling:
    """What the script and the language know, for words that are nearly one of them."""
    lexicon = ears.lexicon
    matchers = [ears.intents, *ears.menus.values(), *([ears.vetoes] if ears.vetoes is not None else [])]
    for form in ears.forms.values():
        matchers.extend((form.slots, form.called, *form.choices.values()))
    patterns = [
        *(pattern for matcher in matchers for pattern in matcher.patterns),
        *lexicon.rules.patterns,
        *(pattern for matcher in lexicon.phrases for pattern in matcher.patterns),
    ]
    atoms = {atom for pattern in patterns for part in (pattern, *pattern.parts) for atom in part.atoms}
    words = {atom.text for atom in atoms if atom.kind is AtomKind.WORD}
    stems = tuple(sorted(atom.text for atom in atoms if atom.kind is AtomKind.PREFIX))
    names = (lexicon.weekdays, lexicon.months)
    words.update(word for phrases in names for word in phrases.words())
    counted = {word for phrases in (lexicon.numbers, lexicon.ordinals) for word in phrases.words()}
    return Spelling(
        words,
        known=lexicon.familiar | counted,
        stems=stems,
        heads=words if lexicon.language.compounds else (),
        endings=lexicon.language.vocabulary.endings,
        diminutives=lexicon.language.manners.diminutives,
    )


def _bound(phrases: Iterable[Phrase], form: str, known: Mapping[str, Slot]) -> Iterator[Pattern]:
    """The patterns with their slots as `form/slot`."""
    for phrase in phrases:
        pattern = phrase.pattern
        if not pattern.slots:
            yield pattern
        elif all(f"{form}/{slot}" in known for slot in pattern.slots):
            yield _named(pattern, form)


def _named(pattern: Pattern, form: str) -> Pattern:
    atoms = tuple(
        atom._replace(text=f"{form}/{atom.text}") if atom.kind is AtomKind.SLOT else atom for atom in pattern.atoms
    )
    return replace(pattern, atoms=atoms, parts=tuple(_named(part, form) for part in pattern.parts))


def _menu_ears(menu: Menu, tag: str) -> Matcher[str]:
    return Matcher(
        [(phrase.pattern, name) for name, option in menu.options.items() for phrase in option.patterns.get(tag, ())]
    )


def _form_ears(form: Form, lexicon: Lexicon, tag: str, known: Mapping[str, Slot]) -> FormEars:
    slots = [
        (pattern, slot.name)
        for slot in form.slots.values()
        for pattern in _bound(slot.patterns.get(tag, ()), form.name, known)
    ]
    called: list[tuple[Pattern, str]] = []
    for slot in form.slots.values():
        alone = sum(other.type is slot.type for other in form.slots.values()) == 1
        words = lexicon.language.called.get(slot.type, ()) if alone else ()
        label = " ".join(part for part in slot.label.sentences[tag][0].parts if isinstance(part, str))
        called.extend((compile_pattern(said, lexicon.normaliser), slot.name) for said in words)
        called.extend((pattern, slot.name) for pattern in _plain(label, lexicon))
    choices = {
        slot.name: Matcher(
            [(phrase.pattern, option.name) for option in slot.options for phrase in option.patterns.get(tag, ())]
        )
        for slot in form.slots.values()
        if slot.type is SlotType.CHOICE
    }
    return FormEars(Matcher(slots), Matcher(called), choices)


def _plain(label: str, lexicon: Lexicon) -> Iterator[Pattern]:
    """A label as a pattern, with and without its article."""
    words = lexicon.normaliser.words(label)
    for kept in (words, [word for word in words if word not in lexicon.carriers]):
        try:
            yield compile_pattern(" ".join(kept), lexicon.normaliser)
        except PatternError:  # a label that is all article and fillers cannot be listened for
            continue
