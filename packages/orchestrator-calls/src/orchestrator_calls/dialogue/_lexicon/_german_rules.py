"""How dates, times, nights and numbers of people are said in German."""

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
        time_("{clock} [uhr]"),
        time_("(um|gegen|so um|so gegen) {h}", firm=False),
        time_("{h1} uhr [{m}]"),
        time_("{h1} uhr {m5}"),
        time_("halb {h1}", minutes=-30),
        time_("viertel nach {h1}", minutes=15),
        time_("viertel vor {h1}", minutes=-15),
        time_("viertel {h1}", minutes=-45),
        time_("(dreiviertel|drei viertel) {h1}", minutes=-15),
        time_("{m5} [minuten] nach {h1}"),
        time_("{m5} [minuten] vor {h1}", sign=-1),
        time_("{m5} [minuten] nach halb {h1}", minutes=-30),
        time_("{m5} [minuten] vor halb {h1}", minutes=-30, sign=-1),
        time_("mitternacht", fixed=0),
        time_("{h} {m}", firm=False),
        time_("(punkt|circa|zirka|ungefähr|etwa|ab|kurz nach|spätestens) {h}", firm=False),
        time_("{h} rum", firm=False),
    )


def _days() -> tuple[Rule, ...]:
    return (
        date_("(gestern (abend|mittag|nacht|früh)|vorgestern|neulich|kürzlich)", days=-1),
        date_("(letzten|letzte|vergangenen|vorigen) {weekday} [abend]", days=-7),
        date_("(letzte woche|vor {n1} (tagen|wochen|tag|woche))", days=-7),
        date_("gestern", days=-1),
        date_("heute", days=0),
        date_("(jetzt gleich|gleich jetzt|sofort)", days=0, firm=False),
        date_("heute (morgen|früh|vormittag)", days=0, part=Part.AM),
        date_("heute (mittag|nachmittag|abend|nacht)", days=0, part=Part.PM),
        date_("morgen", days=1),
        date_("morgen (früh|vormittag)", days=1, part=Part.AM),
        date_("morgen (mittag|nachmittag|abend|nacht)", days=1, part=Part.PM),
        date_("übermorgen", days=2),
        date_("übermorgen (früh|vormittag)", days=2, part=Part.AM),
        date_("übermorgen (mittag|nachmittag|abend)", days=2, part=Part.PM),
        date_("{weekday}"),
        date_("{weekday} (früh|morgen|vormittag)", part=Part.AM),
        date_("{weekday} (mittag|nachmittag|abend|nacht)", part=Part.PM),
        date_("{weekday} [der|in der] (nächste|nächster|nächsten|kommende|kommender|kommenden) woche", week=True),
        date_("[in der] (nächste|nächsten|kommende|kommenden) woche [am] {weekday}", week=True),
        date_("übernächsten {weekday}", days=7),
        date_("{weekday} in (einer woche|acht tagen)", days=7),
        date_("[{weekday} [den|dem|der]] ({o}|{d}) [des] {month} [{year}]"),
        date_("[{weekday} [den|dem|der]] {o} {o} [{year}]"),
        date_("(am|den|dem|der|zum|vom) [{weekday}] [den|dem|der] {o}", firm=False),
        date_("(am|zum|vom) {d}", firm=False),
        date_("{weekday} [den|dem|der] ({o}|{d})"),
        date_("[{weekday} [den|dem]] {numdate}"),
        date_("in {n1} (tag|tage|tagen)"),
        date_("in {n1} (woche|wochen)", unit=7),
        date_("[heute] in (einer woche|acht tagen)", days=7),
        date_("[heute] in (zwei wochen|vierzehn tagen|14 tagen)", days=14),
        date_("{weekday} in (zwei wochen|vierzehn tagen)", days=14),
        date_("{weekday} [über] acht tage", days=7),
        date_("(nächsten|kommenden|diesen) {weekday}"),
        feast("(heiligabend|heiligen abend|heiliger abend)", 12, 24),
        feast("[am] ersten weihnachtstag", 12, 25),
        feast("[am] ersten weihnachtsfeiertag", 12, 25),
        feast("[am] zweiten (weihnachtstag|weihnachtsfeiertag)", 12, 26),
        feast("(silvester|sylvester|silvesterabend)", 12, 31),
        feast("(neujahr|neujahrstag)", 1, 1),
        feast("valentinstag", 2, 14),
        feast("karfreitag", -2),
        feast("ostersonntag", 0),
        feast("ostermontag", 1),
        feast("pfingstsonntag", 49),
        feast("pfingstmontag", 50),
        feast("(himmelfahrt|christi himmelfahrt|vatertag)", 39),
        feast("fronleichnam", 60),
        date_("(morgen in einer woche|morgen in acht tagen)", days=8),
        date_("wochenende", weekend=True),
    )


def _stays() -> tuple[Rule, ...]:
    return (
        range_("({o}|{d}) (bis|bis zum) ({o}|{d}) {month}"),
        nights("{n1} [einzige|weitere] (nacht|nächte|nächten|übernachtung|übernachtungen)"),
        nights("{n1} (woche|wochen)", unit=7),
        nights("über nacht", count=1),
        day_after("[am|den|der|dem] (nächsten|folgenden|darauffolgenden) (tag|morgen)"),
        day_after("(am|den|der|einen|ein) tag (darauf|danach|später|drauf)"),
        day_after("(am|den) (morgen|tag) (danach|darauf)"),
        day_after("tags (darauf|drauf)"),
    )


def _parties() -> tuple[Rule, ...]:
    return (
        party("für {n}", firm=False),
        party(
            "[<we>] {n1} (person|personen|leute|leutchen|leuten|gast|gäste|gästen|mann|plätze|köpfe|nasen|mitglieder|teilnehmer|gedecke|hansel|hanseln)"
        ),
        party("{n} (zum|fürs|für das) (essen|abendessen|mittagessen)"),
        party("(nur|bloß) {n}", firm=False),
        party("(insgesamt|zusammen|gesamt|alles in allem|im ganzen) {n}"),
        party("{n} (insgesamt|zusammen|alles in allem|im ganzen|hoch)"),
        party("tisch (mit|für) {n} [plätzen]", firm=False),
        party("tisch (mit|für) {n} (personen|leute|gäste|leutchen)"),
        party("(für uns|wir|uns|zu) {n}", firm=False),
        party("(uns beide|wir beide|uns zwei|für uns beide)", count=2),
        party("[<we>] {n} (pärchen|paare|ehepaare)", unit=2),
        party("{n} (bis|oder) {n} (personen|leute|gäste)"),
        party(
            "[<we>] {n1} [kleine|weitere] (erwachsene|erwachsener|erwachsenen|kind|kinder|kindern|jugendliche|jugendlicher|baby|babys|kleinkind)",
            adds=True,
        ),
        party("<we> [so|etwa|ungefähr] {n}"),
        party("(nur|bloß|lediglich) (wir|uns|für uns) (zwei|beide)", count=2),
        *(
            party(f"[<we>] {words}", count=count)
            for count, words in {
                2: "zu zweit",
                3: "zu dritt",
                4: "zu viert",
                5: "zu fünft",
                6: "zu sechst",
                7: "zu siebt",
                8: "(zu acht|zu acht personen)",
                9: "zu neunt",
                10: "zu zehnt",
            }.items()
        ),
        party(
            "(nur ich|bloß ich|lediglich ich|bloß für mich|nur für eine person|eine einzelperson|ich reise allein|ich reise alleine|ich komme allein|ich komme alleine|allein|alleine|nur mich|nur für mich|für mich allein|für mich alleine|ich allein|ich alleine|ich bin allein)",
            count=1,
        ),
        party("(meine|mein|meinen) (frau|mann|freundin|freund|partner|partnerin) und (ich|mich)", count=2),
    )


RULES: Final = (*_times(), *_days(), *_stays(), *_parties())
