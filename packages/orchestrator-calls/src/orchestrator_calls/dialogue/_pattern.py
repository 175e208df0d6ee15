"""The pattern notation: what a caller may say, without the cost of regular expressions.

A pattern is a sequence of words that may stand anywhere in a sentence:

- `word` is itself, in any case and with or without diacritics; `reserv*` is every word that begins so;
- `(a|b c)` is one of the alternatives, `[a|b]` one of them or nothing;
- `{slot}` is a value of the slot's type;
- `<want>` is a class of words, such as everything with which people say what they want;
- `...` is up to four words that do not matter;
- `pool + open` is both, in any order and wherever they stand.

There is no repetition without bound, so a pattern stands for finitely many shapes, and matching (see `_matcher`) is linear in the text.
A pattern becomes a position automaton (Glushkov 1961): one state per word, no empty transitions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from typing import Final, NamedTuple, cast

from orchestrator_calls.dialogue._text import Normaliser

__all__ = ["GAP_WORDS", "Atom", "AtomKind", "Pattern", "PatternError", "compile_pattern", "phrases"]

GAP_WORDS: Final = 4
"""How many words `...` may stand for at most."""
_MAX_ATOMS: Final = 300
_MAX_DEPTH: Final = 6
_MAX_PARTS: Final = 4
_LEXEME: Final = re.compile(r"\s*(\.\.\.|\{[^{}]*\}|<[^<>]*>|[()\[\]|]|[^\s()\[\]|{}<>]+|[{}<>])")
_LITERAL: Final = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*\*?\Z")


class PatternError(Exception):
    """The pattern is not well formed; the text says why."""


class AtomKind(Enum):
    """What one state of the automaton consumes."""

    WORD = "word"
    PREFIX = "prefix"
    SLOT = "slot"
    ANY = "any"


class Atom(NamedTuple):
    """One state: a word, the beginning of one, a slot by name, or any word."""

    kind: AtomKind
    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """Parts one after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the options, or nothing when `optional`."""

    options: tuple[Node, ...]
    optional: bool


Node = Atom | Series | Choice


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern: `follow[i]` are the states after state `i`; a match begins in `first` and may end in `last`.

    With `parts` it has no states of its own: it matches where all of them do.
    """

    source: str
    tree: Node
    atoms: tuple[Atom, ...]
    first: frozenset[int]
    last: frozenset[int]
    follow: tuple[frozenset[int], ...]
    parts: tuple[Pattern, ...] = ()

    @property
    def slots(self) -> frozenset[str]:
        """The names of the slots the pattern can fill."""
        own = frozenset(atom.text for atom in self.atoms if atom.kind is AtomKind.SLOT)
        return own.union(*(part.slots for part in self.parts))


def compile_pattern(source: str, normaliser: Normaliser) -> Pattern:
    """Compile `source`; raises `PatternError`."""
    written = source.split(" + ")
    if len(written) > 1:
        if len(written) > _MAX_PARTS:
            raise PatternError(f"it has more than {_MAX_PARTS} parts")
        parts = tuple(_compile(part, normaliser) for part in written)
        tree = Series(tuple(part.tree for part in parts))
        return Pattern(source, tree, (), frozenset(), frozenset(), (), parts)
    return _compile(source, normaliser)


def _compile(source: str, normaliser: Normaliser) -> Pattern:
    tree = _Parser(source, normaliser).parse()
    builder = _Builder()
    shape = builder.add(tree)
    if shape.nullable:
        raise PatternError("every part of it is optional, so it would match any sentence")
    edges = {builder.atoms[index].kind for index in shape.first | shape.last}
    if AtomKind.ANY in edges:
        raise PatternError("it begins or ends with `...`; a pattern may stand anywhere in a sentence already")
    return Pattern(
        source=source,
        tree=tree,
        atoms=tuple(builder.atoms),
        first=shape.first,
        last=shape.last,
        follow=tuple(frozenset(after) for after in builder.follow),
    )


def phrases(pattern: Pattern, examples: Callable[[str], str], limit: int) -> Iterator[str]:
    """Up to `limit` sentences that the pattern is meant for, shortest gaps; `examples` gives words for a slot name."""
    return islice((" ".join(words) for words in _spell(pattern.tree, examples)), limit)


def _spell(node: Node, examples: Callable[[str], str]) -> Iterator[tuple[str, ...]]:
    match node:
        case Atom(AtomKind.SLOT, text):
            yield (examples(text),)
        case Atom(AtomKind.ANY, _):
            yield ()
        case Atom(_, text):
            yield (text,)
        case Series(parts):
            yield from _spell_all(parts, examples)
        case Choice(options, optional):
            for option in options:
                yield from _spell(option, examples)
            if optional:
                yield ()


def _spell_all(parts: Sequence[Node], examples: Callable[[str], str]) -> Iterator[tuple[str, ...]]:
    if not parts:
        yield ()
        return
    for head in _spell(parts[0], examples):
        for rest in _spell_all(parts[1:], examples):
            yield head + rest


class _Parser:
    def __init__(self, source: str, normaliser: Normaliser) -> None:
        self._normaliser = normaliser
        self._lexemes = [match.group(1) for match in _LEXEME.finditer(source)]
        self._at = 0

    def parse(self) -> Node:
        tree = self._alternatives(depth=0, closing="")
        if self._at < len(self._lexemes):
            raise PatternError(f"`{self._lexemes[self._at]}` closes nothing")
        return tree

    def _alternatives(self, depth: int, closing: str) -> Node:
        if depth > _MAX_DEPTH:
            raise PatternError(f"it is nested more than {_MAX_DEPTH} deep")
        options = [self._sequence(depth)]
        while self._peek() == "|":
            if not closing:
                raise PatternError("`|` stands outside of ( ) or [ ]; write two patterns instead")
            self._at += 1
            options.append(self._sequence(depth))
        if closing:
            if self._peek() != closing:
                raise PatternError(f"a `{closing}` is missing")
            self._at += 1
        return Choice(tuple(options), optional=closing == "]") if closing else options[0]

    def _sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        while (lexeme := self._peek()) not in ("", "|", ")", "]"):
            self._at += 1
            parts.extend(self._item(lexeme, depth))
        return Series(tuple(parts))

    def _item(self, lexeme: str, depth: int) -> Sequence[Node]:
        if lexeme in ("(", "["):
            return (self._alternatives(depth + 1, ")" if lexeme == "(" else "]"),)
        if lexeme == "...":
            anything = Choice((Atom(AtomKind.ANY, ""),), optional=True)
            return (anything,) * GAP_WORDS
        if lexeme[0] == "{":
            name = lexeme[1:-1].strip()
            if not name.isidentifier():
                raise PatternError(f"`{lexeme}` is no slot; a slot is written {{name}}")
            return (Atom(AtomKind.SLOT, name),)
        if lexeme[0] == "<":
            return (self._class(lexeme),)
        return self._words(lexeme)

    def _class(self, lexeme: str) -> Node:
        written = self._normaliser.classes.get(lexeme[1:-1].strip())
        if written is None:
            known = ", ".join(f"<{name}>" for name in self._normaliser.classes)
            raise PatternError(f"`{lexeme}` is no class of words; there are {known or 'none'}")
        parsed = self._normaliser.parsed
        if lexeme not in parsed:
            parsed[lexeme] = _Parser(f"({written})", self._normaliser).parse()
        return cast("Node", parsed[lexeme])

    def _words(self, lexeme: str) -> Sequence[Node]:
        if not _LITERAL.match(lexeme):
            raise PatternError(f"`{lexeme}` is no word; words hold letters, digits, ' and - (and may end with *)")
        if lexeme.endswith("*"):
            return (Atom(AtomKind.PREFIX, self._normaliser.word(lexeme[:-1])),)
        words = self._normaliser.words(lexeme)
        if not words:
            raise PatternError(f"`{lexeme}` is a filler, which is dropped from what callers say; leave it out")
        return tuple(Atom(AtomKind.WORD, word) for word in words)

    def _peek(self) -> str:
        return self._lexemes[self._at] if self._at < len(self._lexemes) else ""


class _Shape(NamedTuple):
    first: frozenset[int]
    last: frozenset[int]
    nullable: bool


_EMPTY: Final = _Shape(frozenset(), frozenset(), nullable=True)


@dataclass(slots=True)
class _Builder:
    atoms: list[Atom] = field(default_factory=list[Atom])
    follow: list[set[int]] = field(default_factory=list[set[int]])

    def add(self, node: Node) -> _Shape:
        match node:
            case Series(parts):
                shape = _EMPTY
                for part in parts:
                    shape = self._join(shape, self.add(part))
                return shape
            case Choice(options, optional):
                shapes = [self.add(option) for option in options]
                return _Shape(
                    frozenset[int]().union(*(shape.first for shape in shapes)),
                    frozenset[int]().union(*(shape.last for shape in shapes)),
                    optional or any(shape.nullable for shape in shapes),
                )
            case Atom():
                return self._atom(node)

    def _atom(self, atom: Atom) -> _Shape:
        if len(self.atoms) >= _MAX_ATOMS:
            raise PatternError(f"it has more than {_MAX_ATOMS} words; split it")
        self.atoms.append(atom)
        self.follow.append(set())
        only = frozenset({len(self.atoms) - 1})
        return _Shape(only, only, nullable=False)

    def _join(self, left: _Shape, right: _Shape) -> _Shape:
        for index in left.last:
            self.follow[index] |= right.first
        return _Shape(
            left.first | right.first if left.nullable else left.first,
            left.last | right.last if right.nullable else right.last,
            left.nullable and right.nullable,
        )
