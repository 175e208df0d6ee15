"""People who are counted by naming them: "my husband, me and our two kids"."""

from __future__ import annotations

from typing import Final

from orchestrator_calls.dialogue._lexicon import Kind
from orchestrator_calls.dialogue._listening import Mention, Utterance

__all__ = ["people_named"]

_FAR: Final = 24
"""How many words a chain of people may have; bounds the work per token."""


def people_named(utterance: Utterance, *, asked: bool) -> Mention | None:
    """The people whom the caller names one by one, with themselves among them or because their number was `asked`.

    None where nobody is named, or where it stays open how many there are.
    """
    lexicon, tokens = utterance.lexicon, utterance.tokens
    if not any(token.word in lexicon.persons or token.word in lexicon.pairs for token in tokens):
        return None
    best: Mention | None = None
    at = 0
    while at < len(tokens):
        named = _chain(utterance, at)
        if named is None:
            at += 1
            continue
        end, items, count = named
        own = any(token.word in lexicon.selves for token in tokens[at:end])
        if items > 1 and (own or asked) and (best is None or end - at > best.end - best.start):
            best = Mention(Kind.PARTY, at, end, count)
        at = end
    return best


def _chain(utterance: Utterance, start: int) -> tuple[int, int, int] | None:
    """The token after the people who are named from `start` on, how many names there are, and how many people."""
    lexicon, tokens = utterance.lexicon, utterance.tokens
    at, end, items, count, number = start, start, 0, 0, 0
    while at < min(len(tokens), start + _FAR):
        word = tokens[at].word
        each = 1 if word in lexicon.persons or word in lexicon.selves else 2 if word in lexicon.pairs else 0
        if each:
            # "Two sons" are two, "my parents" are two as well.
            count, items, number = count + (number or each), items + 1, 0
            at = end = at + 1
            continue
        quantity = utterance.numerals.cardinal(at)
        if quantity is not None and not number:
            at, number = quantity
        elif word in lexicon.links or word in lexicon.ones:
            at += 1
        else:
            break
    return (end, items, count) if items else None
