"""Numbers, days, times and people, as they are said in four languages."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls.dialogue._calendar import DaySaid, TimeSaid, resolve_day, resolve_time
from orchestrator_calls.dialogue._lexicon import Kind, build_lexicons
from orchestrator_calls.dialogue._listening import Utterance
from orchestrator_calls.dialogue._numerals import Numerals

LEXICONS = build_lexicons(["en", "de", "es", "fr"])
LANGUAGES = st.sampled_from(list(LEXICONS))
TODAY = date(2026, 6, 3)  # a Wednesday


def read(language, said):
    return Utterance.read(said, LEXICONS[language])


def mentions(language, said, kind):
    return [mention.value for mention in read(language, said).mentions if mention.kind is kind]


@given(language=LANGUAGES, number=st.integers(0, 999), data=st.data())
def test_every_spelling_of_a_number_is_read(language, number, data):
    said = data.draw(st.sampled_from(LEXICONS[language].language.numbers(number)))
    utterance = read(language, said)
    assert utterance.numerals.cardinals() == [(0, len(utterance.tokens), number)]


@given(language=LANGUAGES, day=st.integers(1, 31))
def test_ordinals_are_days(language, day):
    for said in LEXICONS[language].language.ordinals(day):
        utterance = read(language, said)
        assert list(utterance.numerals.at("o", 0)) == [(len(utterance.tokens), day)]


MINUTES = st.sampled_from([0, 5, *range(10, 60)])


@given(language=LANGUAGES, at=st.builds(time, st.integers(0, 23), MINUTES))
def test_a_time_that_is_spoken_is_understood_again(language, at):
    said = LEXICONS[language].language.say_time(at)
    (found,) = mentions(language, "a " + said if language == "es" else said, Kind.TIME)
    assert isinstance(found, TimeSaid)
    # Hours up to twelve are open where the language counts to 24; the hours of the house decide.
    both = [resolve_time(TimeSaid(found.minutes + half, clear=True), None, None) for half in (0, 720)]
    assert at in (both[:1] if found.clear else both)


@given(language=LANGUAGES, day=st.dates(TODAY, date(2099, 12, 31)))
def test_a_day_that_is_spoken_is_understood_again(language, day):
    said = LEXICONS[language].language.say_date(day, True)
    (found,) = mentions(language, said, Kind.DATE)
    assert isinstance(found, DaySaid)
    assert resolve_day(found, TODAY) == day


@given(language=LANGUAGES, people=st.integers(1, 99))
def test_people_that_are_spoken_are_understood_again(language, people):
    assert mentions(language, LEXICONS[language].language.say_people(people), Kind.PARTY) == [people]


@given(language=LANGUAGES, count=st.integers(1, 99))
def test_nights_that_are_spoken_are_understood_again(language, count):
    assert mentions(language, LEXICONS[language].language.say_nights(count), Kind.NIGHTS) == [count]


DAYS = {
    "en": {
        "today": 0, "tomorrow": 1, "the day after tomorrow": 2, "Friday": 2, "this Friday": 2, "on Wednesday": 7, "next Friday": 9,
        "Friday next week": 9, "a week from Friday": 9, "in three days": 3, "in two weeks": 14, "in a week": 7, "the fifth": 2,
        "the 2nd": 29, "June 5th": 2, "5 June": 2, "the fifth of June 2027": 367, "the weekend": 3, "5/6": 2, "5/6/2027": 367, "June third": 0,
        "June second": 364, "yesterday": -1, "Friday the fifth": 2,
    },
    "de": {
        "heute": 0, "morgen": 1, "übermorgen": 2, "am Freitag": 2, "Freitagabend": 2, "nächsten Freitag": 2, "Freitag nächster Woche": 9,
        "Freitag in einer Woche": 9, "übernächsten Freitag": 9, "in drei Tagen": 3, "in zwei Wochen": 14, "heute in acht Tagen": 7, "am fünften": 2,
        "am 5.": 2, "am 5.6.": 2, "am fünften sechsten": 2, "am fünften Juni": 2, "der 5. Juni 2027": 367, "am Wochenende": 3, "Sonnabend": 3,
        "am Montag, den achten Juni": 5, "05.06.2027": 367,
    },
    "es": {
        "hoy": 0, "mañana": 1, "pasado mañana": 2, "el viernes": 2, "el próximo viernes": 2, "el viernes que viene": 2,
        "el viernes de la semana que viene": 9, "dentro de tres días": 3, "en dos semanas": 14, "el cinco": 2, "el día cinco": 2,
        "el 5 de junio": 2, "el cinco de junio de 2027": 367, "el primero de julio": 28, "el fin de semana": 3, "esta noche": 0, "5/6": 2,
    },
    "fr": {
        "aujourd'hui": 0, "demain": 1, "après-demain": 2, "vendredi": 2, "vendredi prochain": 2, "vendredi de la semaine prochaine": 9,
        "vendredi en huit": 9, "dans trois jours": 3, "dans deux semaines": 14, "dans une semaine": 7, "le cinq": 2, "le 5 juin": 2,
        "le cinq juin 2027": 367, "le premier juillet": 28, "ce soir": 0, "le week-end": 3, "5/6": 2,
    },
}  # fmt: skip


@pytest.mark.parametrize(("language", "said"), [(language, said) for language, days in DAYS.items() for said in days])
def test_days(language, said):
    (found,) = mentions(language, said, Kind.DATE)
    assert isinstance(found, DaySaid)
    assert resolve_day(found, TODAY) == TODAY + timedelta(days=DAYS[language][said])


TIMES = {
    "en": {
        "at seven": "19:00", "seven o'clock": "19:00", "7 pm": "19:00", "7 p.m.": "19:00", "7:30": "19:30", "half past seven": "19:30",
        "half eight": "20:30", "quarter to eight": "19:45", "a quarter past eight": "20:15", "ten to nine": "20:50", "twenty past eight": "20:20",
        "seven thirty": "19:30", "seven oh five": "19:05", "19:45": "19:45", "noon": "12:00", "1 pm": "13:00",
        "twelve thirty": "12:30",
    },
    "de": {
        "um sieben": "19:00", "um 19 Uhr": "19:00", "neunzehn Uhr dreißig": "19:30", "19.30 Uhr": "19:30", "halb acht": "19:30",
        "viertel nach acht": "20:15", "Viertel vor acht": "19:45", "dreiviertel acht": "19:45", "viertel acht": "19:15", "zehn nach acht": "20:10",
        "fünf vor halb neun": "20:25", "um ein Uhr": "13:00", "acht Uhr abends": "20:00", "zwölf Uhr": "12:00", "acht Uhr fünf": "20:05",
    },
    "es": {
        "a las siete": "19:00", "a las siete y media": "19:30", "a las ocho y cuarto": "20:15", "a las nueve menos cuarto": "20:45",
        "a las 21:30": "21:30", "a la una": "13:00", "a la una y media": "13:30", "a las ocho de la tarde": "20:00", "las nueve y veinte": "21:20",
        "las diez menos diez": "21:50", "al mediodía": "12:00", "a las 20 horas": "20:00",
    },
    "fr": {
        "à dix-neuf heures": "19:00", "à sept heures et demie": "19:30", "à huit heures et quart": "20:15", "à neuf heures moins le quart": "20:45",
        "à 19h30": "19:30", "19 h": "19:00", "à midi": "12:00", "midi et demi": "12:30", "huit heures du soir": "20:00", "vingt heures dix": "20:10",
        "à une heure": "13:00", "neuf heures moins dix": "20:50", "à 20:15": "20:15",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("language", "said"), [(language, said) for language, times in TIMES.items() for said in times]
)
def test_times_in_a_house_that_is_open_from_noon(language, said):
    (found,) = mentions(language, said, Kind.TIME)
    assert isinstance(found, TimeSaid)
    assert resolve_time(found, time(12), time(22)).isoformat("minutes") == TIMES[language][said]


PARTIES = {
    "en": {"for four": 4, "we are six": 6, "a party of eight": 8, "just me": 1, "my wife and I": 2, "there will be three of us": 3, "four to six people": 6},
    "de": {"für vier": 4, "wir sind sechs": 6, "zu dritt": 3, "nur ich": 1, "meine Frau und ich": 2, "eine Person": 1},
    "es": {"para cuatro": 4, "somos seis": 6, "solo yo": 1, "mi mujer y yo": 2, "una persona": 1},
    "fr": {"pour quatre": 4, "nous sommes six": 6, "on sera cinq": 5, "ma femme et moi": 2, "une personne": 1},
}  # fmt: skip


@pytest.mark.parametrize(
    ("language", "said"), [(language, said) for language, sizes in PARTIES.items() for said in sizes]
)
def test_people(language, said):
    assert mentions(language, said, Kind.PARTY) == [PARTIES[language][said]]


NOT_VALUES = [
    ("en", "may I ask something"), ("en", "one moment please I am in March"), ("de", "einen Tisch"), ("es", "una mesa"), ("fr", "une table"),
    ("en", "31/31"), ("en", "version 1.2.3.4 of 99.99"), ("en", "10.0.0.1"), ("en", "1234567890123"), ("en", "²½Ⅷ"), ("de", "ich fahre in den Mai"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "said"), NOT_VALUES)
def test_what_is_no_day_and_no_time(language, said):
    assert mentions(language, said, Kind.DATE) == []
    assert mentions(language, said, Kind.TIME) == []


SPELLED = {
    ("en", "four one two", False): "412", ("en", "double five oh nine", False): "5509", ("en", "four twelve", False): "412",
    ("en", "A B one two", True): "AB12", ("en", "AB12", True): "AB12", ("de", "eins zwo drei", False): "123", ("de", "zwölf vierunddreißig", False): "1234",
    ("es", "cinco cinco doce", False): "5512", ("fr", "zéro six douze trente-quatre", False): "061234", ("en", "007 42", False): "00742",
}  # fmt: skip


@pytest.mark.parametrize("case", SPELLED)
def test_digit_by_digit(case):
    language, said, letters = case
    utterance = read(language, said)
    assert utterance.numerals.spelled(0, letters=letters) == (len(utterance.tokens), SPELLED[case])


def test_digits_of_other_scripts_are_digits():
    assert read("en", "٤١٢").numerals.spelled(0, letters=False) == (1, "412")


def test_a_leap_day_is_the_next_one():
    assert resolve_day(DaySaid(day=29, month=2), TODAY) == date(2028, 2, 29)


def test_days_that_do_not_exist():
    for said in (
        DaySaid(day=31, month=6),
        DaySaid(day=30, month=2, year=2028),
        DaySaid(numbers=(31, 6)),
        DaySaid(numbers=(0, 0, 0)),
    ):
        assert resolve_day(said, TODAY) is None


def test_the_month_first_where_the_recognizer_is_american():
    assert resolve_day(DaySaid(numbers=(7, 4)), TODAY, month_first=True) == date(2026, 7, 4)
    assert resolve_day(DaySaid(numbers=(13, 7)), TODAY, month_first=True) == date(2026, 7, 13)


def test_without_a_calendar_only_a_full_date_is_one():
    assert resolve_day(DaySaid(days=1), None) is None
    assert resolve_day(DaySaid(day=5, month=6, year=2027), None) == date(2027, 6, 5)


@given(
    today=st.dates(),
    said=st.builds(
        DaySaid,
        days=st.one_of(st.none(), st.integers(-1, 10**6)),
        weekday=st.one_of(st.none(), st.integers(0, 6)),
        next_week=st.booleans(),
        weekend=st.booleans(),
        day=st.one_of(st.none(), st.integers(1, 31)),
        month=st.one_of(st.none(), st.integers(1, 12)),
    ),
)
def test_no_day_is_in_the_past_but_yesterday(today, said):
    found = resolve_day(said, today)
    assert found is None or found >= today - timedelta(days=1 if today > date.min else 0)


@given(minutes=st.integers(0, 1439), low=st.times(), high=st.times())
def test_an_open_time_is_one_of_the_two(minutes, low, high):
    found = resolve_time(TimeSaid(minutes, clear=False), low, high)
    assert (found.hour * 60 + found.minute) % 720 == minutes % 720


def test_numerals_of_nothing():
    assert Numerals("", [], LEXICONS["en"]).cardinals() == []


def test_a_caller_without_a_calendar_is_asked_for_the_whole_date(call):
    caller = call(now=None)
    caller.say("book a table for two")
    assert "the day, the month and the year" in caller.say("tomorrow")
    assert "time" in caller.say("the 5th of June 2031")


def test_now_counts_at_its_own_place(call):
    late = datetime.fromisoformat("2026-06-03T23:30:00-10:00")
    caller = call(now=late)
    caller.say("book a table for two tomorrow at eight under the name Ray")
    assert caller.memory["form"]["slots"]["date"] == "2026-06-04"
