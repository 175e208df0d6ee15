"""Text to speech: the `Speech` port of the kernel over several voices, and fail-over between them.

The voices:

- `OpenAISpeech` (extra `[http]`): any server with the `/v1/audio/speech` endpoint; audio arrives while it is made.
- `ElevenLabsSpeech` (extra `[http]`): any server with ElevenLabs' streaming endpoint; audio arrives while it is made, with times of every word.
- `RouterSpeech` (extra `[http]`): the text-to-speech router (`POST /synthesize`); audio arrives in one piece.
- `EmbeddedVoice` (extra `[voice]`): espeak-ng in child processes; no network, first audio within milliseconds, times of every word.
- `FailoverSpeech`: several of them in order of preference.
- `PronouncedSpeech` (`orchestrator_utils.pronunciation`): one of them with a table of how to say names.

`speech_cache_key` is the key under which the audio of a sentence may be kept.

What a service composes, once, at its start:

    client = create_client(HttpClientConfig(base_url="https://tts.example", headers={"authorization": f"Bearer {key}"}))
    remote = OpenAISpeech(client, OpenAISpeechConfig(model="tts-1", voice="alloy"))
    local = EmbeddedVoice()
    await local.warm()
    speech = FailoverSpeech([remote, local], first_audio_timeout=1.5)

and at its end `await local.aclose()` and `await client.aclose()`. A sentence is spoken by iterating; leaving the loop early, or
being cancelled, stops the synthesis and costs neither a connection nor the voice:

    async with aclosing(speech.synthesize(SpeechRequest(text="Good evening.", language="en-US"))) as stream:
        async for chunk in stream:
            play(chunk.pcm, chunk.sample_rate)

What every voice promises: signed 16-bit mono samples at one rate; an empty, cut off, oversized or foreign answer is a `SpeechFailed`
and never silence; a sentence that no voice can speak (empty, too long, a speed outside 0.5 to 2.0, an unknown language) is a
`SpeechRefused`; no error holds a word of the text; nothing is tried twice. Any object with a `synthesize` method can take part:

>>> import asyncio
>>> from contextlib import aclosing
>>> from orchestrator_kernel.ports import SpeechChunk, SpeechFailed, SpeechRequest
>>> from orchestrator_utils.tts_client import FailoverSpeech
>>> class Broken:
...     async def synthesize(self, request):
...         raise SpeechFailed("the line to the data centre is cut")
...         yield
>>> class Beep:
...     async def synthesize(self, request):
...         for _ in range(3):
...             yield SpeechChunk(bytes([0, 16]) * 160, 8000)
>>> async def seconds(speech, text):
...     heard = 0.0
...     async with aclosing(speech.synthesize(SpeechRequest(text=text, language="en-US"))) as stream:
...         async for chunk in stream:
...             heard += len(chunk.pcm) / 2 / chunk.sample_rate
...     return heard
>>> outcomes = []
>>> speech = FailoverSpeech([Broken(), Beep()], names=["remote", "local"], observe=outcomes.append)
>>> asyncio.run(seconds(speech, "Good evening."))
0.06
>>> [(outcome.voice, outcome.result) for outcome in outcomes]
[('remote', 'failed'), ('local', 'spoken')]
"""

from orchestrator_utils._drivers.espeak import EmbeddedVoice, EmbeddedVoiceConfig
from orchestrator_utils._speech_cache_key import speech_cache_key
from orchestrator_utils._speech_checks import SpeechLimits, SpeechRefused
from orchestrator_utils._speech_elevenlabs import ElevenLabsSpeech, ElevenLabsSpeechConfig
from orchestrator_utils._speech_failover import FailoverSpeech, SpeechOutcome
from orchestrator_utils._speech_languages import espeak_voice
from orchestrator_utils._speech_openai import OpenAISpeech, OpenAISpeechConfig
from orchestrator_utils._speech_router import RouterSpeech, RouterSpeechConfig

__all__ = [
    "ElevenLabsSpeech",
    "ElevenLabsSpeechConfig",
    "EmbeddedVoice",
    "EmbeddedVoiceConfig",
    "FailoverSpeech",
    "OpenAISpeech",
    "OpenAISpeechConfig",
    "RouterSpeech",
    "RouterSpeechConfig",
    "SpeechLimits",
    "SpeechOutcome",
    "SpeechRefused",
    "espeak_voice",
    "speech_cache_key",
]
