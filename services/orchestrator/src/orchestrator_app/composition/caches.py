"""What is kept so that it need not be made again: spoken sentences.

Tenants are in memory as they are (`composition/tenants.py`), and orchestrator-auth remembers verified tokens itself, for a minute at most: keeping either here, too, would only
make a change late.

A sentence may be about a caller. In this process it lies in memory, under a key that tells nothing of it, for `cache_seconds` at most; in the second level it
is sealed, and the names of keys are made with a secret.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, aclosing, nullcontext
from importlib.metadata import version
from typing import Final

from orchestrator_app.settings import AppSettings
from orchestrator_kernel.ports import Clock, Speech, SpeechChunk, SpeechFailed, SpeechRequest, WordTiming
from orchestrator_performance.caching import BytesSerializer, Cache, CacheConfig, Sealing, Shared, SharedLevel
from orchestrator_utils.tts_client import speech_cache_key

__all__ = ["CachedSpeech", "SpeechCache", "make_speech_cache"]

_NAME: Final = "speech"

Timed = Callable[[], AbstractContextManager[None]]
"""Times what is inside."""


class SpeechCache:
    """Sentences that were spoken, for all voices."""

    def __init__(self, cache: Cache[bytes], timed: Timed = nullcontext) -> None:
        self.cache = cache
        self._timed = timed

    def around(self, voice: Speech, identity: str) -> Speech:
        """The voice, asked only for what it has not spoken lately; `identity` names all that shapes its sound besides the request."""
        return CachedSpeech(voice, self.cache, f"{identity}/{version('orchestrator-utils')}", self._timed)


def make_speech_cache(
    settings: AppSettings,
    clock: Clock,
    *,
    level: SharedLevel | None = None,
    sealing: Sealing | None = None,
    key_secret: bytes = b"",
    timed: Timed = nullcontext,
) -> SpeechCache | None:
    """The cache that the settings ask for; with a second level only where it is sealed, too. `timed` times how long it takes to be asked."""
    own = settings.performance
    if not own.speech_cache:
        return None
    config = CacheConfig(
        name=_NAME,
        max_items=own.cache_items,
        max_bytes=own.cache_bytes,
        max_value_bytes=min(own.cache_bytes, 4 * 1024 * 1024),
        ttl=own.cache_seconds,
    )
    shared = None
    if level is not None and sealing is not None:
        shared = Shared(level, BytesSerializer(), sealing=sealing, key_secret=key_secret)
    return SpeechCache(Cache(config, shared=shared, weigh=len, clock=clock), timed)


class CachedSpeech:
    """A voice that speaks a sentence once for all who want it: those who come while it is being made hear it along, later ones from memory.

    A sentence is kept only when it was made to its end. When the last listener goes away before that, the voice is stopped.
    """

    def __init__(self, voice: Speech, cache: Cache[bytes], identity: str, timed: Timed = nullcontext) -> None:
        self._voice = voice
        self._timed = timed
        self._cache = cache
        self._identity = identity
        self._recordings: dict[str, _Recording] = {}

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        """Speak the sentence.

        Raises:
            SpeechFailed: As the voice does.
        """
        key = speech_cache_key(request, self._identity)
        recording = self._recordings.get(key)
        if recording is None:
            with self._timed():
                kept = await self._cache.get(key)
            if isinstance(kept, bytes):
                for chunk in _unpacked(kept):
                    yield chunk
                return
            # Another listener may have begun meanwhile.
            recording = self._recordings.get(key) or self._record(key, request)
        async with aclosing(recording.listen()) as stream:
            async for chunk in stream:
                yield chunk

    def _record(self, key: str, request: SpeechRequest) -> _Recording:
        async def keep(chunks: list[SpeechChunk]) -> None:
            await self._cache.put(key, _packed(chunks))

        def ended() -> None:
            if self._recordings.get(key) is recording:
                del self._recordings[key]

        recording = _Recording(self._voice, request, keep, ended)
        self._recordings[key] = recording
        return recording


class _Recording:
    """One sentence while it is being made."""

    def __init__(
        self,
        voice: Speech,
        request: SpeechRequest,
        keep: Callable[[list[SpeechChunk]], Awaitable[None]],
        ended: Callable[[], None],
    ) -> None:
        self._voice = voice
        self._request = request
        self._keep = keep
        self._ended = ended
        self._chunks: list[SpeechChunk] = []
        self._error: Exception | None = None
        self._done = False
        self._more = asyncio.Event()
        self._listeners = 0
        self._task = asyncio.create_task(self._make(), name="speech")

    async def listen(self) -> AsyncGenerator[SpeechChunk, None]:
        """All of it, from the beginning, as it is made."""
        self._listeners += 1
        heard = 0
        try:
            while True:
                while heard < len(self._chunks):
                    heard += 1
                    yield self._chunks[heard - 1]
                if self._done:
                    break
                await self._more.wait()
            if self._error is not None:
                raise self._error
        finally:
            self._listeners -= 1
            if self._listeners == 0 and not self._task.done():
                self._ended()
                self._task.cancel()
                await asyncio.wait([self._task])

    async def _make(self) -> None:
        try:
            async with aclosing(self._voice.synthesize(self._request)) as stream:
                async for chunk in stream:
                    self._chunks.append(chunk)
                    self._wake()
        except Exception as error:  # noqa: BLE001 - raised again for each listener
            self._error = error
        except asyncio.CancelledError:
            self._error = SpeechFailed("the sentence was stopped", code="speech_stopped")
            raise
        finally:
            self._done = True
            self._ended()
            self._wake()
        if self._error is None and self._chunks:
            await self._keep(self._chunks)

    def _wake(self) -> None:
        more, self._more = self._more, asyncio.Event()
        more.set()


def _packed(chunks: list[SpeechChunk]) -> bytes:
    heads = [
        [each.sample_rate, len(each.pcm), [[word.word, word.start_ms, word.end_ms] for word in each.words]]
        for each in chunks
    ]
    head = json.dumps(heads, separators=(",", ":")).encode()
    return len(head).to_bytes(4, "big") + head + b"".join(each.pcm for each in chunks)


def _unpacked(data: bytes) -> Iterator[SpeechChunk]:
    start = 4 + int.from_bytes(data[:4], "big")
    for rate, size, words in json.loads(data[4:start]):
        yield SpeechChunk(data[start : start + size], rate, tuple(WordTiming(*each) for each in words))
        start += size
