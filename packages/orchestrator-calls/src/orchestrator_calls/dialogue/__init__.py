"""Dialogues that are written down: a responder that speaks a script."""

from orchestrator_calls.dialogue.scripted import (
    House,
    OpeningHours,
    Script,
    ScriptedResponder,
    ScriptError,
    ScriptProblem,
    Span,
    load_script,
    parse_script,
)

__all__ = [
    "House",
    "OpeningHours",
    "Script",
    "ScriptError",
    "ScriptProblem",
    "ScriptedResponder",
    "Span",
    "load_script",
    "parse_script",
]
