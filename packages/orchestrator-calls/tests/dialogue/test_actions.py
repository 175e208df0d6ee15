"""What a caller hears of an action: that it is on its way, and then the truth."""

from __future__ import annotations

import re

import pytest

from orchestrator_calls.dialogue import House
from orchestrator_calls.phrases import Phrase
from orchestrator_calls.responder import Act, HangUp, InputKind, Note, Say, TurnInput

ACTIONS = House(actions=frozenset({"book_table", "cancel_reservation", "take_message"}))
TABLE = {
    "en": ("a table for four on Friday at seven under the name Miller", "yes"),
    "de": ("einen Tisch für vier Personen am Freitag um sieben auf den Namen Müller", "ja"),
    "es": ("una mesa para cuatro personas el viernes a las nueve de la noche a nombre de García", "sí"),
    "fr": ("une table pour quatre personnes vendredi à vingt heures au nom de Dupont", "oui"),
}
CLAIMS = {"en": "confirmed", "de": "bestätigt", "es": "confirmada", "fr": "confirmée"}
NO_CONFIRMATION = {"en": "could not confirm", "de": "nicht bestätigen", "es": "No he podido", "fr": "Je n'ai pas pu"}
PERSON = {"en": "A person will call", "de": "ruft Sie", "es": "le llamará", "fr": "vous appellera"}


def confirmed(call, language="en", **more):
    caller = call(language, house=ACTIONS, **more)
    wish, agreed = TABLE[language]
    caller.say(wish)
    caller.say(agreed)
    return caller


@pytest.mark.parametrize("language", TABLE)
def test_a_confirmed_form_is_passed_on_before_anything_is_claimed(call, language):
    caller = confirmed(call, language)
    assert caller.act == Act("book_table", caller.memory["completed"][-1]["slots"])
    assert [type(step) for step in caller.steps[-2:]][0] is Act
    assert len(caller.says) == 1
    assert CLAIMS[language] not in caller.heard
    assert "outcome" not in caller.memory["completed"][-1]


@pytest.mark.parametrize("language", TABLE)
def test_done_is_told_with_the_number_that_came_back(call, language):
    caller = confirmed(call, language)
    heard = caller.outcome("book_table", "done", confirmation_number="AB123")
    assert CLAIMS[language] in heard
    assert "A B 1 2 3" in heard
    assert heard.endswith("?"), "the caller is asked what else"
    (done,) = caller.memory["completed"]
    assert (done["outcome"], done["data"]) == ("done", {"confirmation_number": "AB123"})
    assert "pending" not in caller.memory


@pytest.mark.parametrize("language", TABLE)
def test_done_without_a_number_says_none(call, language):
    heard = confirmed(call, language).outcome("book_table", "done")
    assert CLAIMS[language] in heard
    assert not re.search(r"[{}\[\]]", heard)


@pytest.mark.parametrize("language", TABLE)
def test_refused_is_told_with_the_reason_and_asks_for_what_would_help(call, language):
    caller = confirmed(call, language)
    heard = caller.outcome("book_table", "refused", "fully_booked")
    asked = {"en": "At what time?", "de": "Um wie viel Uhr?", "es": "¿A qué hora?", "fr": "À quelle heure ?"}
    assert heard.endswith(asked[language])
    assert caller.memory["form"]["asking"] == "time"
    caller.say({"en": "eight", "de": "um acht", "es": "a las diez", "fr": "à vingt et une heures"}[language])
    caller.say(TABLE[language][1])
    assert caller.act is not None
    first, second = caller.memory["completed"]
    assert (first["outcome"], first["reason"]) == ("refused", "fully_booked")
    assert first["slots"]["time"] != second["slots"]["time"]
    assert caller.act.arguments == second["slots"]


@pytest.mark.parametrize("language", TABLE)
@pytest.mark.parametrize(("status", "reason"), [("refused", "some code nobody foresaw"), ("refused", "")])
def test_refused_for_an_unknown_reason_is_still_a_refusal(call, language, status, reason):
    heard = confirmed(call, language).outcome("book_table", status, reason)
    word = {"en": "not possible", "de": "nicht möglich", "es": "no es posible", "fr": "pas possible"}[language]
    assert word in heard
    assert CLAIMS[language] not in heard
    assert reason not in heard or not reason


@pytest.mark.parametrize("language", TABLE)
def test_unconfirmed_promises_a_person_and_claims_nothing(call, language):
    caller = confirmed(call, language)
    heard = caller.outcome("book_table", "unconfirmed", "timeout", confirmation_number="AB123")
    assert NO_CONFIRMATION[language] in heard
    assert PERSON[language] in heard
    assert "A B 1" not in heard
    assert caller.memory["completed"][-1]["outcome"] == "unconfirmed"


def test_an_outcome_that_is_missing_counts_as_unconfirmed(call):
    caller = confirmed(call)
    caller.turn(TurnInput(kind=InputKind.OUTCOME, action="book_table"))
    assert "could not confirm" in caller.heard


def test_an_action_that_the_tenant_does_not_have_is_only_noted(call):
    caller = call(house=House(actions=frozenset({"book_room"})))
    caller.say(TABLE["en"][0])
    assert "noted" in caller.say("yes")
    assert caller.act is None


def test_a_caller_who_waits_hears_so_and_may_ask_something_else_meanwhile(call):
    caller = confirmed(call)
    caller.wait(1)
    assert caller.heard == "One moment, please."
    assert "10:30" in caller.say("when is breakfast")
    heard = caller.outcome("book_table", "done", confirmation_number=4711)
    assert "confirmed" in heard
    assert "4 7 1 1" in heard


def test_an_outcome_in_the_middle_of_another_form_comes_back_to_it(call):
    caller = confirmed(call)
    assert "confirmation number" in caller.say("I also want to cancel my reservation")
    heard = caller.outcome("book_table", "done")
    assert heard.startswith("Your table")
    assert "confirmation number" in heard
    caller.say("1 2 3 4 5 6")
    caller.say("yes")
    assert caller.act == Act("cancel_reservation", {"confirmation_number": "123456"})
    assert "too late" in caller.outcome("cancel_reservation", "refused", "too_late")
    assert [done["outcome"] for done in caller.memory["completed"]] == ["done", "refused"]


def test_a_refusal_in_the_middle_of_another_form_lets_that_form_wait(call):
    caller = confirmed(call)
    caller.say("I want to change my reservation 778899")
    assert caller.outcome("book_table", "refused", "fully_booked").endswith("At what time?")
    caller.say("nine")
    caller.say("yes")
    assert "back to your change" in caller.outcome("book_table", "done")


def test_the_outcome_can_be_heard_again(call):
    caller = confirmed(call)
    caller.outcome("book_table", "done", confirmation_number="AB123")
    assert "A B 1 2 3" in caller.say("sorry, can you repeat that")


def test_leaving_before_the_outcome_is_known_claims_nothing(call):
    caller = confirmed(call)
    heard = caller.say("goodbye")
    assert "could not confirm" in heard
    assert "not passed on" not in heard
    assert isinstance(caller.steps[-2], HangUp)


def test_results_that_are_no_words_are_not_spoken(call):
    for value in (None, True, [1], {"a": 1}, "x" * 400, "  "):
        caller = confirmed(call)
        heard = caller.outcome("book_table", "done", confirmation_number=value, other="secret")
        assert "number" not in heard
        assert "secret" not in heard


def test_an_outcome_of_an_action_that_nobody_remembers_is_told_in_general_words(call):
    caller = call(house=ACTIONS)
    assert "done" in caller.outcome("pay_bill", "done")
    assert "not possible" in caller.outcome("pay_bill", "refused", "x")
    assert "could not confirm" in caller.outcome("pay_bill", "unconfirmed")
    assert not any(isinstance(step, Note) for step in caller.steps)


@pytest.mark.parametrize(("status", "reason"), [("refused", "busy"), ("unconfirmed", "")])
@pytest.mark.parametrize("language", TABLE)
def test_a_transfer_that_failed_offers_a_message(call, language, status, reason):
    caller = call(language, house=ACTIONS)
    caller.say({"en": "operator", "de": "Mitarbeiter", "es": "operador", "fr": "opérateur"}[language])
    assert caller.end.startswith("transfer")
    heard = caller.outcome("transfer", status, reason)
    nobody = {
        "en": "nobody could be reached",
        "de": "niemand zu erreichen",
        "es": "localizar a nadie",
        "fr": "personne n'a pu",
    }
    assert nobody[language] in heard
    assert caller.end == "open"
    caller.say(TABLE[language][1])
    caller.say({"en": "my invoice", "de": "meine Rechnung", "es": "mi factura", "fr": "ma facture"}[language])
    caller.say("Costa")
    caller.say(
        {
            "en": "the number I'm calling from",
            "de": "die Nummer, von der ich anrufe",
            "es": "el mismo número",
            "fr": "ce numéro",
        }[language]
    )
    caller.say(TABLE[language][1])
    assert caller.act is not None
    assert caller.act.name == "take_message"
    assert caller.act.arguments["phone"] == "caller"
    assert caller.act.arguments["name"] == "Costa"


def test_a_failed_transfer_that_is_declined_goes_back_to_the_form(call):
    caller = call(house=ACTIONS)
    caller.say("a table for two tomorrow")
    caller.say("can I talk to someone")
    caller.outcome("transfer", "refused", "no_answer")
    assert "At what time" in caller.say("no thanks")


def test_a_transfer_that_succeeded_says_nothing(call):
    caller = call(house=ACTIONS)
    caller.outcome("transfer", "done")
    assert caller.says == []


def test_the_runtimes_own_words_are_the_scripts_and_change_while_the_caller_waits(call):
    responder = call().responder
    waiting = [responder.phrase("house", "fr-CA", Phrase.WAITING, count) for count in (1, 2, 3, 9)]
    assert waiting == [
        "Un instant, s'il vous plaît.",
        "Je m'en occupe toujours.",
        "Merci de patienter.",
        "Merci de patienter.",
    ]
    for phrase in Phrase:
        assert len({responder.phrase("house", tag, phrase, 1) for tag in ("en", "de", "es", "fr")}) == 4


def test_the_filler_keeps_the_region_of_the_line(call):
    caller = call()
    assert caller.responder.filler("de-AT") == Say("Einen Moment, bitte.", "de-AT")
    assert caller.responder.filler("it") == Say("One moment, please.", "en")
