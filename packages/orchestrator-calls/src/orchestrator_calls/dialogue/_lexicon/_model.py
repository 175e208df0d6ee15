"""What the dialogue knows of one language: words, numbers, and how dates, times and people are said and heard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum

__all__ = [
    "Kind",
    "Language",
    "Manners",
    "Part",
    "Rule",
    "Vocabulary",
    "date_",
    "day_after",
    "feast",
    "nights",
    "party",
    "range_",
    "time_",
]


class Kind(StrEnum):
    """What a rule finds."""

    TIME = "time"
    PART = "part"
    DATE = "date"
    RANGE = "range"
    NIGHTS = "nights"
    PARTY = "party"


class Part(StrEnum):
    """A part of the day, as far as it tells 7 from 19 o'clock."""

    AM = "am"
    PM = "pm"
    NIGHT = "night"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One way to say a value, in the pattern notation.

    The slots of these patterns are `n` a number, `n1` the same or an article that counts as one, `h` and `h1` an hour, `m` minutes
    from 10 (or `oh five`), `m5` 5, 10, 20 or 25 minutes, `d` a day of the month, `o` the same as an ordinal, `weekday`, `month`,
    `year`, `clock` 19:30 and `numdate` 5.6.2026.

    Attributes:
        days: For a date: how many days from today it is, when no slot says so; 7 with `weekday` for "a week on Friday".
        unit: For a date or nights: how many days one `n` is. For a party: how many people.
        week: For a date: the weekday is meant in the next calendar week.
        weekend: For a date: the coming Saturday.
        minutes: For a time: added to the hour, in minutes.
        sign: For a time: whether `m` and `m5` are after (1) or before (-1) the hour.
        fixed: For a time: the minutes of the day themselves (noon, midnight).
        part: The part of the day that is said along.
        count: For a party: how many people the words mean, when no slot says so.
        adds: For a party: the number adds to the others of the sentence (adults, children). For nights: the words name a day after
            another one ("the next day").
        feast: For a date: its month and day, or the days from Easter Sunday alone.
        firm: Whether the words leave no doubt about what is meant; "for four" may mean four o'clock.
    """

    kind: Kind
    pattern: str
    days: int | None = None
    unit: int = 1
    week: bool = False
    weekend: bool = False
    minutes: int = 0
    sign: int = 1
    fixed: int | None = None
    part: Part | None = None
    count: int | None = None
    adds: bool = False
    firm: bool = True
    feast: tuple[int, ...] = ()


def time_(
    pattern: str,
    *,
    minutes: int = 0,
    sign: int = 1,
    fixed: int | None = None,
    part: Part | None = None,
    firm: bool = True,
) -> Rule:
    """A rule for a time of day."""
    return Rule(kind=Kind.TIME, pattern=pattern, minutes=minutes, sign=sign, fixed=fixed, part=part, firm=firm)


def date_(
    pattern: str,
    *,
    days: int | None = None,
    unit: int = 1,
    week: bool = False,
    weekend: bool = False,
    part: Part | None = None,
    firm: bool = True,
) -> Rule:
    """A rule for a day."""
    return Rule(kind=Kind.DATE, pattern=pattern, days=days, unit=unit, week=week, weekend=weekend, part=part, firm=firm)


def feast(pattern: str, *when: int) -> Rule:
    """A rule for a feast: month and day, or the days from Easter Sunday alone."""
    return Rule(kind=Kind.DATE, pattern=pattern, feast=when)


def day_after(pattern: str) -> Rule:
    """A rule for the day after another one."""
    return Rule(kind=Kind.NIGHTS, pattern=pattern, count=1, adds=True)


def range_(pattern: str) -> Rule:
    """A rule for two days of one month: the first two day numbers of the pattern."""
    return Rule(kind=Kind.RANGE, pattern=pattern)


def nights(pattern: str, *, unit: int = 1, count: int | None = None) -> Rule:
    """A rule for how long a stay is."""
    return Rule(kind=Kind.NIGHTS, pattern=pattern, unit=unit, count=count)


def party(pattern: str, *, count: int | None = None, unit: int = 1, adds: bool = False, firm: bool = True) -> Rule:
    """A rule for how many people."""
    return Rule(kind=Kind.PARTY, pattern=pattern, count=count, unit=unit, adds=adds, firm=firm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Classes of words of one language, as people write them.

    Attributes:
        sounds: See `Normaliser`.
        classes: See `Normaliser`.
        rejections: Phrases before a value that another one replaces ("instead of", "rather than").
        comparatives: Words after which `than` comes before such a value ("better at eight than at seven").
        than: Such words.
        persons: Words for one person each ("wife", "son").
        pairs: Words for two people ("parents").
        selves: Words with which callers name themselves.
        links: Words between people who come together, and words that go with them ("and", "my", "little").
        vague: Words with which a request begins that does not say what is wanted ("something").
        joins: Words between the letters and digits of a code that are none of them ("then", "dash").
        letters: The names of letters where they are words.
        alphabet: Words of telephone alphabets, each for its first letter.
        greetings: Words that may stand before a name and are none of it.
        triple: Words before a digit that say it three times.
        endings: What makes a plural of a word.
        until: Words before the last day of a stay.
    """

    sounds: Mapping[str, str]
    classes: Mapping[str, str]
    rejections: tuple[str, ...]
    comparatives: str
    than: str
    persons: str
    pairs: str
    selves: str
    links: str
    vague: str
    joins: str
    alphabet: str
    greetings: str
    triple: tuple[str, ...]
    endings: tuple[str, ...]
    until: str
    letters: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """What surrounds the values of a sentence in one language, as people write it.

    Attributes:
        rules_asked: How callers ask what the house allows or demands, in the pattern notation.
        reserving: Words that make such a question a wish all the same ("may I book").
        wanting: Words that do so as well, unless a word of `asking` says that only knowledge is wanted.
        asking: Such words.
        nothing_wished: How callers say that they want nothing booked, in the pattern notation.
        titles: Words before a name, which an article may precede ("die Frau Obermaier").
        named_after: Phrases after which callers name themselves at the beginning ("hier spricht").
        perhaps_named_after: The same where a pause, "and" or the caller's own person must follow ("this is", "hier").
        titled_after: The same where a title must follow ("ich bin der Herr Huber"), since other things are said so as well.
        named_before: Phrases before which they do ("here").
        naming: Words with which a name is announced, so that any word after them is one.
        asides: Words that answer nothing and are no name when they are all that is left ("oh", "quite").
        questions: Words with which questions begin.
        amounts: Words that say how much of a thing is meant, apart from numbers and articles ("some").
        within: Words inside the name of a thing ("of").
        ands: Words between two things of one request.
        serving: Words after which a request is over, beside the frequent words of the language.
        along: Words before those who come along ("with two children").
        taking_back: Words between two values after which only the second one is meant ("tomorrow, no, on Saturday").
        uncounted: What numbers stand before without counting people ("one moment").
        alone: Words between which and an article that is a number as well nothing else stands ("une seule").
        doubled: Words before a letter that repeat it.
        diminutives: Endings of small things to those of the word itself.
    """

    rules_asked: tuple[str, ...]
    reserving: str
    wanting: str
    asking: str
    nothing_wished: tuple[str, ...]
    titles: str
    named_after: tuple[str, ...]
    perhaps_named_after: tuple[str, ...]
    titled_after: tuple[str, ...]
    named_before: tuple[str, ...]
    naming: str
    asides: str
    questions: str
    amounts: str
    within: str
    ands: str
    serving: str
    along: str
    taking_back: str
    uncounted: str
    alone: str
    doubled: str
    diminutives: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """The words of one language, all of them as people write them.

    Attributes:
        tag: Its BCP 47 primary subtag.
        names: The names of other languages and its own, in this language, by subtag.
        expand: See `Normaliser`; `suffixes`, `fillers` and `umlauts` too.
        common: Frequent words by which the language is told from the others.
        numbers: A number from 0 to 999, in every spelling.
        thousand: The word for 1000.
        compounds: Whether a number is one word, whatever its size.
        extra_numbers: Further phrases that are numbers.
        ones: Articles that count as one before a unit.
        double: Words before a digit that repeat it ("double five").
        oh: Words that are a zero in a row of digits.
        ordinals: A day of the month as an ordinal, in every spelling.
        ordinal_marks: What follows digits in an ordinal ("5th").
        weekdays: Names of days by number, Monday is 0.
        months: Names of months, January is 1.
        rules: How dates, times, nights and numbers of people are said.
        parts: Words for parts of the day, in the pattern notation.
        yes: Agreement, in the pattern notation.
        no: The opposite.
        carriers: Words that may stand before a value without changing it ("at", "on the").
        negations: Words before a value that is not meant ("not seven, eight").
        lead_ins: How an answer in free words begins ("my name is").
        polite: Words that do not belong to a request they follow.
        stops: Words at which a name in the middle of a sentence ends.
        called: How people name a value of a slot type ("the time", "the day"), in the pattern notation.
        changes: How people say that something is to be changed, in the pattern notation.
        speaking: Words beside the name of a language that ask for it.
        everything: How people say that nothing of it is right, in the pattern notation.
        corrections: Words with which people correct themselves between two values ("four, no wait, five").
        spelled_as: Words between a letter and a word that begins with it ("B for Bravo"), in the pattern notation.
        no_names: Words with which no name begins.
        infinitive: How a verb ends that may follow "I would like".
        before_infinitive: Words that stand before such a verb.
        own_number: How people name the number from which they call, in the pattern notation.
        examples: Words for a value of each slot type, to try patterns with.
        vocabulary: Classes of words.
        manners: What surrounds the values of a sentence.
        say_date: A date in words, with its year when it is given.
        say_time: A time of day in words.
        say_people: A number of people in words.
        say_nights: A number of nights in words.
        say_yes_no: The words for yes and no.
        say_own_number: The number from which somebody calls, in words.
    """

    tag: str
    names: Mapping[str, tuple[str, ...]]
    common: str
    numbers: Callable[[int], tuple[str, ...]]
    thousand: str
    ordinals: Callable[[int], tuple[str, ...]]
    ordinal_marks: tuple[str, ...]
    weekdays: tuple[tuple[str, ...], ...]
    months: tuple[tuple[str, ...], ...]
    rules: tuple[Rule, ...]
    parts: tuple[tuple[Part, str], ...]
    yes: tuple[str, ...]
    no: tuple[str, ...]
    carriers: str
    negations: tuple[str, ...]
    lead_ins: tuple[str, ...]
    polite: str
    stops: str
    called: Mapping[str, tuple[str, ...]]
    changes: tuple[str, ...]
    speaking: str
    everything: tuple[str, ...]
    corrections: str
    spelled_as: tuple[str, ...]
    no_names: str
    infinitive: tuple[str, ...] = ()
    before_infinitive: tuple[str, ...] = ()
    own_number: tuple[str, ...]
    examples: Mapping[str, str]
    vocabulary: Vocabulary
    manners: Manners
    say_date: Callable[[date, bool], str]
    say_time: Callable[[time], str]
    say_people: Callable[[int], str]
    say_nights: Callable[[int], str]
    say_yes_no: tuple[str, str]
    say_own_number: str
    expand: Mapping[str, str] = field(default_factory=dict[str, str])
    suffixes: Mapping[str, str] = field(default_factory=dict[str, str])
    fillers: tuple[str, ...] = ()
    umlauts: bool = False
    compounds: bool = False
    extra_numbers: Mapping[str, int] = field(default_factory=dict[str, int])
    ones: tuple[str, ...] = ()
    double: tuple[str, ...] = ()
    oh: tuple[str, ...] = ()
