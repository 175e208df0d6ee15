"""Dialogues that are written down: a responder that speaks a script."""

from orchestrator_calls.dialogue.scripted import (
    Script,
    ScriptedResponder,
    ScriptError,
    ScriptProblem,
    load_script,
    parse_script,
)

__all__ = ["Script", "ScriptError", "ScriptProblem", "ScriptedResponder", "load_script", "parse_script"]
