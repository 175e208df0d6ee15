"""What the days, times and numbers of people of a sentence mean together: corrected, replaced, added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import cast

from orchestrator_calls.dialogue._calendar import DaySaid, TimeSaid, with_part
from orchestrator_calls.dialogue._lexicon import Kind
from orchestrator_calls.dialogue._listening import Mention, Utterance
from orchestrator_calls.dialogue._model import Form, Slot, SlotType
from orchestrator_calls.dialogue._people import people_named
from orchestrator_kernel.ports import Json

__all__ = ["Meaning"]


class Meaning:
    """Reads the values of one sentence for one form, of which `filled` is known and `asked` was asked for."""

    def __init__(self, utterance: Utterance, form: Form, filled: Mapping[str, Json], asked: Slot | None) -> None:
        self._utterance = utterance
        self._form = form
        self._filled = filled
        self._asked = asked

    def of_type(self, said: Sequence[Mention], mentions: Sequence[Mention], kind: SlotType) -> list[Mention]:
        """The values of one type, given what was `said` of it and all `mentions` of the sentence."""
        found = [*said, *(self._day_after(mentions, said) if kind is SlotType.DATE else ())]
        if kind in {SlotType.DATE, SlotType.TIME}:
            found = self._revised(found)
        found = [self._replaced(mention, found) for mention in found]
        if kind is SlotType.DATE and any(slot.after for slot in self._form.slots.values()):
            return self._stay(found)
        if kind is SlotType.PARTY_SIZE:
            return self._party([mention for mention in found if not self._is_bare(mention)])
        return found

    def _revised(self, found: Sequence[Mention]) -> list[Mention]:
        """Without what the caller took back at once ("for tomorrow, no, for Saturday")."""
        taken_back = [first for first, second in pairwise(found) if self._takes_back(first.end, second.start)]
        return [mention for mention in found if mention not in taken_back]

    def _takes_back(self, start: int, end: int) -> bool:
        """Whether nothing is said between two values but that the second one is meant."""
        lexicon = self._utterance.lexicon
        words = {token.word for token in self._utterance.tokens[start:end]}
        return not words.isdisjoint(lexicon.taking_back) and words <= (
            lexicon.taking_back | lexicon.corrections | lexicon.carriers
        )

    def _stay(self, days: list[Mention]) -> list[Mention]:
        """The days of a stay: two only where the second is said to be its end ("the flight is on Saturday, so a room for Friday")."""
        tokens, until = self._utterance.tokens, self._utterance.lexicon.until
        last = days[-1].start if days else 0
        ends = any(token.word in until for token in tokens[max(0, last - 3) : last + 1])
        return days if len(days) < 2 or ends else days[-1:]

    def corrected(self, mention: Mention) -> Mention:
        """The value that the caller put in its place at once ("four, no wait, five"), which need not name its kind again."""
        utterance = self._utterance
        at = mention.end
        while at < len(utterance.tokens) and utterance.tokens[at].word in utterance.lexicon.corrections:
            at += 1
        number = utterance.numerals.cardinal(at) if mention.end < at < len(utterance.tokens) else None
        number = number if number is not None and self._alone(at) else self._after_denial(mention)
        if number is None:
            return mention
        end, count = number
        if mention.kind is Kind.PARTY:
            return mention._replace(value=count, end=end, adds=False)
        if isinstance(mention.value, TimeSaid) and 0 < count <= 24:
            return mention._replace(
                value=with_part(TimeSaid(count % 24 * 60, clear=count > 12), utterance.part), end=end
            )
        return mention

    def _replaced(self, mention: Mention, of_type: Sequence[Mention]) -> Mention:
        """The number that takes the place of the only value of its kind ("seven instead of six thirty"), which tells what it is."""
        if len(of_type) > 1 or not self._utterance.rejected(mention.start):
            return mention
        numbers = [number for number in self._utterance.numerals.cardinals() if self._alone(number[0])]
        before = [number for number in numbers if number[1] <= mention.start]
        if not before:
            return mention
        start, end, value = before[-1]
        if isinstance(mention.value, TimeSaid):
            said: TimeSaid | DaySaid | int = with_part(
                TimeSaid(value % 24 * 60, clear=not 0 < value <= 12), self._utterance.part
            )
        else:
            said = DaySaid(day=value) if isinstance(mention.value, DaySaid) else value
        return Mention(mention.kind, start, end, said)

    def _alone(self, at: int) -> bool:
        return not any(mention.start <= at < mention.end for mention in self._utterance.mentions)

    def _after_denial(self, mention: Mention) -> tuple[int, int] | None:
        """The last number after a "no" that follows the number that was asked for ("four, no, the kids come too, six")."""
        utterance, asked = self._utterance, self._asked
        if asked is None or asked.type is not SlotType.PARTY_SIZE or mention.kind is not Kind.PARTY:
            return None
        denials = [
            at
            for at in range(mention.end, len(utterance.tokens))
            if utterance.tokens[at].word in utterance.lexicon.negations
        ]
        numbers = [
            (end, value)
            for start, end, value in utterance.numerals.cardinals()
            if denials and start > denials[0] and self._alone(start)
        ]
        return numbers[-1] if numbers else None

    def _party(self, mentions: Sequence[Mention]) -> list[Mention]:
        """The mentions with those that add up as one: adults and children, "four and a baby", or people who are named."""
        asked = self._asked is not None and self._asked.type is SlotType.PARTY_SIZE
        named = people_named(self._utterance, asked=asked)
        if named is not None and all(named.start <= mention.start for mention in mentions if mention.adds):
            numbers = [number for number in self._utterance.numerals.cardinals() if number[0] >= named.end]
            # "My wife and the boys, that makes five": the caller has counted.
            return [named._replace(value=numbers[-1][2])] if asked and numbers else [named]
        adding = [mention for mention in mentions if mention.adds and isinstance(mention.value, int)]
        if not adding:
            return list(mentions)
        before = [mention for mention in mentions if not mention.adds and mention.end <= adding[0].start][-1:]
        between = self._utterance.tokens[before[0].end : adding[0].start] if before else []
        links = self._utterance.lexicon.links
        if before and between and all(token.word in links for token in between):
            adding = [*before, *adding]
        elif len(adding) == 1:
            return self._single(adding[0], mentions, before, asked=asked)
        total = sum(mention.value for mention in adding if isinstance(mention.value, int))
        return [adding[0]._replace(value=total, end=adding[-1].end)]

    def _comes_along(self, start: int) -> bool:
        tokens, lexicon = self._utterance.tokens, self._utterance.lexicon
        at = start - 1
        while at > 0 and tokens[at].word in lexicon.links - lexicon.along:
            at -= 1
        return at >= 0 and tokens[at].word in lexicon.along

    def _single(
        self, part: Mention, mentions: Sequence[Mention], before: list[Mention], *, asked: bool
    ) -> list[Mention]:
        """What children, or grown-ups, mean when they are the only ones that are counted."""
        if asked and not before and (alone := self._number_before(part.start)):
            # "Five plus a baby" where the number was asked for.
            return [part._replace(value=alone + cast("int", part.value))]
        if asked and not before and (whole := self._whole_before(part)):
            # "Nine, two of them children" are nine.
            return [part._replace(value=whole)]
        if not before and self._comes_along(part.start):
            # "We come with two children": how many "we" are is not said.
            return [mention for mention in mentions if mention is not part]
        between = self._utterance.tokens[before[0].end : part.start] if before else []
        corrected = any(token.word in self._utterance.lexicon.corrections for token in between)
        # "For four, two of them children" is a table for four.
        return list(mentions) if corrected or not before else before

    def _whole_before(self, part: Mention) -> int:
        """The larger number that was said alone before some of the people, 0 where there is none."""
        numbers = [
            value
            for start, end, value in self._utterance.numerals.cardinals()
            if end <= part.start and self._alone(start)
        ]
        denied = any(token.word in self._utterance.lexicon.negations for token in self._utterance.tokens[: part.start])
        return numbers[-1] if numbers and not denied and numbers[-1] > cast("int", part.value) else 0

    def _number_before(self, at: int) -> int:
        """The number that one linking word joins to what begins at token `at`, 0 where there is none."""
        if at < 2 or self._utterance.tokens[at - 1].word not in self._utterance.lexicon.links:
            return 0
        numbers = self._utterance.numerals.cardinals()
        return next((value for _, end, value in numbers if end == at - 1), 0)

    def _day_after(self, mentions: Sequence[Mention], days: Sequence[Mention]) -> list[Mention]:
        """The day that is named by the one before it ("not tomorrow, the day after")."""
        after = next((mention for mention in mentions if mention.kind is Kind.NIGHTS and mention.adds), None)
        if after is None:
            return []
        base = next((mention for mention in reversed(days) if mention.end <= after.start), None)
        stays = any(slot.after for slot in self._form.slots.values())
        if base is not None and isinstance(base.value, DaySaid):
            if stays and not self._utterance.negated(base.start):
                return []
            return [after._replace(kind=Kind.DATE, value=replace(base.value, plus=base.value.plus + 1))]
        known = next(
            (self._filled.get(slot.name) for slot in self._form.slots.values() if slot.type is SlotType.DATE), None
        )
        if stays or not isinstance(known, str) or known.count("-") != 2:
            return []
        year, month, day = (int(part) for part in known.split("-"))
        return [after._replace(kind=Kind.DATE, value=DaySaid(year=year, month=month, day=day, plus=1))]

    def _is_bare(self, mention: Mention) -> bool:
        """Whether "for seven" may mean seven o'clock, because the time was asked for and is not said otherwise."""
        if mention.firm or self._asked is None:
            return False
        has_time = any(other.kind is Kind.TIME for other in self._utterance.mentions)
        return self._asked.type in (SlotType.TIME, SlotType.NUMBER) and not has_time
