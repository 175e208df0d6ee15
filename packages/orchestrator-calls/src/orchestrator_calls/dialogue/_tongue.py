"""Which language the caller speaks: from the recognizer, from the words, or because the caller asks for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from orchestrator_calls.dialogue._lexicon import Lexicon
from orchestrator_calls.dialogue._listening import Utterance

__all__ = ["Tongue", "listen_for_language"]

_CLEAR = 2
_SHORT = 3
_LONG = 8


class Tongue(NamedTuple):
    """The language to go on in, whether the caller asked for it by name, and the others that are worth a try, the likeliest first."""

    tag: str
    asked: bool
    others: tuple[str, ...]


def listen_for_language(
    utterance: Utterance, lexicons: Mapping[str, Lexicon], current: str, hint: str | None
) -> Tongue:
    """Judge one sentence, read in the `current` language; `hint` is what the recognizer heard, if it is one of `lexicons`.

    Names and short answers belong to every language, and recognizers guess at them, so words decide against the recognizer; without
    any telling word the call stays in its language.
    """
    asked = _asked_for(utterance, lexicons)
    if asked is not None:
        return Tongue(asked, asked=True, others=())
    words = [token.word for token in utterance.tokens]
    told = {tag: sum(word in lexicon.common for word in words) for tag, lexicon in lexicons.items()}
    others = sorted((tag for tag in lexicons if tag != current), key=lambda tag: (-told[tag], tag != hint, tag))
    for tag in others:
        ahead = told[tag] - told[current]
        if (tag == hint and told[tag] > 0 and ahead >= 0) or (
            told[tag] >= _CLEAR and ahead >= _CLEAR + (hint == current)
        ):
            return Tongue(tag, asked=False, others=())
    return Tongue(current, asked=False, others=tuple(tag for tag in others if told[tag] > told[current] or tag == hint))


def _asked_for(utterance: Utterance, lexicons: Mapping[str, Lexicon]) -> str | None:
    words = [token.word for token in utterance.tokens]
    if len(words) > _LONG:
        return None
    for lexicon in lexicons.values():
        for word in words:
            tag = lexicon.names.get(word)
            if tag in lexicons and (len(words) <= _SHORT or not lexicon.speaking.isdisjoint(words)):
                return tag
    return None
