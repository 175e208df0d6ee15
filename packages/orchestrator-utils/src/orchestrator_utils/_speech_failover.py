"""The next voice, when one fails before the caller has heard anything, or breaks in sentence after sentence."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from array import array
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, Literal

from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.ports import Speech, SpeechChunk, SpeechFailed, SpeechRequest, SpeechUnavailable
from orchestrator_utils._speech_checks import SpeechRefused
from orchestrator_utils._speech_rest import Rests

__all__ = ["FailoverSpeech", "SpeechOutcome", "is_audible"]

logger = logging.getLogger(__name__)

_LONGEST_SILENCE: Final = 1.0
"""Seconds; no voice takes a longer breath before a sentence."""
_WAITED: Final = frozenset({"speech_late", "answer_silent"})
_AUDIBLE: Final = 50
"""Of 32768: about -56 dB, below the noise of a telephone line."""


def is_audible(pcm: bytes) -> bool:
    """Whether any sample (signed 16 bit, little endian) is loud enough to be heard."""
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return bool(samples) and (max(samples) >= _AUDIBLE or min(samples) <= -_AUDIBLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechOutcome:
    """How one voice did with one sentence, for metrics.

    Attributes:
        voice: Its name in the fail-over.
        result: `stopped` when the listener went away, as in a barge-in; that is no failure.
        code: The error's code, if it failed.
        first_audio: Seconds until its first audio; None if there was none.
    """

    voice: str
    result: Literal["spoken", "stopped", "failed"]
    code: str | None = None
    first_audio: float | None = None


class FailoverSpeech:
    """Voices in order of preference, as one voice.

    The next one is asked when one fails, ends without audio, or has no first audible audio within the limit: a voice that begins with a
    second of silence, or says nothing else, has failed (`answer_silent`). Once audio was heard there is no way back: a failure then is raised
    as `SpeechFailed`, and the caller decides. Nothing is tried twice.

    A voice that breaks in the middle of sentences, or begins too late, does so at the listeners' cost. After `rest_after` such sentences one
    after the other it rests for `rest_seconds`: it is asked only when no other can speak. Each voice of a backend rests by itself. Then one sentence is its probe: if it is spoken the
    voice is back in its place, and otherwise it rests again. What is cut short by the listener counts for nothing.

    A voice's name means something to one backend alone, so `request.voice` is for the first; the others speak with the language's
    default.

    Args:
        voices: In order.
        first_audio_timeout: Seconds that each voice gets to its first audio.
        names: For errors, logs and outcomes; by default the names of the classes.
        observe: Called once for each voice that was asked.
        monotonic: The clock for `SpeechOutcome.first_audio` and for rests.
        rest_after: How many sentences in a row a voice may spoil.
        rest_seconds: How long it then rests.

    Raises:
        ConfigurationError: No voices, a number of names that is not theirs, or a time or number that is not positive.
    """

    def __init__(
        self,
        voices: Sequence[Speech],
        *,
        first_audio_timeout: float = 2.0,
        names: Sequence[str] | None = None,
        observe: Callable[[SpeechOutcome], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        rest_after: int = 3,
        rest_seconds: float = 30.0,
    ) -> None:
        names = [type(voice).__name__ for voice in voices] if names is None else names
        if not voices or len(names) != len(voices):
            raise ConfigurationError("a fail-over needs at least one voice, and a name for each or for none")
        limits = {"first_audio_timeout": first_audio_timeout, "rest_after": rest_after, "rest_seconds": rest_seconds}
        for setting, value in limits.items():
            if not value > 0:
                raise ConfigurationError(f"{setting} must be positive", details={"setting": setting})
        self._voices = tuple(
            _Voice(name, voice, Rests(name, rest_after, rest_seconds, monotonic))
            for name, voice in zip(names, voices, strict=True)
        )
        self._limit = first_audio_timeout
        self._observe = observe
        self._monotonic = monotonic

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        """Speak with the first voice that can.

        Raises:
            SpeechFailed: None could, or one failed after it was heard.
        """
        errors: list[SpeechFailed] = []
        asked: list[str] = []
        for voice in self._in_order(request):
            attempt = _Attempt(voice.name, self._limit, self._monotonic)
            asked.append(voice.name)
            try:
                async with aclosing(attempt.speak(voice.speech.synthesize(self._for(voice, request)))) as stream:
                    async for chunk in stream:
                        yield chunk
            except Exception as error:  # noqa: BLE001 - a caller on the phone is owed the next voice; what broke is logged
                failure = attempt.fail(error)
                if attempt.first_audio is not None:
                    raise failure from (None if failure is error else error)
                logger.warning("voice failed before its first audio", extra={"voice": voice.name, "code": failure.code})
                errors.append(failure)
            else:
                attempt.result = "spoken"
                return
            finally:
                self._ended(voice, request, attempt)
        raise _nobody(asked, errors)

    def _in_order(self, request: SpeechRequest) -> Iterator[_Voice]:
        """By preference; those that rest come last, and are asked only when no other could speak."""
        resting: list[_Voice] = []
        for voice in self._voices:
            if len(self._voices) == 1 or voice.rests.of(self._for(voice, request).voice).over():
                yield voice
            else:
                resting.append(voice)
        yield from resting

    def _for(self, voice: _Voice, request: SpeechRequest) -> SpeechRequest:
        return request if voice is self._voices[0] else replace(request, voice=None)

    def _ended(self, voice: _Voice, request: SpeechRequest, attempt: _Attempt) -> None:
        rest = voice.rests.of(self._for(voice, request).voice)
        if attempt.spoiled:
            rest.spoiled()
        elif attempt.result == "spoken":
            rest.spoken()
        else:
            rest.unknown()
        self._tell(attempt)

    def _tell(self, attempt: _Attempt) -> None:
        if self._observe is not None:
            self._observe(
                SpeechOutcome(
                    voice=attempt.name, result=attempt.result, code=attempt.code, first_audio=attempt.first_audio
                )
            )


@dataclass(frozen=True, slots=True)
class _Voice:
    name: str
    speech: Speech
    rests: Rests


class _Attempt:
    """One voice at one sentence."""

    def __init__(self, name: str, limit: float, monotonic: Callable[[], float]) -> None:
        self.name = name
        self.result: Literal["spoken", "stopped", "failed"] = "stopped"
        self.code: str | None = None
        self.first_audio: float | None = None
        self._limit = limit
        self._monotonic = monotonic

    @property
    def spoiled(self) -> bool:
        """Whether the listener noticed the failure: words broken off, or a wait for nothing."""
        return self.result == "failed" and (self.first_audio is not None or self.code in _WAITED)

    async def speak(self, stream: AsyncGenerator[SpeechChunk, None]) -> AsyncGenerator[SpeechChunk, None]:
        """The stream, once it has proved that there is audio in it."""
        began = self._monotonic()
        held: list[SpeechChunk] = []
        silence, audible = 0.0, False
        async with aclosing(stream):
            scope = asyncio.timeout(self._limit)
            try:
                async with scope:
                    async for chunk in stream:
                        held.append(chunk)
                        audible = is_audible(chunk.pcm)
                        silence += len(chunk.pcm) / 2 / chunk.sample_rate
                        if audible or silence >= _LONGEST_SILENCE:
                            break
            except TimeoutError:
                if not scope.expired():
                    raise
                raise SpeechFailed(f"no audio within {self._limit:g} s", code="speech_late") from None
            if not silence:
                raise SpeechFailed("ended without audio")
            if not audible:
                raise SpeechFailed(f"sent {silence:.1f} s of silence", code="answer_silent")
            self.first_audio = self._monotonic() - began
            for chunk in held:
                yield chunk
            async for chunk in stream:
                yield chunk

    def fail(self, error: Exception) -> SpeechFailed:
        """What the error is for the port's callers; its text is passed on only where it is known to be harmless."""
        self.result = "failed"
        if isinstance(error, SpeechFailed):
            failure = error
        elif isinstance(error, OrchestratorError):
            failure = SpeechFailed(error.message, code=error.code, details=error.details, retryable=error.retryable)
        else:
            logger.error("voice broke", extra={"voice": self.name}, exc_info=error)
            failure = SpeechFailed(f"broke with {type(error).__name__}", retryable=False)
        self.code = failure.code
        return failure


def _nobody(names: Sequence[str], errors: Sequence[SpeechFailed]) -> SpeechFailed:
    reasons = "; ".join(f"{name}: {error.message}" for name, error in zip(names, errors, strict=True))
    kinds = {type(error) for error in errors}
    common = kinds.pop() if len(kinds) == 1 else SpeechFailed
    kind = common if common in {SpeechUnavailable, SpeechRefused} else SpeechFailed
    return kind(
        f"no voice could speak ({reasons})",
        details={"voices": list(names), "codes": [error.code for error in errors]},
        retryable=any(error.retryable for error in errors),
    )
