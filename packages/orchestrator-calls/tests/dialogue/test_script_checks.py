"""Scripts that are refused. The line of each problem is marked with `#!` in the text; several marks are several problems."""

from __future__ import annotations

import pytest

from orchestrator_calls.dialogue import ScriptError, ScriptProblem, load_script, parse_script
from orchestrator_kernel.exceptions import ConfigurationError

HEAD = """
[script]
languages = ["en"]
targets = ["desk"]
handoff = "desk"
[values]
house = "the house"
opens = 09:00:00
"""

FORM = """
[intents.visit]
form = "visit"
[intents.visit.patterns]
en = ["visit"]
[forms.visit]
label.en = "your visit"
confirm.en = "On {day}. Right?"
done.en = "Noted."
[forms.visit.slots.day]
type = "date"
label.en = "the day"
ask.en = "Which day?"
"""


def refused(text: str) -> tuple[ScriptProblem, ...]:
    with pytest.raises(ScriptError) as caught:
        parse_script(text, "house.toml")
    return caught.value.problems


CASES = {
    "no TOML": ("a = [1,\nb = #!\n", "no TOML"),
    "a key twice": ("[texts]\n[texts] #!\n", "no TOML"),
    "an unknown table": ("[intent.x] #!\nsay.en = 'x'\n", "did you mean `intents`?"),
    "an unknown key": ("[intents.x]\nsay.en = 'x'\npatterns.en = ['x']\nhangup = true #!\n", "did you mean `hang_up`?"),
    "an unknown text": ("[texts.goodby] #!\nen = 'x'\n", "did you mean `goodbye`?"),
    "an unknown reason": ("[reasons.past] #!\nen = 'x'\n", "unknown reason `past`"),
    "a wrong type of a key": ("[intents.x]\npatterns.en = ['x']\nsay.en = 'x'\nreports = 5 #!\n", "must be a text"),
    "a text of a wrong type": ("[texts]\nready.en = 5 #!\n", "must be a list of texts"),
    "an empty sentence": ("[texts]\nready.en = ['fine',\n  ' '] #!\n", "must be a text"),
    "an empty text": ("[texts.ready]\nen = '  ' #!\n", "a sentence is empty"),
    "an empty list of sentences": ("[texts.ready]\nen = [] #!\n", "the list for `en` is empty"),
    "a sentence that cannot be interrupted": (f"[texts.ready]\nen = ['short', '{'long ' * 70}'] #!\n", "300 characters"),
    "a sentence with an open brace": ("[texts.ready]\nen = 'at {house' #!\n", "`{` has no partner"),
    "a sentence with an open bracket": ("[texts.ready]\nen = 'at [{house}' #!\n", "`]` is missing"),
    "a sentence with an odd value": ("[texts.ready]\nen = 'at { }' #!\n", "is no value"),
    "an optional part without a value": ("[texts.ready]\nen = 'at [the house]' #!\n", "always be spoken"),
    "a value that is not there": ("[texts.ready]\nen = 'at {hous}' #!\n", "did you mean `house`?"),
    "a missing translation": ("[texts.ready] #!\n", "the translation for `en` is missing"),
    "a translation that nobody speaks": ("[texts.ready]\nen = 'x'\nfr = 'x' #!\n", "unknown key `fr`"),
    "patterns without a translation": ("[intents.x]\nsay.en = 'x'\n[intents.x.patterns] #!\n", "the patterns for `en` are missing"),
    "an empty list of patterns": ("[intents.x]\nsay.en = 'x'\npatterns.en = [] #!\n", "the list for `en` is empty"),
    "an open parenthesis": ("[intents.x]\nsay.en = 'x'\npatterns.en = ['a', \n'(b|c'] #!\n", "a `)` is missing"),
    "a closing bracket too many": ("[intents.x]\nsay.en = 'x'\npatterns.en = ['b]'] #!\n", "`]` closes nothing"),
    "a bar at the top": ("[intents.x]\nsay.en = 'x'\npatterns.en = ['xx', 'b|c'] #!\n", "outside of ( ) or [ ]"),
    "a mark in a pattern": ("[intents.x]\nsay.en = 'x'\npatterns.en = ['xx', 'what?'] #!\n", "is no word"),
    "a star alone": ("[intents.x]\nsay.en = 'x'\npatterns.en = ['xx', '*'] #!\n", "is no word"),
    "a part of nothing": ("[intents.x]\nsay.en = 'x'\npatterns.en = ['xx', '(pool|spa) + [open]'] #!\n", "match any sentence"),
    "a part too many": ("[intents.x]\nsay.en = 'x'\npatterns.en = ['xx', 'a + b + c + d + e'] #!\n", "more than 4 parts"),
    "parts that are one": ("[intents.x]\nsay.en = 'x'\npatterns.en = ['xx', 'pool +open'] #!\n", "is no word"),
    "a pattern of fillers": ("[intents.x]\nsay.en = 'x'\npatterns.en = ['xx', 'a uh b'] #!\n", "`uh` is a filler"),
    "a pattern of nothing but options": ("[intents.x]\nsay.en = 'x'\npatterns.en = ['xx', '[a] [b]'] #!\n", "match any sentence"),
    "a gap at the end": ("[intents.x]\nsay.en = 'x'\npatterns.en = ['xx', 'yy ...'] #!\n", "begins or ends with `...`"),
    "a pattern that is too large": (f"[intents.x]\nsay.en = 'x'\npatterns.en = ['xx', '{'w ' * 301}'] #!\n", "more than 300 words"),
    "a pattern that is too deep": (f"[intents.x]\nsay.en = 'x'\npatterns.en = ['xx', '{'(' * 9}w{')' * 9}'] #!\n", "nested more than 6 deep"),
    "an odd slot in a pattern": (FORM + "[intents.x]\nform = 'visit'\npatterns.en = ['xx', 'on {the day}'] #!\n", "is no slot"),
    "a pattern twice": ("[intents.x]\nsay.en = 'x'\npatterns.en = ['uncle sam', \n'Uncle  SAM'] #!\n", "says the same as the one in line"),
    "a shadowed pattern": (
        "[intents.x]\nsay.en = 'x'\npatterns.en = ['(red|blue) car']\n[intents.y]\nsay.en = 'y'\npatterns.en = ['old car', \n'blue car'] #!\n",
        "of `y` is shadowed: `x` (house.toml:11) always takes what it matches",
    ),
    "a pattern shadowed by what is built in, unless it is the script's own": (
        "[intents.x]\nsay.en = 'x'\npatterns.en = ['goodbye']\n[intents.y]\nsay.en = 'y'\npatterns.en = ['y', 'goodbye'] #!\n",
        "shadowed: `x`",
    ),
    "an option shadowed by another": (
        FORM.replace("On {day}.", "On {day}, {kind}.")
        + "[forms.visit.slots.kind]\ntype = 'choice'\nlabel.en = 'the kind'\nask.en = 'Which?'\n"
        "options.a.label.en = 'a'\noptions.a.patterns.en = ['apple']\noptions.b.label.en = 'b'\noptions.b.patterns.en = ['pear', 'apple'] #!\n",
        "of `b` is shadowed: `a`",
    ),
    "slot patterns that say the same": (
        FORM.replace("{day}.", "{day}, {end}.")
        + "patterns.en = ['until {day}']\n"
        "[forms.visit.slots.end]\ntype = 'date'\nafter = 'day'\nlabel.en = 'the end'\nask.en = 'Until?'\npatterns.en = ['until {end}'] #!\n",
        "of `end` is shadowed: `day`",
    ),
    "an intent that does nothing": ("[intents.x] #!\npatterns.en = ['x']\n", "dead end: an intent needs one of"),
    "an intent that does two things": ("[intents.x]\npatterns.en = ['x']\nmenu = 'm'\ntransfer = 'desk' #!\n[menus.m]\nsay.en = 'm'\noptions.x.key = '1'\n", ("does one thing", "dead end: every option"), "menus.m"),
    "an offer with something else": ("[intents.x]\npatterns.en = ['x']\ntransfer = 'desk'\noffer = 'thanks' #!\n", "only an answer"),
    "an unknown command": ("[intents.x]\npatterns.en = ['x']\ncommand = 'undo' #!\n", "unknown command `undo`"),
    "a form that is not there": ("[intents.x] #!\npatterns.en = ['x']\nform = 'visits'\n", "there is no form `visits`"),
    "a menu that is not there": ("[intents.x] #!\npatterns.en = ['x']\nmenu = 'man'\n", "there is no menu `man`"),
    "a target that is not there": ("[intents.x] #!\npatterns.en = ['x']\ntransfer = 'dask'\n", "did you mean `desk`?"),
    "an offer that is not there": ("[intents.x] #!\npatterns.en = ['x']\nsay.en = 'x'\noffer = 'tanks'\n", "did you mean `thanks`?"),
    "an intent in a menu that is not there": ("[menus.main]\nsay.en = 'x'\n[menus.main.options]\nthanks.key = '1'\ntanks.key = '2' #!\n", "did you mean `thanks`?"),
    "an undeclared slot": (FORM + "[intents.x]\nform = 'visit'\npatterns.en = ['xx',\n 'on the {date}'] #!\n", "declares no slot `date`; there is day"),
    "an undeclared slot in a slot's pattern": (FORM + "patterns.en = ['on the {date}'] #!\n", "declares no slot `date`"),
    "a slot's pattern without a slot": (FORM + "patterns.en = ['on that day'] #!\n", "fills no slot"),
    "a slot without a form": ("[intents.x]\nsay.en = 'x'\npatterns.en = ['x {day}'] #!\n", "starts no form"),
    "a form that nobody starts": (FORM.replace("[forms.visit]", "[forms.visit] #!").replace('form = "visit"', 'say.en = "x"'), "unreachable: no intent starts form `visit`"),
    "a menu that nobody opens": ("[menus.tour] #!\nsay.en = 'x'\noptions.thanks.key = '1'\n", "unreachable: no intent opens menu `tour`"),
    "an intent that nobody can say": ("[intents.x] #!\nsay.en = 'x'\n", "unreachable: intent `x`"),
    "intents that reach only each other": ("[intents.x] #!\nsay.en = 'x'\noffer = 'y'\n[intents.y] #!\nsay.en = 'y'\noffer = 'x'\n", ("unreachable: intent `x`", "unreachable: intent `y`")),
    "an option without key and patterns": ("[menus.main]\nsay.en = 'x'\noptions.thanks.key = '1'\n[menus.main.options.help] #!\n", "neither `key` nor `patterns`"),
    "a menu without options": ("[menus.main] #!\nsay.en = 'x'\n", "a menu needs options"),
    "a menu that leads to itself": ("[intents.x]\nmenu = 'main'\n[menus.main] #!\nsay.en = 'x'\noptions.x.key = '1'\n", "leads to a menu again"),
    "menus that lead to each other": (
        "[intents.x]\nmenu = 'main'\n[intents.y]\nmenu = 'two'\n[menus.main] #!\nsay.en = 'x'\noptions.y.key = '1'\n[menus.two] #!\nsay.en = 'x'\noptions.x.key = '1'\n",
        ("menu `main` leads", "menu `two` leads"),
    ),
    "a key twice in a menu": ("[menus.main]\nsay.en = 'x'\n[menus.main.options]\nthanks.key = '1'\nhelp.key = '1' #!\n", "key 1 is taken by `thanks`"),
    "no key of a telephone": ("[menus.main]\nsay.en = 'x'\n[menus.main.options]\nthanks.key = 'A' #!\n", "is no key"),
    "a form that cannot be left": (FORM.replace("[forms.visit]", "[forms.visit] #!") + "[intents.cancel]\nsay.en = 'x'\npatterns.en = ['cancel']\n", "cannot be left"),
    "a call that cannot be ended": ("[intents.end_call] #!\nsay.en = 'x'\npatterns.en = ['bye']\n", "cannot say goodbye"),
    "a form without slots": ("[intents.x]\nform = 'f'\npatterns.en = ['x']\n[forms.f] #!\nlabel.en = 'f'\nconfirm.en = 'f'\ndone.en = 'f'\n", "at least one slot"),
    "a form without a confirmation": (FORM.replace('confirm.en = "On {day}. Right?"\n', "").replace("[forms.visit]", "[forms.visit] #!"), "`confirm` is missing"),
    "a confirmation that hides a value": (FORM.replace('"On {day}. Right?"', '"Right?" #!'), "does not speak day"),
    "a slot without a type": (FORM.replace('type = "date"\n', "").replace("slots.day]", "slots.day] #!"), "`type` is missing"),
    "an unknown type": (FORM.replace('"date"', '"dates" #!'), "did you mean `date`?"),
    "a slot without a question": (FORM.replace('ask.en = "Which day?"\n', "").replace("slots.day]", "slots.day] #!"), "`ask` is missing"),
    "a key of another type": (FORM + "earliest = 09:00:00 #!\n", "unknown key `earliest`"),
    "hours that never come": (FORM.replace('"date"', '"time"') + "earliest = 19:00:00\nlatest = 09:00:00 #!\n", "dead end: no time lies between"),
    "numbers that are not there": (FORM.replace('"date"', '"number"') + "min = 5\nmax = 4 #!\n", "dead end: no value lies between"),
    "a time in quotes": (FORM.replace('"date"', '"time"') + "earliest = '9:00' #!\n", "written 19:30:00 without quotes"),
    "a choice of one": (FORM.replace('"date"', '"choice"') + "[forms.visit.slots.day.options] #!\na.label.en = 'a'\na.patterns.en = ['a']\n", "at least two options"),
    "a date that must follow itself": (FORM.replace("slots.day]", "slots.day] #!") + "after = 'day'\n", "`after` must name another date slot"),
    "dates that wait for each other": (
        FORM.replace("{day}.", "{day} {end}.").replace("slots.day]", "slots.day] #!") + "after = 'end'\n"
        "[forms.visit.slots.end] #!\ntype = 'date'\nafter = 'day'\nlabel.en = 'e'\nask.en = 'e'\n",
        ("itself waits for `day`", "itself waits for `end`"),
    ),
    "an optional slot that is never heard": (FORM + "[forms.visit.slots.who] #!\ntype = 'name'\nrequired = false\nlabel.en = 'w'\nask.en = 'w'\n", "unreachable: optional slot `who`"),
    "a value that may be missing": (FORM.replace('"Which day?"', '"Not {day}?" #!'), "`{day}` may be missing here"),
    "a sensitive value that is spoken": (FORM.replace('confirm.en = "On {day}. Right?"', 'confirm.en = "On {day}. Right?" #!') + "sensitive = true\n", "must not be spoken"),
    "keys for words": (FORM.replace('"date"', '"name"') + "digits = 4 #!\n", "cannot be typed"),
    "a date of six keys": (FORM + "digits = 6 #!\n", "DDMM"),
    "an odd name": ("[intents.Big-One] #!\nsay.en = 'x'\n", "is no name"),
    "a value of a wrong type": ("[values.pi]\nde = 'x' #!\n", ("`en` is missing", "unknown key `de`"), "values.pi"),
    "outcomes without an action": (FORM.replace("[forms.visit]", "[forms.visit] #!").replace("done.en", "acted.en = 'x'\ndone.en"), "are about an `action`"),
    "a result of an odd type": (FORM.replace("done.en", "action = 'a'\nresults = { number = 'name' } #!\ndone.en"), "cannot be spoken as a result"),
    "a result that may be missing": (
        FORM.replace("done.en", "action = 'a'\nresults = { number = 'code' }\nacted.en = 'It is {number}.' #!\ndone.en"),
        "`{number}` may be missing here",
    ),
    "a result that is a slot": (FORM.replace("[forms.visit]", "[forms.visit] #!").replace("done.en", "action = 'a'\nresults = { day = 'code' }\ndone.en"), "name of a slot as well"),
    "a refusal that changes nothing": (
        FORM.replace("done.en", "action = 'a'\ndone.en") + "[forms.visit.refusals.full] #!\nchange = 'dy'\nsay.en = 'x'\n",
        "did you mean `day`?",
    ),
    "a refusal without words": (FORM.replace("done.en", "action = 'a'\ndone.en") + "[forms.visit.refusals.full] #!\n", "`say` is missing"),
    "always, but what": ("[intents.x]\nsay.en = 'x'\npatterns.en = ['x']\nalways = true #!\n", "the intent has none"),
    "a courtesy that does something": ("[intents.x] #!\nhang_up = true\ncourtesy = true\npatterns.en = ['x']\n", "can be a `fallback` or a `courtesy`"),
    "a filler with a value": ("[texts.filler] #!\nen = 'Wait for {house}.'\n", "said at any time"),
    "a closing that promises a day": ("[texts.closed]\nen = 'Back on {day}.' #!\n", "`{day}` may be missing here"),
    "a table that is no table": ("[intents]\nx = 5 #!\n", "must be a table"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refused_with_the_line(case):
    text, reasons, *more = CASES[case]
    text = HEAD + text
    if more:
        text = text.replace(f"[{more[0]}]", f"[{more[0]}] #!")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if "#!" in line]
    problems = refused(text)
    reasons = (reasons,) if isinstance(reasons, str) else reasons
    assert len(problems) == len(reasons), problems
    for reason in reasons:
        assert any(reason in problem.reason for problem in problems), problems
    assert {problem.line for problem in problems} == set(lines), problems
    assert all(problem.source == "house.toml" for problem in problems)


HEADS = {
    "nothing at all": ("", 1, "the table [script] is missing"),
    "no languages": ("[script]\ntargets = ['a']\nhandoff = 'a'\n", 1, "must name at least one of en, de, es, fr"),
    "an unknown language": ("[script]\nlanguages = [\n'en',\n'it']\ntargets = ['a']\nhandoff = 'a'\n", 4, "language `it` is not supported"),
    "no handoff": ("[script]\nlanguages = ['en']\ntargets = ['a']\n", 1, "`handoff` is missing"),
    "a handoff to nobody": ("[script]\nlanguages = ['en']\ntargets = ['desk']\nhandoff = 'dask'\n", 4, "did you mean `desk`?"),
    "no tries at all": ("[script]\nlanguages = ['en']\ntargets = ['a']\nhandoff = 'a'\nsilences = 0\n", 5, "a whole number from 1 to 10"),
    "too much confidence": ("[script]\nlanguages = ['en']\ntargets = ['a']\nhandoff = 'a'\nconfidence = 3\n", 5, "from 0 to 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADS)
def test_a_head_that_is_refused(case):
    text, line, reason = HEADS[case]
    assert [(problem.line, reason in problem.reason) for problem in refused(text)] == [(line, True)]


def test_the_base_of_these_cases_is_fine():
    assert parse_script(HEAD + FORM).languages == ("en",)


def test_all_problems_come_at_once_in_the_order_of_the_file():
    problems = refused(HEAD + "[intents.a]\nform = 'x'\nfoo = 1\n[texts.ready]\nen = '{b}'\n[menus.m]\nsay.en = ' '\n")
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)
    assert len(problems) >= 5


def test_the_error_says_it_all():
    with pytest.raises(ScriptError) as caught:
        parse_script(HEAD + "[intents.x] #!\npatterns.en = ['x']\nform = 'visits'\n", "house.toml")
    error = caught.value
    assert isinstance(error, ConfigurationError)
    assert "house.toml:9: intent `x`: there is no form `visits`" in str(error)
    assert error.details["lines"] == [9]
    assert error.code == "script_invalid"


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ScriptError, match="the file cannot be read"):
        load_script(tmp_path / "none.toml")


def test_a_file_that_is_not_utf8(tmp_path):
    path = tmp_path / "latin.toml"
    path.write_bytes(b"# fine\n# gr\xfc\xdfe\n")
    with pytest.raises(ScriptError, match=r"latin\.toml:2: the file is not UTF-8"):
        load_script(path)


def test_a_file_with_a_byte_order_mark_and_windows_line_ends(tmp_path):
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + FORM).replace("\n", "\r\n").encode())
    assert load_script(path).name == "script"


def test_lines_count_with_windows_line_ends():
    problems = refused((HEAD + "[intents.x]\nfoo = 1\n").replace("\n", "\r\n"))
    assert {problem.line for problem in problems} == {9, 10}


def test_a_nest_of_brackets_is_refused():
    assert "nested too deeply" in refused("a = " + "[" * 20_000)[0].reason


def test_a_file_of_a_megabyte_is_refused():
    assert "more than" in refused("# " + "x" * 1_000_001)[0].reason


def test_values_are_replaced_by_name():
    script = parse_script(HEAD + "[texts.ready]\nen = 'This is {house}.'\n", values={"house": "Casa Blanca"})
    assert script.values["house"] == "Casa Blanca"


def test_one_script_serves_houses_with_values_of_their_own():
    script = parse_script(HEAD + "[texts.ready]\nen = 'This is {house}.'\n")
    other = script.with_values({"house": "Casa Blanca"})
    assert (script.values["house"] != "Casa Blanca", other.values["house"]) == (True, "Casa Blanca")
    assert other.ears is script.ears


@pytest.mark.parametrize(
    ("values", "reason"), [({"hous": "x"}, "did you mean `house`"), ({"opens": "nine"}, "must be a time")]
)
def test_values_that_do_not_fit(values, reason):
    with pytest.raises(ScriptError, match=reason):
        parse_script(HEAD, values=values)
    with pytest.raises(ScriptError, match=reason):
        parse_script(HEAD).with_values(values)
