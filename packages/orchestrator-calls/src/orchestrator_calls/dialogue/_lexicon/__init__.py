"""The four languages of the dialogue, compiled for reading what callers say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator_calls.dialogue._lexicon import de, en, es, fr
from orchestrator_calls.dialogue._lexicon._model import Kind, Language, Manners, Part, Rule, Vocabulary
from orchestrator_calls.dialogue._matcher import Matcher
from orchestrator_calls.dialogue._pattern import Atom, AtomKind, Pattern, compile_pattern
from orchestrator_calls.dialogue._text import Normaliser, Token, tidy

__all__ = ["LANGUAGES", "PARTICLES", "Kind", "Language", "Lexicon", "Part", "Phrases", "Rule", "build_lexicons"]

LANGUAGES: Final[Mapping[str, Callable[[], Language]]] = {
    "en": en.language,
    "de": de.language,
    "es": es.language,
    "fr": fr.language,
}
"""Every language a script may use, by its subtag."""


PARTICLES: Final = frozenset(
    (
        "von",
        "van",
        "de",
        "der",
        "den",
        "del",
        "della",
        "di",
        "da",
        "do",
        "dos",
        "la",
        "las",
        "le",
        "los",
        "el",
        "du",
        "des",
        "ten",
    )
)
"""Words with which family names begin, though a sentence may use them otherwise."""


class Phrases:
    """Phrases with a number each; finds the longest that begins at a token, in time bounded by the longest phrase."""

    def __init__(self) -> None:
        self._root: dict[str, _Branch] = {}

    def add(self, words: Iterable[str], value: int) -> None:
        """Add a phrase; the first meaning stays."""
        branches, branch = self._root, None
        for word in words:
            branch = branches.setdefault(word, _Branch(None, {}))
            branches = branch.branches
        if branch is not None and branch.value is None:
            branch.value = value

    def at(self, tokens: list[Token], start: int) -> tuple[int, int] | None:
        """The token after the longest phrase at `start`, and its number."""
        found = None
        branches = self._root
        for index in range(start, len(tokens)):
            branch = branches.get(tokens[index].word)
            # A pause divides numbers: "nine hundred, four hundred twelve".
            if branch is None or (index > start and "," in tokens[index].before):
                break
            if branch.value is not None:
                found = (index + 1, branch.value)
            branches = branch.branches
        return found

    def words(self) -> Iterable[str]:
        """Every word of the phrases."""
        left = [self._root]
        while left:
            branches = left.pop()
            yield from branches
            left.extend(branch.branches for branch in branches.values())

    def first_words(self) -> Iterable[str]:
        """The words with which a phrase can begin."""
        return self._root.keys()


@dataclass(slots=True)
class _Branch:
    value: int | None
    branches: dict[str, _Branch]


class Lexicon:
    """A language, ready to be matched against."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.normaliser = Normaliser(
            expand=language.expand,
            suffixes=language.suffixes,
            fillers=language.fillers,
            umlauts=language.umlauts,
            sounds=language.vocabulary.sounds,
            classes=language.vocabulary.classes,
        )
        self.numbers = self._phrases(self._numbers())
        self.ordinals = self._phrases((form, day) for day in range(1, 32) for form in language.ordinals(day))
        self.weekdays = self._phrases((name, n) for n, names in enumerate(language.weekdays) for name in names)
        self.months = self._phrases((name, n) for n, names in enumerate(language.months, 1) for name in names)
        self.ones = self._set(language.ones)
        self.double = self._set(language.double)
        self.oh = self._set(language.oh)
        self.ordinal_marks = frozenset(language.ordinal_marks)
        self.carriers = self._set((language.carriers,))
        self.negations = self._set(language.negations)
        self.polite = self._set((language.polite,))
        self.name_ends = self._set((language.stops,)) - PARTICLES
        self.rules = Matcher([(compile_pattern(rule.pattern, self.normaliser), rule) for rule in self._rules()])
        self.polarity = self._yes_and_no()
        self.wishes = self._matcher(("<want>",) if "want" in language.vocabulary.classes else ())
        self.lead_ins = self._matcher(language.lead_ins)
        self.changes = self._matcher(language.changes)
        self.everything = self._matcher(language.everything)
        self.corrections = self._set((language.corrections,))
        self.no_names = self._set((language.no_names,))
        self.letters = self._letters()
        self._learn_vocabulary(language.vocabulary)
        self.spelled_as = [self._words(said) for said in language.spelled_as]
        self.own_number = self._matcher(language.own_number)
        self.speaking = self._set((language.speaking,))
        self.names = {
            word: tag for tag, names in language.names.items() for name in names for word in self._words(name)
        }
        named = frozenset(
            word for phrases in (self.numbers, self.weekdays, self.months) for word in phrases.first_words()
        )
        self.numeric = named | self.ones | self.oh | frozenset(self.ordinals.first_words())
        self.common = self._set((language.common,)) | named
        self._learn_manners(language.manners)
        self.familiar = self.common | self.carriers | self.name_ends | self.negations | self.corrections | self.selves
        self.articles = self.carriers | self.no_names
        self.before_names = self.asides - PARTICLES - self.titles
        self.no_first_names = self.before_names | (self.common - self.numeric - PARTICLES - self.titles)
        self.before_questions = self.asides - self.questions
        self.in_questions = self.familiar | self.classed | self.questions | self.ones

    def _learn_vocabulary(self, vocabulary: Vocabulary) -> None:
        self.rejections = [self._words(said) for said in vocabulary.rejections]
        self.comparatives = self._set((vocabulary.comparatives,))
        self.than = self._set((vocabulary.than,))
        self.persons = self._set((vocabulary.persons,))
        self.pairs = self._set((vocabulary.pairs,))
        self.selves = self._set((vocabulary.selves,))
        self.links = self._set((vocabulary.links,))
        self.joins = self._set((vocabulary.joins,))
        self.greetings = self._set((vocabulary.greetings,))
        self.letter_names = self._set(vocabulary.letters)
        self.triple = self._set(vocabulary.triple)
        self.until = self._set((vocabulary.until,))
        self.vague = self._set((vocabulary.vague,))

    def _learn_manners(self, manners: Manners) -> None:
        self.rules_asked = self._matcher(manners.rules_asked)
        self.nothing_wished = self._matcher(manners.nothing_wished)
        self.reserving = self._set((manners.reserving,))
        self.wanting = self._set((manners.wanting,))
        self.asking = self._set((manners.asking,))
        self.titles = self._set((manners.titles,))
        self.named_after = [self._words(said) for said in manners.named_after]
        self.perhaps_named_after = [self._words(said) for said in manners.perhaps_named_after]
        self.titled_after = [self._words(said) for said in manners.titled_after]
        self.named_before = [self._words(said) for said in manners.named_before]
        self.amounts = self._set((manners.amounts,))
        self.within = self._set((manners.within,))
        self.questions = self._set((manners.questions,))
        self.alone = self._set((manners.alone,))
        self.doubled = self._set((manners.doubled,))
        self.ands = self._set((manners.ands,))
        self.serving = self._set((manners.serving,))
        self.along = self._set((manners.along,))
        self.naming = self._set((manners.naming,))
        self.taking_back = self._set((manners.taking_back,))
        self.uncounted = self._set((manners.uncounted,))
        single = (atom for pattern in self.polarity.patterns for atom in _alone(pattern))
        said = frozenset(atom.text for atom in single if atom.kind is AtomKind.WORD)
        self.asides = said | self._set((manners.asides,)) | self.polite | self.greetings
        self.classed = self._set(re.sub(r"[^\w']+", " ", words) for words in self.language.vocabulary.classes.values())

    @property
    def phrases(self) -> tuple[Matcher[None] | Matcher[bool], ...]:
        """What is listened for beside the values."""
        return (
            self.polarity,
            self.lead_ins,
            self.changes,
            self.everything,
            self.own_number,
            self.wishes,
            self.rules_asked,
            self.nothing_wished,
        )

    def _yes_and_no(self) -> Matcher[bool]:
        return Matcher(
            [
                (compile_pattern(pattern, self.normaliser), meaning)
                for meaning, patterns in ((True, self.language.yes), (False, self.language.no))
                for pattern in patterns
            ]
        )

    def _letters(self) -> dict[str, str]:
        """The words that stand for letters."""
        vocabulary = self.language.vocabulary
        named = {self.normaliser.word(name): letter for name, letter in vocabulary.letters.items()}
        return {word: word[0] for word in self._set((vocabulary.alphabet,))} | named

    def _matcher(self, patterns: Iterable[str]) -> Matcher[None]:
        return Matcher([(compile_pattern(pattern, self.normaliser), None) for pattern in patterns])

    def _rules(self) -> Iterable[Rule]:
        yield from self.language.rules
        for part, pattern in self.language.parts:
            yield Rule(kind=Kind.PART, pattern=pattern, part=part)

    def _words(self, text: str) -> tuple[str, ...]:
        return self.normaliser.words(tidy(text))

    def _set(self, texts: Iterable[str]) -> frozenset[str]:
        return frozenset(word for text in texts for word in self._words(text))

    def _phrases(self, forms: Iterable[tuple[str, int]]) -> Phrases:
        # Thousands of phrases are made of a few dozen words, so each word is evened out once.
        known: dict[str, str] = {}
        phrases = Phrases()
        for form, value in forms:
            said = form.replace("-", " ").split()
            for word in said:
                if word not in known:
                    known[word] = self.normaliser.word(word)
            phrases.add([known[word] for word in said], value)
        return phrases

    def _numbers(self) -> Iterable[tuple[str, int]]:
        language = self.language
        joint = "" if language.compounds else " "
        thousands = f"{language.numbers(2)[0]}{joint}{language.thousand}"
        for value in range(1000):
            for form in language.numbers(value):
                yield form, value
                if 0 < value < 100:
                    yield f"{thousands}{joint}{form}", 2000 + value
        yield thousands, 2000
        yield from language.extra_numbers.items()


def _alone(pattern: Pattern) -> Iterator[Atom]:
    """The words that are the whole pattern by themselves."""
    return (pattern.atoms[state] for state in pattern.first & pattern.last)


def build_lexicons(tags: Iterable[str]) -> dict[str, Lexicon]:
    """Compile `tags`, each told apart from the others: a word that several share tells nothing about the language."""
    lexicons = {tag: Lexicon(LANGUAGES[tag]()) for tag in tags}
    for tag, lexicon in lexicons.items():
        others = frozenset[str]().union(*(other.familiar for name, other in lexicons.items() if name != tag))
        lexicon.common -= others
    return lexicons
