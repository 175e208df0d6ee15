"""Spanish."""

from __future__ import annotations

from datetime import date, time

from orchestrator_calls.dialogue._lexicon import _manners
from orchestrator_calls.dialogue._lexicon._model import Language, Part
from orchestrator_calls.dialogue._lexicon._spanish_rules import RULES
from orchestrator_calls.dialogue._lexicon._vocabulary import SPANISH

__all__ = ["language"]

_SMALL = [
    "cero",
    "uno",
    "dos",
    "tres",
    "cuatro",
    "cinco",
    "seis",
    "siete",
    "ocho",
    "nueve",
    "diez",
    "once",
    "doce",
    "trece",
    "catorce",
    "quince",
    "dieciséis",
    "diecisiete",
    "dieciocho",
    "diecinueve",
    "veinte",
    "veintiuno",
    "veintidós",
    "veintitrés",
    "veinticuatro",
    "veinticinco",
    "veintiséis",
    "veintisiete",
    "veintiocho",
    "veintinueve",
]
_TENS = ["-", "-", "-", "treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa"]
_HUNDREDS = [
    "-",
    "ciento",
    "doscientos",
    "trescientos",
    "cuatrocientos",
    "quinientos",
    "seiscientos",
    "setecientos",
    "ochocientos",
    "novecientos",
]
_ORDINALS = {1: ("primero", "primer", "uno"), 2: ("segundo",), 3: ("tercero", "tercer")}
_WEEKDAYS = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
_MONTHS = (
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
)


def _below_hundred(n: int) -> tuple[str, ...]:
    if n == 21:
        return ("veintiuno", "veintiún", "veintiuna")
    if n < 30:
        return (_SMALL[n],)
    tens = _TENS[n // 10]
    if n % 10 == 0:
        return (tens,)
    units = ("uno", "un", "una") if n % 10 == 1 else (_SMALL[n % 10],)
    return tuple(f"{tens} y {unit}" for unit in units)


def _numbers(n: int) -> tuple[str, ...]:
    if n < 100:
        return _below_hundred(n)
    if n == 100:
        return ("cien", "ciento")
    head = _HUNDREDS[n // 100]
    return (head,) if n % 100 == 0 else tuple(f"{head} {rest}" for rest in _below_hundred(n % 100))


def _ordinals(day: int) -> tuple[str, ...]:
    return _ORDINALS.get(day, ())


def _say_date(day: date, with_year: bool) -> str:  # noqa: FBT001 - called through a field
    said = f"{_WEEKDAYS[day.weekday()]} {day.day} de {_MONTHS[day.month - 1]}"
    return f"{said} de {day.year}" if with_year else said


def _part_of_day(hour: int) -> str:
    if hour < 6:
        return "de la madrugada"
    if hour < 12:
        return "de la mañana"
    return "de la tarde" if hour < 20 else "de la noche"


def _say_time(at: time) -> str:
    if at == time(12, 0):
        return "las 12 del mediodía"
    if at == time(0, 0):
        return "las 12 de la noche"
    hour = (at.hour - 1) % 12 + 1
    minutes = {0: "", 15: " y cuarto", 30: " y media"}.get(at.minute, f" y {at.minute}")
    return f"{'la' if hour == 1 else 'las'} {hour}{minutes} {_part_of_day(at.hour)}"


def _say_people(count: int) -> str:
    return "1 persona" if count == 1 else f"{count} personas"


def _say_nights(count: int) -> str:
    return "1 noche" if count == 1 else f"{count} noches"


_COMMON = (
    "el los las una unos que por para con del quiero quería quisiera querría me gustaría reservar una mesa habitación buenos días "
    "buenas tardes noches hola gracias sí señor señora cómo cuándo dónde cuál qué hay tiene tienen puedo puede necesito mi nombre "
    "soy llamo somos personas hoy mañana está estoy es son muy también algo alguien hablar"
)
_EXTRA_NUMBERS = {
    "un par": 2,
    "un par de": 2,
    "una docena": 12,
    "media docena": 6,
    "una pareja": 2,
    "una decena": 10,
    "una veintena": 20,
    "una treintena": 30,
    "medio centenar": 50,
    "un centenar": 100,
}
_EXPAND = {
    "pa": "para",
    "pal": "para el",
    "mesita": "mesa",
    "ratito": "rato",
    "nomás": "nada más",
    "ahorita": "ahora",
    "finde": "fin de semana",
}
_FILLERS = (
    "mire",
    "oiga",
    "fíjese",
    "verá",
    "es que",
    "digamos",
    "vamos a ver",
    "la verdad es que",
    "si puede ser",
    "si es posible",
    "más o menos",
    "eh",
    "ehm",
    "em",
    "este pues",
    "pues",
    "mmm",
    "hm",
    "por favor",
    "porfa",
    "porfis",
    "qué pena con usted",
    "qué pena con ustedes",
    "qué pena molestarlo",
    "qué pena molestarla",
    "qué pena la molestia",
    "qué pena",
    "disculpe la molestia",
    "perdone la molestia",
    "perdone que le moleste",
    "qué vergüenza con usted",
    "si no es mucha molestia",
    "será que",
    "cómo le va",
    "vecina",
    "sumercé",
    "o sea",
    "a ver",
)
_PARTS = (
    (Part.AM, "(de|por|en) la (mañana|madrugada)"),
    (Part.PM, "(de|por|en|a) la tarde"),
    (Part.PM, "(del mediodía|cena|cenar|esta noche)"),
    (Part.NIGHT, "(de|por|en|a) la noche"),
)
_YES = (
    "(sí|si|claro|correcto|exacto|exactamente|perfecto|vale|bueno|bien|genial|cierto|efectivamente|okay|ok|adelante|estupendo|fenomenal|fantástico|excelente|venga)",
    "(eso|(esa|ese|esas) (es|misma|mismo)|páselo|transmítalo|páseselo|si no es molestia|ahora está bien|ahora sí|cómo no|por favor sí|si es tan amable|si no le importa|si me hace el favor|hágalo|hágame el favor|sí señor|sí señorita|cien por cien|cien por ciento|mil gracias|exactamente así|con mucho gusto|de una|a la orden|eso sí|perfectamente|está perfecto así|sí señora|todo (bien|correcto|perfecto|en orden)|está (perfecto|correcto)|así mismo|eso mismo|tal cual|ándele|órale|okey|dale|listo|sale|conforme|me va bien|me viene bien|afirmativo|por mí bien|así queda|así está bien|por supuesto|de acuerdo|está bien|así es|eso es|es correcto|me parece bien|muy bien|claro que sí|desde luego)",
)
_NO = (
    "no (gracias|muchas gracias)",
    "(no|nada|tampoco|incorrecto|mal|falso)",
    "no [es|está] (correcto|bien|así|exacto|exactamente|cierto)",
    "(está mal|es incorrecto|no no)",
)
_LEAD_INS = (
    "[sí|bueno|vale] (el apellido es|apellido|de apellido|póngalo a nombre de|ponga|apunte|apúntelo a nombre de|a nombre de la familia|sería|a mi nombre que es)",
    "[sí|bueno|vale] (mi|el) (nombre|apellido) es",
    "[sí|bueno|vale] (me llamo|soy|es|a nombre de|al nombre de|al nombre|a mi nombre)",
    "[sí|bueno|vale] (quiero|quería|quisiera|querría|necesito|me gustaría|(puede|podría) traerme|nos gustaría)",
    "nombre",
)
_CALLED = {
    "date": ("(fecha|día)",),
    "time": ("hora",),
    "party_size": ("(número de personas|personas|comensales|cuántos|cuántas|cuántas personas)",),
    "phone": ("(teléfono|número de teléfono|móvil)",),
    "code": ("(código|número|número de (reserva|confirmación))",),
    "room": ("(habitación|número de habitación)",),
    "name": ("(nombre|apellido)",),
}
_OWN_NUMBER = (
    "(este|mismo|mi) (número|teléfono|móvil)",
    "(número|teléfono) (desde|del|con) [el] que (llamo|estoy llamando|le llamo)",
    "desde el que (llamo|le llamo|estoy llamando)",
    "(ya tienen|tienen|tiene|usted tiene) mi número",
    "a este",
)
_EXAMPLES = {
    "date": "el viernes",
    "time": "a las siete y media",
    "party_size": "cuatro personas",
    "number": "cuatro",
    "phone": "cinco cinco cinco uno dos tres cuatro cinco",
    "room": "cuatro uno dos",
    "code": "A B uno dos tres cuatro cinco seis",
    "name": "García",
    "text": "García",
    "yes_no": "sí",
}


def language() -> Language:
    """Spanish as it is spoken on the telephone."""
    return Language(
        tag="es",
        names={"es": ("español", "castellano"), "en": ("inglés",), "de": ("alemán",), "fr": ("francés",)},
        expand=_EXPAND,
        fillers=_FILLERS,
        common=_COMMON,
        numbers=_numbers,
        thousand="mil",
        extra_numbers=_EXTRA_NUMBERS,
        ones=("un", "una"),
        double=("doble",),
        ordinals=_ordinals,
        ordinal_marks=("o", "ro"),
        weekdays=tuple((day,) for day in _WEEKDAYS),
        months=tuple((month, *(("setiembre",) if month == "septiembre" else ())) for month in _MONTHS),
        rules=RULES,
        parts=_PARTS,
        yes=_YES,
        no=_NO,
        carriers="el la las los a para este esta próximo sobre hacia desde hasta al del de en",
        negations=("no",),
        lead_ins=_LEAD_INS,
        polite="gracias",
        stops="deletreo deletreado escribe y para el la a con hasta hoy mañana desde pero gracias que es",
        called=_CALLED,
        changes=("(cambiar|corregir|modificar|cambie|cambia|corrija|otra|otro)", "(debería|debe|tiene que) ser"),
        speaking="en hablar habla hablan hablo hablamos",
        everything=("(todo|desde el principio|empezar de nuevo|otra vez desde el principio)",),
        corrections="no perdón perdone espere mejor digo quiero decir bueno o sea más bien",
        spelled_as=("de", "como", "de como"),
        no_names="un una unos unas mi su",
        infinitive=("ar", "er", "ir", "arme", "erme", "irme", "arnos", "ernos", "irnos", "arlo", "erlo"),
        own_number=_OWN_NUMBER,
        examples=_EXAMPLES,
        vocabulary=SPANISH,
        manners=_manners.SPANISH,
        say_date=_say_date,
        say_time=_say_time,
        say_people=_say_people,
        say_nights=_say_nights,
        say_yes_no=("sí", "no"),
        say_own_number="el número desde el que llama",
    )
