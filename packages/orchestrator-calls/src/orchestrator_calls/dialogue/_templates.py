"""Sentences with holes for values, such as `A table for {party_size}[ under the name {name}]`.

A part in square brackets is left out when one of its values is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from orchestrator_calls.dialogue._model import Hole, Segment, Sentence

__all__ = ["TemplateError", "bare_holes", "parse_sentence", "render"]

_LONGEST: Final = 300
_PART: Final = re.compile(r"\{([^{}\[\]]*)\}|[\[\]{}]|[^\[\]{}]+")


class TemplateError(Exception):
    """The sentence is not well formed; the text says why."""


def parse_sentence(text: str) -> Sentence:
    """Read one sentence; raises `TemplateError`."""
    if not text.strip():
        raise TemplateError("a sentence is empty")
    if len(text) > _LONGEST:
        raise TemplateError(
            f"a sentence has more than {_LONGEST} characters; split it, so that it can be spoken while the rest is prepared"
        )
    parts: list[str | Hole | Segment] = []
    inner: list[str | Hole] | None = None
    for match in _PART.finditer(text):
        lexeme = match.group()
        if lexeme == "[" and inner is None:
            inner = []
        elif lexeme == "]" and inner is not None:
            parts.append(_segment(inner))
            inner = None
        elif lexeme in "[]{}":
            raise TemplateError(f"a `{lexeme}` has no partner")
        else:
            part = Hole(_name(match.group(1))) if match.group(1) is not None else lexeme
            (parts if inner is None else inner).append(part)
    if inner is not None:
        raise TemplateError("a `]` is missing")
    return Sentence(tuple(parts), frozenset(_holes(parts)))


def render(sentence: Sentence, value: Callable[[str], str]) -> str:
    """The sentence with its values; `value` gives an empty text for what is missing."""
    return "".join(_say(part, value) for part in sentence.parts).strip()


def bare_holes(sentence: Sentence) -> frozenset[str]:
    """The values that stand outside of square brackets, which must always be there."""
    return frozenset(part.name for part in sentence.parts if isinstance(part, Hole))


def _say(part: str | Hole | Segment, value: Callable[[str], str]) -> str:
    match part:
        case str():
            return part
        case Hole(name):
            return value(name)
        case Segment(parts):
            values = {inner.name: value(inner.name) for inner in parts if isinstance(inner, Hole)}
            if not all(values.values()):
                return ""
            return "".join(inner if isinstance(inner, str) else values[inner.name] for inner in parts)


def _segment(inner: list[str | Hole]) -> Segment:
    if not any(isinstance(part, Hole) for part in inner):
        raise TemplateError("a part in [ ] holds no {value}, so it would always be spoken")
    return Segment(tuple(inner))


def _name(name: str) -> str:
    if not name.isidentifier():
        raise TemplateError(f"`{{{name}}}` is no value; a value is written {{name}}")
    return name


def _holes(parts: list[str | Hole | Segment]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Hole):
            yield part.name
        elif isinstance(part, Segment):
            yield from (inner.name for inner in part.parts if isinstance(inner, Hole))
