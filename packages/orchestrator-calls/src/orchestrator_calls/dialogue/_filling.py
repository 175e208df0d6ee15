"""Which slots of a form a sentence fills, in whatever order the caller says them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from orchestrator_calls.dialogue._calendar import DaySaid, TimeSaid, with_part
from orchestrator_calls.dialogue._ears import Ears, SlotSpans
from orchestrator_calls.dialogue._lexicon import Kind, Part
from orchestrator_calls.dialogue._listening import Mention, Utterance, apart
from orchestrator_calls.dialogue._matcher import Capture
from orchestrator_calls.dialogue._meaning import Meaning
from orchestrator_calls.dialogue._model import Form, Slot, SlotType
from orchestrator_calls.dialogue._names import (
    after_letters,
    asks_something,
    introduced,
    is_aside,
    own_words,
    read_name,
    request_in,
)
from orchestrator_calls.dialogue._requests import whole_request
from orchestrator_calls.dialogue._values import OWN_NUMBER
from orchestrator_kernel.ports import Json

__all__ = ["Given", "given_by"]

_T = TypeVar("_T")
_KINDS: Final = {
    Kind.DATE: (SlotType.DATE,),
    Kind.RANGE: (SlotType.DATE,),
    Kind.TIME: (SlotType.TIME,),
    Kind.PARTY: (SlotType.PARTY_SIZE,),
}
_SPELLED: Final = (SlotType.PHONE, SlotType.ROOM, SlotType.CODE)
_COUNTED: Final = (SlotType.NUMBER, SlotType.PARTY_SIZE, SlotType.TIME)


class Given(NamedTuple):
    """What a sentence gives to a slot, before it is checked, and the tokens it took."""

    slot: str
    raw: object
    start: int
    end: int


def given_by(
    utterance: Utterance,
    ears: Ears,
    form: Form,
    *,
    filled: Mapping[str, Json],
    asking: str,
    correcting: bool = False,
    captures: Sequence[Capture] = (),
) -> list[Given]:
    """What `utterance` gives to the slots of `form`, at most once per slot, in the order of the form.

    Args:
        utterance: The sentence.
        ears: What is listened for in its language.
        form: The form.
        filled: What is known so far; such a slot is filled anew only by words that name it or its type.
        asking: The slot that was asked for, empty when none was: bare numbers and free words are for it.
        correcting: The caller was asked whether all is right, so a bare number corrects something.
        captures: What the pattern that was understood holds already.
    """
    hearing = _Hearing(utterance, ears, form, filled, asking, correcting=correcting)
    hearing.take_ranges()
    hearing.take_introduction()
    hearing.take_slot_patterns()
    hearing.take_captures(captures)
    hearing.take_choices()
    hearing.take_mentions()
    hearing.take_asked()
    hearing.take_bare_number()
    hearing.take_words()
    return [hearing.found[name] for name in form.slots if name in hearing.found]


class _Hearing:
    def __init__(
        self,
        utterance: Utterance,
        ears: Ears,
        form: Form,
        filled: Mapping[str, Json],
        asking: str,
        *,
        correcting: bool,
    ) -> None:
        self.found: dict[str, Given] = {}
        self._utterance = utterance
        self._ears = ears
        self._form = form
        self._filled = filled
        self._asked = form.slots.get(asking)
        self._correcting = correcting
        self._used: set[int] = set()

    def take_captures(self, captures: Iterable[Capture]) -> None:
        for capture in captures:
            form, _, name = capture.slot.partition("/")
            if form != self._form.name or not self._free(capture.start, capture.end):
                continue
            slot, value = self._form.slots[name], self._whole(capture)
            if slot.type is SlotType.TEXT:
                value = request_in(self._utterance, capture.start, capture.end)
            elif slot.type is SlotType.NAME:
                value = read_name(self._utterance, capture.start, after_letters(self._utterance, capture.end)) or value
            if value != "" and not (slot.type in _SPELLED and self._is_hour(capture)):
                self._give(slot, value, capture.start, capture.end)

    def _is_hour(self, capture: Capture) -> bool:
        """Whether the digits are a part of a time ("a la una")."""
        return any(
            mention.kind is Kind.TIME and mention.start < capture.start and capture.end <= mention.end
            for mention in self._utterance.mentions
        )

    def _whole(self, capture: Capture) -> object:
        """The longer reading that a captured value is a part of ("in August, starting on the tenth")."""
        value = capture.value
        if not isinstance(value, Mention):
            return value
        covering = (
            mention
            for mention in self._utterance.mentions
            if mention.kind is value.kind and mention.start < capture.start and mention.end >= capture.end
        )
        return next(covering, value)

    def take_ranges(self) -> None:
        """Before all others: "to the 8th" alone would be the departure, and the arrival would be lost."""
        slots = [slot for slot in self._form.slots.values() if slot.type is SlotType.DATE]
        ranges = [mention for mention in self._utterance.mentions if mention.kind is Kind.RANGE]
        if len(slots) >= 2:
            for mention, slot in zip(ranges[-2:], slots, strict=False):
                self._give(slot, mention, mention.start, mention.end)

    def take_slot_patterns(self) -> None:
        matcher = self._ears.forms[self._form.name].slots
        if not matcher.patterns:
            return
        spans = SlotSpans(self._utterance, self._ears)
        matches = apart(matcher.matches(self._utterance.tokens, spans))
        things: dict[str, list[tuple[int, int]]] = {}
        for match in sorted(matches, key=lambda match: -match.score):
            if self._free(match.start, match.end):
                if match.captures:
                    self.take_captures(match.captures)
                elif (slot := self._form.slots[matcher.meanings[match.pattern]]) is self._asked:
                    # All the words of an answer count, not only those of the pattern.
                    continue
                else:
                    # A pattern without a slot is the value itself ("two extra towels"), with what is said around it.
                    things.setdefault(slot.name, []).append(
                        whole_request(self._utterance, match.start, match.end, self._free)
                    )
                self._used.update(range(match.start, match.end))
        for name, places in things.items():
            self._give_things(self._form.slots[name], sorted(places))

    def _give_things(self, slot: Slot, places: Sequence[tuple[int, int]]) -> None:
        """All that was asked for, in the caller's words: one stretch of them, or several."""
        if slot.name in self.found:
            return
        joined: list[tuple[int, int]] = []
        for start, end in places:
            if joined and start <= joined[-1][1]:
                joined[-1] = joined[-1][0], max(end, joined[-1][1])
            else:
                joined.append((start, end))
        said = ", ".join(own_words(self._utterance, start, end) for start, end in joined)
        self._give(slot, said, joined[0][0], joined[-1][1])

    def take_choices(self) -> None:
        for name, matcher in self._ears.forms[self._form.name].choices.items():
            if name in self.found or (name in self._filled and self._asked is not None and name != self._asked.name):
                continue
            options = apart(matcher.matches(self._utterance.tokens))
            meant = self._affirmed([(match.start, match) for match in options])
            if meant and self._free(meant[-1].start, meant[-1].end):
                match = meant[-1]
                self._give(self._form.slots[name], matcher.meanings[match.pattern], match.start, match.end)

    def take_introduction(self) -> None:
        """The name with which the caller opens ("hello, Miller here"), where one name is wanted and none is known."""
        slots = [slot for slot in self._form.slots.values() if slot.type is SlotType.NAME]
        if len(slots) != 1 or slots[0].name in self.found or slots[0].name in self._filled or slots[0] is self._asked:
            return
        place = introduced(self._utterance)
        if place is not None and self._free(*place) and (name := read_name(self._utterance, *place)):
            self._give(slots[0], name, *place)

    def take_mentions(self) -> None:
        mentions = [mention for mention in self._utterance.mentions if self._free(mention.start, mention.end)]
        meaning = Meaning(self._utterance, self._form, self._filled, self._asked)
        for types in ((SlotType.DATE,), (SlotType.TIME,), (SlotType.PARTY_SIZE,)):
            said = [meaning.corrected(mention) for mention in mentions if _KINDS.get(mention.kind) == types]
            of_type = meaning.of_type(said, mentions, types[0])
            slots = [slot for slot in self._form.slots.values() if slot.type in types]
            self._assign(self._affirmed([(mention.start, mention) for mention in of_type]), slots)
            # What was denied must not come back as a bare number.
            taken = of_type if types == (SlotType.PARTY_SIZE,) else (*said, *of_type)
            self._used.update(at for mention in taken for at in range(mention.start, mention.end) if slots)
        stays = [m for m in mentions if m.kind is Kind.NIGHTS and self._free(m.start, m.end)]
        slot = next((slot for slot in self._form.slots.values() if slot.after), None)
        if stays and slot is not None and slot.name not in self.found:
            self._give(slot, stays[-1], stays[-1].start, stays[-1].end)

    def take_asked(self) -> None:
        """What only the slot that was asked for can mean."""
        slot = self._asked
        if slot is None or slot.name in self.found:
            return
        if slot.type is SlotType.YES_NO and self._utterance.agreement is not None:
            self._give(slot, self._utterance.agreement, 0, 0)
        elif slot.type in _SPELLED:
            self._take_spelled(slot)

    def take_bare_number(self) -> None:
        agreed = {at for match in self._utterance.polarity for at in range(match.start, match.end)}
        numbers = [
            (start, (start, end, value))
            for start, end, value in self._utterance.numerals.cardinals()
            if self._free(start, end)
            and not self._utterance.numerals.counts_nothing(start, end, value)
            and agreed.isdisjoint(range(start, end))
        ]
        meant = self._affirmed(numbers) or self._single_one() or self._single_ordinal()
        slot = self._slot_for_number() if meant else None
        if slot is None or slot.name in self.found:
            return
        start, end, value = meant[-1]
        raw = _from_number(slot, value, self._utterance.part)
        if raw is not None:
            self._give(slot, raw, start, end)

    def take_words(self) -> None:
        """The caller's own words, when the slot that was asked for takes them."""
        slot = self._asked
        if slot is None or slot.name in self.found or slot.type not in (SlotType.NAME, SlotType.TEXT):
            return
        tokens = self._utterance.tokens
        plain = {at for match in self._utterance.polarity for at in range(match.start, match.end)}
        if len(plain) == len(tokens):
            return
        if slot.type is SlotType.TEXT:
            # A value of another slot that is nearly all of the sentence is an answer out of order, not this text.
            if len(self._used | plain) * 10 < len(tokens) * 8:
                self._give(slot, own_words(self._utterance, 0, len(tokens)), 0, 0)
            return
        lead_ins = self._utterance.lexicon.lead_ins.matches(tokens)
        if not lead_ins and any(name in self._filled for name in self.found):
            # What is left beside the correction of another value is no name ("no, I said Saturday").
            return
        if asks_something(self._utterance):
            return
        denied = {at for match in self._utterance.polarity if match.start == 0 for at in range(match.end)}
        if self._utterance.agreement is False:
            self._used.update(denied)
        words = [read_name(self._utterance, start, end) for start, end in self._free_runs()]
        # "Quite right", "oh" answer nothing, however new the words.
        words = [word for word in words if word and not is_aside(self._utterance, word)]
        best = max(words, key=len, default="")
        if best:
            self._give(slot, best, 0, 0)

    def _give(self, slot: Slot, raw: object, start: int, end: int) -> None:
        self.found.setdefault(slot.name, Given(slot.name, raw, start, end))
        self._used.update(range(start, end))

    def _free(self, start: int, end: int) -> bool:
        return self._used.isdisjoint(range(start, end))

    def _affirmed(self, found: Sequence[tuple[int, _T]]) -> list[_T]:
        """Without what is denied, unless nothing else is left to mean ("no for five" without its comma)."""
        kept = [value for start, value in found if not self._utterance.negated(start)]
        return kept or [value for _, value in found]

    def _assign(self, mentions: Sequence[Mention], slots: Sequence[Slot]) -> None:
        open_slots = [slot for slot in slots if slot.name not in self.found]
        if not mentions or not open_slots:
            return
        if len(open_slots) == 1:
            pairs = [(mentions[-1], open_slots[0])]
        elif len(mentions) >= len(open_slots):
            pairs = list(zip(mentions, open_slots, strict=False))
        else:
            first = [slot for slot in open_slots if self._asked is not None and slot.name == self._asked.name]
            empty = [slot for slot in open_slots if slot.name not in self._filled and slot not in first]
            pairs = list(zip(mentions, first + empty or open_slots, strict=False))
        for mention, slot in pairs:
            self._give(slot, mention, mention.start, mention.end)

    def _take_spelled(self, slot: Slot) -> None:
        numerals = self._utterance.numerals
        best, at = (0, 0, ""), 0
        while at < len(self._utterance.tokens):
            end, said = numerals.spelled(at, letters=slot.type is SlotType.CODE)
            if len(said) > len(best[2]):
                best = (at, end, said)
            at = max(end, at + 1)
        if best[2] and any(char.isdigit() for char in best[2]):
            self._give(slot, best[2], best[0], best[1])
        elif slot.type is SlotType.PHONE and (
            own := self._utterance.lexicon.own_number.matches(self._utterance.tokens)
        ):
            self._give(slot, OWN_NUMBER, own[0].start, own[0].end)

    def _single_one(self) -> list[tuple[int, int, int]]:
        """An article alone is the number one where a number was asked for ("une")."""
        tokens = self._utterance.tokens
        if (
            len(tokens) <= 2
            and tokens
            and tokens[-1].word in self._utterance.lexicon.ones
            and self._free(0, len(tokens))
            and not any(match.end == len(tokens) for match in self._utterance.polarity)
        ):
            return [(len(tokens) - 1, len(tokens), 1)]
        return []

    def _single_ordinal(self) -> list[tuple[int, int, int]]:
        """A day of the month without its article, where a day was asked for or the caller corrects ("no, tenth")."""
        asks = self._correcting if self._asked is None else self._asked.type is SlotType.DATE
        slots = [slot for slot in self._form.slots.values() if slot.type is SlotType.DATE]
        tokens = self._utterance.tokens
        if not asks or len(slots) != 1 or slots[0].name in self.found:
            return []
        ordinals = self._utterance.lexicon.ordinals
        found = [(at, ordinals.at(tokens, at)) for at in range(len(tokens)) if self._free(at, at + 1)]
        days = [(at, day) for at, day in found if day is not None and day[1] > 2]
        if len(days) == 1:
            (at, (end, day)) = days[0]
            self._give(slots[0], DaySaid(day=day), at, end)
        return []

    def _slot_for_number(self) -> Slot | None:
        asked = self._asked
        counted = [slot for slot in self._form.slots.values() if slot.type in _COUNTED and slot.name not in self.found]
        empty = [slot for slot in counted if slot.name not in self._filled]
        if asked is None:
            # A correction that does not say of what is one of the number of people, which is changed most.
            sizes = [slot for slot in counted if slot.type is not SlotType.TIME]
            return next(iter(empty or sizes), None) if self._correcting else None
        if asked.name not in self.found and asked.type in (*_COUNTED, SlotType.DATE, SlotType.CHOICE):
            return asked
        if asked.type in (SlotType.TEXT, SlotType.NAME, *_SPELLED) or len(empty) != 1:
            return None
        return empty[0]

    def _free_runs(self) -> list[tuple[int, int]]:
        runs: list[tuple[int, int]] = []
        start = None
        for at in range(len(self._utterance.tokens) + 1):
            free = at < len(self._utterance.tokens) and at not in self._used
            if free and start is None:
                start = at
            elif not free and start is not None:
                runs.append((start, at))
                start = None
        return runs


def _from_number(slot: Slot, value: int, part: Part | None) -> object:
    match slot.type:
        case SlotType.TIME:
            if value <= 24:
                return with_part(TimeSaid(value % 24 * 60, clear=not 0 < value <= 12), part)
            return TimeSaid(value // 100 * 60 + value % 100, clear=True) if value < 2400 and value % 100 < 60 else None
        case SlotType.DATE:
            return DaySaid(day=value) if 1 <= value <= 31 else None
        case SlotType.CHOICE:
            return slot.options[value - 1].name if 1 <= value <= len(slot.options) else None
        case _:
            return value
