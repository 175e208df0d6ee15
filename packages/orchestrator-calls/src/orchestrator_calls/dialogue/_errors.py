"""What is wrong with a script, all of it at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from orchestrator_calls.dialogue._model import Place
from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["ScriptError", "ScriptProblem"]

_SHOWN = 50


class ScriptProblem(NamedTuple):
    """One thing to repair: the line (from 1) of the file, and what is wrong there."""

    source: str
    line: int
    reason: str

    @classmethod
    def at(cls, place: Place, reason: str) -> ScriptProblem:
        """A problem at `place`."""
        return cls(place.source, place.line, reason)

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.reason}"


class ScriptError(ConfigurationError):
    """A dialogue script cannot be used.

    Attributes:
        problems: Everything that is wrong, by file and line.
    """

    default_code = "script_invalid"

    problems: tuple[ScriptProblem, ...]

    @classmethod
    def of(cls, problems: Iterable[ScriptProblem]) -> ScriptError:
        """The error for `problems`, at least one; the message names each on a line of its own."""
        ordered = tuple(sorted(set(problems)))
        lines = [str(problem) for problem in ordered[:_SHOWN]]
        if len(ordered) > _SHOWN:
            lines.append(f"and {len(ordered) - _SHOWN} more")
        error = cls(
            "the dialogue script cannot be used:\n" + "\n".join(lines),
            details={"lines": [problem.line for problem in ordered[:_SHOWN]], "problems": lines},
        )
        error.problems = ordered
        return error
