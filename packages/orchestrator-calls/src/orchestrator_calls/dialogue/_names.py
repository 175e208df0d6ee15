"""Names in a sentence: after "my name is", before whatever else is said, spelled or not."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Final

from orchestrator_calls.dialogue._listening import Utterance

__all__ = ["after_lead_in", "after_letters", "own_words", "read_name", "request_in"]

_WORDS: Final = 5
"""A name has no more words than this; a longer answer is something else."""
_LETTERS: Final = 3
"""So many single letters in a row are a name that is being spelled."""
_ALIKE: Final = 0.6
"""How alike a word and the letters must be for the letters to be its spelling; recognizers miss a letter or two of a name."""


def after_lead_in(utterance: Utterance, start: int, end: int) -> int:
    """Where the answer begins after "my name is"."""
    lead_ins = utterance.lexicon.lead_ins.matches(utterance.tokens[start:end])
    return start + max((match.end for match in lead_ins if match.start == 0), default=0)


def read_name(utterance: Utterance, start: int, end: int) -> str:
    """The name in the tokens from `start` to before `end`, empty when there is none. Letters are put together, and correct the word they spell."""
    letters_at, letters = _spelled(utterance, start, end)
    start, end = _bounds(utterance, start, letters_at)
    if start < end and utterance.tokens[start].word in utterance.lexicon.no_names:
        return ""
    said = utterance.said(start, end)
    words = said.split()
    if len(words) > _WORDS:
        return ""
    if not words or not letters:
        return said or letters
    alike = [SequenceMatcher(None, utterance.lexicon.normaliser.word(word), letters.lower()).ratio() for word in words]
    best = max(range(len(words)), key=alike.__getitem__)
    if _ALIKE <= alike[best] < 1:
        words[best] = letters
    return " ".join(words)


def after_letters(utterance: Utterance, end: int) -> int:
    """The token after the letters with which a name is spelled from token `end` on."""
    tokens = utterance.tokens
    while end < len(tokens) and len(tokens[end].word) == 1 and tokens[end].word.isalpha():
        end += 1
    return end


def own_words(utterance: Utterance, start: int, end: int) -> str:
    """The caller's own words, without "I would like" and "please" around them."""
    after = after_lead_in(utterance, start, end)
    if after < end and not _is_verb(utterance, after):
        start = after
    polite = utterance.lexicon.polite
    while start + 1 < end and utterance.tokens[start].word in polite:
        start += 1
    while start + 1 < end and utterance.tokens[end - 1].word in polite:
        end -= 1
    return utterance.said(start, end)


def request_in(utterance: Utterance, start: int, end: int) -> str:
    """What a request is about, empty where it says no more than "something"."""
    return "" if utterance.tokens[start].word in utterance.lexicon.vague else own_words(utterance, start, end)


def _is_verb(utterance: Utterance, at: int) -> bool:
    """Whether "I would like" goes on with what to do, so that it belongs to the caller's own words."""
    word, language = utterance.tokens[at].word, utterance.lexicon.language
    return word in language.before_infinitive or (len(word) > 3 and word.endswith(language.infinitive))


def _bounds(utterance: Utterance, start: int, end: int) -> tuple[int, int]:
    tokens, lexicon = utterance.tokens, utterance.lexicon
    while start + 1 < end and tokens[start].word in lexicon.greetings:
        start += 1
    start = after_lead_in(utterance, start, end)
    while start < end and tokens[start].word in lexicon.name_ends:
        start += 1
    end = next((at for at in range(start, end) if tokens[at].word in lexicon.name_ends), end)
    # After a pause something else follows ("Jones, as I said"), unless it is one word ("Jones, Mary").
    pause = next((at for at in range(start + 1, end) if "," in tokens[at].before), end)
    end = pause if end - pause > 1 else end
    while end > start and tokens[end - 1].word in lexicon.carriers:
        end -= 1
    return start, end


def _spelled(utterance: Utterance, start: int, end: int) -> tuple[int, str]:
    """Where a row of letters begins, or `end`, and what they spell; "B for Bravo" is a B."""
    tokens, at = utterance.tokens, start
    while at < end:
        run, begin = "", at
        while at < end and len(tokens[at].word) == 1 and tokens[at].word.isalpha():
            run += utterance.said(at, at + 1)[:1]
            at = utterance.numerals.after_letter(at)
        if len(run) >= _LETTERS:
            return begin, run.capitalize()
        at = max(at, begin + 1)
    return end, ""
