"""How dates, times, nights and numbers of people are said in English."""

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
        time_("{clock} [o'clock]"),
        time_("(at|by|around|about) {h}", firm=False),
        time_("{h} {m} [o'clock|hours]"),
        time_("{h} o'clock"),
        time_("{h} [{m}] (am|a m)", part=Part.AM),
        time_("{h} [{m}] (pm|p m)", part=Part.PM),
        time_("{clock} (am|a m)", part=Part.AM),
        time_("{clock} (pm|p m)", part=Part.PM),
        time_("half [past] {h}", minutes=30),
        time_("quarter (past|after) {h}", minutes=15),
        time_("quarter (to|before|of) {h}", minutes=-15),
        time_("{m5} [minutes] (past|after) {h}"),
        time_("{m5} [minutes] (to|before) {h}", sign=-1),
        time_("{h} ish", firm=False),
        time_("(noon|midday|twelve noon)", fixed=720),
        time_("half past (noon|midday)", fixed=750),
        time_("midnight", fixed=0),
    )


def _days() -> tuple[Rule, ...]:
    return (
        date_("(last night|the other day|the night before)", days=-1),
        date_("last {weekday} [night|evening]", days=-7),
        date_("(last week|a week ago|{n1} (days|weeks|months) ago)", days=-7),
        date_("yesterday", days=-1),
        date_("today", days=0),
        date_("(right now|straight away|right away)", days=0, firm=False),
        date_("tonight", days=0, part=Part.PM),
        date_("this morning", days=0, part=Part.AM),
        date_("this (afternoon|evening)", days=0, part=Part.PM),
        date_("tomorrow", days=1),
        date_("tomorrow morning", days=1, part=Part.AM),
        date_("tomorrow (afternoon|evening|night)", days=1, part=Part.PM),
        date_("[the] day after tomorrow", days=2),
        date_("[in] two days [time|from now]", days=2),
        date_("{weekday}"),
        date_("{weekday} morning", part=Part.AM),
        date_("{weekday} (afternoon|evening|night)", part=Part.PM),
        date_("next {weekday}", week=True),
        date_("{weekday} [of] next week", week=True),
        date_("next week [on] {weekday}", week=True),
        date_("(a week (from|on)|one week from) {weekday}", days=7),
        date_("{weekday} week", days=7),
        date_("[{weekday} [the]] {o} [of] {month} [{year}]"),
        date_("[{weekday}] {d} [of] {month} [{year}]"),
        date_("[{weekday}] {month} [the] ({o}|{d}) [{year}]"),
        date_("{month} [and] [starting|beginning|arriving|from] [on] the {o}"),
        date_("[{weekday}] the {o}", firm=False),
        date_("{weekday} {o}"),
        date_("[{weekday}] {numdate}"),
        date_("in {n1} (day|days) [time]"),
        date_("in {n1} (week|weeks) [time]", unit=7),
        date_("(a week from (today|now)|today week|a week today|this time next week|in a week)", days=7),
        date_(
            "(a fortnight from (today|now)|in a fortnight|a fortnight today|two weeks today|two weeks from (today|now))",
            days=14,
        ),
        date_("(a week (from|on)|one week from|week on) tomorrow", days=8),
        date_("{weekday} after next", days=7),
        date_("a fortnight (from|on) {weekday}", days=14),
        feast("christmas eve", 12, 24),
        feast("[on] christmas day", 12, 25),
        feast("boxing day", 12, 26),
        feast("[on] new year s eve", 12, 31),
        feast("new year s day", 1, 1),
        feast("[on] valentine s [day]", 2, 14),
        feast("halloween", 10, 31),
        feast("good friday", -2),
        feast("easter sunday", 0),
        feast("easter monday", 1),
        date_("(a week from tomorrow|tomorrow week)", days=8),
        date_("weekend", weekend=True),
    )


def _stays() -> tuple[Rule, ...]:
    return (
        range_("({o}|{d}) (to|until|till|through) [the] ({o}|{d}) [of] {month}"),
        range_("{month} [the] ({o}|{d}) (to|until|till|through) [the] ({o}|{d})"),
        nights("{n1} [single|more] (night|nights)"),
        nights("{n1} (week|weeks)", unit=7),
        nights("(overnight|one night only|(just|only) [the] one night)", count=1),
        nights("[for] [a] fortnight", count=14),
        day_after("[the|on the] (next|following|very next) (day|morning)"),
        day_after("the (morning|day) after"),
        day_after("(a|one) day later"),
    )


def _parties() -> tuple[Rule, ...]:
    return (
        party("for {n}", firm=False),
        party("(party|group|table) of {n}"),
        party(
            "[<we>] {n} (people|persons|guests|person|guest|pax|of us|diners|heads|covers|members|souls|bodies|folks|nos|numbers of people)"
        ),
        party("{n} for (dinner|lunch|supper|brunch|breakfast|tonight|tomorrow)"),
        party("{n} (altogether|in total|all together|in all|all told|total)"),
        party(
            "(altogether|in total|a total of|total of|<we> total|total) [<we>] {n} [members|people|persons|guests|pax|heads]"
        ),
        party("{n} [of] (us|ourselves) (all|total|altogether|only)"),
        party("(the|all) {n} of us"),
        party("(both of us|us two|us both)", count=2),
        party("[<we>] {n1} couples", unit=2),
        party("{n} (to|or) {n} (people|persons|guests|of us)"),
        party(
            "[<we>] {n1} [little|small|young|more] (adult|adults|grown ups|grown up|child|children|kid|kids|teenager|teenagers|baby|babies|infant|toddler|little one|little ones)",
            adds=True,
        ),
        party(
            "{n1} of (them|which|whom|those|us) [are|being] [small|little] (adults|children|child|kids|kid|teenagers|babies|baby|toddlers|toddler)",
            adds=True,
        ),
        party("<we> {n} [of us]"),
        party("(just|only|simply) (me|myself|one|for me|for one|the one|i)", count=1),
        party(
            "(myself|me alone|one person only|on my own|by myself|i am alone|i am on my own|party of one|i will be alone|travelling alone|traveling alone)",
            count=1,
        ),
        party("(just|only) the two of us", count=2),
        party("(just|only) {n}", firm=False),
        party("my (wife|husband|partner|girlfriend|boyfriend|friend) and (i|me|myself)", count=2),
        party("me and my (wife|husband|partner|girlfriend|boyfriend|friend)", count=2),
    )


RULES: Final = (*_times(), *_days(), *_stays(), *_parties())
