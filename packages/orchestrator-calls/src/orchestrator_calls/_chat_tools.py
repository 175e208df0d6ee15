"""Tools that a model may use, and whether what it wants to use them with is what was declared. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from orchestrator_calls._chat_stream import ChatFailed
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Json

__all__ = ["END_CALL", "QUESTION", "TRANSFER_CALL", "ChatTool", "Parameter", "declared", "read_arguments"]

END_CALL: Final = "end_call"
TRANSFER_CALL: Final = "transfer_call"
QUESTION: Final = "question"
"""The argument in which the model words the question whether to do it."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")
_LONGEST: Final = 500

Kind = Literal["string", "integer", "number", "boolean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument of a tool.

    Attributes:
        options: The values it may have, for a string; empty for any.
    """

    kind: Kind = "string"
    description: str = ""
    options: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTool:
    """An action of the tenant, as the model is told of it.

    Raises:
        ConfigurationError: A name is none that a model can use.
    """

    name: str
    description: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict[str, Parameter], hash=False)

    def __post_init__(self) -> None:
        for name in (self.name, *self.parameters):
            if not _NAME.match(name):
                raise ConfigurationError(
                    "a tool's name is letters, digits, _ and -, and begins with a letter", details={"tool": name[:64]}
                )
        taken = {END_CALL, TRANSFER_CALL} & {self.name} or {QUESTION} & set(self.parameters)
        if taken:
            raise ConfigurationError("the name is taken", details={"tool": taken.pop()})

    def schema(self) -> dict[str, Json]:
        """The tool as the protocol declares it, with the question in front."""
        question = Parameter(
            description="One short question to the caller, in their language, that repeats all details and asks whether to do it."
        )
        return _function(self.name, self.description, {QUESTION: question, **self.parameters})


def declared(tools: tuple[ChatTool, ...], targets: tuple[str, ...]) -> list[Json]:
    """All tools: the tenant's actions, ending the call, and transferring it where there is somebody."""
    functions: list[Json] = [each.schema() for each in tools]
    reason = Parameter(description="Why, in a few words.")
    functions.append(_function(END_CALL, "End the call after the caller has said goodbye.", {"reason": reason}))
    if targets:
        target = Parameter(options=targets, description="To whom.")
        functions.append(_function(TRANSFER_CALL, "Hand the caller to a person.", {"target": target, "reason": reason}))
    return functions


def _function(name: str, description: str, parameters: Mapping[str, Parameter]) -> dict[str, Json]:
    properties: dict[str, Json] = {each: _property(parameter) for each, parameter in parameters.items()}
    required: list[Json] = [each for each, parameter in parameters.items() if parameter.required]
    schema: dict[str, Json] = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def _property(parameter: Parameter) -> dict[str, Json]:
    described: dict[str, Json] = {"type": parameter.kind}
    if parameter.description:
        described["description"] = parameter.description
    if parameter.options:
        described["enum"] = list(parameter.options)
    return described


def read_arguments(text: str, parameters: Mapping[str, Parameter]) -> dict[str, Json]:
    """The arguments that a model wrote, if they are what was declared.

    Raises:
        ChatFailed: `arguments`.
    """
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        raise ChatFailed("arguments") from None
    if not isinstance(value, dict):
        raise ChatFailed("arguments")
    given = {name: each for name, each in cast("Mapping[str, Json]", value).items() if each is not None}
    if given.keys() - parameters.keys() or any(
        parameter.required and name not in given for name, parameter in parameters.items()
    ):
        raise ChatFailed("arguments")
    return {name: _fitting(each, parameters[name]) for name, each in given.items()}


def _fitting(value: Json, parameter: Parameter) -> Json:
    match parameter.kind, value:
        case "boolean", bool():
            return value
        case "integer", int() if not isinstance(value, bool) and abs(value) < 2**53:
            return value
        case "number", (int() | float()) if not isinstance(value, bool) and abs(value) < 2**53:
            return value
        case "string", str() if len(value) <= _LONGEST and _plain(value):
            if not parameter.options or value in parameter.options:
                return value
        case _:
            pass
    raise ChatFailed("arguments")


def _plain(text: str) -> bool:
    """Without control characters and halves of characters."""
    return text.replace("\n", " ").replace("\t", " ").isprintable()
