"""Finding patterns in a sentence: all patterns of a script at once, in time linear in the sentence.

The automata of the patterns run side by side over the tokens. Per token a state is entered at most once, with the best thread that
reaches it, so the work per token is bounded by the patterns alone, whatever the caller says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from orchestrator_calls.dialogue._pattern import AtomKind, Pattern
from orchestrator_calls.dialogue._text import Token

__all__ = ["Capture", "Match", "Matcher", "NoSpans", "Spans"]

T = TypeVar("T")


class Capture(NamedTuple):
    """A slot of a pattern, and the tokens it took with the value found there."""

    slot: str
    start: int
    end: int
    value: object


class Match(NamedTuple):
    """A pattern found in the tokens from `start` to before `end`; `score` is how many of them it names."""

    pattern: int
    start: int
    end: int
    score: int
    captures: tuple[Capture, ...]


class Spans(Protocol):
    """Values that were found in a sentence beforehand."""

    def begins(self, start: int) -> bool:
        """Whether any value may begin at token `start`; asked once per token."""
        ...

    def at(self, slot: str, start: int) -> Iterable[tuple[int, object]]:
        """The values for `slot` that begin at token `start`, each with the token after it."""
        ...

    def is_free(self, slot: str) -> bool:
        """Whether `slot` takes any words, so that they say nothing about whether the pattern is meant."""
        ...


class NoSpans:
    """For patterns without slots."""

    def begins(self, start: int) -> bool:  # noqa: ARG002 - the protocol's signature
        """Nowhere."""
        return False

    def at(self, slot: str, start: int) -> Iterable[tuple[int, object]]:  # noqa: ARG002 - the protocol's signature
        """Nothing."""
        return ()

    def is_free(self, slot: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """Nothing is."""
        return False


class _Thread(NamedTuple):
    score: int
    start: int
    captures: tuple[Capture, ...]


class _Dispatch:
    """The states that may come next, by what they consume."""

    __slots__ = ("anything", "prefixes", "slots", "words")

    def __init__(self, states: Iterable[tuple[int, AtomKind, str]]) -> None:
        self.words: dict[str, list[int]] = {}
        self.prefixes: list[tuple[int, dict[str, list[int]]]] = []
        self.slots: list[tuple[str, list[int]]] = []
        self.anything: list[int] = []
        prefixes: dict[int, dict[str, list[int]]] = {}
        slots: dict[str, list[int]] = {}
        for state, kind, text in states:
            if kind is AtomKind.WORD:
                self.words.setdefault(text, []).append(state)
            elif kind is AtomKind.PREFIX:
                prefixes.setdefault(len(text), {}).setdefault(text, []).append(state)
            elif kind is AtomKind.SLOT:
                slots.setdefault(text, []).append(state)
            else:
                self.anything.append(state)
        self.prefixes.extend(prefixes.items())
        self.slots.extend(slots.items())


class Matcher(Generic[T]):
    """Finds any of `patterns`, each with what it means.

    Pattern `n` of a `Match` is `patterns[n]`, and its meaning `meanings[n]`.
    """

    def __init__(self, patterns: Sequence[tuple[Pattern, T]]) -> None:
        self.patterns = [pattern for pattern, _ in patterns]
        self.meanings = [meaning for _, meaning in patterns]
        self._final: list[int] = []
        self._next: list[_Dispatch | None] = []
        first: list[tuple[int, AtomKind, str]] = []
        self._joint: dict[int, tuple[int, ...]] = {}
        numbered = list(enumerate(self.patterns))
        for index, pattern in enumerate(self.patterns):
            if pattern.parts:
                self._joint[index] = tuple(len(numbered) + number for number in range(len(pattern.parts)))
                numbered.extend(zip(self._joint[index], pattern.parts, strict=True))
        for index, pattern in numbered:
            base = len(self._final)
            first.extend(_entries(pattern, base, pattern.first))
            for state in range(len(pattern.atoms)):
                after = _entries(pattern, base, pattern.follow[state])
                self._final.append(index if state in pattern.last else -1)
                self._next.append(_Dispatch(after) if after else None)
        self._first = _Dispatch(first)

    def matches(self, tokens: Sequence[Token], spans: Spans | None = None) -> list[Match]:
        """Every pattern at every place where it ends, each with its best thread, in the order of the ends."""
        found: list[Match] = []
        spans = spans or NoSpans()
        live: list[dict[int, _Thread]] = [{} for _ in range(len(tokens) + 1)]
        for at, states in enumerate(live):
            for state, thread in states.items():
                if self._final[state] >= 0:
                    found.append(Match(self._final[state], thread.start, at, thread.score, thread.captures))
            if at == len(tokens):
                break
            word = tokens[at].word
            here = spans if spans.begins(at) else None
            self._step(self._first, _Thread(0, at, ()), at, word, live, here)
            for state, thread in states.items():
                after = self._next[state]
                if after is not None:
                    self._step(after, thread, at, word, live, here)
        return self._joined(found) if self._joint else found

    def _joined(self, found: list[Match]) -> list[Match]:
        """With the patterns all of whose parts were found, each at its best places, and without the parts themselves."""
        parts: dict[int, Match] = {}
        for match in found:
            known = parts.get(match.pattern)
            if match.pattern >= len(self.patterns) and (known is None or match.score > known.score):
                parts[match.pattern] = match
        whole = [match for match in found if match.pattern < len(self.patterns)]
        for index, numbers in self._joint.items():
            if all(number in parts for number in numbers):
                whole.append(_join(index, [parts[number] for number in numbers]))
        return whole

    def _step(
        self,
        dispatch: _Dispatch,
        thread: _Thread,
        at: int,
        word: str,
        live: list[dict[int, _Thread]],
        spans: Spans | None,
    ) -> None:
        score, start, captures = thread
        entered = live[at + 1]
        states = dispatch.words.get(word)
        if states:
            _enter(entered, states, _Thread(score + 1, start, captures))
        for length, prefixes in dispatch.prefixes:
            states = prefixes.get(word[:length])
            if states:
                _enter(entered, states, _Thread(score + 1, start, captures))
        if dispatch.anything:
            _enter(entered, dispatch.anything, thread)
        if spans is None:
            return
        for slot, slot_states in dispatch.slots:
            for end, value in spans.at(slot, at):
                capture = Capture(slot, at, end, value)
                weight = 1 if spans.is_free(slot) else end - at
                _enter(live[end], slot_states, _Thread(score + weight, start, (*captures, capture)))


def _join(pattern: int, parts: Sequence[Match]) -> Match:
    places = {at for part in parts for at in range(part.start, part.end)}
    score = min(sum(part.score for part in parts), len(places))
    captures = tuple(capture for part in parts for capture in part.captures)
    return Match(pattern, min(places), max(places) + 1, score, captures)


def _entries(pattern: Pattern, base: int, states: Iterable[int]) -> list[tuple[int, AtomKind, str]]:
    return [(base + state, pattern.atoms[state].kind, pattern.atoms[state].text) for state in sorted(states)]


def _enter(live: dict[int, _Thread], states: Iterable[int], thread: _Thread) -> None:
    for state in states:
        known = live.get(state)
        # The earlier start wins a tie, so that the optional words before a pattern's core count as part of it.
        if known is None or (thread.score, -thread.start) > (known.score, -known.start):
            live[state] = thread
