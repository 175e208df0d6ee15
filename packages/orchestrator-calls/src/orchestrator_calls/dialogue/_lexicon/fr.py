"""French."""

from __future__ import annotations

from datetime import date, time

from orchestrator_calls.dialogue._lexicon import _manners
from orchestrator_calls.dialogue._lexicon._model import (
    Language,
    Part,
    Rule,
    date_,
    day_after,
    feast,
    nights,
    party,
    range_,
    time_,
)
from orchestrator_calls.dialogue._lexicon._vocabulary import FRENCH

__all__ = ["language"]

_SMALL = [
    "zéro",
    "un",
    "deux",
    "trois",
    "quatre",
    "cinq",
    "six",
    "sept",
    "huit",
    "neuf",
    "dix",
    "onze",
    "douze",
    "treize",
    "quatorze",
    "quinze",
    "seize",
    "dix-sept",
    "dix-huit",
    "dix-neuf",
]
_TENS = {20: ("vingt",), 30: ("trente",), 40: ("quarante",), 50: ("cinquante",), 60: ("soixante",)}
_SWISS_TENS = {70: ("septante",), 80: ("huitante", "octante"), 90: ("nonante",)}
_WEEKDAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_MONTHS = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)


def _regular(n: int, tens: tuple[str, ...]) -> tuple[str, ...]:
    unit = n % 10
    if unit == 0:
        return tens
    if unit == 1:
        return tuple(f"{ten} et {one}" for ten in tens for one in ("un", "une"))
    return tuple(f"{ten} {_SMALL[unit]}" for ten in tens)


def _below_hundred(n: int) -> tuple[str, ...]:
    if n < 20:
        return (_SMALL[n],)
    if n < 70:
        return _regular(n, _TENS[n // 10 * 10])
    swiss = _regular(n, _SWISS_TENS[n // 10 * 10])
    if n < 80:
        joint = " et " if n == 71 else " "
        return (f"soixante{joint}{_SMALL[n - 60]}", *swiss)
    if n == 80:
        return ("quatre-vingts", "quatre-vingt", *swiss)
    units = ("un", "une") if n == 81 else (_SMALL[n - 80],)
    return (*(f"quatre-vingt {unit}" for unit in units), *swiss)


def _numbers(n: int) -> tuple[str, ...]:
    if n < 100:
        return _below_hundred(n)
    heads = ("cent",) if n < 200 else (f"{_SMALL[n // 100]} cent", f"{_SMALL[n // 100]} cents")
    if n % 100 == 0:
        return heads
    return tuple(f"{head} {rest}" for head in heads for rest in _below_hundred(n % 100))


def _ordinals(day: int) -> tuple[str, ...]:
    return ("premier",) if day == 1 else ()


def _say_date(day: date, with_year: bool) -> str:  # noqa: FBT001 - called through a field
    number = "1er" if day.day == 1 else str(day.day)
    said = f"{_WEEKDAYS[day.weekday()]} {number} {_MONTHS[day.month - 1]}"
    return f"{said} {day.year}" if with_year else said


def _say_time(at: time) -> str:
    if at == time(12, 0):
        return "midi"
    if at == time(0, 0):
        return "minuit"
    hours = f"{at.hour} heure{'s' if at.hour > 1 else ''}"
    return f"{hours} {at.minute}" if at.minute else hours


def _say_people(count: int) -> str:
    return "1 personne" if count == 1 else f"{count} personnes"


def _say_nights(count: int) -> str:
    return "1 nuit" if count == 1 else f"{count} nuits"


def _times() -> tuple[Rule, ...]:
    return (
        time_("{h1} (heure|heures|h) [{m}]"),
        time_("{h1} (heure|heures|h) {m5}"),
        time_("{h1} (heure|heures|h) et (demie|demi)", minutes=30),
        time_("{h1} (heure|heures|h) [et] quart", minutes=15),
        time_("{h1} (heure|heures|h) moins [le] quart", minutes=-15),
        time_("{h1} (heure|heures|h) moins {m5}", sign=-1),
        time_("{clock}"),
        time_("(à|vers) {h}", firm=False),
        time_("{h} et (demie|demi)", minutes=30),
        time_("{h} {m}", firm=False),
        time_("(aux alentours de|autour de|environ|sur les|dans les) {h} [heures]", firm=False),
        time_("{h} moins [le] quart", minutes=-15, firm=False),
        time_("{h} et quart", minutes=15, firm=False),
        time_("midi", fixed=720),
        time_("midi et (demi|demie)", fixed=750),
        time_("midi et quart", fixed=735),
        time_("midi moins [le] quart", fixed=705),
        time_("minuit et (demi|demie)", fixed=30),
        time_("minuit", fixed=0),
    )


def _days() -> tuple[Rule, ...]:
    return (
        date_("(hier soir|avant-hier|l'autre jour|hier (matin|midi))", days=-1),
        date_("{weekday} dernier", days=-7),
        date_("(la semaine dernière|il y a {n1} (jours|semaines))", days=-7),
        date_("hier", days=-1),
        date_("aujourd'hui", days=0),
        date_("(tout de suite|maintenant)", days=0, firm=False),
        date_("ce matin", days=0, part=Part.AM),
        date_("(ce soir|cet après-midi|cette nuit)", days=0, part=Part.PM),
        date_("demain", days=1),
        date_("demain matin", days=1, part=Part.AM),
        date_("demain (soir|après-midi)", days=1, part=Part.PM),
        date_("après-demain", days=2),
        date_("après-demain matin", days=2, part=Part.AM),
        date_("après-demain (soir|après-midi)", days=2, part=Part.PM),
        date_("{weekday} [prochain|qui vient]"),
        date_("{weekday} [prochain|qui vient] matin", part=Part.AM),
        date_("{weekday} [prochain|qui vient] (soir|après-midi)", part=Part.PM),
        date_("{weekday} de la semaine prochaine", week=True),
        date_("la semaine prochaine [le] {weekday}", week=True),
        date_("{weekday} en huit", days=7),
        date_("{weekday} en quinze", days=14),
        date_("(dans|d'ici) (huit jours|8 jours|une semaine)", days=7),
        date_("(dans|d'ici) (quinze jours|15 jours|une quinzaine)", days=14),
        feast("(veille|réveillon) de noël", 12, 24),
        feast("(le jour de noël|à noël|pour noël)", 12, 25),
        feast("(réveillon du (jour de l'an|nouvel an)|saint sylvestre)", 12, 31),
        feast("(jour de l'an|nouvel an)", 1, 1),
        feast("saint valentin", 2, 14),
        feast("vendredi saint", -2),
        feast("(dimanche de|à|pour) pâques", 0),
        feast("lundi de pâques", 1),
        feast("(jeudi de|à) l'ascension", 39),
        feast("lundi de pentecôte", 50),
        date_("[{weekday} [le]] ({o}|{d}) {month} [{year}]"),
        date_("le [{weekday}] ({o}|{d})", firm=False),
        date_("{weekday} [le] {d}"),
        date_("[{weekday}] {numdate}"),
        date_("(dans|d'ici) {n1} (jour|jours)"),
        date_("(dans|d'ici) {n1} (semaine|semaines)", unit=7),
        date_("week-end [prochain]", weekend=True),
    )


def _stays() -> tuple[Rule, ...]:
    return (
        range_("({o}|{d}) (au|jusqu'au) ({o}|{d}) {month}"),
        nights("{n1} [seule|petite] (nuit|nuits|nuitée|nuitées)"),
        nights("{n1} (semaine|semaines)", unit=7),
        day_after("[le|au] lendemain [matin]"),
        day_after("le jour (suivant|d'après)"),
        day_after("(un jour plus tard|le matin suivant)"),
    )


def _parties() -> tuple[Rule, ...]:
    return (
        party("pour {n}", firm=False),
        party("[<we>] {n1} (personne|personnes|convive|convives|couvert|couverts|têtes|invités|membres|pax|bouches)"),
        party("{n} pour (dîner|déjeuner|manger|souper)"),
        party("(juste|seulement) {n}", firm=False),
        party("(table|groupe) de {n}"),
        party("{n} (en tout|au total|tous ensemble)"),
        party("(en tout|au total|un total de|total de|<we> en tout|<we> au total) [<we>] {n}"),
        party("(pour nous|nous) {n}"),
        party("(nous deux|tous les deux|pour nous deux)", count=2),
        party("[<we>] {n} couples", unit=2),
        party("(une seule|un seul)", count=1),
        party("{n} (ou|à) {n} (personnes|convives|couverts)"),
        party(
            "[<we>] {n1} [petits|petit|grands|jeunes] (adulte|adultes|enfant|enfants|bébé|bébés|ado|ados|adolescents|grandes personnes|gamins|gosses)",
            adds=True,
        ),
        party("<we> [environ|à peu près] {n}"),
        party("(on est|on sera|nous serons|nous sommes|on serait|on viendra|nous viendrons) à {n}"),
        party("(juste|seulement|que|uniquement|rien que) (moi|pour moi)", count=1),
        party("(juste|seulement|que|rien que) (nous deux|tous les deux|deux)", count=2),
        party("(une seule personne|moi-même|je viens seul|je viens seule|je voyage seul|je voyage seule)", count=1),
        party("(pour moi|moi|je suis|je serai) [tout|toute] (seul|seule)", count=1),
        party("(ma|mon) (femme|mari|compagne|compagnon|copine|copain|amie|ami) et (moi|pour moi)", count=2),
    )


_FILLERS = (
    "euh",
    "heu",
    "ben",
    "bah",
    "hum",
    "hm",
    "alors",
    "donc",
    "s'il vous plaît",
    "s'il te plaît",
    "svp",
    "du coup",
    "disons",
    "écoutez",
    "hein",
    "bref",
    "si possible",
    "si c'est possible",
    "voyez-vous",
    "je vous prie",
    "excusez-moi de vous déranger",
    "désolé de vous déranger",
    "désolée de vous déranger",
    "si ça ne vous dérange pas trop",
)
_COMMON = (
    "le les des et est je vous nous une avec pour dans sur qui que quoi quand où quel quelle votre voudrais voudrions aimerais "
    "souhaite souhaiterais réserver table chambre bonjour bonsoir merci oui non ce cette il elle sont avez ai ma mon suis "
    "appelle personnes demain aujourd hui soir peux pouvez puis besoin parler quelqu aussi très c j s plaît"
)
_EXTRA_NUMBERS = {
    "une douzaine": 12,
    "une demi douzaine": 6,
    "un couple": 2,
    "une dizaine": 10,
    "une quinzaine": 15,
    "une vingtaine": 20,
    "une trentaine": 30,
    "une quarantaine": 40,
    "une cinquantaine": 50,
    "une soixantaine": 60,
    "une centaine": 100,
}
_PARTS = (
    (Part.AM, "(du matin|le matin|dans la matinée)"),
    (Part.PM, "(du soir|le soir|de l'après-midi|l'après-midi|dans l'après-midi|soir|dîner)"),
    (Part.NIGHT, "(de la nuit|dans la nuit)"),
)
_YES = (
    "(oui|ouais|exact|exactement|correct|parfait|voilà|volontiers|absolument|certainement|tout à fait|okay|ok|entendu|super|impeccable|nickel|génial|allez y)",
    "(d'accord|bien sûr|je veux bien|avec plaisir|faites|faites ça|allez-y|si vous (voulez|pouvez) [bien]|c'est (noté|entendu|cela|bien)|ça (marche|roule|me va|va|me convient|colle)|c'est tout bon|c'est parfait ainsi|c'est tout juste|c'est juste ça|c'est beau|ça joue|c'est en ordre|parfait comme ça|cent pour cent|mille mercis|c'est celle là|c'est celui là|transmettez|si ça ne vous (dérange|ennuie) pas|tout est (bon|juste|exact|correct|parfait)|banco|top|ok pour moi|affirmatif|nickel|mais oui|eh oui|c'est (ça|bien ça|bon|exact|correct|parfait|juste)|c'est bien cela|pas de problème|pourquoi pas|très bien|tout à fait)",
)
_NO = (
    "non (merci|merci beaucoup)",
    "(non|rien|faux|incorrect|nan|pas)",
    "(ce n'est pas|c'est pas|pas) [tout à fait|vraiment|du tout] [ça|exact|correct|bon|juste]",
    "(c'est faux|c'est incorrect|rien d'autre|non merci)",
)
_LEAD_INS = (
    "[oui|bien] (mon nom c'est|le nom c'est|ce sera au nom de|mettez [ça|la] au nom de|notez|mettez|nom de famille)",
    "[oui|bien] (mon|le) (nom [de famille]|prénom) (est|c'est)",
    "[oui|bien] (je m'appelle|je suis|c'est|ce sera|ce serait|moi c'est)",
    "[c'est] (au nom de|au nom d|sous le nom de|sous le nom|au nom)",
    "[oui|bien] (je (voudrais|veux|souhaite|souhaiterais)|j'aimerais|j'ai besoin (de|d)|il me faudrait|il nous faudrait|nous (voudrions|aimerions)|(pouvez|pourriez) vous m'apporter)",
    "nom",
)
_CALLED = {
    "date": ("(date|jour)",),
    "time": ("(heure|horaire)",),
    "party_size": ("(nombre de (personnes|couverts)|personnes|couverts|combien)",),
    "phone": ("(téléphone|numéro de téléphone|numéro)",),
    "code": ("(code|numéro|numéro de (réservation|confirmation))",),
    "room": ("(chambre|numéro de chambre)",),
    "name": ("(nom|prénom)",),
}
_OWN_NUMBER = (
    "(ce|même|mon) (numéro|téléphone|portable)",
    "(numéro|téléphone|celui) (avec|depuis) lequel (j'appelle|je vous appelle|je appelle)",
    "vous avez mon numéro",
    "sur celui ci",
)
_EXAMPLES = {
    "date": "vendredi",
    "time": "à sept heures et demie",
    "party_size": "quatre personnes",
    "number": "quatre",
    "phone": "cinq cinq cinq un deux trois quatre cinq",
    "room": "quatre un deux",
    "code": "A B un deux trois quatre cinq six",
    "name": "Dupont",
    "text": "Dupont",
    "yes_no": "oui",
}


def language() -> Language:
    """French as it is spoken on the telephone."""
    return Language(
        tag="fr",
        names={"fr": ("français",), "en": ("anglais",), "de": ("allemand",), "es": ("espagnol",)},
        fillers=_FILLERS,
        common=_COMMON,
        numbers=_numbers,
        thousand="mille",
        extra_numbers=_EXTRA_NUMBERS,
        ones=("un", "une"),
        double=("double",),
        ordinals=_ordinals,
        ordinal_marks=("er",),
        weekdays=tuple((day,) for day in _WEEKDAYS),
        months=tuple((month,) for month in _MONTHS),
        rules=(*_times(), *_days(), *_stays(), *_parties()),
        parts=_PARTS,
        yes=_YES,
        no=_NO,
        carriers="le la les à pour ce vers dès du au jusqu en de l",
        negations=("pas", "non"),
        lead_ins=_LEAD_INS,
        polite="merci",
        stops="épelle écrit s et pour le la à avec jusqu demain aujourd ce mais merci du c est qui",
        called=_CALLED,
        changes=("(changer|modifier|corriger|changez|modifiez|corrigez|autre)", "(devrait|doit) être"),
        speaking="en parler parlez parle parlons",
        everything=("(tout|depuis le début|recommencer|recommencez|tout recommencer)",),
        corrections="non pas pardon attendez plutôt enfin je veux dire excusez moi en fait ou oups",
        spelled_as=("comme",),
        no_names="un une mon ma mes vos votre",
        infinitive=("er", "ir", "oir", "re", "des", "que"),
        own_number=_OWN_NUMBER,
        examples=_EXAMPLES,
        vocabulary=FRENCH,
        manners=_manners.FRENCH,
        say_date=_say_date,
        say_time=_say_time,
        say_people=_say_people,
        say_nights=_say_nights,
        say_yes_no=("oui", "non"),
        say_own_number="le numéro d'où vous appelez",
    )
