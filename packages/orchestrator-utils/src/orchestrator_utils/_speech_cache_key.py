"""The key of a sentence in a cache of speech. Pure."""

from __future__ import annotations

import hashlib
from typing import Final

from orchestrator_kernel.ports import SpeechRequest

__all__ = ["speech_cache_key"]

_FORM: Final = b"speech/1"
"""Changes when the same fields come to mean something else, so that no cache outlives its meaning."""


def speech_cache_key(request: SpeechRequest, backend: str) -> str:
    """The key of the audio of a sentence: 64 hex digits that tell nothing of the text.

    Two requests have the same key if and only if text, language (case aside), voice and speed are the same, and so is `backend`.
    `backend` names all else that shapes the sound: the voice's kind, its version or model, and its sample rate, for example
    `openai:gpt-4o-mini-tts:24000`. The text is the one that the voice is given, after pronunciations.

    >>> from orchestrator_kernel.ports import SpeechRequest
    >>> first = SpeechRequest(text="Good evening.", language="en-US")
    >>> speech_cache_key(first, "espeak:1.52") == speech_cache_key(SpeechRequest(text="Good evening.", language="en-us"), "espeak:1.52")
    True
    >>> speech_cache_key(first, "espeak:1.52") == speech_cache_key(first, "espeak:1.53")
    False
    """
    voice = b"-" if request.voice is None else b"=" + request.voice.encode("utf-8", "surrogatepass")
    fields = (
        _FORM,
        backend.encode("utf-8", "surrogatepass"),
        request.language.lower().encode("utf-8", "surrogatepass"),
        voice,
        float(request.speed).hex().encode(),
        request.text.encode("utf-8", "surrogatepass"),
    )
    digest = hashlib.sha256()
    for field in fields:
        # With its length before it, no field can pass for the beginning of the next.
        digest.update(len(field).to_bytes(8, "big"))
        digest.update(field)
    return digest.hexdigest()
