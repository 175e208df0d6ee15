"""What a sentence contains: its tokens, and the numbers, days, times and people that it mentions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple, cast

from orchestrator_calls.dialogue._calendar import DaySaid, TimeSaid, with_part
from orchestrator_calls.dialogue._lexicon import Kind, Lexicon, Part, Rule
from orchestrator_calls.dialogue._matcher import Match
from orchestrator_calls.dialogue._numerals import Numerals
from orchestrator_calls.dialogue._text import Token, tidy

__all__ = ["Mention", "Utterance", "apart"]

_FAR: Final = 10_000
"""More days or people than anybody means; larger numbers are not read as either."""


class Mention(NamedTuple):
    """A value in the tokens from `start` to before `end`: `TimeSaid`, `DaySaid`, or a number of nights or people.

    Attributes:
        firm: The words leave no doubt about the kind.
        adds: A number of people that is one of several to add up, or a day that comes after another one.
        part: The part of the day that was said along.
    """

    kind: Kind
    start: int
    end: int
    value: TimeSaid | DaySaid | int
    firm: bool = True
    adds: bool = False
    part: Part | None = None


@dataclass(eq=False)
class Utterance:
    """One sentence of the caller, read in one language; everything beyond the tokens is worked out when it is asked for."""

    lexicon: Lexicon
    text: str
    tokens: list[Token]

    @classmethod
    def read(cls, text: str, lexicon: Lexicon) -> Utterance:
        """Read `text`."""
        tidied = tidy(text)
        return cls(lexicon, tidied, lexicon.normaliser.tokens(tidied))

    def said(self, start: int, end: int) -> str:
        """The caller's own words from token `start` to before `end`."""
        if start >= end:
            return ""
        return self.text[self.tokens[start].start : self.tokens[end - 1].end]

    @cached_property
    def numerals(self) -> Numerals:
        """The numbers."""
        return Numerals(self.text, self.tokens, self.lexicon)

    @cached_property
    def _found(self) -> list[Match]:
        found = self.lexicon.rules.matches(self.tokens, self.numerals)
        rules = self.lexicon.rules.meanings
        counted = {
            match.start
            for match in found
            if rules[match.pattern].kind in (Kind.NIGHTS, Kind.PARTY) and match.end - match.start > 1
        }
        # "Friday two nights" is no second of a month.
        return [
            match
            for match in found
            if rules[match.pattern].kind is not Kind.DATE
            or match.end - 1 not in counted
            or not match.captures
            or match.captures[-1].slot != "d"
        ]

    def _read(self, match: Match) -> Iterator[Mention]:
        return _interpret(match, self.lexicon.rules.meanings[match.pattern])

    @cached_property
    def readings(self) -> dict[tuple[Kind, int], list[Mention]]:
        """Every reading, those that overlap included, by kind and first token."""
        found: dict[tuple[Kind, int], list[Mention]] = {}
        for match in self._found:
            for mention in self._read(match):
                found.setdefault((mention.kind, mention.start), []).append(mention)
        return found

    @cached_property
    def _chosen(self) -> list[Mention]:
        rules = self.lexicon.rules.meanings
        best = apart(self._found, doubtful=lambda pattern: not rules[pattern].firm)
        return [mention for match in best for mention in self._read(match)]

    @property
    def part(self) -> Part | None:
        """The part of the day that the sentence names first."""
        return next((mention.part for mention in self._chosen if mention.part is not None), None)

    @cached_property
    def mentions(self) -> list[Mention]:
        """The longest readings that do not overlap, in the order of speech; times know the part of the day."""
        part = self.part
        return [
            mention._replace(value=with_part(mention.value, part)) if isinstance(mention.value, TimeSaid) else mention
            for mention in self._chosen
            if mention.kind is not Kind.PART
        ]

    @cached_property
    def polarity(self) -> list[Match]:
        """Where the caller said yes or no."""
        return apart(self.lexicon.polarity.matches(self.tokens))

    @property
    def agreement(self) -> bool | None:
        """Whether the caller said yes; a no anywhere is a no, and None is neither."""
        meanings = self.lexicon.polarity.meanings
        return all(meanings[match.pattern] for match in self.polarity) if self.polarity else None

    def negated(self, start: int) -> bool:
        """Whether what begins at token `start` is denied ("not at seven", "rather than seven").

        A pause after a "no" makes it an answer instead.
        """
        if self.rejected(start):
            return True
        for at in range(start, max(0, start - 3), -1):
            before = self.tokens[at - 1].word
            if not self.tokens[at].before.isspace():
                return False
            if before in self.lexicon.negations:
                return True
            if before not in self.lexicon.carriers:
                return False
        return False

    def rejected(self, start: int) -> bool:
        """Whether the value is the one that another replaces ("instead of seven", "better at eight than at seven")."""
        tokens, lexicon = self.tokens, self.lexicon
        at = start
        while at > max(0, start - 3) and tokens[at - 1].word in lexicon.carriers:
            at -= 1
        for end in range(at, start + 1):
            if end and tokens[end - 1].word in lexicon.than:
                before = {token.word for token in tokens[: end - 1]}
                if not lexicon.comparatives.isdisjoint(before):
                    return True
            for phrase in lexicon.rejections:
                if tuple(token.word for token in tokens[max(0, end - len(phrase)) : end]) == phrase:
                    return True
        return False


def apart(matches: Iterable[Match], *, doubtful: Callable[[int], bool] | None = None) -> list[Match]:
    """The best matches that share no token, in the order of speech.

    More words win, then the patterns that are not `doubtful`, then the earlier place, then the earlier pattern, then the longer match.
    """

    def rank(match: Match) -> tuple[int, bool, int, int, int]:
        return -match.score, doubtful is not None and doubtful(match.pattern), match.start, match.pattern, -match.end

    taken: set[int] = set()
    chosen: list[Match] = []
    for match in sorted(matches, key=rank):
        covered = range(match.start, match.end)
        if taken.isdisjoint(covered):
            taken.update(covered)
            chosen.append(match)
    return sorted(chosen, key=lambda match: match.start)


def _interpret(match: Match, rule: Rule) -> Iterator[Mention]:
    values: dict[str, list[int]] = {}
    pairs: list[tuple[int, ...]] = []
    for capture in match.captures:
        if capture.slot in ("clock", "numdate"):
            pairs.append(cast("tuple[int, ...]", capture.value))
        else:
            values.setdefault(capture.slot.rstrip("15"), []).append(cast("int", capture.value))
    for value in _values(rule, values, pairs):
        yield Mention(rule.kind, match.start, match.end, value, rule.firm, rule.adds, rule.part)


def _values(
    rule: Rule, values: dict[str, list[int]], pairs: Sequence[tuple[int, ...]]
) -> Iterable[TimeSaid | DaySaid | int]:
    match rule.kind:
        case Kind.PART:
            return (0,)
        case Kind.TIME:
            return (_time(rule, values, pairs),)
        case Kind.RANGE:
            days = (values.get("o", []) + values.get("d", []))[:2]
            return _days_of_month(match_days=sorted(days), month=values["month"][0])
        case Kind.DATE:
            return () if max(values.get("n", [0])) * rule.unit > _FAR else (_day(rule, values, pairs),)
        case Kind.NIGHTS | Kind.PARTY:
            count = rule.count if rule.count is not None else values["n"][-1] * rule.unit
            return (count,) if count <= _FAR else ()


def _days_of_month(match_days: Sequence[int], month: int) -> Sequence[DaySaid]:
    return [DaySaid(day=day, month=month) for day in match_days]


def _time(rule: Rule, values: dict[str, list[int]], pairs: Sequence[tuple[int, ...]]) -> TimeSaid:
    if rule.fixed is not None:
        return TimeSaid(rule.fixed, clear=True)
    hour, shown = (pairs[0][0], pairs[0][1]) if pairs else (values["h"][0], 0)
    minutes = shown + rule.minutes + rule.sign * sum(values.get("m", ()))
    clear = hour > 12 or hour == 0
    return with_part(TimeSaid((hour * 60 + minutes) % 1440, clear), rule.part)


def _day(rule: Rule, values: dict[str, list[int]], pairs: Sequence[tuple[int, ...]]) -> DaySaid:
    if rule.feast:
        return DaySaid(feast=rule.feast)
    if pairs:
        return DaySaid(numbers=pairs[0])
    days = values.get("o", []) + values.get("d", [])
    if days:
        # German counts months too: "am fünften sechsten".
        month = values["month"][0] if "month" in values else (days[1] if len(days) > 1 else None)
        return DaySaid(day=days[0], month=month, year=values.get("year", [None])[0])
    if "weekday" in values:
        return DaySaid(weekday=values["weekday"][0], next_week=rule.week, days=rule.days)
    if rule.weekend:
        return DaySaid(weekend=True)
    return DaySaid(days=rule.days if rule.days is not None else values["n"][0] * rule.unit)
