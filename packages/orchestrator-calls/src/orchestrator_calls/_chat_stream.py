"""The answer of `/v1/chat/completions`, as it is streamed: text, tool calls, and whether it came to its end. Pure.

Source: the "Chat completions" reference of the OpenAI API, `chat.completion.chunk`. Servers that speak the same protocol differ in what they leave out, so
everything but the text is optional; what contradicts itself fails.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from orchestrator_kernel.exceptions import ExternalServiceError

__all__ = ["ChatFailed", "ChatStream", "ToolCall", "Usage"]

DONE: Final = "[DONE]"
MAX_CALLS: Final = 4
MAX_ARGUMENTS: Final = 8_192
MAX_TOKENS: Final = 10_000_000
"""More than any model takes in or writes: who says so counts wrongly."""
_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"


class ChatFailed(ExternalServiceError):
    """The model's answer cannot be had; `reason` is one of a few words, for the transcript and metrics."""

    default_code = "chat_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the model's answer cannot be had: {reason}", details={"reason": reason})
        self.reason = reason


@dataclass(slots=True)
class ToolCall:
    """A tool that the model wants to be used; `arguments` is JSON as the model wrote it."""

    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """How many tokens an answer took; None where the server did not say, or said what cannot be."""

    prompt: int | None = None
    completion: int | None = None


@dataclass(slots=True)
class _Thoughts:
    """Leaves out what a model thinks aloud, between `<think>` and `</think>`."""

    thinking: bool = False
    held: str = ""

    def feed(self, text: str) -> str:
        text, self.held = self.held + text, ""
        said, place = list[str](), 0
        while (found := text.find(self._mark, place)) >= 0:
            after = found + len(self._mark)
            if not self.thinking:
                said.append(text[place:found])
            self.thinking, place = not self.thinking, after
        text = text[place:]
        keep = _overlap(text, self._mark)
        if not self.thinking:
            said.append(text[: len(text) - keep])
        self.held = text[len(text) - keep :]
        return "".join(said)

    @property
    def _mark(self) -> str:
        return _CLOSE if self.thinking else _OPEN

    def rest(self) -> str:
        said, self.held = "" if self.thinking else self.held, ""
        return said


def _overlap(text: str, mark: str) -> int:
    """How many characters at the end of `text` may be the beginning of `mark`."""
    return next((size for size in range(min(len(mark) - 1, len(text)), 0, -1) if text.endswith(mark[:size])), 0)


@dataclass(slots=True)
class ChatStream:
    """Takes one answer in.

    Attributes:
        finish: Why the model stopped; empty while it has not.
        calls: The tools it wants to be used.
        usage: What the answer took, as it was told last.
    """

    finish: str = ""
    calls: list[ToolCall] = field(default_factory=list[ToolCall])
    usage: Usage = Usage()
    _done: bool = False
    _thoughts: _Thoughts = field(default_factory=_Thoughts)

    @property
    def over(self) -> bool:
        """Whether nothing more counts."""
        return self._done

    def feed(self, data: str) -> str:
        """The text that this chunk adds.

        Raises:
            ChatFailed: `unreadable`, `error`, `refused` or `too_much`.
        """
        if self._done:
            return ""
        if data.strip() == DONE:
            self._done = True
            self.finish = self.finish or "stop"
            return ""
        chunk = _object(data)
        if chunk.get("error"):
            raise ChatFailed("error")
        choices, usage = chunk.get("choices"), chunk.get("usage")
        if isinstance(usage, dict):
            self.usage = _usage(cast("Mapping[str, object]", usage))
            # The piece that tells it holds no choice; some servers leave even the empty list out.
            choices = list[object]() if choices is None else choices
        if not isinstance(choices, list):
            raise ChatFailed("unreadable")
        return "".join(self._choice(each) for each in cast("Sequence[object]", choices))

    def end(self) -> str:
        """The stream is over: the text that was held back.

        Raises:
            ChatFailed: `truncated`: it broke off.
        """
        if not self.finish:
            raise ChatFailed("truncated")
        return self._thoughts.rest()

    def _choice(self, choice: object) -> str:
        if not isinstance(choice, dict):
            raise ChatFailed("unreadable")
        members = cast("Mapping[str, object]", choice)
        # After its own word that it is through, a server has nothing to add.
        index = members.get("index")
        if self.finish or (index is not None and index != 0):
            return ""
        delta = members.get("delta") or members.get("message") or dict[str, object]()
        if not isinstance(delta, dict):
            raise ChatFailed("unreadable")
        text = self._delta(cast("Mapping[str, object]", delta))
        finish = members.get("finish_reason")
        if isinstance(finish, str):
            self.finish = finish
        if self.finish == "content_filter":
            raise ChatFailed("refused")
        return text

    def _delta(self, delta: Mapping[str, object]) -> str:
        if delta.get("refusal"):
            raise ChatFailed("refused")
        calls = delta.get("tool_calls")
        for place, call in enumerate(cast("Sequence[object]", calls) if isinstance(calls, list) else ()):
            self._call(place, call)
        content = delta.get("content")
        return self._thoughts.feed(content) if isinstance(content, str) else ""

    def _call(self, place: int, part: object) -> None:
        if not isinstance(part, dict):
            raise ChatFailed("unreadable")
        members = cast("Mapping[str, object]", part)
        index = members.get("index", place)
        function = members.get("function")
        if not isinstance(index, int) or not 0 <= index < MAX_CALLS or not isinstance(function, dict):
            raise ChatFailed("unreadable")
        while len(self.calls) <= index:
            self.calls.append(ToolCall())
        told = cast("Mapping[str, object]", function)
        self.calls[index].name += _text(told.get("name"))
        self.calls[index].arguments += _text(told.get("arguments"))
        if len(self.calls[index].arguments) > MAX_ARGUMENTS or len(self.calls[index].name) > 64:
            raise ChatFailed("too_much")


def _object(data: str) -> Mapping[str, object]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise ChatFailed("unreadable") from None
    if not isinstance(value, dict):
        raise ChatFailed("unreadable")
    return cast("Mapping[str, object]", value)


def _usage(told: Mapping[str, object]) -> Usage:
    return Usage(_tokens(told.get("prompt_tokens")), _tokens(told.get("completion_tokens")))


def _tokens(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS:
        return value
    return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
