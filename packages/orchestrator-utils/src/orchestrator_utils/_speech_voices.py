"""Which voice of an endpoint speaks a sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator_kernel.ports import SpeechRequest

__all__ = ["by_tag", "chosen"]


def by_tag(voices: Mapping[str, str]) -> Mapping[str, str]:
    """Voices by language, whatever the case of the BCP 47 tags."""
    return MappingProxyType({tag.lower(): voice for tag, voice in voices.items()})


def chosen(request: SpeechRequest, default: str, voices: Mapping[str, str]) -> str:
    """The request's own voice, else that of its language, or of the first part of its tag, else the default."""
    tag = request.language.lower()
    return request.voice or voices.get(tag) or voices.get(tag.partition("-")[0]) or default
