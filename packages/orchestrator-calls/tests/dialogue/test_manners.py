"""What surrounds the values: introductions, agreement, thanks, questions about the house, and requests for several things."""

from __future__ import annotations

import pytest

from orchestrator_calls.dialogue._lexicon import Kind, build_lexicons
from orchestrator_calls.dialogue._listening import Utterance
from orchestrator_calls.dialogue._names import introduced, read_name
from orchestrator_calls.dialogue._spelling import Spelling

LEXICONS = build_lexicons(["en", "de", "es", "fr"])
TABLE = {
    "en": "a table for Friday at eight for four",
    "de": "einen Tisch für Freitag um acht für vier",
    "es": "una mesa para el viernes a las nueve para cuatro",
    "fr": "une table vendredi à vingt heures pour quatre",
}
NAMED = {
    "en": f"{TABLE['en']} under the name of King",
    "de": f"{TABLE['de']} auf den Namen Koch",
    "es": f"{TABLE['es']} a nombre de Gil",
    "fr": f"{TABLE['fr']} au nom de Roy",
}
HOW_MANY = {
    "en": "a table for Friday at eight",
    "de": "einen Tisch für Freitag um acht",
    "es": "una mesa para el viernes a las nueve",
    "fr": "une table vendredi à vingt heures",
}


def pairs(said):
    return [(language, each) for language, sentences in said.items() for each in sentences]


def after(call, language, *turns):
    caller = call(language)
    caller.greet()
    for turn in turns:
        caller.say(turn)
    return caller


def slots(caller):
    form = caller.memory.get("form")
    return form["slots"] if form else {}


NO_NAMES = {
    "en": ["quite right", "oh lovely", "right you are", "sure, that's it", "no worries", "oh, is it far from the station", "it's fine"],
    "de": ["ganz recht", "ja freilich", "ach so ja", "das ist recht so", "tipptopp", "ach, und kann man da parken"],
    "es": ["así es", "listo pues", "ay qué bueno", "con mucho gusto", "sí señora cómo no", "ah, y tienen parqueadero"],
    "fr": ["tout à fait exact", "ah d'accord très bien", "oh c'est gentil", "c'est parfait merci", "et est-ce qu'on peut se garer"],
}  # fmt: skip


@pytest.mark.parametrize(("language", "said"), pairs(NO_NAMES))
def test_agreement_and_questions_are_no_name(call, language, said):
    caller = after(call, language, TABLE[language], said)
    assert caller.memory["form"]["name"] == "table"
    assert "name" not in slots(caller)


def test_a_question_instead_of_the_name_is_answered(call):
    caller = after(call, "en", TABLE["en"], "oh and is there somewhere we can park")
    assert "garage" in caller.heard
    assert "Under what name" in caller.heard


@pytest.mark.parametrize(
    ("language", "said", "name"),
    [
        ("en", "oh sorry, McAllister", "McAllister"),
        ("en", "well it's Young", "Young"),
        ("en", "Will Smith", "Will Smith"),
        ("de", "die Frau Obermaier", "Frau Obermaier"),
        ("de", "ja sicher, der Name ist Wolf", "Wolf"),
        ("es", "la señora García", "señora García"),
        ("es", "sí mi amor, Pérez", "Pérez"),
        ("fr", "oui bien sûr, Lambert", "Lambert"),
        ("fr", "la famille Dubois", "famille Dubois"),
        ("en", "my name is Good", "Good"),
        ("en", "good g o o d", "good"),
        ("de", "mein Name ist Recht", "Recht"),
        ("es", "de apellido Bueno", "Bueno"),
        ("fr", "au nom de Parfait", "Parfait"),
    ],
)
def test_a_name_stands_after_agreement_and_titles(call, language, said, name):
    assert slots(after(call, language, TABLE[language], said))["name"] == name


@pytest.mark.parametrize(
    ("language", "said", "name"),
    [
        ("en", "brennan b r e double n a n", "brennan"),
        ("en", "bennet b e double n e double t", "Bennett"),
        ("en", "brennan b r e", "brennan"),
        ("en", "brown b r o double u n", "brown"),
        ("de", "hofman h o doppel f m a doppel n", "Hoffmann"),
        ("es", "castilo ce a ese te i doble ele o", "Castillo"),
        ("fr", "bonet b o deux n e t", "Bonnet"),
    ],
)
def test_letters_that_are_doubled_spell_a_name(language, said, name):
    utterance = Utterance.read(said, LEXICONS[language])
    assert read_name(utterance, 0, len(utterance.tokens)) == name


INTRODUCTIONS = [
    ("en", "hi Miller here, we need a table", "Miller"),
    ("en", "Good morning, Jenny Walsh speaking", "Jenny Walsh"),
    ("en", "hello this is Mrs Patel and I need a room", "Mrs Patel"),
    ("en", "this is urgent, I need a table", ""),
    ("en", "hiya here is the thing", ""),
    ("en", "room twelve here", ""),
    ("de", "moin hinrichsen hier meine frau und ich machen ne radtour", "hinrichsen"),
    ("de", "Grüß Sie Gott, hier spricht die Frau Obermaier", "die Frau Obermaier"),
    ("de", "ich bin der Herr Huber und bräuchte ein Zimmer", "der Herr Huber"),
    ("de", "ich bin nächste Woche in der Stadt", ""),
    ("de", "hier stinkt es", ""),
    ("es", "buenas, Gómez al habla", "Gómez"),
    ("es", "le habla la señora Ospina", "la señora Ospina"),
    ("es", "aquí huele raro y quiero una mesa", ""),
    ("fr", "Bonjour, Lambert à l'appareil", "Lambert"),
    ("fr", "c'est monsieur Rochat, une table pour quatre", "monsieur Rochat"),
    ("fr", "famille Gagnon ici, table pour cinq", "famille Gagnon"),
    ("fr", "ici ça sent mauvais", ""),
]


@pytest.mark.parametrize(("language", "said", "name"), INTRODUCTIONS)
def test_who_opens_with_a_name_has_said_it(language, said, name):
    utterance = Utterance.read(said, LEXICONS[language])
    place = introduced(utterance)
    assert (utterance.said(*place) if place else "") == name


def test_a_name_said_at_the_beginning_is_not_asked_again(call):
    caller = after(call, "de", "moin Petersen hier, einen Tisch für Freitag um acht zu zweit")
    assert slots(caller)["name"] == "Petersen"
    assert "Ist das richtig" in caller.heard


AGREED = {
    "en": ["yes, thanks a million", "one hundred percent", "yes, two thumbs up", "perfect, one more thing"],
    "de": ["ja tausend Dank", "ganz recht", "jo eins a", "hundertprozentig", "ja, eine Frage noch"],
    "es": ["sí, mil gracias", "cien por cien", "de una", "sí, un abrazo", "listo, una última cosa"],
    "fr": ["oui, c'est bien ça, un grand merci", "mille mercis c'est parfait", "cent pour cent", "oui, une dernière question"],
}  # fmt: skip


@pytest.mark.parametrize(("language", "said"), pairs(AGREED))
def test_thanks_change_no_number(call, language, said):
    (noted,) = after(call, language, NAMED[language], said).memory["completed"]
    assert noted["slots"]["party_size"] == 4


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "alright I'll call back later"),
        ("de", "gut, ich rufe später nochmal an"),
        ("es", "bueno, llamo luego"),
        ("fr", "bon, je rappelle plus tard"),
    ],
)
def test_who_calls_back_later_has_agreed_to_nothing(call, language, said):
    caller = after(call, language, NAMED[language], said)
    assert not caller.memory.get("completed")
    assert caller.end.startswith("hang_up")


@pytest.mark.parametrize(
    ("language", "said"), [("en", "no, five"), ("de", "ja, aber zu fünft"), ("es", "no, cinco"), ("fr", "non, cinq")]
)
def test_a_number_changes_it_all_the_same(call, language, said):
    caller = after(call, language, NAMED[language], said)
    assert slots(caller)["party_size"] == 5
    assert not caller.memory.get("completed")


COUNTED = {
    ("en", "total eight members"): 8, ("en", "we are total seven members"): 7, ("en", "two couples"): 4, ("en", "nine, two of them kids"): 9,
    ("en", "one moment please"): None, ("en", "one quick question"): None,
    ("de", "zwei Pärchen"): 4, ("de", "sechs Leutchen"): 6, ("de", "neun, davon zwei Kinder"): 9, ("de", "eine kurze Frage"): None,
    ("es", "una sola"): 1, ("es", "seis personitas"): 6, ("es", "nueve, dos de ellos niños"): 9, ("es", "un momentico por favor"): None,
    ("fr", "une seule"): 1, ("fr", "un total de huit"): 8, ("fr", "neuf dont deux enfants"): 9, ("fr", "une petite question"): None,
}  # fmt: skip


@pytest.mark.parametrize("case", COUNTED)
def test_what_counts_people_and_what_does_not(call, case):
    language, said = case
    assert slots(after(call, language, HOW_MANY[language], said)).get("party_size") == COUNTED[case]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("fr", "je voudrais réserver pour un dîner"),
        ("fr", "une table pour un anniversaire"),
        ("es", "una mesa para una cena"),
        ("es", "una mesa para un cumpleaños"),
    ],
)
def test_an_article_counts_nobody(language, said):
    assert [m for m in Utterance.read(said, LEXICONS[language]).mentions if m.kind is Kind.PARTY] == []


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "a room for Friday, two nights"),
        ("de", "ein Zimmer für Freitag zwei Nächte"),
        ("es", "una habitación para el viernes dos noches"),
        ("fr", "une chambre pour vendredi deux nuits"),
    ],
)
def test_nights_are_no_day_of_the_month(call, language, said):
    found = slots(after(call, language, said))
    assert (found["check_in"], found["check_out"]) == ("2026-06-05", "2026-06-07")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "we are coming with two kids and need a room for Friday, one night"),
        ("de", "wir kommen mit zwei Kindern und brauchen ein Zimmer von Freitag bis Montag"),
        ("es", "vamos con dos niños, necesitamos una habitación del viernes al lunes"),
        ("fr", "on vient avec deux enfants, il nous faut une chambre vendredi pour deux nuits"),
    ],
)
def test_who_comes_with_children_is_asked_how_many_all_are(call, language, said):
    caller = after(call, language, said)
    assert "check_out" in slots(caller)
    assert "guests" not in slots(caller)


RULES = {
    "en": ["are dogs allowed in the restaurant", "do we have to wear a tie for dinner", "may I bring the dog into the room", "do I need a jacket for the restaurant",
           "is there a dress code for dinner", "I was just wondering if dogs are welcome at the restaurant", "can we bring our own wine to dinner", "is lunch included", "is it possible to have dinner in the room"],
    "de": ["darf man bei Ihnen den Hund mit ins Restaurant nehmen", "sind Hunde im Restaurant erlaubt", "braucht man zum Essen ein Sakko",
           "kann ich mit Turnschuhen ins Restaurant", "ich möchte wissen, ob der Hund mit ins Restaurant darf", "darf man im Zimmer rauchen", "gibt es im Restaurant Kinderstühle", "ist das Abendessen inklusive"],
    "es": ["se puede ir con perro al restaurante", "hay que llevar corbata para cenar", "puedo entrar al restaurante en bermudas", "aceptan mascotas en las habitaciones",
           "quería saber si puedo llevar al perro al restaurante", "tienen tronas en el restaurante", "se puede cenar en la habitación", "tienen comida vegana en el restaurante"],
    "fr": ["est-ce qu'il faut une cravate pour manger chez vous", "est-ce que les chiens sont acceptés au restaurant", "peut-on venir dîner avec un chien",
           "est-ce qu'on peut venir manger en short", "je voulais savoir si mon chien peut venir au restaurant", "on peut fumer dans la chambre", "peut-on dîner dans la chambre"],
}  # fmt: skip


@pytest.mark.parametrize(("language", "said"), pairs(RULES))
def test_who_asks_what_is_allowed_books_nothing(call, language, said):
    caller = after(call, language, said)
    assert caller.memory.get("form") is None
    assert caller.heard.split()[0] in {"I", "Das", "Eso", "Cela,"}


WISHES = {
    "en": ["can I book a table and bring my dog", "we'd like a table for two, are dogs allowed"],
    "de": ["darf ich einen Tisch für zwei bestellen", "wir möchten einen Tisch für zwei, darf der Hund mit"],
    "es": ["puedo reservar una mesa para dos", "quiero una mesa para dos, aceptan perros"],
    "fr": ["peut-on réserver une table pour deux", "je voudrais une table pour deux, les chiens sont acceptés"],
}


@pytest.mark.parametrize(("language", "said"), pairs(WISHES))
def test_who_asks_beside_a_wish_books_all_the_same(call, language, said):
    assert after(call, language, said).memory["form"]["name"] == "table"


NOTHING = {
    "en": ["i would not like to reserve, only asking"],
    "de": ["nein ich will nichts reservieren ich wollts bloß wissen", "ich will gar nichts buchen, nur fragen"],
    "es": ["no quiero reservar nada, solo quería saber", "no es para reservar, solo quería saber"],
    "fr": ["non non je réserve pas, je voulais juste savoir", "je ne réserve pas, je me renseigne"],
}


@pytest.mark.parametrize(("language", "said"), pairs(NOTHING))
def test_who_wants_nothing_is_asked_for_no_booking(call, language, said):
    caller = after(call, language, said)
    assert caller.memory.get("form") is None
    assert caller.memory.get("menu") in (None, "")


ORDERS = {
    "en": {
        "can i get two bathrobes and a bottle of sparkling water to room 214": "two bathrobes and a bottle of sparkling water",
        "room 5 could we have three towels, a pillow and some soap please": "three towels, a pillow and some soap",
        "we need two more pillows in 118 and the sink is blocked": "two more pillows",
    },
    "de": {
        "Zimmer 218, könnten Sie uns zwei Bademäntel und eine Flasche Sprudel hochbringen": "zwei Bademäntel und eine Flasche Sprudel",
        "Zimmer 12, bitte zwei Handtücher, ein Kissen und noch eine Decke": "zwei Handtücher, ein Kissen und noch eine Decke",
        "Zimmer 18, ein Bügeleisen und ein Bügelbrett hätten wir gern": "ein Bügeleisen und ein Bügelbrett",
        "ein Babybett in Zimmer 31 bitte, wir kommen um sechs": "ein Babybett",
    },
    "es": {
        "nos suben una botella de agua con gas y dos copas a la 301": "una botella de agua con gas y dos copas",
        "habitación 20, dos cafés, un zumo de naranja y tres croissants": "dos cafés, un zumo de naranja y tres croissants",
    },
    "fr": {
        "la chambre 123 on pourrait avoir deux chocolats chauds et une couverture en plus": "deux chocolats chauds et une couverture en plus",
        "la chambre 8, il nous faudrait trois serviettes, un oreiller et du savon": "trois serviettes, un oreiller et du savon",
        "il me faudrait une serviette et le petit déjeuner c'est à quelle heure, chambre 7": "une serviette",
    },
}


@pytest.mark.parametrize(
    ("language", "said", "order"),
    [(language, said, order) for language, each in ORDERS.items() for said, order in each.items()],
)
def test_all_things_of_a_request_are_noted(call, language, said, order):
    caller = after(call, language, said)
    assert slots(caller)["order"] == order
    assert slots(caller)["room_number"] in said


@pytest.mark.parametrize(
    ("language", "said", "form"),
    [
        ("en", "kindly do the needful and arrange one table for tonight", "table"),
        ("de", "wären Sie so lieb und würden mir einen Tisch für morgen reservieren", "table"),
        ("es", "qué pena con usted será que me puede agendar un masajito para el martes", "spa"),
        ("es", "me regala una mesita para cuatro el sábado", "table"),
        ("es", "será que me puede separar un cuartico para esta noche", "room"),
        ("fr", "auriez-vous l'amabilité de me réserver une table pour samedi", "table"),
        ("fr", "je désire retenir une table pour samedi", "table"),
    ],
)
def test_politeness_around_a_wish_hides_it_not(call, language, said, form):
    assert after(call, language, said).memory["form"]["name"] == form


def test_a_diminutive_is_its_word():
    spelling = Spelling(["masaje", "mesa", "rosa"], diminutives={"ito": ("o", "e", ""), "ita": ("a",)})
    assert spelling.mend("masajito") == ("masaje",)
    assert spelling.mend("mesita") == ("mesa",)
    assert spelling.mend("bonita") == ("bonita",)


@pytest.mark.parametrize(
    ("language", "said", "date"),
    [
        ("en", "a table for tomorrow no for saturday", "2026-06-06"),
        ("en", "a table for friday sorry saturday", "2026-06-06"),
        ("en", "a table for saturday not friday", "2026-06-06"),
        ("de", "ich wollte für übermorgen nein für samstag einen tisch", "2026-06-06"),
        ("de", "einen tisch für freitag quatsch samstag", "2026-06-06"),
        ("de", "einen tisch am samstag nicht am freitag", "2026-06-06"),
        ("es", "una mesa para mañana perdón para el sábado", "2026-06-06"),
        ("es", "una mesa para el sábado no el viernes", "2026-06-06"),
        ("fr", "une table pour demain non pour samedi", "2026-06-06"),
        ("fr", "une table samedi pas vendredi", "2026-06-06"),
        ("de", "einen tisch am donnerstag nächste woche", "2026-06-11"),
        ("de", "einen tisch in der kommenden woche am donnerstag", "2026-06-11"),
        ("de", "einen tisch am donnerstag der nächsten woche", "2026-06-11"),
    ],
)
def test_a_day_that_is_taken_back_gives_way_to_the_one_after_it(call, language, said, date):
    assert slots(after(call, language, said))["date"] == date
