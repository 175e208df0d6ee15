"""The numbers in a sentence, in words or digits, as the slots of the language rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from orchestrator_calls.dialogue._lexicon import Lexicon
from orchestrator_calls.dialogue._text import Token

__all__ = ["Numerals"]

_RUN: Final = 24
"""How many tokens a number that is said digit by digit may have; bounds the work per token."""
_DIGITS: Final = 6
"""More digits than this in a row are no quantity but a telephone number or a code."""
_MANY: Final = 100
"""So many are thanks and no people where somebody thanks ("mil gracias")."""
_DATE_MARKS: Final = (".", "/", "-")

Found = tuple[int, int]


class Numerals:
    """Reads numbers at a token; implements `Spans` for the slots that `Rule` names."""

    def __init__(self, text: str, tokens: list[Token], lexicon: Lexicon) -> None:
        self._text = text
        self._tokens = tokens
        self._lexicon = lexicon
        self._known: dict[int, Found | None] = {}
        self._readers: dict[str, Callable[[int], Iterable[tuple[int, object]]]] = {
            "n": self._counted,
            "n1": self._with_articles,
            "h": lambda at: [found for found in self._counted(at) if found[1] <= 24],
            "h1": lambda at: [found for found in self._with_articles(at) if found[1] <= 24],
            "m": self._minutes,
            "m5": lambda at: [found for found in self._within(at, 5, 25) if found[1] in (5, 10, 20, 25)],
            "d": lambda at: self._within(at, 1, 31),
            "o": self._ordinal,
            "year": lambda at: self._within(at, 2000, 2099),
            "weekday": lambda at: self._named(lexicon.weekdays.at(tokens, at)),
            "month": lambda at: self._named(lexicon.months.at(tokens, at)),
            "clock": self._clock,
            "numdate": self._date,
        }

    def begins(self, start: int) -> bool:
        """See `Spans`."""
        word = self._tokens[start].word
        return word in self._lexicon.numeric or word.isdigit()

    def at(self, slot: str, start: int) -> Iterable[tuple[int, object]]:
        """See `Spans`."""
        return self._readers[slot](start)

    def is_free(self, slot: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """See `Spans`."""
        return False

    def cardinal(self, at: int) -> Found | None:
        """The token after the quantity that begins at token `at`, and the quantity."""
        if at not in self._known:
            self._known[at] = self._cardinal(at)
        return self._known[at]

    def cardinals(self) -> list[tuple[int, int, int]]:
        """All quantities that do not overlap: first token, token after, value."""
        found: list[tuple[int, int, int]] = []
        at = 0
        while at < len(self._tokens):
            number = self.cardinal(at)
            if number is None:
                at += 1
                continue
            found.append((at, *number))
            at = number[0]
        return found

    def spelled(self, at: int, *, letters: bool) -> tuple[int, str]:
        """The token after a number that is said digit by digit from token `at` on, and its characters; with `letters`, a code."""
        characters: list[str] = []
        end = at
        while end < min(len(self._tokens), at + _RUN):
            after = end + 1 if characters and self._tokens[end].word in self._lexicon.joins else end
            read = self._character(after, letters=letters) if after < len(self._tokens) else None
            if read is None or (characters and self._begins_a_thing(after, read[0])):
                break
            end, said = read
            characters.append(said)
        return end, "".join(characters)

    def _begins_a_thing(self, start: int, end: int) -> bool:
        """Whether a number after a pause, or an article, counts the word after it ("room 20, two coffees")."""
        tokens, lexicon = self._tokens, self._lexicon
        if end >= len(tokens) or not tokens[end].before.isspace():
            return False
        if "," not in tokens[start].before and tokens[start].word not in lexicon.ones:
            return False
        word = tokens[end].word
        known = word in lexicon.familiar or word in lexicon.asides or word in lexicon.numeric or word in lexicon.serving
        return (
            not known
            and len(word) > 1
            and not word.isdigit()
            and word not in lexicon.letters
            and word not in lexicon.double | lexicon.triple
        )

    def _character(self, at: int, *, letters: bool) -> tuple[int, str] | None:
        word = self._tokens[at].word
        if word.isdigit():
            return at + 1, word
        times = 2 if word in self._lexicon.double else 3 if word in self._lexicon.triple else 0
        if times and at + 1 < len(self._tokens):
            return self._repeated(at + 1, times)
        if letters and (word in self._lexicon.letters or self._is_code(at)):
            return self.after_letter(at), self._lexicon.letters.get(word, word).upper()
        if word in self._lexicon.oh:
            return at + 1, "0"
        number = self.cardinal(at)
        if number is not None:
            return number[0], str(number[1])
        return (at + 1, "1") if word in self._lexicon.ones else None

    def _repeated(self, at: int, times: int) -> tuple[int, str] | None:
        digit = (at + 1, 0) if self._tokens[at].word in self._lexicon.oh else self.cardinal(at)
        return (digit[0], str(digit[1]) * times) if digit is not None and digit[1] < 10 else None

    def after_letter(self, at: int) -> int:
        """The token after a letter and the word that explains it ("B for Bravo")."""
        tokens = self._tokens
        for marker in self._lexicon.spelled_as if len(tokens[at].word) == 1 else ():
            end = at + 1 + len(marker)
            said = tuple(token.word for token in tokens[at + 1 : end])
            if end < len(tokens) and said == marker and tokens[end].word.startswith(tokens[at].word):
                return end + 1
        return at + 1

    def letters(self, at: int) -> tuple[int, str]:
        """The token after the letter at token `at`, said once, twice ("double n") or with a word for it, and the letters; empty where there is none."""
        tokens, lexicon = self._tokens, self._lexicon
        word = tokens[at].word
        times = 2 if word in lexicon.doubled else 3 if word in lexicon.triple else 1
        if times > 1:
            end, letter = self._letter(at + 1) if at + 1 < len(tokens) else (at, "")
            return (end, letter * times) if letter else (at, "")
        return self._letter(at)

    def _letter(self, at: int) -> tuple[int, str]:
        tokens, lexicon = self._tokens, self._lexicon
        word = tokens[at].word
        if len(word) == 1 and word.isalpha():
            said = self._text[tokens[at].start : tokens[at].end]
            return self.after_letter(at), said if len(said) == 1 else word
        letter = lexicon.letters.get(word, "") if word not in lexicon.familiar else ""
        return (at + 1, letter) if letter and word in lexicon.letter_names else (at, "")

    def _is_code(self, at: int) -> bool:
        """A single letter, or a few capitals as recognizers write them."""
        token = self._tokens[at]
        if at and token.start == self._tokens[at - 1].start:
            # The end of a contraction ("the number's").
            return False
        return len(token.word) == 1 or (len(token.word) <= 4 and self._text[token.start : token.end].isupper())

    def _cardinal(self, at: int) -> Found | None:
        word = self._tokens[at].word
        if word.isdigit():
            return (at + 1, int(word)) if len(word) <= _DIGITS else None
        return self._lexicon.numbers.at(self._tokens, at)

    def _named(self, found: Found | None) -> list[Found]:
        return [] if found is None else [found]

    def _within(self, at: int, low: int, high: int) -> list[Found]:
        found = self.cardinal(at)
        return [found] if found is not None and low <= found[1] <= high else []

    def _counted(self, at: int) -> list[Found]:
        """A quantity, where the word is no article ("pour un dîner") and counts what can be meant ("one moment")."""
        found = self._within(at, 0, 9999)
        return found if found and not self.counts_nothing(at, *found[0]) else []

    def counts_nothing(self, start: int, end: int, value: int) -> bool:
        """Whether a number is an article, or one of moments, thanks and the like."""
        tokens, lexicon = self._tokens, self._lexicon
        if end >= len(tokens) or not tokens[end].before.isspace():
            return False
        if tokens[end].word in lexicon.uncounted:
            return True
        if value == 1:
            # "Un grand merci" is none, "une seule" and "un ou deux" are; "one more thing" counts nobody either.
            article = tokens[start].word in lexicon.ones and tokens[end].word not in lexicon.alone
            return article or any(token.word in lexicon.uncounted for token in tokens[end + 1 : end + 3])
        return value >= _MANY and any(token.word in lexicon.polite for token in tokens[end : end + 2])

    def _with_articles(self, at: int) -> list[Found]:
        found = self._within(at, 0, 9999)
        return [(at + 1, 1)] if not found and self._tokens[at].word in self._lexicon.ones else found

    def _minutes(self, at: int) -> list[Found]:
        word = self._tokens[at].word
        if word in self._lexicon.oh or (len(word) == 2 and word[0] == "0"):
            digit = self.cardinal(at + 1) if word in self._lexicon.oh and at + 1 < len(self._tokens) else None
            if digit is not None and digit[1] < 10:
                return [digit]
            return [(at + 1, int(word))] if word.isdigit() else []
        return self._within(at, 10, 59)

    def _ordinal(self, at: int) -> list[Found]:
        found = self._lexicon.ordinals.at(self._tokens, at)
        if found is not None:
            return [found]
        number = self._within(at, 1, 31)
        if number and self._tokens[at].word.isdigit() and at + 1 < len(self._tokens):
            after = self._tokens[at + 1]
            if not after.before and after.word in self._lexicon.ordinal_marks:
                return [(at + 2, number[0][1])]
        return []

    def _clock(self, at: int) -> list[tuple[int, object]]:
        """19:30 or 19.30."""
        pair = self._digits(at, (":", "."), 2)
        if pair is None or len(self._tokens[at + 1].word) != 2 or pair[0] > 24 or pair[1] > 59:
            return []
        return [(at + 2, pair)]

    def _date(self, at: int) -> list[tuple[int, object]]:
        """5.6., 5/6/2026 or 2026-06-05."""
        triple = self._digits(at, _DATE_MARKS, 3)
        if triple is not None and (triple[0] > 1900 or max(triple[:2]) <= 31):
            return [(at + 3, triple)]
        pair = self._digits(at, _DATE_MARKS, 2)
        if pair is not None and min(pair) <= 12 and max(pair) <= 31:
            return [(at + 2, pair)]
        return []

    def _digits(self, at: int, marks: tuple[str, ...], count: int) -> tuple[int, ...] | None:
        """`count` tokens of at most four digits with one of `marks` between them."""
        if at + 1 >= len(self._tokens) or self._tokens[at + 1].before not in marks:
            return None
        tokens = self._tokens[at : at + count]
        if len(tokens) < count or not all(token.word.isdigit() and len(token.word) <= 4 for token in tokens):
            return None
        if any(token.before not in marks for token in tokens[1:]):
            return None
        # One number more with the same mark is a version or an address.
        around = (*(tokens[:1] if at else ()), *self._tokens[at + count : at + count + 1])
        if any(token.word.isdigit() and token.before == tokens[1].before for token in around):
            return None
        return tuple(int(token.word) for token in tokens)
