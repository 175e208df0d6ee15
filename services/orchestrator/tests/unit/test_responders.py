"""Which turns a language model may answer, and how it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator_app.composition.responders import chat_config, speaks_itself
from orchestrator_app.settings import TenantSettings
from orchestrator_calls.dialogue import House, ScriptedResponder, load_script
from orchestrator_calls.responder import Exchange, InputKind, Remember, Say, TurnContext, TurnInput

SCRIPT = load_script(Path(__file__).parents[1] / "short.toml")
NOTICE = "This call is recorded."
SPEECH = TurnInput(kind=InputKind.SPEECH, text="when is breakfast")


def turn(given: TurnInput = SPEECH, **more: Any) -> TurnContext:
    return TurnContext(call_id="c", tenant="t", turn="1", language="en-US", input=given, **more)


@pytest.fixture
def script() -> ScriptedResponder:
    return ScriptedResponder(SCRIPT, house=House(consent={"en": (NOTICE,)}))


def greeted(script: ScriptedResponder, heard: str) -> TurnContext:
    """The turn after a greeting of which so much was heard."""
    steps = script.steps(turn(TurnInput(kind=InputKind.GREETING)))
    assert NOTICE in [step.text for step in steps if isinstance(step, Say)]
    [memory] = [step.memory for step in steps if isinstance(step, Remember)]
    return turn(memory=memory, history=(Exchange("", heard),))


def test_a_notice_that_was_not_heard_is_told_by_the_script_before_a_model_speaks(script: ScriptedResponder) -> None:
    assert speaks_itself(script, greeted(script, "Hello. This call"))
    assert not speaks_itself(script, greeted(script, f"Hello. {NOTICE} How can I help you?"))


def test_who_objects_to_what_is_kept_is_answered_by_the_script(script: ScriptedResponder) -> None:
    heard = greeted(script, f"Hello. {NOTICE} How can I help you?")
    objecting = TurnInput(kind=InputKind.SPEECH, text="I do not want to be recorded")
    assert speaks_itself(script, turn(objecting, memory=heard.memory, history=heard.history))


def test_without_notices_the_model_answers() -> None:
    assert not speaks_itself(ScriptedResponder(SCRIPT), turn())


def test_a_tenants_actions_are_its_models_tools() -> None:
    tenant = TenantSettings.model_validate(
        {
            "languages": ["de-DE"],
            "transfers": {"desk": "+4930901899"},
            "chat": {"url": "https://llm.example", "model": "m", "instructions": "You are the desk.", "max_tokens": 99},
            "actions": {
                "book": {
                    "url": "https://pms.example",
                    "description": "Book a table.",
                    "arguments": {"guests": {"kind": "integer"}, "area": {"options": ["inside"], "required": False}},
                },
                "cancel": {"url": "https://pms.example"},
            },
        }
    )
    assert tenant.chat is not None
    config = chat_config(tenant.chat, tenant)
    assert [(tool.name, tool.description) for tool in config.tools] == [("book", "Book a table."), ("cancel", "cancel")]
    assert config.tools[0].parameters["guests"].kind == "integer"
    assert config.tools[0].parameters["area"].options == ("inside",)
    assert config.transfer_targets == ("desk",)
    assert (config.languages, config.max_tokens) == (("de-DE",), 99)
