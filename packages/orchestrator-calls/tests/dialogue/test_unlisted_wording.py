"""What makes the dialogue understand wording that nobody listed: near words, people by name, values that replace others, classes, vetoes."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls.dialogue import ScriptError, parse_script
from orchestrator_calls.dialogue._calendar import DaySaid, resolve_day
from orchestrator_calls.dialogue._lexicon import build_lexicons
from orchestrator_calls.dialogue._listening import Utterance
from orchestrator_calls.dialogue._people import people_named
from orchestrator_calls.dialogue._spelling import Spelling

LEXICONS = build_lexicons(["en", "de", "es", "fr"])
WORDS = ["reservation", "massage", "table", "restaurant", "kitchen", "booking", "treatment"]
SPELLING = Spelling(WORDS, known=["looking"], stems=("gard",), endings=("s",))


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("resevation", ("reservation",)),
        ("resrevation", ("reservation",)),
        ("masssage", ("massage",)),
        ("tables", ("table",)),
        ("looking", ("looking",)),
        ("gardener", ("gardener",)),
        ("restaurand", ("restaurand",)),
        ("cabel", ("cabel",)),
    ],
)
def test_a_word_is_mended_when_it_can_only_be_one(said, read):
    assert SPELLING.mend(said) == read


def test_a_german_compound_is_its_parts():
    spelling = Spelling(["tisch", "reservierung", "massage", "zimmer"], heads=["reservierung", "massage", "zimmer"])
    assert spelling.mend("zimmerreservierung") == ("zimmer", "reservierung")
    assert spelling.mend("fussmassage") == ("fuss", "massage")
    assert spelling.mend("sitzungszimmer") == ("sitzungszimmer",)


@given(st.text(alphabet="abeiklmnorstuvg", max_size=30))
def test_mending_ends_at_known_words(word):
    mended = SPELLING.mend(word)
    assert mended == (word,) or all(part in WORDS for part in mended)
    assert tuple(again for part in mended for again in SPELLING.mend(part)) == mended


@pytest.mark.parametrize(
    ("language", "said", "asked", "count"),
    [
        ("en", "my wife and I", False, 2),
        ("en", "my mum, my dad, me and two friends", False, 5),
        ("en", "my parents and me", False, 3),
        ("en", "my wife and my daughter", False, None),
        ("en", "my wife and my daughter", True, 2),
        ("en", "my wife", True, None),
        ("de", "meine Frau, ich und unsere zwei Kinder", False, 4),
        ("es", "mi marido, yo y la niña", False, 3),
        ("fr", "mon mari, moi et les jumeaux", False, 4),
    ],
)
def test_people_are_counted_by_naming_them(language, said, asked, count):
    named = people_named(Utterance.read(said, LEXICONS[language]), asked=asked)
    assert (named and named.value) == count


@pytest.mark.parametrize(
    ("language", "said", "day"),
    [
        ("en", "Christmas Eve", "2026-12-24"),
        ("en", "Easter Monday", "2027-03-29"),
        ("de", "an Silvester", "2026-12-31"),
        ("de", "Pfingstmontag", "2027-05-17"),
        ("es", "en Nochebuena", "2026-12-24"),
        ("es", "de hoy en ocho", "2026-06-10"),
        ("fr", "le lundi de Pâques", "2027-03-29"),
        ("fr", "dans quinze jours", "2026-06-17"),
        ("en", "last Friday", "2026-05-29"),
        ("de", "letzten Freitag", "2026-05-29"),
    ],
)
def test_days_by_name(language, said, day):
    (mention,) = Utterance.read(said, LEXICONS[language]).mentions
    assert str(resolve_day(mention.value, date(2026, 6, 3))) == day


@pytest.mark.parametrize(
    ("year", "month", "day"), [(2024, 3, 31), (2025, 4, 20), (2027, 3, 28), (2038, 4, 25), (2285, 3, 22)]
)
def test_easter_is_where_the_calendar_has_it(year, month, day):
    assert resolve_day(DaySaid(feast=(0,)), date(year, 1, 1)) == date(year, month, day)


def filled(caller):
    return caller.memory["form"]["slots"]


@pytest.mark.parametrize(
    ("language", "opening", "said", "slot", "value"),
    [
        ("en", "table for four on Friday at 6:30 pm, name of King", "make it seven instead of six thirty", "time", "19:00"),
        ("en", "table for four on Friday at seven, name of King", "rather at eight than at seven", "time", "20:00"),
        ("en", "table for four on Friday at seven, name of King", "not Friday, the day after", "date", "2026-06-06"),
        ("de", "Tisch für vier am Freitag um sieben auf den Namen Koch", "lieber um acht als um sieben", "time", "20:00"),
        ("es", "mesa para cuatro el viernes a las nueve a nombre de Gil", "el sábado en vez del viernes", "date", "2026-06-06"),
        ("fr", "table pour quatre vendredi à vingt heures au nom de Roy", "plutôt samedi que vendredi", "date", "2026-06-06"),
    ],
)  # fmt: skip
def test_the_value_that_takes_the_place_of_another_is_meant(call, language, opening, said, slot, value):
    caller = call(language)
    caller.greet()
    caller.say(opening)
    before = dict(filled(caller))
    caller.say(said)
    assert filled(caller) == {**before, slot: value}


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "my wife already booked a table"),
        ("en", "we had dinner with you last Friday, it was lovely"),
        ("de", "mein Mann hat für heute schon einen Tisch reserviert"),
        ("de", "wir waren gestern bei Ihnen essen, es war köstlich"),
        ("es", "mi mujer ya reservó una mesa para hoy"),
        ("es", "anoche cenamos ahí y estuvo muy rico"),
        ("fr", "ma femme a déjà réservé une table pour ce soir"),
        ("fr", "on a dîné chez vous hier soir, c'était délicieux"),
    ],
)
def test_who_tells_of_a_booking_or_of_yesterday_books_nothing(call, language, said):
    caller = call(language)
    caller.greet()
    caller.say(said)
    form = caller.memory.get("form")
    assert form is None or form["name"] not in ("table", "room", "spa")


def test_a_wish_that_is_not_named_is_told_by_its_values(call):
    caller = call("en")
    caller.greet()
    caller.say("there will be three of us tonight at half past eight")
    assert caller.memory["form"]["name"] == "table"
    assert filled(caller) == {"date": "2026-06-03", "time": "20:30", "party_size": 3}


def test_values_beside_a_question_tell_no_wish(call):
    caller = call("en")
    caller.greet()
    caller.say("what is on the telly for two people at half past eight")
    assert caller.memory.get("form") is None


def test_a_request_holds_what_is_requested(call):
    caller = call("en")
    caller.greet()
    caller.say("could you send up a bowl of soup to room 214 please")
    assert filled(caller) == {"order": "a bowl of soup", "room_number": "214"}


def test_a_request_for_something_asks_for_what(call):
    caller = call("en")
    caller.greet()
    assert "What may we bring you?" in caller.say("could you send up something to room 214 please")
    assert filled(caller) == {"room_number": "214"}


def test_words_that_german_shares_do_not_make_it_english(call):
    caller = call("de")
    caller.greet()
    caller.say("ich möchte meine Reservierung ändern")
    caller.say("eins zwei drei vier fünf")
    caller.say("Anreise am zehnten statt am neunten")
    assert {say.language for say in caller.says} == {"de"}


SCRIPT = """
[script]
name = "shop"
languages = ["en"]
targets = ["desk"]
handoff = "desk"
[intents.bread]
patterns = { en = ["bread + <want>"] }
say = { en = "We have bread." }
unless = { en = ["already have", "already have ... bread"] }
"""


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("I would love some of your bread", True),
        ("we need bread", True),
        ("I already have my bread and like it", False),
        ("about the bread", False),
    ],
)
def test_a_class_of_words_and_what_outweighs_a_pattern(call_with, said, heard):
    caller = call_with(SCRIPT)
    caller.greet()
    assert ("We have bread." in caller.say(said)) is heard


def test_a_class_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ScriptError, match=r"`<wants>` is no class of words; there are .*<want>"):
        parse_script(SCRIPT.replace("<want>", "<wants>"))
