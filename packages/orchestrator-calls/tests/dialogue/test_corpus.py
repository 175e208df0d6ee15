"""Whole calls, written as data: what the caller does, what is heard, and what is noted at the end.

A turn is `say`, `keys` or `silence` (the how-manieth), with `language` and `confidence` of the recognizer; expected are `heard` (parts of
the answer), `unheard` (what must not be), `intent`, `understood` (true unless said), `speaks` (the language of the answer), `tag` (its whole tag), `sentences` (at least so
many) and `collects` (how many digits at most).

The dialogues of `spoken_*.toml` are written from the caller's side alone, as people speak, without looking at the patterns: they state only what
must be reached, and in `heard` what the caller must have heard on the way, in this order.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from orchestrator_calls.responder import Collect, Note

_CORPUS = Path(__file__).parent / "corpus"


def _dialogues(files):
    for path in sorted(_CORPUS.glob(files)):
        for dialogue in tomllib.loads(path.read_text("utf-8"))["dialogues"]:
            language = dialogue.get("language", path.stem.rpartition("_")[2])
            yield pytest.param(language, dialogue, id=f"{path.stem}: {dialogue['name']}")


@pytest.mark.parametrize("language", ["en", "de", "es", "fr"])
def test_the_corpus_is_large_enough(language):
    assert len([each for each in _dialogues("*.toml") if each.values[0][:2] == language]) >= 30


@pytest.mark.parametrize(("language", "dialogue"), list(_dialogues("spoken_*.toml")))
def test_the_call_reaches_what_the_caller_wanted(call, language, dialogue):
    caller, answers = call(language), []
    caller.greet()
    for given in dialogue["turns"]:
        assert caller.end == "open", f"the call was over before {given}: {answers}"
        turn = {"say": given} if isinstance(given, str) else given
        _take(caller, turn)
        answers.append((turn, caller.heard))
    assert caller.end.startswith(dialogue["end"]), answers
    assert caller.memory.get("completed", []) == dialogue.get("completed", []), answers
    said = " ".join(heard for _, heard in answers)
    for part in dialogue.get("heard", []):
        assert part in said, answers
        said = said.partition(part)[2]


@pytest.mark.parametrize(("language", "dialogue"), list(_dialogues("[a-r]*.toml")))
def test_dialogue(call, language, dialogue):
    caller = call(language)
    assert caller.greet()
    for turn in dialogue["turns"]:
        _take(caller, turn)
        where = f"after {turn}: {caller.heard!r}"
        heard = turn.get("heard", [])
        for part in [heard] if isinstance(heard, str) else heard:
            assert part in caller.heard, where
        assert "unheard" not in turn or turn["unheard"] not in caller.heard, where
        _check_note(caller, turn, where)
        assert len(caller.says) >= turn.get("sentences", 1), where
        assert {say.language.split("-")[0] for say in caller.says} == {
            turn.get("speaks", caller.says[0].language.split("-")[0])
        }, where
        if "tag" in turn:
            assert {say.language for say in caller.says} == {turn["tag"]}, where
        if "collects" in turn:
            assert [step.digits for step in caller.steps if isinstance(step, Collect)] == [turn["collects"]], where
        if turn is not dialogue["turns"][-1]:
            assert caller.end == "open", where
    assert caller.end == dialogue["end"]
    assert caller.memory.get("completed", []) == dialogue.get("completed", [])


def _take(caller, turn):
    if "say" in turn:
        caller.say(turn["say"], language=turn.get("language"), confidence=turn.get("confidence"))
    elif "keys" in turn:
        caller.press(turn["keys"])
    else:
        caller.wait(turn["silence"])


def _check_note(caller, turn, where):
    notes = [step for step in caller.steps if isinstance(step, Note)]
    if "silence" in turn:
        assert notes == [], where
        return
    assert len(notes) == 1, where
    assert notes[0].understood is turn.get("understood", True), where
    assert "intent" not in turn or notes[0].intent == turn["intent"], where
