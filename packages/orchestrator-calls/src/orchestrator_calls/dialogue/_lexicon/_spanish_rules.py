"""How dates, times, nights and numbers of people are said in Spanish."""

from __future__ import annotations

from typing import Final

from orchestrator_calls.dialogue._lexicon._model import (
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

__all__ = ["RULES"]


def _times() -> tuple[Rule, ...]:
    return (
        time_("(la|las) {h1} [en punto]"),
        time_("(la|las) {h1} [y] {m}"),
        time_("(la|las) {h1} y {m5}"),
        time_("(la|las) {h1} y media", minutes=30),
        time_("(la|las) {h1} y cuarto", minutes=15),
        time_("(la|las) {h1} menos cuarto", minutes=-15),
        time_("(la|las) {h1} menos {m5}", sign=-1),
        time_("{h1} y media", minutes=30),
        time_("{h1} y cuarto", minutes=15),
        time_("{h1} menos cuarto", minutes=-15),
        time_("{h} (horas|en punto)"),
        time_("{h} y {m} [horas]", firm=False),
        time_("{clock} [horas]"),
        time_("(al|a) mediodía", fixed=720),
        time_("{h} {m} [horas]", firm=False),
        time_("(sobre|hacia|a eso de|como a|tipo|alrededor de) [la|las] {h}", firm=False),
        time_("{h1} menos {m5}", sign=-1, firm=False),
        time_("(cuarto|un cuarto) para (la|las) {h1}", minutes=-15),
        time_("{m5} para (la|las) {h1}", sign=-1),
        time_("a [la] medianoche", fixed=0),
    )


def _days() -> tuple[Rule, ...]:
    return (
        date_("(anoche|anteayer|el otro día|antier)", days=-1),
        date_("({weekday} pasado|pasado {weekday})", days=-7),
        date_("(la semana pasada|hace {n1} (días|semanas))", days=-7),
        date_("ayer", days=-1),
        date_("hoy", days=0),
        date_("ahora mismo", days=0, firm=False),
        date_("(esta mañana|hoy por la mañana)", days=0, part=Part.AM),
        date_("(esta (noche|tarde)|hoy (por|en) la (noche|tarde))", days=0, part=Part.PM),
        date_("mañana", days=1),
        date_("mañana (por|en|a) la mañana", days=1, part=Part.AM),
        date_("mañana (por|en|a) la (tarde|noche)", days=1, part=Part.PM),
        date_("pasado mañana", days=2),
        date_("{weekday} [que viene|próximo]"),
        date_("{weekday} [que viene|próximo] (por|en|a) la mañana", part=Part.AM),
        date_("{weekday} [que viene|próximo] (por|en|a) la (tarde|noche)", part=Part.PM),
        date_("{weekday} de la (próxima semana|semana que viene)", week=True),
        date_("la (próxima semana|semana que viene) el {weekday}", week=True),
        date_("{weekday} (dentro de|en) una semana", days=7),
        date_("[{weekday} [día]] ({o}|{d}) [de] {month} [(de|del) {year}]"),
        date_("el [{weekday}] [día] ({o}|{d})", firm=False),
        date_("{weekday} [día] {d}"),
        date_("[{weekday}] {numdate}"),
        date_("(dentro de|en) {n1} (día|días)"),
        date_("(dentro de|en) {n1} (semana|semanas)", unit=7),
        date_("[de] hoy en (ocho|8) [días]", days=7),
        date_("[de] mañana en (ocho|8) [días]", days=8),
        date_("[de] hoy en (quince|15) [días]", days=14),
        date_("{weekday} en (ocho|8) [días]", days=7),
        feast("(nochebuena|noche buena)", 12, 24),
        feast("([el] día de navidad|en navidad)", 12, 25),
        feast("(nochevieja|noche vieja|fin de año)", 12, 31),
        feast("(año nuevo|día de año nuevo)", 1, 1),
        feast("(día|noche) de reyes", 1, 6),
        feast("san valentín", 2, 14),
        feast("jueves santo", -3),
        feast("viernes santo", -2),
        feast("domingo de (resurrección|pascua)", 0),
        feast("lunes de pascua", 1),
        date_("fin de semana", weekend=True),
    )


def _stays() -> tuple[Rule, ...]:
    return (
        range_("(del|desde el|de) {d} (al|hasta el|a) {d} [de] {month}"),
        nights("{n1} [sola] (noche|noches)"),
        nights("{n1} (semana|semanas)", unit=7),
        day_after("(al|el) (día siguiente|otro día|día después)"),
        day_after("(a la|la) mañana siguiente"),
        day_after("un día (después|más tarde)"),
    )


def _parties() -> tuple[Rule, ...]:
    return (
        party("para {n}", firm=False),
        party(
            "[<we>] {n1} (persona|personas|personitas|comensal|comensales|huésped|huéspedes|gentes|pax|invitados|integrantes|miembros|cubiertos|almas|puestos)"
        ),
        party("{n} para (cenar|comer|almorzar)"),
        party("(solo|sólo|solamente) {n}", firm=False),
        party("(mesa|grupo|reserva) (de|para) {n}", firm=False),
        party("(mesa|grupo|reserva) (de|para) {n} (personas|comensales|gentes|personitas|adultos)"),
        party("(en total|en conjunto|un total de|total de|<we> en total) [<we>] {n}"),
        party("{n} (en total|nada más|nomás)"),
        party("(para nosotros|nosotros) {n}"),
        party("(para los dos|los dos|nosotros dos)", count=2),
        party("[<we>] {n} (parejas|matrimonios)", unit=2),
        party("(una|uno) (sola|solo)", count=1),
        party("{n} (o|a) {n} (personas|comensales)"),
        party(
            "[<we>] {n1} (adulto|adultos|mayores|niño|niños|niña|niñas|bebé|bebés|adolescente|adolescentes|peques|chicos|chiquillos|críos)",
            adds=True,
        ),
        party(
            "{n1} de (ellos|ellas|nosotros|los cuales) [son] (adultos|niños|niñas|bebés|peques|adolescentes|mayores)",
            adds=True,
        ),
        party("<we> [como|unos|unas] {n}"),
        party("(solo|sólo|solamente|únicamente) (los dos|nosotros dos|dos)", count=2),
        party(
            "((nada más|solo|sólo|solamente) [que] para (mí|uno|una)|para mí (nada más|solo|sola)|solo yo|nada más yo|yo nada más|yo nomás|únicamente yo|una sola persona|viajo solo|viajo sola|solo para mí|para mí solo|para mí sola|yo solo|yo sola|solamente yo|voy solo|voy sola)",
            count=1,
        ),
        party("mi (mujer|marido|esposa|esposo|pareja|novia|novio|amigo|amiga) y (yo|para mí)", count=2),
    )


RULES: Final = (*_times(), *_days(), *_stays(), *_parties())
