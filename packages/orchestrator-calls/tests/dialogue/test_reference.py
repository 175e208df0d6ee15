"""The reference of the script format: its examples load, its refusals are real, and nothing is missing from it."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from orchestrator_calls.dialogue import ScriptError, parse_script, scripted
from orchestrator_calls.dialogue._model import Command, SlotType

PAGE = (Path(__file__).parents[2] / "docs" / "dialogue-script.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(toml|text)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = [block for kind, block in BLOCKS if kind == "toml"]
BASE = EXAMPLES[0]


@pytest.mark.parametrize("number", range(len(EXAMPLES) - 1))
def test_the_examples_load(number):
    assert parse_script(BASE if number == 0 else f"{BASE}\n{EXAMPLES[number]}").name == "barber"


def test_all_examples_load_together():
    assert set(parse_script("\n".join(EXAMPLES[:-1])).forms) == {"appointment", "callback", "message"}


def test_the_refusal_is_what_the_page_says():
    (shown,) = [block for kind, block in BLOCKS if kind == "text"]
    with pytest.raises(ScriptError) as caught:
        parse_script(f"{BASE}\n{EXAMPLES[-1]}", "barber.toml")
    assert [str(problem) for problem in caught.value.problems] == shown.splitlines()


def test_nothing_is_missing_from_the_page(receptionist):
    built_in = [name for name, intent in receptionist.intents.items() if intent.built_in]
    for name in (*receptionist.texts, *receptionist.reasons, *built_in, *SlotType, *Command):
        assert f"`{name}`" in PAGE, name


def test_the_example_is_a_dialogue(call_with):
    caller = call_with("\n".join(EXAMPLES[:-1]))
    assert "barber shop" in caller.greet()
    assert "9 am to 6 pm" in caller.say("when are you open?")
    assert "At what time on Friday, June 5th?" in caller.say("a haircut on Friday with Tony please")
    assert "from 9 am to 5:30 pm" in caller.say("at eight in the evening")
    assert "A haircut on Friday, June 5th at 3 pm with Tony." in caller.say("three")
    caller.say("no, a beard trim")
    assert "noted" in caller.say("yes")
    slots = {"service": "beard", "day": "2026-06-05", "hour": "15:00", "barber": "Tony"}
    assert caller.memory["completed"] == [{"form": "appointment", "slots": slots}]


def test_the_docstring_runs():
    assert doctest.testmod(scripted).attempted >= 3
    assert doctest.testmod(scripted).failed == 0
