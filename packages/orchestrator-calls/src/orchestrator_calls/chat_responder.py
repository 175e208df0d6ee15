"""A responder that asks a language model behind any OpenAI-compatible `/v1/chat/completions` (extra `[http]`).

What the user types:

    client = create_client(HttpClientConfig(base_url="https://llm.example", headers={"authorization": f"Bearer {key}"}))
    responder = ChatResponder(ChatConfig(model="…", instructions="You are the receptionist of …"), client, fallback=script)

**Who speaks.** The model answers what the caller says. The greeting, silences, keys, and above all what became of an action are the script's: what must be true is
worded by nobody who may err. When the model cannot answer (no first sentence in time, a broken or truncated stream, a refusal, a tool used wrongly), the
script answers within the same turn, and the turn's note says why.

**Sentences.** The stream is cut into sentences; each is yielded, and so spoken, while the next is written.

**Tools.** The tenant's actions, a transfer, and the end of the call. An action is never carried out in the turn in which the model first asks for it: the caller
is asked the model's question, and only the same request after the caller's next words is carried out.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, cast

from orchestrator_calls._chat_config import ChatConfig, ChatTurn
from orchestrator_calls._chat_prompt import messages
from orchestrator_calls._chat_reading import SERVICE, pieces
from orchestrator_calls._chat_stream import ChatFailed, ChatStream, ToolCall
from orchestrator_calls._chat_tools import (
    END_CALL,
    QUESTION,
    TRANSFER_CALL,
    ChatTool,
    Parameter,
    declared,
    read_arguments,
)
from orchestrator_calls._sentences import SentenceCutter, spoken
from orchestrator_calls.responder import (
    Act,
    HangUp,
    InputKind,
    Note,
    Remember,
    Responder,
    Say,
    Step,
    Transfer,
    TurnContext,
)
from orchestrator_kernel.exceptions import ExternalServiceError, OrchestratorError
from orchestrator_kernel.ports import Clock, Json, SystemClock

if TYPE_CHECKING:
    import httpx

__all__ = ["ChatConfig", "ChatResponder", "ChatTool", "ChatTurn", "Parameter"]

logger = logging.getLogger(__name__)

MEMORY: Final = "chat"
"""Where in the call's memory the pending question is; the rest of it is the script's."""

MAX_SENTENCES: Final = 200
"""Of one answer: more of them nobody listens to."""
TOKEN: Final = 8
"""Characters of a token, at most and on the average: a server that does not keep to `max_tokens` is cut by them."""

TAIL: Final = 0.5
"""Seconds that a server has to say what an answer took, once that is whole."""


def _quiet(_turn: ChatTurn) -> None:
    """Nobody observes."""


def _nothing(_context: TurnContext) -> bool:
    """The model answers all that callers say."""
    return False


@dataclass(slots=True)
class _Writing:
    """One answer while it is written."""

    context: TurnContext
    language: str
    begun: float
    first: float | None = None
    cut: str = ""
    sentences: int = 0
    length: int = 0
    proposed: Mapping[str, Json] = field(default_factory=dict[str, Json])
    stream: ChatStream = field(default_factory=ChatStream)


class ChatResponder:
    """Implements `Responder` with a language model, and with `fallback` where that cannot answer.

    Args:
        config: How to ask.
        client: Made by `orchestrator_kernel.http.create_client` with the server's `base_url` and credentials.
        fallback: The script.
        reserved: Whether the script answers a turn of speech itself, for example because it has something to tell that the law asks for.
        clock: Measures.
        observe: Called with how each turn of the model went; must not block or raise.
    """

    def __init__(
        self,
        config: ChatConfig,
        client: httpx.AsyncClient,
        *,
        fallback: Responder,
        reserved: Callable[[TurnContext], bool] = _nothing,
        clock: Clock | None = None,
        observe: Callable[[ChatTurn], None] = _quiet,
    ) -> None:
        self._config = config
        self._client = client
        self._fallback = fallback
        self._reserved = reserved
        self._clock = clock or SystemClock()
        self._observe = observe
        self._tools = declared(config.tools, config.transfer_targets)
        self._parameters = {each.name: {QUESTION: Parameter(), **each.parameters} for each in config.tools}

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        """See `Responder`."""
        if context.input.kind is not InputKind.SPEECH or self._reserved(context):
            async for step in self._scripted(context):
                yield step
            return
        writing = _Writing(context, self._language(context), self._clock.monotonic())
        failure = ""
        async with aclosing(self._answer(writing)) as steps:
            try:
                async for step in steps:
                    yield step
            except OrchestratorError as error:
                failure = str(error.details.get("reason") or error.code)
        if failure:
            logger.warning("the model failed", extra={"call_id": context.call_id, "reason": failure})
            async for step in self._scripted(context, f"script: {failure}"):
                yield step
        self._tell(writing, failure)

    def _tell(self, writing: _Writing, failure: str) -> None:
        outcome: Literal["answered", "cut", "script"] = "script" if failure else "cut" if writing.cut else "answered"
        seconds = self._clock.monotonic() - writing.begun
        first = None if writing.first is None else writing.first - writing.begun
        self._observe(
            ChatTurn(
                call_id=writing.context.call_id,
                tenant=writing.context.tenant,
                outcome=outcome,
                reason=failure or writing.cut,
                first_sentence=first,
                seconds=seconds,
                prompt_tokens=writing.stream.usage.prompt,
                completion_tokens=writing.stream.usage.completion,
            )
        )

    async def _scripted(self, context: TurnContext, detail: str = "") -> AsyncGenerator[Step, None]:
        """The script's answer; it keeps its own memory, and ours beside it."""
        noted = False
        async with aclosing(self._fallback.respond(context)) as steps:
            async for step in steps:
                if isinstance(step, Note) and detail:
                    noted = True
                    yield replace(step, detail=detail)
                elif isinstance(step, Remember) and MEMORY in context.memory:
                    yield Remember({**step.memory, MEMORY: context.memory[MEMORY]})
                else:
                    yield step
        if detail and not noted:
            yield Note("", understood=False, detail=detail)

    def _language(self, context: TurnContext) -> str:
        """The language that the recognizer heard, where we speak it, or that of the call."""
        heard = (context.input.language or "").partition("-")[0].lower()
        return next(
            (each for each in self._config.languages if each.partition("-")[0].lower() == heard), context.language
        )

    # --- the model's answer -------------------------------------------------------------------------------------------------

    async def _answer(self, writing: _Writing) -> AsyncGenerator[Step, None]:
        """The steps of the answer.

        Raises:
            OrchestratorError: It cannot be had; what was yielded stands.
        """
        for sentence in writing.context.said:
            yield Say(sentence, writing.language)
        async with aclosing(self._sentences(writing)) as sentences:
            async for sentence in sentences:
                yield Say(sentence, writing.language)
        steps = self._steps(writing.stream.calls, writing)
        if writing.first is None and not steps:
            raise ChatFailed("empty")
        for step in steps:
            yield step
        yield Note(SERVICE, understood=True, detail=f"cut: {writing.cut}" if writing.cut else "")
        memory = {name: value for name, value in writing.context.memory.items() if name != MEMORY}
        if writing.proposed:
            memory[MEMORY] = {"proposed": writing.proposed}
        yield Remember(memory)

    async def _sentences(self, writing: _Writing) -> AsyncGenerator[str, None]:
        """The sentences, as soon as each is whole."""
        cutter, stream = SentenceCutter(writing.language), writing.stream
        text = pieces(self._client, self._config.path, self._body(writing), stream)
        async with aclosing(text):
            while not stream.finish and (piece := await self._within(writing, anext(text, None))) is not None:
                for said in self._said(writing, cutter.feed(piece)):
                    yield said
                if writing.cut:
                    break
            for said in self._said(writing, self._rest(writing, cutter)):
                yield said
            if stream.finish:
                await self._read_on(text)

    def _rest(self, writing: _Writing, cutter: SentenceCutter) -> list[str]:
        """What is left when no more text comes."""
        if writing.cut or writing.stream.finish == "length":
            # What has no end is not a sentence.
            writing.cut = writing.cut or "length"
            if writing.first is not None:
                return []
        return [*cutter.feed(writing.stream.end()), *cutter.rest()]

    async def _read_on(self, text: AsyncGenerator[str, None]) -> None:
        """The words are out; what they took comes behind them, and is worth neither a long wait nor the answer."""
        with contextlib.suppress(TimeoutError, ExternalServiceError):
            async with asyncio.timeout(TAIL):
                async for _ in text:
                    pass

    def _said(self, writing: _Writing, sentences: Iterable[str]) -> Iterator[str]:
        """What of them is spoken, until the answer is as long as it may be."""
        for sentence in sentences:
            writing.sentences += 1
            writing.length += len(sentence)
            if writing.sentences > MAX_SENTENCES or writing.length > self._config.max_tokens * TOKEN:
                writing.cut = "length"
                return
            if said := spoken(sentence):
                if writing.first is None:
                    writing.first = self._clock.monotonic()
                yield said

    async def _within(self, writing: _Writing, awaited: Awaitable[str | None]) -> str | None:
        """The next piece; None at the end, or when the time for the whole answer is over.

        Raises:
            ChatFailed: `slow` where the first sentence is not there in time, `stalled` where the stream pauses.
        """
        now = self._clock.monotonic()
        first = writing.first is None
        left = writing.begun + (self._config.first_sentence if first else self._config.limit) - now
        wait = left if first else min(left, self._config.between)
        try:
            async with asyncio.timeout(max(0.0, wait)):
                return await awaited
        except TimeoutError:
            if first:
                raise ChatFailed("slow") from None
            if wait < left:
                raise ChatFailed("stalled") from None
            writing.cut = "limit"
            return None

    def _body(self, writing: _Writing) -> dict[str, Json]:
        config, context = self._config, writing.context
        proposed = _proposed(context)
        pending = json.dumps(proposed, ensure_ascii=False) if proposed else ""
        body: dict[str, Json] = {
            "model": config.model,
            "messages": messages(config.instructions, context, writing.language, config.context_budget, pending),
            "stream": True,
            "tools": self._tools,
            config.tokens_field: config.max_tokens,
        }
        if config.usage:
            body["stream_options"] = {"include_usage": True}
        if config.temperature is not None:
            body["temperature"] = config.temperature
        return body

    # --- tools --------------------------------------------------------------------------------------------------------------

    def _steps(self, calls: list[ToolCall], writing: _Writing) -> list[Step]:
        """What the first tool means; a second one in one turn is not taken.

        Raises:
            ChatFailed: `tool`: there is none of this name; `arguments`: they are not what was declared.
        """
        if not calls:
            return []
        name, text = calls[0].name, calls[0].arguments
        reason = {"reason": Parameter(required=False)}
        if name == END_CALL:
            return [HangUp(str(read_arguments(text, reason).get("reason") or "ended by the model"))]
        if name == TRANSFER_CALL and self._config.transfer_targets:
            given = read_arguments(text, {"target": Parameter(options=self._config.transfer_targets), **reason})
            return [Transfer(str(given["target"]), str(given.get("reason", "")))]
        parameters = self._parameters.get(name)
        if parameters is None:
            raise ChatFailed("tool")
        arguments = read_arguments(text, parameters)
        question = spoken(str(arguments.pop(QUESTION)))
        wanted: dict[str, Json] = {"name": name, "arguments": arguments}
        if _proposed(writing.context) == wanted:
            return [Act(name, arguments)]
        if not question:
            raise ChatFailed("arguments")
        writing.proposed = wanted
        return [Say(question, writing.language)]


def _proposed(context: TurnContext) -> Mapping[str, Json]:
    """What the caller was asked to agree to in the turn before."""
    ours = context.memory.get(MEMORY)
    proposed = cast("Mapping[str, Json]", ours).get("proposed") if isinstance(ours, dict) else None
    return cast("Mapping[str, Json]", proposed) if isinstance(proposed, dict) else {}
