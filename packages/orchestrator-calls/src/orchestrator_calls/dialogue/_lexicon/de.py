"""German."""

from __future__ import annotations

from datetime import date, time

from orchestrator_calls.dialogue._lexicon import _manners
from orchestrator_calls.dialogue._lexicon._german_rules import RULES
from orchestrator_calls.dialogue._lexicon._model import Language, Part
from orchestrator_calls.dialogue._lexicon._vocabulary import GERMAN

__all__ = ["language"]

_SMALL = "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn"
_UNITS = tuple(_SMALL.split())
_TENS = ["-", "-", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"]
_STEMS = "- erst zweit dritt viert fünft sechst siebt acht neunt zehnt elft zwölft dreizehnt vierzehnt fünfzehnt sechzehnt siebzehnt achtzehnt neunzehnt"
_ORDINAL_STEMS = tuple(_STEMS.split())
_WEEKDAYS = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag")
_MONTHS = (
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
)
_OTHER_MONTHS = {1: ("Jänner",), 2: ("Feber",), 6: ("Juno",), 7: ("Julei",)}
_DAY_PARTS = ("Morgen", "Vormittag", "Mittag", "Nachmittag", "Abend", "Nacht")


def _below_hundred(n: int) -> str:
    if n < 20:
        return _UNITS[n]
    unit = n % 10
    head = "" if unit == 0 else ("ein" if unit == 1 else _UNITS[unit]) + "und"
    return head + _TENS[n // 10]


def _numbers(n: int) -> tuple[str, ...]:
    if n == 2:
        return ("zwei", "zwo")
    if n < 100:
        return (_below_hundred(n),)
    unit = _UNITS[n // 100]
    heads = ("einhundert", "hundert") if n < 200 else (f"{unit}hundert",)
    rest = _below_hundred(n % 100) if n % 100 else ""
    return tuple(head + rest for head in heads)


def _ordinals(day: int) -> tuple[str, ...]:
    stem = _ORDINAL_STEMS[day] if day < 20 else _below_hundred(day) + "st"
    return tuple(stem + ending for ending in ("e", "en", "er", "em"))


def _say_date(day: date, with_year: bool) -> str:  # noqa: FBT001 - called through a field
    said = f"{_WEEKDAYS[day.weekday()]}, den {day.day}. {_MONTHS[day.month - 1]}"
    return f"{said} {day.year}" if with_year else said


def _say_time(at: time) -> str:
    return f"{at.hour} Uhr {at.minute}" if at.minute else f"{at.hour} Uhr"


def _say_people(count: int) -> str:
    return "1 Person" if count == 1 else f"{count} Personen"


def _say_nights(count: int) -> str:
    return "1 Nacht" if count == 1 else f"{count} Nächte"


_EXPAND = {
    **{f"{day}{part}": f"{day} {part}" for day in _WEEKDAYS for part in _DAY_PARTS},
    "gibt's": "gibt es",
    "gibts": "gibt es",
    "geht's": "geht es",
    "gehts": "geht es",
    "hab": "habe",
    "hätt": "hätte",
    "möcht": "möchte",
    "brauch": "brauche",
    "nen": "einen",
    "ne": "eine",
    "ner": "einer",
    "dreiviertel": "drei viertel",
    **{f"{stem}ertisch": f"tisch für {stem}" for n, stem in enumerate(_UNITS) if 2 <= n <= 12},
    "stimmts": "stimmt es",
    "passts": "passt es",
    "ists": "ist es",
    "wars": "war es",
    "wärs": "wäre es",
    "wär": "wäre",
    "würd": "würde",
    "wollt": "wollte",
    "nem": "einem",
    "wenn's": "wenn es",
    "wenns": "wenn es",
    "tschüssi": "tschüss",
    "jawoll": "jawohl",
    "tschüssle": "tschüss",
    "bräucht": "bräuchte",
    "könnt": "könnte",
    "mach": "mache",
    "nehm": "nehme",
    "net": "nicht",
    "nich": "nicht",
    "ham": "haben",
    "auf'n": "auf den",
    "übers": "über das",
    "fürs": "für das",
    "heut": "heute",
    "des": "das",
    "ned": "nicht",
}


_FILLERS = (
    "äh",
    "ähm",
    "öhm",
    "ehm",
    "hm",
    "hmm",
    "also",
    "eigentlich",
    "halt",
    "tja",
    "sozusagen",
    "quasi",
    "irgendwie",
    "naja",
    "na ja",
    "ach",
    "och",
    "gell",
    "sagen wir mal",
    "wenn das geht",
    "wenn es geht",
    "wissen sie",
    "freundlicherweise",
    "wenn es ihnen nichts ausmacht",
    "entschuldigen sie die störung",
    "entschuldigung für die störung",
    "wären sie so lieb",
    "wären sie so nett",
    "wären sie so freundlich",
)
_COMMON = (
    "der die das und ist nicht ich sie wir ihr ein eine einen einer mit für auf bei von zum zur haben hätte möchte möchten würde "
    "gerne gern bitte danke guten tag morgen abend hallo ja nein kein keine wie wann wo was welche gibt es mein meine name "
    "zimmer tisch reservieren buchen brauche brauchen heute uhr personen heiße sprechen sprich kann können noch auch dem den des bin "
    "sind wollen will etwas jemand"
)
_PARTS = (
    (Part.AM, "(morgens|vormittags|vormittag|früh|in der früh|am morgen|am vormittag)"),
    (Part.PM, "(mittags|nachmittags|abends|mittag|nachmittag|abend|am mittag|am nachmittag|am abend)"),
    (Part.NIGHT, "(nachts|in der nacht)"),
)
_YES = (
    "(ja|jawohl|jap|jo|joa|genau|richtig|korrekt|stimmt|gern|gerne|natürlich|klar|selbstverständlich|sicher|perfekt|okay|ok|passt|super|prima|wunderbar|bestens|einverstanden|hervorragend|basst|gewiss|allerdings|zweifellos|freilich|eh)",
    "(das|so|jetzt|dann|alles) (stimmt|passt|ist richtig|ist korrekt|ist gut|ist ok|ist okay)",
    "((die|der|das) ist (es|sie|er)|(so|bitte|gerne) weitergeben|geben sie [es|das] [so] weiter|wenn es keine umstände macht|genau (die|der|das|den)|machen sie das|ich bitte darum|wenn sie so (nett|lieb|gut|freundlich) wären|seien sie so (nett|gut|lieb)|das wäre (nett|toll|super|schön|gut|lieb|klasse|prima)|(können|könnten) (wir|sie) so machen|machen wir so|so machen wir es|so machen wir das|wird gemacht|von mir aus|warum nicht|alles bestens|alles gut|alles okay|einwandfrei|freilich|logisch|logo|klaro|top|toll|klasse|spitze|exakt|absolut|definitiv|unbedingt|so ist es|so isses|sehr schön|so ist recht|tun sie das|genau so|ganz recht|ganz richtig|ganz genau|recht so|so ist es recht|völlig richtig|vollkommen richtig|hundert prozent|hundertprozentig|tausend dank|tipptopp|ja bitte|kein problem|gut|in ordnung|alles klar|alles richtig|sehr gerne|sehr gut|auf jeden fall)",
)
_NO = (
    "nein (danke|danke schön|vielen dank)",
    "(nein|nichts|nee|nö|falsch|nicht|keinesfalls|nein danke)",
    "[das|so] [stimmt|passt|ist] [so|ganz] nicht [ganz|so] [richtig|korrekt]",
    "(das|da) (ist|war) (falsch|nicht richtig)",
)
_LEAD_INS = (
    "(der name wäre|mein name wäre|name wäre|nachname ist|nachname wäre|nachname|familienname)",
    "[und zwar|ja] (schreiben sie|nehmen sie|notieren sie|das läuft auf|läuft auf|das geht auf)",
    "[ja|gut|okay|ok] (mein|der) (name|nachname|familienname|vorname) (ist|wäre|lautet)",
    "[ja|gut|okay|ok] (ich (heiße|bin)|das (ist|wäre)|es ist|hier (ist|spricht))",
    "[und zwar] (auf|unter) (den|dem|meinen) namen [von]",
    "[und zwar] (auf|unter) namen",
    "[ja|gut|okay] (ich (möchte|hätte gern|hätte gerne|brauche|will|bräuchte|würde gern|würde gerne)|wir (möchten|hätten gern|hätten gerne|brauchen|bräuchten)|(können|könnten) sie mir)",
    "(auf|name)",
)
_CALLED = {
    "date": ("(datum|tag)",),
    "time": ("(uhrzeit|zeit)",),
    "party_size": ("(anzahl|personenzahl|personen|gäste|wie viele|zahl der (personen|gäste))",),
    "phone": ("(telefonnummer|handynummer|rufnummer|nummer)",),
    "code": ("(code|nummer|reservierungsnummer|bestätigungsnummer|buchungsnummer)",),
    "room": ("(zimmer|zimmernummer)",),
    "name": ("(name|namen)",),
}
_OWN_NUMBER = (
    "(diese|dieser|diesen|dieselbe|gleiche|meine|meiner) (nummer|telefonnummer|handynummer|rufnummer)",
    "(nummer|der|die|handy) (von der|mit der|mit dem|von dem) ich [gerade|jetzt] anrufe",
    "sie (haben|sehen) [ja] (meine|die) nummer",
    "unter dieser",
)
_EXAMPLES = {
    "date": "am Freitag",
    "time": "um halb acht",
    "party_size": "vier Personen",
    "number": "vier",
    "phone": "fünf fünf fünf eins zwei drei vier fünf",
    "room": "vier eins zwei",
    "code": "A B eins zwei drei vier fünf sechs",
    "name": "Müller",
    "text": "Müller",
    "yes_no": "ja",
}


def language() -> Language:
    """German as it is spoken on the telephone."""
    return Language(
        tag="de",
        names={"de": ("Deutsch",), "en": ("Englisch",), "es": ("Spanisch",), "fr": ("Französisch",)},
        expand=_EXPAND,
        suffixes={"s": "es", "n": "einen", "ne": "eine"},
        fillers=_FILLERS,
        umlauts=True,
        compounds=True,
        common=_COMMON,
        numbers=_numbers,
        thousand="tausend",
        extra_numbers={"ein dutzend": 12, "ein halbes dutzend": 6, "halbes dutzend": 6},
        ones=("ein", "eine", "einen", "einer", "einem"),
        double=("doppel", "zweimal"),
        ordinals=_ordinals,
        ordinal_marks=(),
        weekdays=tuple((day, *(("Sonnabend",) if day == "Samstag" else ())) for day in _WEEKDAYS),
        months=tuple((month, *_OTHER_MONTHS.get(number, ())) for number, month in enumerate(_MONTHS, 1)),
        rules=RULES,
        parts=_PARTS,
        yes=_YES,
        no=_NO,
        carriers="am um für den dem der die das gegen ab zum diesen diesem kommenden nächsten bis von vom auf zu so",
        negations=("nicht", "nein", "kein", "keine"),
        lead_ins=_LEAD_INS,
        polite="bitte bitteschön danke",
        stops="buchstabiere buchstabiert geschrieben mit wie ich bitte und für am um ab bis mit heute morgen übermorgen nächsten zu aber danke vom das ist",
        called=_CALLED,
        changes=("(ändern|korrigieren|ändere|korrigiere|anders|andere|anderen|anderes)", "(das|es) (soll|sollte|muss)"),
        speaking="auf sprechen sprichst spricht in",
        everything=("(alles|von vorn|von vorne|noch (mal|einmal) von vorn|noch (mal|einmal) von vorne)",),
        corrections="nein nee nö nicht moment entschuldigung doch lieber besser sagen wir ich meine quatsch halt warten sie oder sorry pardon",
        spelled_as=("wie",),
        no_names="der die das dem den ein eine einen einem einer jeden keinen alle wiedersehen wiederhören deutsch englisch",
        own_number=_OWN_NUMBER,
        examples=_EXAMPLES,
        vocabulary=GERMAN,
        manners=_manners.GERMAN,
        say_date=_say_date,
        say_time=_say_time,
        say_people=_say_people,
        say_nights=_say_nights,
        say_yes_no=("ja", "nein"),
        say_own_number="der Nummer, von der Sie anrufen",
    )
