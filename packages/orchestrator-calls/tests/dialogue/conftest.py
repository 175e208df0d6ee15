"""The default script, loaded once, and a caller that holds the memory between turns as the journal does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from orchestrator_calls.actions import ActionOutcome, ActionStatus
from orchestrator_calls.dialogue import House, Script, ScriptedResponder, load_script, parse_script
from orchestrator_calls.responder import (
    Act,
    Exchange,
    HangUp,
    InputKind,
    Remember,
    Say,
    Step,
    Transfer,
    TurnContext,
    TurnInput,
)
from orchestrator_kernel.ports import Json

NOW = datetime(2026, 6, 3, 14, 0, tzinfo=UTC)


@dataclass
class Caller:
    """One call, turn by turn."""

    responder: ScriptedResponder
    language: str = "en"
    now: datetime | None = NOW
    memory: Mapping[str, Json] = field(default_factory=dict[str, Json])
    steps: list[Step] = field(default_factory=list[Step])
    history: Sequence[Exchange] = ()

    def turn(self, given: TurnInput) -> list[Step]:
        context = TurnContext(
            call_id="call-1",
            tenant="house",
            turn="1",
            language=self.language,
            input=given,
            memory=self.memory,
            history=self.history,
            now=self.now,
        )
        self.steps = self.responder.steps(context)
        last = self.steps[-1]
        assert isinstance(last, Remember)
        self.memory = json.loads(json.dumps(last.memory))
        return self.steps

    def greet(self) -> str:
        self.turn(TurnInput(kind=InputKind.GREETING))
        return self.heard

    def say(self, text: str, *, language: str | None = None, confidence: float | None = None) -> str:
        self.turn(TurnInput(kind=InputKind.SPEECH, text=text, language=language, confidence=confidence))
        return self.heard

    def press(self, keys: str) -> str:
        self.turn(TurnInput(kind=InputKind.DIGITS, text=keys))
        return self.heard

    def wait(self, repeats: int) -> str:
        self.turn(TurnInput(kind=InputKind.SILENCE, repeats=repeats))
        return self.heard

    def outcome(self, action: str, status: str, reason: str = "", **data: Json) -> str:
        """What an action came to, as the runtime tells it."""
        outcome = ActionOutcome(status=ActionStatus(status), reason=reason, data=data)
        self.turn(TurnInput(kind=InputKind.OUTCOME, action=action, outcome=outcome))
        return self.heard

    @property
    def act(self) -> Act | None:
        return next((step for step in self.steps if isinstance(step, Act)), None)

    @property
    def says(self) -> list[Say]:
        return [step for step in self.steps if isinstance(step, Say)]

    @property
    def heard(self) -> str:
        return " ".join(say.text for say in self.says)

    @property
    def end(self) -> str:
        for step in self.steps:
            if isinstance(step, HangUp):
                return f"hang_up {step.reason}"
            if isinstance(step, Transfer):
                return f"transfer {step.target} {step.reason}"
        return "open"


@pytest.fixture(scope="session")
def receptionist() -> Script:
    return load_script()


@pytest.fixture
def call(receptionist: Script) -> Callable[..., Caller]:
    """Begin a call with the receptionist."""
    return lambda language="en", house=None, **more: Caller(
        ScriptedResponder(receptionist, house=house or House()), language, **more
    )


@pytest.fixture(scope="session")
def call_with() -> Callable[..., Caller]:
    """Begin a call with a script of one's own."""
    return lambda text, language="en", **more: Caller(ScriptedResponder(parse_script(text)), language, **more)
