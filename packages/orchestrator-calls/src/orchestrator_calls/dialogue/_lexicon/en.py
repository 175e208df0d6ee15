"""English."""

from __future__ import annotations

from datetime import date, time

from orchestrator_calls.dialogue._lexicon import _manners
from orchestrator_calls.dialogue._lexicon._english_rules import RULES
from orchestrator_calls.dialogue._lexicon._model import Language, Part, party
from orchestrator_calls.dialogue._lexicon._vocabulary import ENGLISH

__all__ = ["language"]

_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ORDINALS = [
    "-",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
]
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def _numbers(n: int) -> tuple[str, ...]:
    if n < 20:
        return (_SMALL[n],)
    if n < 100:
        return (_TENS[n // 10] + (f" {_SMALL[n % 10]}" if n % 10 else ""),)
    heads = [f"{_SMALL[n // 100]} hundred", *(["a hundred"] if n < 200 else [])]
    if n % 100 == 0:
        return tuple(heads)
    rest = _numbers(n % 100)[0]
    return tuple(f"{head}{joint}{rest}" for head in heads for joint in (" ", " and "))


def _ordinals(day: int) -> tuple[str, ...]:
    if day < 20:
        return (_ORDINALS[day],)
    if day % 10 == 0:
        return (("twentieth", "thirtieth")[day // 10 - 2],)
    return (f"{_TENS[day // 10]} {_ORDINALS[day % 10]}",)


def _suffix(day: int) -> str:
    if day in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _say_date(day: date, with_year: bool) -> str:  # noqa: FBT001 - called through a field
    said = f"{_WEEKDAYS[day.weekday()]}, {_MONTHS[day.month - 1]} {day.day}{_suffix(day.day)}"
    return f"{said}, {day.year}" if with_year else said


def _say_time(at: time) -> str:
    if at == time(0, 0):
        return "midnight"
    if at == time(12, 0):
        return "noon"
    half = "am" if at.hour < 12 else "pm"
    hour = (at.hour - 1) % 12 + 1
    return f"{hour}:{at.minute:02} {half}" if at.minute else f"{hour} {half}"


def _say_people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


def _say_nights(count: int) -> str:
    return "1 night" if count == 1 else f"{count} nights"


_NAMES = {
    "en": ("English",),
    "de": ("German", "Deutsch"),
    "es": ("Spanish", "Español"),
    "fr": ("French", "Français"),
}
_EXPAND = {
    "cannot": "can not",
    "can't": "can not",
    "won't": "will not",
    "don't": "do not",
    "doesn't": "does not",
    "didn't": "did not",
    "isn't": "is not",
    "aren't": "are not",
    "wasn't": "was not",
    "wouldn't": "would not",
    "couldn't": "could not",
    "haven't": "have not",
    "hasn't": "has not",
    "dont": "do not",
    "cant": "can not",
    "im": "i am",
    "id": "i would",
    "whats": "what is",
    "what's": "what is",
    "that's": "that is",
    "thats": "that is",
    "it's": "it is",
    "where's": "where is",
    "when's": "when is",
    "who's": "who is",
    "how's": "how is",
    "there's": "there is",
    "here's": "here is",
    "let's": "let us",
    "name's": "name is",
    "wanna": "want to",
    "gonna": "going to",
    "gotta": "have to",
    "tonite": "tonight",
    "tmrw": "tomorrow",
    **{f"{_SMALL[n]}ish": _SMALL[n] for n in range(1, 13)},
    "i'ma": "i am going to",
    "lemme": "let me",
    "gimme": "give me",
    "ya": "you",
    "coupla": "couple of",
}
_FILLERS = (
    "uh",
    "uhm",
    "um",
    "umm",
    "er",
    "erm",
    "hmm",
    "hm",
    "mm",
    "ah",
    "well",
    "actually",
    "kindly",
    "you know",
    "basically",
    "sort of",
    "kind of",
    "let us see",
    "let us say",
    "say like",
    "by the way",
    "if possible",
    "if that is possible",
    "honestly",
    "right so",
    "cheers mate",
    "if you would be so kind",
    "if you do not mind me asking",
    "sorry to bother you",
    "sorry to trouble you",
    "do the needful",
    "if you have it at all",
)
_COMMON = (
    "the of and to is you that it he was for are with they have this what when your can there how which their would like could "
    "want need book reserve please thank thanks hello good morning evening yes yeah not my name room table tomorrow today where "
    "number at i am we us do does did someone speak talk people night nights"
)
_PARTS = (
    (Part.AM, "[in|during] the morning"),
    (Part.AM, "(am|a m)"),
    (Part.PM, "[in|during] the (afternoon|evening)"),
    (Part.PM, "(pm|p m)"),
    (Part.PM, "(evening|afternoon|dinner|tonight)"),
    (Part.NIGHT, "at night"),
)
_YES = (
    "(yes|yeah|yep|yup|sure|correct|right|exactly|absolutely|perfect|indeed|definitely|certainly|fine|ok|okay|o k|great|lovely|brilliant|wonderful|spot on|aye)",
    "(that one|do so|brill|grand|smashing|champion|pass (it|that) on|do that please|alright|good|(i guess|i suppose) so|of course|no problem|by all means|why not|you got it|you bet|that is the one|that is me|that would be (great|lovely|perfect|it|fine|correct|right|good)|that will do|if you do not mind|spot on|bang on|got it|all good|quite right|quite so|just so|right you are|dead right|true that|correct only|hundred percent|a hundred percent|one hundred percent|thanks a million|perfect thanks|that is me sorted|very much so|thumbs up|works for me|suits me|i think so|i believe so|affirmative|cool|super|nice|splendid|excellent|amazing|awesome|fantastic|marvellous|ta|cheers|totally|precisely|yes sir|yes ma am)",
    "(that is|it is|all) (right|correct|fine|perfect|good|great)",
    "(sounds|looks) (good|right|great|fine|perfect)",
    "(please do|go ahead|all right|do that|do it|go for it|if you could|if you would|that works|that is (it|better))",
)
_NO = (
    "no (thank you|thanks)",
    "(no|none|nothing|nope|nah|wrong|incorrect)",
    "not [quite|really|exactly|all|entirely|so] [right|correct|good|fine|perfect|that]",
    "(that is|it is) [not] (wrong|incorrect|right|correct|what i said)",
)
_LEAD_INS = (
    "[yes|ok|okay|sure|so] (that will be|it would be|it will be|the name would be|my name would be|you can use|just use|let us say|go with|let us go with)",
    "(surname|last name|first name|family name) [is]",
    "[yes|sure|ok|okay] (the name is|my name is|name is|name)",
    "[yes|ok|okay|sure|so] [it is] (my|the) ([last|first|full|family|second] name|surname) is",
    "[yes|ok|okay|sure|so] (it is|this is|i am|that is|that would be|it would be)",
    "[it is|put it|book it|reserve it] (under the name [of]|in the name of|under|on the name [of])",
    "[put it] (on|under) name",
    "[yes|ok|okay|so] (i would like [to (have|order|get)]|i want [to (have|order|get)]|i need|we need|we would like|(can|could|may) (i|we|you) (have|get|bring|send) [me|us])",
    "(make|call) it",
    "[you can] (put|write|book|note) (it|that|me|us) [down] (as|under|for)",
    "name",
)
_CALLED = {
    "date": ("(date|day)",),
    "time": ("(time|hour)",),
    "party_size": ("(number of (people|guests|persons)|party size|people|guests|persons|how many)",),
    "phone": ("[phone|telephone|mobile] number",),
    "code": ("(code|[confirmation|reservation|booking] number)",),
    "room": ("room [number]",),
    "name": ("(name|spelling)",),
}
_CHANGES = (
    "(change|modify|edit|alter|fix)",
    "correct (the|my|it)",
    "(a different|another)",
    "(that|it|the ...) (should|must) be",
)
_OWN_NUMBER = (
    "(this|same|my) [phone|telephone|mobile] number",
    "(number|one|phone) [that] i am (calling|ringing|phoning) [you] (from|on|with)",
    "(on|at|under) this (one|number|phone)",
    "you (have|see|got) my number",
)
_EXAMPLES = {
    "date": "on Friday",
    "time": "at half past seven",
    "party_size": "four people",
    "number": "four",
    "phone": "five five five one two three four five",
    "room": "four one two",
    "code": "A B one two three four five six",
    "name": "Miller",
    "text": "Miller",
    "yes_no": "yes",
}


def language() -> Language:
    """English as it is spoken on the telephone."""
    return Language(
        tag="en",
        names=_NAMES,
        expand=_EXPAND,
        suffixes={"d": "would", "ll": "will", "re": "are", "ve": "have", "m": "am"},
        fillers=_FILLERS,
        common=_COMMON,
        numbers=_numbers,
        thousand="thousand",
        extra_numbers={"a couple": 2, "couple": 2, "a dozen": 12, "half a dozen": 6, "half dozen": 6},
        ones=("a", "an"),
        double=("double",),
        oh=("oh", "o"),
        ordinals=_ordinals,
        ordinal_marks=("st", "nd", "rd", "th"),
        weekdays=tuple((day,) for day in _WEEKDAYS),
        months=tuple((month,) for month in _MONTHS),
        rules=(party("half a dozen", count=6), *RULES),
        parts=_PARTS,
        yes=_YES,
        no=_NO,
        carriers="at on for by the a this coming around about from to in of until make",
        negations=("not", "no"),
        lead_ins=_LEAD_INS,
        polite="please thanks thank you",
        stops="spelled spelt please and for on at from with until till tomorrow today tonight next by around but thanks thank that is",
        called=_CALLED,
        changes=_CHANGES,
        speaking="speak in to talk speaking switch",
        everything=("(everything|all of it|all of that|start (again|over)|from the (beginning|start))",),
        corrections="no not wait sorry i mean make it that rather actually hang on oh better say pardon or",
        spelled_as=("for", "as in", "like"),
        no_names="the a an my your our me us it that this what when where time what how",
        before_infinitive=("to",),
        own_number=_OWN_NUMBER,
        examples=_EXAMPLES,
        vocabulary=ENGLISH,
        manners=_manners.ENGLISH,
        say_date=_say_date,
        say_time=_say_time,
        say_people=_say_people,
        say_nights=_say_nights,
        say_yes_no=("yes", "no"),
        say_own_number="the number you are calling from",
    )
