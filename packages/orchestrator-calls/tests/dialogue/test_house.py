"""Opening hours, disclosure and consent: what a tenant adds to a script."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls.dialogue import House, OpeningHours, Span
from orchestrator_calls.responder import Exchange
from orchestrator_kernel.exceptions import ConfigurationError


def at(*when):
    return datetime(*when, tzinfo=UTC)


DESK = OpeningHours({day: (Span(time(9), time(17)),) for day in range(5)}, frozenset({date(2026, 6, 4)}))
NIGHT = datetime(2026, 6, 3, 22, 0, tzinfo=UTC)
CLOSED = House(hours=DESK)
LANGUAGES = ("en", "de", "es", "fr")
TOLD = House(
    disclosure={tag: (f"I am a machine, {tag}.",) for tag in LANGUAGES},
    consent={tag: (f"This call is recorded, {tag}.", f"Say so if you object, {tag}.") for tag in LANGUAGES},
)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (at(2026, 6, 3, 9, 0), True),
        (at(2026, 6, 3, 8, 59, 59), False),
        (at(2026, 6, 3, 16, 59, 59), True),
        (at(2026, 6, 3, 17, 0), False),
        (at(2026, 6, 4, 10, 0), False),
        (at(2026, 6, 6, 10, 0), False),
    ],
)
def test_a_span_holds_from_its_beginning_to_before_its_end(moment, expected):
    assert DESK.is_open(moment) is expected


def test_the_wall_clock_of_the_place_counts():
    berlin = NIGHT.replace(hour=15, minute=30).astimezone(ZoneInfo("Europe/Berlin"))
    assert not DESK.is_open(berlin)
    assert DESK.is_open(NIGHT.replace(hour=15, minute=30))


def test_a_night_shift_and_a_desk_that_never_closes():
    bar = OpeningHours({5: (Span(time(20), time(2)),)})
    assert bar.is_open(datetime(2026, 6, 6, 23, 0, tzinfo=UTC))
    assert bar.is_open(datetime(2026, 6, 7, 1, 59, tzinfo=UTC))
    assert not bar.is_open(datetime(2026, 6, 7, 2, 0, tzinfo=UTC))
    always = OpeningHours({day: (Span(time(0), time(0)),) for day in range(7)})
    assert all(always.is_open(NIGHT + timedelta(minutes=17 * step)) for step in range(600))


def test_the_next_opening_skips_holidays_and_weekends():
    assert DESK.next_opening(NIGHT) == at(2026, 6, 5, 9).replace(tzinfo=None)
    assert DESK.next_opening(NIGHT.replace(day=5)) == at(2026, 6, 8, 9).replace(tzinfo=None)
    assert OpeningHours({}).next_opening(NIGHT) is None


spans = st.builds(Span, st.times(), st.times())
hours = st.builds(
    OpeningHours,
    st.dictionaries(st.integers(0, 6), st.lists(spans, max_size=3).map(tuple), max_size=7),
    st.frozensets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=5),
)


@given(hours=hours, moment=st.datetimes())
def test_somebody_is_there_at_the_next_opening_and_it_lies_ahead(hours, moment):
    opening = hours.next_opening(moment.replace(tzinfo=UTC))
    if opening is not None:
        assert opening > moment
        assert hours.is_open(opening.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("language", "parts"),
    [
        ("en", ("not here", "on Friday, June 5th at 9 am")),
        ("de", ("nicht da", "am Freitag, den 5. Juni um 9 Uhr")),
        ("es", ("no está", "el viernes 5 de junio a las 9 de la mañana")),
        ("fr", ("n'est pas là", "le vendredi 5 juin à 9 heures")),
    ],
)
def test_out_of_hours_the_greeting_says_so_and_when_somebody_is_there(call, language, parts):
    caller = call(language, house=CLOSED, now=NIGHT)
    heard = caller.greet()
    assert all(part in heard for part in parts)
    assert caller.says[-1].text in call(language).greet(), "and what can be done all the same"
    assert not any(part in call(language, house=CLOSED).greet() for part in parts)


@pytest.mark.parametrize(
    ("language", "wish"),
    [
        ("en", "I'd like to speak to a person"),
        ("en", "My room is very dirty"),
        ("en", "this is ridiculous"),
        ("de", "Kann ich bitte mit einem Menschen sprechen"),
        ("es", "quiero hablar con una persona"),
        ("fr", "je voudrais parler à quelqu'un"),
    ],
)
def test_out_of_hours_nobody_is_transferred_and_a_message_is_offered(call, language, wish):
    caller = call(language, house=CLOSED, now=NIGHT)
    heard = caller.say(wish)
    assert caller.end == "open"
    offered = {"en": "message", "de": "Nachricht", "es": "recado", "fr": "message"}
    assert offered[language] in heard
    caller.say({"en": "yes", "de": "ja", "es": "sí", "fr": "oui"}[language])
    assert caller.memory["form"]["name"] == "message"


def test_zero_out_of_hours_offers_a_message_too(call):
    caller = call(house=CLOSED, now=NIGHT)
    assert "message" in caller.press("0")
    assert caller.end == "open"


def test_an_emergency_is_put_through_at_any_hour(call):
    caller = call(house=CLOSED, now=NIGHT)
    assert "112" in caller.say("we need an ambulance")
    assert caller.end.startswith("transfer")


def test_a_caller_who_is_never_understood_out_of_hours_is_not_kept_for_ever(call):
    caller = call(house=CLOSED, now=NIGHT)
    for _ in range(3):
        caller.say("flurb")
    assert "message" in caller.heard
    for _ in range(3):
        caller.say("flurb")
    assert caller.end == "hang_up not_understood"
    assert "Goodbye" in caller.heard


@pytest.mark.parametrize("language", LANGUAGES)
def test_notices_come_right_after_the_name_of_the_house_and_are_journalled(call, language):
    caller = call(language, house=TOLD)
    caller.greet()
    said = [say.text for say in caller.says]
    assert said[1:4] == [
        f"I am a machine, {language}.",
        f"This call is recorded, {language}.",
        f"Say so if you object, {language}.",
    ]
    assert said[0] == call(language).greet()[: len(said[0])]
    assert [(each["kind"], each["language"]) for each in caller.memory["notices"]] == [
        ("disclosure", language),
        ("consent", language),
    ]


def test_notices_are_told_once(call):
    caller = call(house=TOLD)
    caller.greet()
    assert "recorded" not in caller.say("when is breakfast")


def test_a_caller_who_speaks_another_language_is_told_in_that(call):
    caller = call(house=TOLD)
    caller.greet()
    assert "recorded, de" in caller.say("Guten Tag, ich möchte einen Tisch reservieren")
    assert caller.says[0].language == "de"
    assert "recorded" not in caller.say("morgen")
    assert {each["language"] for each in caller.memory["notices"]} == {"en", "de"}


def test_a_notice_that_was_interrupted_is_told_again_once(call):
    caller = call(house=TOLD)
    caller.greet()
    caller.history = [Exchange("", "Hello, this is the front desk. I am a machine, en. This call")]
    heard = caller.say("when is breakfast")
    assert "recorded" in heard
    assert "machine" not in heard
    caller.history = [*caller.history, Exchange("when is breakfast", "This call")]
    assert "recorded" not in caller.say("and where can I park")


def test_a_notice_that_was_heard_is_not_told_again(call):
    caller = call(house=TOLD)
    caller.history = [Exchange("", caller.greet())]
    assert "recorded" not in caller.say("when is breakfast")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "I don't want to be recorded"),
        ("en", "please stop recording"),
        ("de", "Ich möchte nicht, dass das aufgezeichnet wird"),
        ("es", "no quiero que me graben"),
        ("fr", "je ne veux pas être enregistré"),
    ],
)
def test_who_objects_to_the_recording_comes_to_a_person_and_that_is_noted(call, language, said):
    caller = call(language, house=TOLD)
    caller.greet()
    caller.say(said)
    assert caller.end == "transfer operator consent_refused"
    assert caller.steps[0].intent == "consent_refused"
    assert caller.memory["notices"][-1]["kind"] == "consent_refused"


def test_wording_that_lacks_a_language_is_refused(call):
    with pytest.raises(ConfigurationError, match="consent has no wording in es, fr"):
        call(house=House(consent={"en": ("Recorded.",), "de": ("Aufgezeichnet.",)}))
