"""The embedded recognizer: which of the expected phrases was said, without a network (extra `[asr]`, pocketsphinx).

What the user types:

    transcriber = CommandTranscriber(CommandTranscriberConfig(phrases=["when is breakfast", "goodbye"]))
    transcript = await transcriber.transcribe(Utterance(pcm=pcm, sample_rate=16_000, language="en-US"))
    await transcriber.aclose()

**What it can and cannot.** English, and the phrases of a closed list, word by word: about nine in ten of fifteen spoken commands on a line with some noise. What is
not in the list is nothing (an empty transcript), or now and then the phrase that it resembles. Numbers that are spelt out are not for it: take digits by key.

It runs in child processes, for it computes without giving the interpreter away: some 2 % of an utterance's length, and 60 MB for each.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from orchestrator_calls._drivers.recognizer_process import RecognizerProcess
from orchestrator_calls._transcriber_checks import check_utterance
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.ports.audio import TranscriberUnavailable, Transcript, TranscriptionFailed, Utterance

__all__ = ["CommandTranscriber", "CommandTranscriberConfig", "UnknownWords", "normalized"]

logger = logging.getLogger(__name__)

SAMPLE_RATE: Final = 16_000
_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)?")


class UnknownWords(ConfigurationError):
    """A phrase holds words that the recognizer's dictionary does not know; the message names them."""

    default_code = "unknown_words"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandTranscriberConfig:
    """How it recognizes; times in seconds.

    Attributes:
        phrases: What is listened for in an utterance that names none.
        processes: Children at most.
        start_timeout: For a child to load its model.
        timeout: For an utterance.
        max_seconds: Of an utterance.
        max_phrases: In one list.
    """

    phrases: Sequence[str] = ()
    processes: int = 1
    start_timeout: float = 20.0
    timeout: float = 5.0
    max_seconds: float = 20.0
    max_phrases: int = 200

    def __post_init__(self) -> None:
        for name in ("processes", "start_timeout", "timeout", "max_seconds", "max_phrases"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"{name} must be positive", details={"setting": name})


def normalized(phrase: str) -> str:
    """The words of a phrase as the recognizer writes them.

    >>> normalized("When is check-out?")
    'when is check out'
    """
    return " ".join(_WORD.findall(phrase.lower()))


class CommandTranscriber:
    """Recognizes phrases of a closed list. Use it in one event loop, and close it.

    Raises:
        TranscriberUnavailable: The extra is not installed.
    """

    def __init__(self, config: CommandTranscriberConfig | None = None) -> None:
        self._config = config or CommandTranscriberConfig()
        if importlib.util.find_spec("pocketsphinx") is None:
            raise TranscriberUnavailable("the embedded recognizer is not installed: install orchestrator-calls[asr]")
        self._free: asyncio.LifoQueue[RecognizerProcess | None] = asyncio.LifoQueue()
        for _ in range(self._config.processes):
            self._free.put_nowait(None)
        self._children: set[RecognizerProcess] = set()
        self._work: set[asyncio.Task[Transcript]] = set()
        self._closed = False

    @property
    def sample_rate(self) -> int:
        """16,000 Hz: what the model was made from."""
        return SAMPLE_RATE

    async def warm(self, *more: Sequence[str]) -> None:
        """Start a child and try the configured phrases and further lists, so that the first caller need not wait and a wrong word is told now.

        Raises:
            UnknownWords: A word is not in the dictionary.
            TranscriberUnavailable: The model cannot be loaded.
        """
        silence = bytes(2 * SAMPLE_RATE // 10)
        for phrases in (self._config.phrases or ("yes",), *more):
            await self.transcribe(Utterance(pcm=silence, sample_rate=SAMPLE_RATE, phrases=phrases))

    async def transcribe(self, utterance: Utterance) -> Transcript:
        """The phrase that was said, as it is written in the list; an empty text when it is none of them.

        Raises:
            UnknownWords: A phrase has words that are not in the dictionary.
            TranscriptionFailed: The child died or took too long; the next utterance gets another.
            ValidationError: The utterance is none that can be taken.
        """
        check_utterance(utterance, sample_rate=SAMPLE_RATE, max_seconds=self._config.max_seconds)
        if self._closed:
            raise TranscriberUnavailable("the embedded recognizer is closed")
        listed = {normalized(phrase): phrase for phrase in utterance.phrases or self._config.phrases}
        listed.pop("", None)
        if not listed or not utterance.pcm:
            return Transcript(text="")
        if len(listed) > self._config.max_phrases:
            raise ConfigurationError(f"{len(listed)} phrases; {self._config.max_phrases} are the most")
        # A child that was asked must be heard out, though the one who asked is gone.
        work = asyncio.create_task(self._ask(listed, utterance.pcm))
        self._work.add(work)
        work.add_done_callback(self._done)
        return await asyncio.shield(work)

    def _done(self, work: asyncio.Task[Transcript]) -> None:
        self._work.discard(work)
        if not work.cancelled():
            work.exception()

    async def _ask(self, listed: dict[str, str], pcm: bytes) -> Transcript:
        child = await self._free.get()
        try:
            if child is None:
                child = await self._start()
            async with asyncio.timeout(self._config.timeout):
                answer = await child.exchange(_request(list(listed), pcm))
        except (TimeoutError, OSError, EOFError) as error:
            reason = "took too long" if isinstance(error, TimeoutError) else "died"
            await self._lost(child)
            child = None
            raise TranscriptionFailed(f"the embedded recognizer {reason}", details={"reason": reason}) from None
        except BaseException:
            await self._lost(child)
            child = None
            raise
        finally:
            self._free.put_nowait(child)
        return _transcript(answer, listed)

    async def _start(self) -> RecognizerProcess:
        child = await RecognizerProcess.spawn()
        self._children.add(child)
        try:
            async with asyncio.timeout(self._config.start_timeout):
                await child.ready()
        except BaseException:
            await self._lost(child)
            raise
        return child

    async def _lost(self, child: RecognizerProcess | None) -> None:
        """End a child of which nobody knows what it is doing; its place is free for another."""
        if child is not None:
            self._children.discard(child)
            await child.end()

    async def aclose(self) -> None:
        """End the children; closing twice is harmless."""
        self._closed = True
        await cancel(*self._work)
        while self._children:
            await self._children.pop().end()


def _request(phrases: Sequence[str], pcm: bytes) -> bytes:
    listed = "\n".join(phrases).encode()
    return struct.pack(">II", len(listed), len(pcm)) + listed + pcm


def _transcript(answer: bytes, listed: dict[str, str]) -> Transcript:
    members = cast("dict[str, object]", json.loads(answer))
    if unknown := members.get("unknown"):
        words = ", ".join(cast("list[str]", unknown))
        raise UnknownWords(f"the recognizer's dictionary does not know: {words}", details={"words": words})
    # What is no phrase of the list is the beginning of one: nobody said it.
    return Transcript(text=listed.get(str(members.get("text", "")), ""))
