"""English."""

from __future__ import annotations

from datetime import date, time

from orchestrator_calls.dialogue._lexicon._model import Language, Part, Rule, date_, nights, party, range_, time_

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


def _times() -> tuple[Rule, ...]:
    return (
        time_("{clock} [o'clock]"),
        time_("(at|by|around|about) {h}", firm=False),
        time_("{h} {m} [o'clock|hours]"),
        time_("{h} o'clock"),
        time_("{h} [{m}] (am|a m)", part=Part.AM),
        time_("{h} [{m}] (pm|p m)", part=Part.PM),
        time_("{clock} (am|a m)", part=Part.AM),
        time_("{clock} (pm|p m)", part=Part.PM),
        time_("half [past] {h}", minutes=30),
        time_("quarter (past|after) {h}", minutes=15),
        time_("quarter (to|before|of) {h}", minutes=-15),
        time_("{m5} [minutes] (past|after) {h}"),
        time_("{m5} [minutes] (to|before) {h}", sign=-1),
        time_("(noon|midday|twelve noon)", fixed=720),
        time_("midnight", fixed=0),
    )


def _days() -> tuple[Rule, ...]:
    return (
        date_("yesterday", days=-1),
        date_("today", days=0),
        date_("tonight", days=0, part=Part.PM),
        date_("this morning", days=0, part=Part.AM),
        date_("this (afternoon|evening)", days=0, part=Part.PM),
        date_("tomorrow", days=1),
        date_("tomorrow morning", days=1, part=Part.AM),
        date_("tomorrow (afternoon|evening|night)", days=1, part=Part.PM),
        date_("day after tomorrow", days=2),
        date_("{weekday}"),
        date_("{weekday} morning", part=Part.AM),
        date_("{weekday} (afternoon|evening|night)", part=Part.PM),
        date_("next {weekday}", week=True),
        date_("{weekday} [of] next week", week=True),
        date_("next week [on] {weekday}", week=True),
        date_("(a week (from|on)|one week from) {weekday}", days=7),
        date_("{weekday} week", days=7),
        date_("[{weekday} [the]] {o} [of] {month} [{year}]"),
        date_("[{weekday}] {d} [of] {month} [{year}]"),
        date_("[{weekday}] {month} [the] ({o}|{d}) [{year}]"),
        date_("{month} [and] [starting|beginning|arriving|from] [on] the {o}"),
        date_("[{weekday}] the {o}", firm=False),
        date_("{weekday} {o}"),
        date_("[{weekday}] {numdate}"),
        date_("in {n1} (day|days) [time]"),
        date_("in {n1} (week|weeks) [time]", unit=7),
        date_("(a week from (today|now)|today week)", days=7),
        date_("(a week from tomorrow|tomorrow week)", days=8),
        date_("weekend", weekend=True),
    )


def _stays() -> tuple[Rule, ...]:
    return (
        range_("({o}|{d}) (to|until|till|through) [the] ({o}|{d}) [of] {month}"),
        range_("{month} [the] ({o}|{d}) (to|until|till|through) [the] ({o}|{d})"),
        nights("{n1} [single|more] (night|nights)"),
        nights("{n1} (week|weeks)", unit=7),
        nights("(overnight|one night only)", count=1),
    )


def _parties() -> tuple[Rule, ...]:
    return (
        party("for {n}", firm=False),
        party("(party|group|table) of {n}"),
        party("{n} (people|persons|guests|person|guest|pax|of us|diners)"),
        party("(the|all) {n} of us"),
        party("(both of us|us two|us both)", count=2),
        party("{n} (to|or) {n} (people|persons|guests|of us)"),
        party(
            "{n1} (adult|adults|grown ups|grown up|child|children|kid|kids|teenager|teenagers|baby|babies|infant|toddler)",
            adds=True,
        ),
        party("(we are|we will be|there are|there will be|there is) {n} [of us]"),
        party("(just|only) (me|myself)", count=1),
        party("(myself|me alone|one person only)", count=1),
        party("my (wife|husband|partner|girlfriend|boyfriend|friend) and (i|me|myself)", count=2),
        party("me and my (wife|husband|partner|girlfriend|boyfriend|friend)", count=2),
    )


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
    "(of course|no problem)",
    "(that is|it is|all) (right|correct|fine|perfect|good|great)",
    "(sounds|looks) (good|right|great|fine|perfect)",
    "(please do|go ahead|all right|do that|do it|go for it|if you could|if you would|that works|that is (it|better))",
)
_NO = (
    "no (thank you|thanks)",
    "(no|nothing|nope|nah|wrong|incorrect)",
    "not [quite|really|exactly|all|entirely|so] [right|correct|good|fine|perfect|that]",
    "(that is|it is) [not] (wrong|incorrect|right|correct|what i said)",
)
_LEAD_INS = (
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
        extra_numbers={"a couple": 2, "couple": 2, "a dozen": 12},
        ones=("a", "an"),
        double=("double",),
        oh=("oh", "o"),
        ordinals=_ordinals,
        ordinal_marks=("st", "nd", "rd", "th"),
        weekdays=tuple((day,) for day in _WEEKDAYS),
        months=tuple((month,) for month in _MONTHS),
        rules=(*_times(), *_days(), *_stays(), *_parties()),
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
        infinitive=("to",),
        own_number=_OWN_NUMBER,
        examples=_EXAMPLES,
        say_date=_say_date,
        say_time=_say_time,
        say_people=_say_people,
        say_nights=_say_nights,
        say_yes_no=("yes", "no"),
        say_own_number="the number you are calling from",
    )
