"""The responder's steps as JSON, for the journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from orchestrator_calls.responder import Act, Collect, HangUp, Note, Remember, Say, Step, Transfer
from orchestrator_kernel.ports import Json

__all__ = ["from_json", "to_json"]


def to_json(step: Step) -> dict[str, Json]:  # noqa: PLR0911 - one line per kind of step
    """A flat object with the step's kind under `step`."""
    match step:
        case Say(text, language):
            return {"step": "say", "text": text, "language": language}
        case Collect():
            return {
                "step": "collect",
                "digits": step.digits,
                "terminator": step.terminator,
                "timeout": step.timeout,
                "sensitive": step.sensitive,
            }
        case Act(name, arguments):
            return {"step": "act", "name": name, "arguments": arguments}
        case Transfer(target, reason):
            return {"step": "transfer", "target": target, "reason": reason}
        case HangUp(reason):
            return {"step": "hang_up", "reason": reason}
        case Note(intent, understood, confidence, detail):
            told: dict[str, Json] = {
                "step": "note",
                "intent": intent,
                "understood": understood,
                "confidence": confidence,
            }
            return {**told, "detail": detail} if detail else told
        case Remember(memory):
            return {"step": "remember", "memory": memory}


def from_json(data: Mapping[str, Json]) -> Step:  # noqa: PLR0911 - one line per kind of step
    """The step that `to_json` wrote.

    Raises:
        KeyError, ValueError: It was written by something else.
    """
    values = cast("dict[str, object]", data)
    match data["step"]:
        case "say":
            return Say(str(values["text"]), str(values["language"]))
        case "collect":
            return Collect(
                digits=cast("int", values["digits"]),
                terminator=str(values["terminator"]),
                timeout=cast("float", values["timeout"]),
                sensitive=bool(values["sensitive"]),
            )
        case "act":
            return Act(str(values["name"]), cast("Mapping[str, Json]", values["arguments"]))
        case "transfer":
            return Transfer(str(values["target"]), str(values["reason"]))
        case "hang_up":
            return HangUp(str(values["reason"]))
        case "note":
            confidence = cast("float | None", values["confidence"])
            return Note(str(values["intent"]), bool(values["understood"]), confidence, str(values.get("detail", "")))
        case "remember":
            return Remember(cast("Mapping[str, Json]", values["memory"]))
        case other:
            raise ValueError(f"{other!r} is no step")
