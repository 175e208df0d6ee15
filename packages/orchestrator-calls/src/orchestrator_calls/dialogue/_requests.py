"""How far a request goes around the thing by which it was recognized: "two bathrobes *and a bottle of sparkling water*"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from orchestrator_calls.dialogue._listening import Utterance

__all__ = ["whole_request"]

_FAR: Final = 12
"""So many words are added on either side at most."""

Free = Callable[[int, int], bool]


def whole_request(utterance: Utterance, start: int, end: int, free: Free) -> tuple[int, int]:
    """The tokens of a request of which those from `start` to before `end` are known, with the things before and after it."""
    return _back(utterance, start, free), _on(utterance, end, free)


def _on(utterance: Utterance, end: int, free: Free) -> int:
    """Over nouns that nobody listed, and over "and" where it leads to another thing."""
    tokens, lexicon = utterance.tokens, utterance.lexicon
    at = kept = end
    while at < min(len(tokens), end + _FAR) and free(at, at + 1):
        pause = not tokens[at].before.isspace()
        if _counts(utterance, at):
            # After a pause only another quantity goes on with the list.
            at += 1
        elif pause:
            break
        elif tokens[at].word in lexicon.within:
            if tokens[at - 1].word in lexicon.ands:
                # "And the breakfast" is another matter; a thing is asked for with its quantity or alone.
                break
            at += 1
        elif _is_thing(utterance, at):
            at = kept = at + 1
        else:
            break
    return kept


def _back(utterance: Utterance, start: int, free: Free) -> int:
    """To the quantities of the things that "and" or a pause joins to the first one."""
    tokens, lexicon = utterance.tokens, utterance.lexicon
    begin = start
    while begin > 1 and start - begin < _FAR:
        joined = tokens[begin - 1].word in lexicon.ands
        if not joined and "," not in tokens[begin].before:
            break
        at = begin - 2 if joined else begin - 1
        while (
            at >= 0
            and free(at, at + 1)
            and (_is_thing(utterance, at) or tokens[at].word in lexicon.within - lexicon.ands)
        ):
            if _counts(utterance, at - 1) and at:
                break
            at -= 1
        if at < 1 or not _counts(utterance, at - 1) or not free(at - 1, at):
            break
        begin = at - 1
        while begin and _counts(utterance, begin - 1) and free(begin - 1, begin):
            begin -= 1
    return begin


def _counts(utterance: Utterance, at: int) -> bool:
    """Whether a token says how much of something is meant."""
    word, lexicon = utterance.tokens[at].word, utterance.lexicon
    return at >= 0 and (word in lexicon.ones or word in lexicon.amounts or utterance.numerals.cardinal(at) is not None)


def _is_thing(utterance: Utterance, at: int) -> bool:
    """Whether a token can be a noun or its adjective: a word that serves nothing else."""
    word, lexicon = utterance.tokens[at].word, utterance.lexicon
    return not (
        word in lexicon.familiar or word in lexicon.serving or word in lexicon.asides or word in lexicon.numeric
    )
