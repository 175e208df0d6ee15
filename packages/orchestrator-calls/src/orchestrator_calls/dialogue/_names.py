"""Names in a sentence: after "my name is", before whatever else is said, spelled or not."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Final

from orchestrator_calls.dialogue._lexicon import PARTICLES
from orchestrator_calls.dialogue._listening import Utterance

__all__ = [
    "after_article",
    "after_letters",
    "asks_something",
    "introduced",
    "is_announced",
    "is_aside",
    "own_words",
    "read_name",
    "request_in",
]

_WORDS: Final = 5
"""A name has no more words than this; a longer answer is something else."""
_LETTERS: Final = 3
"""So many single letters in a row are a name that is being spelled."""
_MISSED: Final = 2
"""Fewer letters than the word has by more than this are not its spelling."""
_OPENING: Final = 4
"""So many words may be the name with which somebody opens a sentence."""
_ASKED: Final = 3
"""A question has at least so many words, or one less when it begins with a word that is longer than `_SHORT`."""
_SHORT: Final = 4
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
    start = after_article(utterance, start)
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
    # A few letters alone may be all that was understood of them.
    if _ALIKE <= alike[best] < 1 and len(words[best]) - len(letters) <= _MISSED:
        words[best] = letters
    return " ".join(words)


def after_letters(utterance: Utterance, end: int) -> int:
    """The token after the letters with which a name is spelled from token `end` on."""
    while end < len(utterance.tokens):
        after, letters = utterance.numerals.letters(end)
        if not letters:
            break
        end = after
    return end


def introduced(utterance: Utterance) -> tuple[int, int] | None:
    """The tokens of the name with which the caller opens the sentence ("hello, Miller here"), where they can be nothing else."""
    tokens, lexicon = utterance.tokens, utterance.lexicon
    at = next((at for at, token in enumerate(tokens) if not _opens(utterance, token.word)), len(tokens))
    ways = (
        (lexicon.named_after, _always),
        (lexicon.perhaps_named_after, _goes_on),
        (lexicon.titled_after, _titled),
    )
    for start in range(at + 1):
        for phrases, is_name in ways:
            after = max((start + len(said) for said in phrases if _stands(utterance, said, start)), default=0)
            end = _plain_run(utterance, after) if after else after
            if end > after and is_name(utterance, after, end):
                return after, end
    end = _plain_run(utterance, at)
    marks = [end + len(said) for said in lexicon.named_before if end > at and _stands(utterance, said, end)]
    # "Here is the thing" names nobody.
    if any(
        mark == len(tokens) or "," in tokens[mark].before or tokens[mark].word not in lexicon.questions
        for mark in marks
    ):
        return at, end
    return None


def _goes_on(utterance: Utterance, start: int, end: int) -> bool:
    """Whether the words are a name by their title, or by what follows: a pause, or the caller's own person."""
    tokens, lexicon = utterance.tokens, utterance.lexicon
    if _titled(utterance, start, end):
        return True
    if end == len(tokens):
        return False
    word = tokens[end].word
    named = any(_stands(utterance, said, end) for said in lexicon.named_before)
    return named or "," in tokens[end].before or word in lexicon.selves


def _always(utterance: Utterance, start: int, end: int) -> bool:  # noqa: ARG001 - one of the ways to tell a name
    return True


def _titled(utterance: Utterance, start: int, end: int) -> bool:
    return any(token.word in utterance.lexicon.titles for token in utterance.tokens[start:end])


def _opens(utterance: Utterance, word: str) -> bool:
    lexicon = utterance.lexicon
    return word in lexicon.asides and word not in lexicon.titles


def _stands(utterance: Utterance, said: tuple[str, ...], at: int) -> bool:
    return at >= 0 and tuple(token.word for token in utterance.tokens[at : at + len(said)]) == said


def _plain_run(utterance: Utterance, start: int) -> int:
    """The token after words that are no others of the language: a title, then up to four that can only be a name."""
    tokens, lexicon = utterance.tokens, utterance.lexicon
    at = after_article(utterance, start)
    while at < len(tokens) and tokens[at].word in lexicon.titles:
        at += 1
    begin = at
    while at < min(len(tokens), begin + _OPENING) and (at == start or "," not in tokens[at].before):
        word = tokens[at].word
        known = (
            word in lexicon.familiar
            or word in lexicon.classed
            or word in lexicon.persons
            or word in lexicon.asides
            or word in lexicon.serving
        )
        if any(_stands(utterance, said, at) for said in lexicon.named_before):
            break
        if (
            word.isdigit()
            or word in lexicon.numeric
            or ((known or word in lexicon.names) and not (word in PARTICLES and at + 1 < len(tokens)))
        ):
            break
        at += 1
    while at > begin and tokens[at - 1].word in PARTICLES:
        at -= 1
    return at if at > begin else start


def after_article(utterance: Utterance, start: int) -> int:
    """Where a name begins after an article that stands before a title ("die Frau Obermaier")."""
    tokens, lexicon = utterance.tokens, utterance.lexicon
    titled = start + 1 < len(tokens) and tokens[start + 1].word in lexicon.titles
    return start + 1 if titled and tokens[start].word in lexicon.articles else start


def is_aside(utterance: Utterance, said: str) -> bool:
    """Whether words only agree, thank or ask, so that they are no name unless they are announced as one, or spelled."""
    lexicon = utterance.lexicon
    words = lexicon.normaliser.words(said)
    if is_announced(utterance, len(utterance.tokens)) or _spelled(utterance, 0, len(utterance.tokens))[1]:
        return False
    asks = bool(words) and words[0] in lexicon.questions and len(words[0]) > _SHORT
    return asks or all(word in lexicon.asides for word in words)


def is_announced(utterance: Utterance, end: int, far: int | None = None) -> bool:
    """Whether one of the `far` tokens before `end` says that a name follows ("my name is")."""
    before = utterance.tokens[max(0, end - far) if far is not None else 0 : end]
    return any(token.word in utterance.lexicon.naming for token in before)


def asks_something(utterance: Utterance) -> bool:
    """Whether the sentence, but for an "oh, and" before it, begins as questions do ("can we ..."), and so is no name; one with a lead-in is an answer."""
    tokens, lexicon = utterance.tokens, utterance.lexicon
    if lexicon.lead_ins.matches(tokens):
        return False
    begins = (at for at, token in enumerate(tokens) if token.word not in lexicon.before_questions)
    first = next(begins, len(tokens))
    left = len(tokens) - first
    if left < _ASKED or tokens[first].word not in lexicon.questions:
        # "Tienen garaje" asks, "Will Smith" does not.
        return left == _ASKED - 1 and len(tokens[first].word) > _SHORT and tokens[first].word in lexicon.questions
    return tokens[first + 1].word in lexicon.in_questions


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
    tokens, lexicon = utterance.tokens, utterance.lexicon
    if start + 1 < end and tokens[start].word in lexicon.selves:
        start += 1
    return "" if tokens[start].word in lexicon.vague else own_words(utterance, start, end)


def _is_verb(utterance: Utterance, at: int) -> bool:
    """Whether "I would like" goes on with what to do, so that it belongs to the caller's own words."""
    word, language = utterance.tokens[at].word, utterance.lexicon.language
    return word in language.before_infinitive or (len(word) > 3 and word.endswith(language.infinitive))


def _bounds(utterance: Utterance, start: int, end: int) -> tuple[int, int]:
    tokens, lexicon = utterance.tokens, utterance.lexicon
    start = _after_asides(utterance, start, end, lexicon.greetings)
    start = _after_asides(utterance, start, end, lexicon.before_names)
    while start < end and tokens[start].word in lexicon.name_ends:
        start += 1
    end = next((at for at in range(start, end) if tokens[at].word in lexicon.name_ends), end)
    # After a pause something else follows ("Jones, as I said"), unless it is one word ("Jones, Mary").
    pause = next((at for at in range(start + 1, end) if "," in tokens[at].before), end)
    end = pause if end - pause > 1 else end
    while end > start and tokens[end - 1].word in lexicon.carriers:
        end -= 1
    return start, end


def _after_asides(utterance: Utterance, start: int, end: int, words: frozenset[str]) -> int:
    while start + 1 < end and utterance.tokens[start].word in words:
        start += 1
    return after_lead_in(utterance, start, end)


def _spelled(utterance: Utterance, start: int, end: int) -> tuple[int, str]:
    """Where a row of letters begins, or `end`, and what they spell; "B for Bravo" is a B."""
    at = start
    while at < end:
        run, begin = "", at
        while at < end:
            after, letters = utterance.numerals.letters(at)
            if not letters:
                break
            run, at = run + letters, after
        if len(run) >= _LETTERS:
            return begin, run.capitalize()
        at = max(at, begin + 1)
    return end, ""
