"""How a language model is asked, and how a turn of it went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from orchestrator_calls._chat_tools import ChatTool
from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["ChatConfig", "ChatTurn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatConfig:
    """How to ask the model; times in seconds.

    Attributes:
        instructions: Who the model is and what it knows; the rules of speaking are added.
        languages: That it may answer in, BCP 47; the caller's counts where it is one of them.
        tools: The tenant's actions.
        transfer_targets: Whom the caller may be handed to.
        first_sentence: How long the first sentence may take; then the script answers.
        between: How long the stream may pause.
        limit: For the whole answer; what was written until then stands.
        context_budget: Characters of what was said before that the model is told.
        max_tokens: Of one answer; `tokens_field` is what the server calls it.
        usage: Whether to ask how many tokens an answer took (`stream_options`); False for a server that refuses members it does not know.

    Raises:
        ConfigurationError: A value cannot be; the message names it.
    """

    model: str
    instructions: str = field(repr=False)
    languages: tuple[str, ...] = ("en-US",)
    tools: tuple[ChatTool, ...] = ()
    transfer_targets: tuple[str, ...] = ()
    path: str = "/v1/chat/completions"
    first_sentence: float = 2.5
    between: float = 2.0
    limit: float = 9.0
    context_budget: int = 8000
    max_tokens: int = 300
    tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: float | None = None
    usage: bool = True

    def __post_init__(self) -> None:
        for name in ("first_sentence", "between", "limit", "context_budget", "max_tokens"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigurationError(f"{name} must be a positive number", details={"setting": name})
        for name in ("model", "languages", "path"):
            if not getattr(self, name):
                raise ConfigurationError(f"{name} must not be empty", details={"setting": name})
        names = [each.name for each in self.tools]
        if len(set(names)) < len(names):
            raise ConfigurationError("two tools have one name", details={"setting": "tools"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTurn:
    """How a turn went, for metrics.

    Attributes:
        outcome: `answered`; `cut` where the answer was longer than it may be; `script` where the model failed.
        reason: Of a few words: why it was cut or the script had to answer.
        first_sentence: Seconds until it was there; None where there was none.
        prompt_tokens, completion_tokens: What the server says that it was given and wrote; None where it did not say, or nothing that can be.
    """

    call_id: str
    tenant: str
    outcome: Literal["answered", "cut", "script"]
    reason: str
    first_sentence: float | None
    seconds: float
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
