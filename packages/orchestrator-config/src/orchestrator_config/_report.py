"""What the loader says about settings: where a value came from, what is wrong, what is out of date. Never a value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final, Literal

from orchestrator_config._paths import printable
from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["DEFAULT", "Origin", "SettingsError", "SettingsProblem", "SettingsWarning"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value of a setting came from.

    Attributes:
        kind: `default` (the model), `file`, `environment`, or `values` (given by the program).
        name: The path of the file as it was given, the name of the variable, or the name of the values.
        line: The line of the file, counted from 1; None when it is not known for certain.
        reference: The secret reference the value was fetched through, for example `file:/run/secrets/db`.
    """

    kind: Literal["default", "file", "environment", "values"]
    name: str = ""
    line: int | None = None
    reference: str = ""

    def __str__(self) -> str:
        place = printable(self.name) or self.kind
        if self.line is not None:
            place = f"{place}:{self.line}"
        return f"{place} -> {printable(self.reference)}" if self.reference else place


DEFAULT: Final = Origin("default")


@dataclass(frozen=True, slots=True)
class SettingsProblem:
    """One thing that is wrong with the settings.

    Attributes:
        path: The setting, for example `database.url`; empty when it concerns the settings as a whole.
        source: The variable's name, or `file:line`; empty when nothing was set.
        reason: What is wrong and what to do, without the value.
        nearest: For an unknown name, the known one most like it: a variable for a variable, a path for a path.
    """

    path: str
    source: str
    reason: str
    nearest: str = ""

    def __str__(self) -> str:
        place = f" ({self.source})" if self.source else ""
        hint = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"{self.path or 'the settings'}: {self.reason}{hint}{place}"


@dataclass(frozen=True, slots=True)
class SettingsWarning:
    """A setting that works and should be written otherwise.

    Attributes:
        source: The variable that is out of date.
        path: The setting it stands for.
        message: What to write instead.
    """

    source: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.source}: {self.message}"


class SettingsError(ConfigurationError):
    """The settings cannot be used. Says everything that is wrong with them at once, and no value.

    Attributes:
        problems: One entry for each thing that is wrong, in the order of their paths.
    """

    default_code = "settings_invalid"

    def __init__(self, problems: Iterable[SettingsProblem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "1 setting is wrong:" if count == 1 else f"{count} settings are wrong:"
        super().__init__(
            "\n".join([head, *(f"  {problem}" for problem in self.problems)]),
            details={"settings": tuple(problem.path or problem.source for problem in self.problems)},
        )

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.problems,)

    def errors(self) -> list[dict[str, str]]:
        """The problems as plain dictionaries, for a program that shows them its own way."""
        return [asdict(problem) for problem in self.problems]

    def json(self) -> str:
        """`errors()` as a JSON array."""
        import json  # noqa: PLC0415 - only when something is wrong

        return json.dumps(self.errors(), ensure_ascii=False)
