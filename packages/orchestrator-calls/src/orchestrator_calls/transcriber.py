"""Recognizers of speech, behind the kernel's `Transcriber`.

`OpenAITranscriber` asks any server that speaks the protocol of `/v1/audio/transcriptions` (extra `[http]`). `CommandTranscriber` needs no network: it tells which of the
expected phrases was said, and knows nothing else (extra `[asr]`).
"""

from __future__ import annotations

from orchestrator_calls.transcriber_commands import CommandTranscriber, CommandTranscriberConfig, UnknownWords
from orchestrator_calls.transcriber_openai import OpenAITranscriber, OpenAITranscriberConfig

__all__ = [
    "CommandTranscriber",
    "CommandTranscriberConfig",
    "OpenAITranscriber",
    "OpenAITranscriberConfig",
    "UnknownWords",
]
