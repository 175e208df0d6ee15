"""The embedded voice: espeak-ng in a few child processes, shared fairly by all sentences."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import re
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.ports import SpeechChunk, SpeechFailed, SpeechRequest, SpeechUnavailable
from orchestrator_utils._drivers.espeak_process import EspeakProcess
from orchestrator_utils._speech_checks import SpeechLimits, SpeechRefused, check_request
from orchestrator_utils._speech_frames import Frame, FrameBroken, FrameReader, Kind, encode
from orchestrator_utils._speech_languages import espeak_voice
from orchestrator_utils._speech_sentence import Sentence

__all__ = ["EmbeddedVoice", "EmbeddedVoiceConfig"]

logger = logging.getLogger(__name__)

_SERVICE = "embedded voice"
# A name with a path in it would be opened as a file.
_VOICE_NAME = re.compile(r"[A-Za-z0-9-]{1,40}(\+[A-Za-z0-9_-]{1,40})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedVoiceConfig:
    """Times in seconds.

    Attributes:
        processes: Children at most; one speaks several hundred times faster than real time, so two carry many calls.
        max_waiting: Sentences that may wait for a child; one more is refused.
        start_timeout: For a child to be ready.
        stall_timeout: For a busy child to send something; a silent one is replaced.
        limits: Of text and audio.
    """

    processes: int = 2
    max_waiting: int = 1000
    start_timeout: float = 10.0
    stall_timeout: float = 2.0
    limits: SpeechLimits = field(default_factory=SpeechLimits)

    def __post_init__(self) -> None:
        for name in ("processes", "max_waiting", "start_timeout", "stall_timeout"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"{name} must be positive", details={"setting": name})


class _Job:
    """A sentence and the one who listens to it."""

    def __init__(self, sentence: Sentence) -> None:
        self.sentence = sentence
        # Bounded by the limit of audio; a slow listener must not block the child, which others wait for.
        self._heard: asyncio.Queue[SpeechChunk | SpeechFailed | None] = asyncio.Queue()
        self.over = False

    def take(self, frame: Frame) -> bool:
        """Pass on what a frame says; whether there is more to come."""
        try:
            chunk = self.sentence.take(frame)
        except SpeechFailed as error:
            self.end(error)
            return False
        if chunk is not None:
            self._heard.put_nowait(chunk)
        return True

    def end(self, outcome: SpeechFailed | None) -> None:
        if not self.over:
            self.over = True
            self._heard.put_nowait(outcome)

    async def next(self) -> SpeechChunk | None:
        heard = await self._heard.get()
        if isinstance(heard, SpeechFailed):
            raise heard
        return heard


class _Child:
    """A process that is ready, and the job it works on."""

    def __init__(self, process: EspeakProcess, rate: int, watch: asyncio.Timeout, patience: float) -> None:
        self._process = process
        self._rate = rate
        self._watch = watch
        self._patience = patience
        self._number = 0
        self.job: _Job | None = None

    def say(self, job: _Job) -> None:
        self.job = job
        self._number = self._number % 0xFFFF_FFFF + 1
        self._process.write(encode(Kind.SAY, self._number, job.sentence.payload(self._rate)))
        self.wind()

    def stop(self) -> None:
        self._process.write(encode(Kind.STOP, self._number))

    def wind(self) -> None:
        """Start the time anew within which something must be heard; an idle child may be silent."""
        self._watch.reschedule(asyncio.get_running_loop().time() + self._patience if self.job else None)

    def is_about_the_job(self, frame: Frame) -> bool:
        return self.job is not None and frame.job == self._number


class EmbeddedVoice:
    """A voice that needs no network: espeak-ng from a wheel, in child processes (extra `[voice]`).

    It speaks like a robot, and at once. Words are told with their times. Sentences wait in one queue and are spoken piece by piece,
    so none waits for a long one. Stopping one ends it within a few milliseconds and costs the others nothing. A child that dies fails
    its sentence and is replaced. The children start with the first sentence, or with `warm`. Use it in one event loop.

    Raises:
        SpeechUnavailable: The extra is not installed.
    """

    def __init__(self, config: EmbeddedVoiceConfig | None = None) -> None:
        if importlib.util.find_spec("espeakng_loader") is None:
            raise SpeechUnavailable("the embedded voice is not installed: install orchestrator-utils[voice]")
        self._config = config or EmbeddedVoiceConfig()
        self._waiting: deque[_Job] = deque()
        self._idle: list[_Child] = []
        self._children: set[_Child] = set()
        self._processes: set[EspeakProcess] = set()
        self._lives: dict[asyncio.Task[None], asyncio.Future[SpeechFailed | None]] = {}
        self._starting = 0
        self._closed = False

    async def warm(self) -> None:
        """Start all children and wait until they can speak.

        Raises:
            SpeechFailed: One did not start.
        """
        if self._closed:
            raise _failure("has been closed", "closed")
        while len(self._lives) < self._config.processes:
            self._grow()
        ready, _ = await asyncio.wait(self._lives.values())
        for error in (one.result() for one in ready):
            if error is not None:
                raise error

    async def aclose(self) -> None:
        """End the children; what they still spoke fails. It cannot be used afterwards."""
        self._closed = True
        self._fail_waiting(_failure("has been closed", "closed"))
        for process in self._processes:
            process.close()
        if self._lives:
            _, late = await asyncio.wait(list(self._lives), timeout=1.0)
            await cancel(*late)

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        """Speak; 22,050 Hz, a first piece of about 40 ms, then of about 0.4 s."""
        check_request(request, self._config.limits, _SERVICE)
        voice = request.voice or espeak_voice(request.language)
        if not _VOICE_NAME.fullmatch(voice):
            raise SpeechRefused(f"{_SERVICE}: that is no name of a voice", details={"service": _SERVICE})
        job = _Job(Sentence(voice, request.speed, request.text, self._config.limits))
        self._submit(job)
        try:
            while (chunk := await job.next()) is not None:
                yield chunk
        finally:
            self._forget(job)

    def _submit(self, job: _Job) -> None:
        if self._closed:
            raise _failure("has been closed", "closed")
        if len(self._waiting) >= self._config.max_waiting:
            raise _failure("has too many sentences to speak", "overloaded")
        self._waiting.append(job)
        self._dispatch()

    def _forget(self, job: _Job) -> None:
        """Nobody listens to it any more."""
        if job.over:
            return
        job.over = True
        if job in self._waiting:
            self._waiting.remove(job)
        for child in self._children:
            if child.job is job:
                child.stop()

    def _dispatch(self) -> None:
        while self._waiting and self._idle:
            # The one that worked last: its memory is warm, and the others may stay asleep.
            self._idle.pop().say(self._waiting.popleft())
        wanted = min(len(self._waiting) - self._starting, self._config.processes - len(self._lives))
        for _ in range(0 if self._closed else wanted):
            self._grow()

    def _fail_waiting(self, error: SpeechFailed) -> None:
        while self._waiting:
            self._waiting.popleft().end(error)

    def _grow(self) -> None:
        """Start one more child. Its future tells when it is ready, or why it is not."""
        ready: asyncio.Future[SpeechFailed | None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._live(ready))
        self._lives[task] = ready
        self._starting += 1
        task.add_done_callback(self._after)

    def _after(self, task: asyncio.Task[None]) -> None:
        del self._lives[task]
        self._dispatch()

    async def _live(self, ready: asyncio.Future[SpeechFailed | None]) -> None:
        """One child, from its start to its end."""
        process: EspeakProcess | None = None
        error = _failure("did not start", "start_failed")
        try:
            process = await EspeakProcess.spawn()
            self._processes.add(process)
            if self._closed:
                process.close()
            async with asyncio.timeout(self._config.start_timeout):
                rate = await process.ready()
            self._starting -= 1
            ready.set_result(None)
            await self._listen(process, rate)
        except SpeechFailed as failure:
            error = failure
        except (OSError, TimeoutError, FrameBroken) as failure:
            error.__cause__ = failure
            if process is not None:
                process.kill()
        finally:
            if not ready.done():
                self._starting -= 1
                ready.set_result(error)
                self._report(error)
            if process is not None:
                await process.end()
                self._processes.discard(process)

    def _report(self, error: SpeechFailed) -> None:
        if not self._closed:
            logger.error("embedded voice did not start", extra={"reason": error.details.get("reason")}, exc_info=error)
        if not self._children:
            # Starting one more for those who wait would most likely end the same way, for ever.
            self._fail_waiting(error)

    async def _listen(self, process: EspeakProcess, rate: int) -> None:
        """Until the child ends, by itself or because it makes no sense or says nothing."""
        reason = "died"
        child: _Child | None = None
        try:
            async with asyncio.timeout(None) as watch:
                child = _Child(process, rate, watch, self._config.stall_timeout)
                self._children.add(child)
                self._idle.append(child)
                self._dispatch()
                await self._hear_all(child, process)
        except TimeoutError:
            reason = "stalled"
            process.kill()
        except FrameBroken:
            reason = "protocol"
            process.kill()
        finally:
            if child is not None:
                self._bury(child, process, "closed" if self._closed else reason)

    async def _hear_all(self, child: _Child, process: EspeakProcess) -> None:
        reader = FrameReader()
        while data := await process.read():
            for frame in reader.feed(data):
                if child.is_about_the_job(frame) and child.job is not None:
                    self._hear(child, child.job, frame)
            child.wind()

    def _hear(self, child: _Child, job: _Job, frame: Frame) -> None:
        ended = frame.kind in {Kind.DONE, Kind.FAILED}
        if not job.over and not job.take(frame) and not ended:
            child.stop()
        if not ended:
            return
        child.job = None
        self._idle.append(child)
        if job.sentence.finished:
            job.end(None)
        elif not job.over:
            self._waiting.append(job)
        self._dispatch()

    def _bury(self, child: _Child, process: EspeakProcess, reason: str) -> None:
        self._children.discard(child)
        if child in self._idle:
            self._idle.remove(child)
        if child.job is not None:
            child.job.end(_failure("stopped in the middle of a sentence", reason))
        if reason != "closed":
            logger.error("embedded voice lost a process", extra={"reason": reason, "pid": process.pid})


def _failure(what: str, reason: str) -> SpeechFailed:
    return SpeechFailed(f"{_SERVICE} {what}", details={"service": _SERVICE, "reason": reason})
